# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""What an idle session costs: at most 2 KiB of the program's own memory, over 5,000 of them, because buffers are held only
while bytes wait. Both ends are driven from helper processes, for their descriptors' sake."""

import os
import resource
import subprocess
import sys
import time

import pytest
from harness import measures_memory, wait_for

SESSIONS = 5000
CROWD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "crowd.py")


class Helper:
    def __init__(self, *args):
        self.process = subprocess.Popen(
            [sys.executable, CROWD, *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def line(self):
        got = self.process.stdout.readline().strip()
        assert got, "the helper died"
        return got

    def end(self):
        self.process.stdin.close()
        self.process.wait(20)


@measures_memory
@pytest.mark.timeout(120)
def test_idle_sessions_are_small(bridge):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    n = min(SESSIONS, (hard - 300) // 2)
    if n < 1000:
        pytest.skip(f"the descriptor limit of {hard} allows {n} sessions only")
    helpers = [Helper("backend")]
    br = bridge(to=f"127.0.0.1:{helpers[0].line()}", limits={"connections": 2 * SESSIONS}, log={"access": False})
    try:
        # What the first sessions cause once (threads, pools, tables of the loop) is no cost of a session.
        warm = [Helper("clients", br.host, br.port, 50)]
        helpers += warm
        assert warm[0].line() == "ready"
        time.sleep(0.3)
        before = br.pss()
        crowd = [Helper("clients", br.host, br.port, n // 2) for _ in range(2)]
        helpers += crowd
        assert [h.line() for h in crowd] == ["ready", "ready"]
        time.sleep(0.5)
        each = (br.pss() - before) / (n // 2 * 2)
        print(f"{n} idle sessions: {each:.0f} bytes each")
        assert each <= 2048, f"{each:.0f} bytes for each of {n} sessions"
        # And it is given back, or at least used again: the same crowd once more costs nothing new.
        for h in crowd:
            h.end()
        wait_for(lambda: br.descriptors() < n, 20, "the sessions to end")
        again = [Helper("clients", br.host, br.port, n // 2) for _ in range(2)]
        helpers += again
        assert [h.line() for h in again] == ["ready", "ready"]
        time.sleep(0.5)
        assert br.pss() - before <= n * 2048 * 1.25
    finally:
        for h in helpers:
            if not h.process.stdin.closed:
                h.end()
