#!/bin/sh
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
#
# lint.sh BUILD: what can be said of units, manuals, completions and scripts without installing them. BUILD holds the
# program and what was printed by it. Tools that only say something through their output must not print a word:
# systemd-analyze verify ends with 0 even for keys that it does not know.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$(cd "${1:-build}" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

fail() {
    echo "package-lint: $*" >&2
    failed=1
}

silent() { # WHAT COMMAND...: prints nothing and ends with 0
    what=$1
    shift
    said=$("$@" 2>&1) || fail "$what: failed"
    [ -z "$said" ] || fail "$what: $said"
}

# --- units: as they are, but with the program that was just built ---
for u in packaging/systemd/*.service packaging/systemd/*.socket; do
    sed "s,/usr/bin/wsbridge,$build/wsbridge," "$u" > "$tmp/$(basename "$u")"
done
cp "$tmp/wsbridge@.service" "$tmp/wsbridge@desk.service"
for u in wsbridge.service wsbridge.socket wsbridge@desk.service; do
    # On a system that never had the package there is no such user.
    said=$(SYSTEMD_UNIT_PATH="$tmp:" systemd-analyze verify --man=no --generators=no "$tmp/$u" 2>&1 | grep -F wsbridge)
    [ -z "$said" ] || fail "$u: $said"
done
for u in wsbridge.service wsbridge@.service; do
    exposure=$(systemd-analyze security --offline=yes --no-pager "packaging/systemd/$u" |
        sed -n 's/.*Overall exposure level for [^:]*: \([0-9.]*\).*/\1/p')
    awk "BEGIN { exit !(\"$exposure\" != \"\" && $exposure <= 1.6) }" || fail "$u: exposure $exposure, at most 1.6"
    echo "  ok    $u: exposure $exposure"
done
# The two services differ in the lines that the instance's name is in, and nowhere else.
grep -v '^#' packaging/systemd/wsbridge.service > "$tmp/one"
grep -v '^#' packaging/systemd/wsbridge@.service |
    sed 's, (%i)$,,; s,/%i\.yaml,/wsbridge.yaml,; s,wsbridge-%i,wsbridge,' > "$tmp/many"
silent 'wsbridge@.service is not wsbridge.service' diff "$tmp/one" "$tmp/many"

# --- manuals: whether other pages exist is a question about this machine, except for our own ---
for m in wsbridge.8 wsbridge.yaml.5; do
    silent "$m" sh -c "mandoc -Tlint '$build/man/$m' 2>&1 | grep -v -e 'mandoc.db' -e 'referenced manual not found'; true"
done

# --- every option of the help is in the manual and in the completions, and those know no other ---
"$build/wsbridge" --help | grep -oE -- '--[a-z][a-z-]+' | sort -u |
    grep -v -x -e --print-reference > "$tmp/help" # named in the help's last line, not an option for every day
printf '%s\n' --print-reference --print-schema --print-mdoc >> "$tmp/help"
sort -o "$tmp/help" "$tmp/help"
for c in packaging/completions/wsbridge.bash packaging/completions/_wsbridge; do
    grep -v '^#' $c | grep -oE -- '--[a-z][a-z-]+' | sort -u > "$tmp/these"
    silent "$c" diff "$tmp/help" "$tmp/these"
done
grep -oE -- '-l [a-z-]+' packaging/completions/wsbridge.fish | sed 's/-l /--/' | sort -u > "$tmp/these"
silent packaging/completions/wsbridge.fish diff "$tmp/help" "$tmp/these"
grep -oE -- '(Fl|,) \\-[a-z-]+' packaging/man/wsbridge.8 | sed 's/.* \\-/--/' | sort -u > "$tmp/these"
silent packaging/man/wsbridge.8 diff "$tmp/help" "$tmp/these"
silent bash bash -n packaging/completions/wsbridge.bash
silent zsh zsh -n packaging/completions/_wsbridge
silent fish fish --no-execute packaging/completions/wsbridge.fish

# --- the rest ---
silent 'JSON schema' sh -c "python3 -m json.tool < '$build/share/wsbridge.schema.json' > /dev/null"
silent 'firewalld.xml' python3 -c 'import sys, xml.etree.ElementTree as t; t.parse("packaging/firewall/firewalld.xml")'
silent shellcheck shellcheck packaging/*.sh packaging/container/*.sh
for f in config/wsbridge.yaml packaging/container/wsbridge.yaml; do
    "$build/wsbridge" -t -c "$f" > /dev/null || fail "$f"
done
silent 'debian/changelog' sh -c 'packaging/changelog.sh deb | dpkg-parsechangelog -l - > /dev/null'

[ "$failed" -eq 0 ] && echo "  ok    package-lint"
exit "$failed"
