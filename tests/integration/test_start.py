# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Starting where something is missing: an exit code and a sentence, never a crash."""

import subprocess

import pytest
from harness import PROGRAM, SANITIZED, free_port


@pytest.mark.skipif(SANITIZED, reason="the sanitizers need descriptors of their own")
@pytest.mark.parametrize("n", range(4, 10))
def test_too_few_descriptors(n):
    done = subprocess.run(
        ["sh", "-c", f'ulimit -n {n}; exec "$0" "$@"', PROGRAM, str(free_port()), "builtin:echo"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode in (1, 77), done
    assert "descriptors" in done.stderr or "open files" in done.stderr, done
