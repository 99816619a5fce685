# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""The fixtures that integration and browser tests share (each folder's conftest.py takes them over)."""

import pytest
from harness import Backend, BlackHole, Bridge


@pytest.fixture
def bridge(tmp_path, request):
    """bridge(to=..., timeouts=...) or bridge(config=TEXT) or bridge(args=[...]): starts one and waits until it listens."""
    started = []

    def start(config=None, args=None, wait=True, port=None, host="127.0.0.1", prefix=(), open_files=None, env=None, **keys):
        b = Bridge(tmp_path, config if config is not None else keys, args, port, host, prefix, open_files, env)
        started.append(b)
        return b.ready() if wait else b

    yield start
    problems = []
    for b in started:
        try:
            b.stop()
        except AssertionError as e:
            problems.append(str(e))
    failed = getattr(request.node, "report_call", None)
    if failed is not None and failed.failed:
        for b in started:
            print(f"--- log of wsbridge {b.args} ---\n{b.log()[-8000:]}")
    assert not problems, "\n".join(problems)


@pytest.fixture
def backend():
    made = []

    def make(**how):
        b = Backend(**how)
        made.append(b)
        return b

    yield make
    for b in made:
        b.close()


@pytest.fixture
def black_hole():
    h = BlackHole()
    yield h
    h.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == "call":
        item.report_call = report
