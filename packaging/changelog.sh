#!/bin/sh
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
#
# Prints packaging/CHANGES in another form: `deb` as debian/changelog, `rpm` as the %changelog of a spec, `epoch` as the
# time of the newest entry (noon, UTC), which the builds use as SOURCE_DATE_EPOCH. The newest entry must be of the
# version in packaging/VERSION.
set -eu
cd "$(dirname "$0")"

# The project has no mailbox; see .github/SECURITY.md for how to reach it.
who='the wsbridge authors <wsbridge@packages.invalid>'
version=$(cat VERSION)
newest=$(sed -n 's/^\([0-9][^ ]*\) (.*/\1/p' CHANGES | head -n 1)
if [ "$version" != "$newest" ]; then
    echo "changelog: packaging/VERSION says $version, the newest entry of packaging/CHANGES is for $newest" >&2
    exit 1
fi

# One line for each entry: version, date in the form that was asked for.
dates() {
    sed -n 's/^\([0-9][^ ]*\) (\(.*\))$/\1 \2/p' CHANGES | while read -r v d; do
        echo "$v $(LC_ALL=C date -u -d "$d 12:00" "+$1")"
    done
}

case ${1:-} in
    epoch)
        dates %s | sed -n '1s/.* //p'
        ;;
    deb)
        dates '%a, %d %b %Y %H:%M:%S +0000' | awk -v who="$who" '
            FNR == NR { v = $1; sub(/^[^ ]* /, ""); when[v] = $0; next }
            function finish() { if (version) printf "\n -- %s  %s\n", who, when[version] }
            /^[0-9]/ { finish(); if (version) print ""; version = $1
                       printf "wsbridge (%s-1) stable; urgency=medium\n\n", version; next }
            version && /^- / { print "  * " substr($0, 3) }
            version && /^  / { print "  " $0 }
            END { finish() }' - CHANGES
        ;;
    rpm)
        dates '%a %b %d %Y' | awk -v who="$who" '
            FNR == NR { v = $1; sub(/^[^ ]* /, ""); when[v] = $0; next }
            /^[0-9]/ { if (version) print ""; version = $1; printf "* %s %s - %s-1\n", when[version], who, version; next }
            version && /^(- |  )/ { print }' - CHANGES
        ;;
    *)
        echo "usage: $0 deb|rpm|epoch" >&2
        exit 64
        ;;
esac
