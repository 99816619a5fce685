#!/bin/sh
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
#
# build.sh deb|rpm DIRECTORY [VERSION]: makes one kind of package from a copy of the sources, so that the tree stays as
# it is and nothing that lies about in it can get in. Two runs give the same bytes, wherever the tree and the directory
# are: the time is that of the newest entry in packaging/CHANGES, paths of this machine are mapped away, and the copy has
# one owner, mode and order. VERSION stands in for packaging/VERSION, to try an upgrade.
set -eu
umask 022
top=$(cd "$(dirname "$0")/.." && pwd)
kind=${1:?deb or rpm}
mkdir -p "${2:?where to}"
out=$(cd "$2" && pwd)
version=${3:-$(cat "$top/packaging/VERSION")}
name=wsbridge-$version
work=$out/work-$kind
stage=$work/$name
# What a calling make says about its own goals, variables and jobs is not for the packages.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL BUILD VARIANT CFLAGS CPPFLAGS LDFLAGS DESTDIR PREFIX
export LC_ALL=C.UTF-8 TZ=UTC

# The files that git knows, as they are in the tree now; in an unpacked release all but what was built.
list_sources() {
    if [ -e "$top/.git" ] && command -v git > /dev/null; then
        git -C "$top" -c safe.directory="$top" ls-files --cached --others --exclude-standard
    else
        (cd "$top" && find . -path ./build -prune -o -name node_modules -prune -o -type f -printf '%P\n')
    fi | while IFS= read -r f; do
        if [ -f "$top/$f" ]; then echo "$f"; fi
    done | sort
}

pack() { # FROM LIST TARBALL
    tar -C "$1" --no-recursion --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw,a-s \
        --mtime="@$SOURCE_DATE_EPOCH" --format=ustar --transform="s,^,$name/," -cf "$3" -T "$2"
}

run() {
    "$@" > "$work/log" 2>&1 || {
        tail -n 60 "$work/log"
        echo "build: $kind failed; all it said is in $work/log" >&2
        exit 1
    }
}

echo "  PACK  $name ($kind)"
rm -rf "$work"
mkdir -p "$stage"
list_sources > "$work/sources"
SOURCE_DATE_EPOCH=$("$top/packaging/changelog.sh" epoch)
export SOURCE_DATE_EPOCH
pack "$top" "$work/sources" "$work/stage.tar"
tar -C "$work" -xf "$work/stage.tar"
if [ "$version" != "$(cat "$top/packaging/VERSION")" ]; then
    echo "$version" > "$stage/packaging/VERSION"
    sed -i "0,/^[0-9]/s/^[0-9][^ ]* \(.*\)/$version \1\n- A trial.\n\n&/" "$stage/packaging/CHANGES"
fi
changelog=$stage/packaging/changelog.sh

case $kind in
    deb)
        cp -r "$stage/packaging/deb/debian" "$stage/debian"
        "$changelog" deb > "$stage/debian/changelog"
        cd "$stage"
        run dpkg-buildpackage -b -us -uc
        mv "$work"/*.deb "$out/"
        ls "$out"/wsbridge_"$version"-*.deb
        ;;
    rpm)
        mkdir -p "$work/SOURCES" "$work/SPECS"
        pack "$stage" "$work/sources" "$work/SOURCES/$name.tar"
        gzip -9n "$work/SOURCES/$name.tar"
        sed "s/@VERSION@/$version/" "$stage/packaging/rpm/wsbridge.spec" > "$work/SPECS/wsbridge.spec"
        "$changelog" rpm >> "$work/SPECS/wsbridge.spec"
        touch -d "@$SOURCE_DATE_EPOCH" "$work/SPECS/wsbridge.spec" "$work/SOURCES/$name.tar.gz"
        # A source package would hold the spec with this machine's paths filled in, and so not be the same everywhere.
        # On Debian what it needs to build are Debian packages, of which rpm's database knows nothing.
        nodeps=
        if command -v dpkg > /dev/null; then nodeps=--nodeps; fi
        run rpmbuild -bb $nodeps --define "_topdir $work" --define "_buildhost reproducible" "$work/SPECS/wsbridge.spec"
        mv "$work"/RPMS/*/*.rpm "$out/"
        ls "$out"/wsbridge-"$version"-*.rpm
        ;;
    *)
        echo "usage: $0 deb|rpm DIRECTORY [VERSION]" >&2
        exit 64
        ;;
esac
rm -rf "$work"
