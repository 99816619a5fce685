#!/bin/bash
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
#
# Runs every check and counts. A stage that fails does not stop the others, so that one run tells everything; the exit
# status is that of the whole. The last line is "N passed, N failed": the tests of unit, integration and browser, and
# one failure more for every other stage that failed (lint, fuzzing, a sanitizer).
#
#   tests/check.sh [STAGE...]      the stages are targets of make; by default all of them
set -u
cd "$(dirname "$0")/.." || exit 1

stages=("$@")
[ ${#stages[@]} -gt 0 ] || stages=(format-check layers headers tidy docs-check unit bench-smoke integration browser fuzz-smoke asan tsan)
logs=build/check
rm -rf "$logs"
mkdir -p "$logs"
passed=0
failed=0
broken=()

# The count of "N WORD" in pytest's last line.
pytest_count() {
    tail -n 3 "$1" | grep -oE "[0-9]+ $2" | tail -n 1 | grep -oE '^[0-9]+' || echo 0
}

for stage in "${stages[@]}"; do
    # A stage that the tree does not have (yet) is not a failure.
    "${MAKE:-make}" -n "$stage" > /dev/null 2> "$logs/missing" || {
        grep -q "No rule to make target '$stage'" "$logs/missing" && continue
    }
    log=$logs/$stage.log
    echo "== $stage"
    began=$SECONDS
    "${MAKE:-make}" --no-print-directory -j"${JOBS:-$(nproc)}" "$stage" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    case $stage in
        unit)
            good=$(grep -oE '^  ok    [0-9]+ test' "$log" | awk '{ n += $2 } END { print n + 0 }')
            bad=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
            ;;
        integration | browser)
            good=$(pytest_count "$log" passed)
            bad=$(($(pytest_count "$log" failed) + $(pytest_count "$log" error)))
            ;;
        *) good=0 bad=0 ;;
    esac
    # A failed stage counts as one failure at the least: it may have died before it could count.
    [ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    [ "$bad" -eq 0 ] || broken+=("$stage")
    passed=$((passed + good))
    failed=$((failed + bad))
    echo "== $stage: $([ "$bad" -eq 0 ] && echo ok || echo FAILED) ($((SECONDS - began)) s)"
done

[ ${#broken[@]} -eq 0 ] || echo "failed: ${broken[*]} (logs in $logs)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
