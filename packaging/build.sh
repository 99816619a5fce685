#!/bin/sh
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
#
# build.sh deb|rpm DIRECTORY: makes one kind of package from a copy of the sources, so that the tree stays as it is and
# nothing that lies about in it can get in. Two runs give the same bytes: the time is that of the newest entry in
# packaging/CHANGES, paths of this machine are mapped away, and the copy has one owner, mode and order.
set -eu
umask 022
top=$(cd "$(dirname "$0")/.." && pwd)
kind=${1:?deb or rpm}
out=${2:?where to}
version=$(cat "$top/packaging/VERSION")
name=wsbridge-$version
work=$out/work-$kind
SOURCE_DATE_EPOCH=$("$top/packaging/changelog.sh" epoch)
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8 TZ=UTC
# What a calling make says about its own goals, variables and jobs is not for the packages.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL BUILD VARIANT CFLAGS CPPFLAGS LDFLAGS DESTDIR PREFIX

# The files that git knows, as they are in the tree now; in an unpacked release all but the build's own. Reproducibly.
tarball() {
    sources_list=$work/sources
    if [ -e "$top/.git" ] && command -v git > /dev/null; then
        git -C "$top" -c safe.directory="$top" ls-files --cached --others --exclude-standard
    else
        (cd "$top" && find . -path ./build -prune -o -name node_modules -prune -o -type f -printf '%P\n')
    fi | (cd "$top" && while IFS= read -r f; do [ -f "$f" ] && echo "$f"; done) | sort > "$sources_list"
    tar -C "$top" --no-recursion --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw,a-s --mtime="@$SOURCE_DATE_EPOCH" \
        --format=ustar --transform="s,^,$name/," -cf "$1" -T "$sources_list"
}

rm -rf "$work"
mkdir -p "$work"
echo "  $(echo "$kind" | tr a-z A-Z)   $name"

case $kind in
    deb)
        tarball "$work/$name.tar"
        tar -C "$work" -xf "$work/$name.tar"
        cp -r "$top/packaging/deb/debian" "$work/$name/debian"
        "$top/packaging/changelog.sh" deb > "$work/$name/debian/changelog"
        (cd "$work/$name" && dpkg-buildpackage -b -us -uc) > "$work/log" 2>&1 || { tail -n 60 "$work/log"; exit 1; }
        mv "$work"/*.deb "$out/"
        ls "$out"/wsbridge_"$version"-*.deb
        ;;
    rpm)
        mkdir -p "$work/SOURCES" "$work/SPECS"
        tarball "$work/SOURCES/$name.tar"
        gzip -9n "$work/SOURCES/$name.tar"
        sed "s/@VERSION@/$version/" "$top/packaging/rpm/wsbridge.spec" > "$work/SPECS/wsbridge.spec"
        "$top/packaging/changelog.sh" rpm >> "$work/SPECS/wsbridge.spec"
        # On Debian what it needs to build are Debian packages, of which rpm's database knows nothing.
        nodeps=
        command -v dpkg > /dev/null && nodeps=--nodeps
        rpmbuild -ba $nodeps --define "_topdir $work" --define "_buildhost reproducible" \
            "$work/SPECS/wsbridge.spec" > "$work/log" 2>&1 || { tail -n 60 "$work/log"; exit 1; }
        mv "$work"/RPMS/*/*.rpm "$work"/SRPMS/*.rpm "$out/"
        ls "$out"/wsbridge-"$version"-*.rpm
        ;;
    *)
        echo "usage: $0 deb|rpm DIRECTORY" >&2
        exit 64
        ;;
esac
rm -rf "$work"
