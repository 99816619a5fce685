# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""End-to-end tests: real clients in a real browser, real services behind, wsbridge between. Python starts the parts and
checks what came of it; each page is driven by a small node script (*.mjs)."""

import json
import os
import shutil
import subprocess

import pytest
from harness import ROOT, free_port, listening_ports, wait_for
from harness_fixtures import backend, bridge, pytest_runtest_makereport  # noqa: F401

HERE = os.path.dirname(os.path.abspath(__file__))
SHOTS = os.path.join(ROOT, "build", "shots")


@pytest.fixture
def node():
    """node("demo.mjs", url=...) runs a driver and gives what it printed."""

    def run(script, timeout=90, **args):
        r = subprocess.run(
            ["node", os.path.join(HERE, script)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, "ARGS": json.dumps(args)},
            cwd=HERE,
        )
        assert r.returncode == 0, f"{script}:\n{r.stdout}\n{r.stderr}"
        return json.loads(r.stdout.strip().splitlines()[-1])

    os.makedirs(SHOTS, exist_ok=True)
    return run


@pytest.fixture
def spawn(tmp_path):
    """spawn(command, port=N or path=P): a service that lives as long as the test, awaited until it listens."""
    running = []

    def start(*command, port=None, path=None, env=None, timeout=15):
        log = open(tmp_path / f"{os.path.basename(str(command[0]))}-{len(running)}.log", "w+")
        p = subprocess.Popen(
            [str(c) for c in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **(env or {})}
        )
        running.append((p, log))

        def up():
            log.seek(0)
            assert p.poll() is None, f"{command} ended with {p.returncode}:\n{log.read()}"
            return (port is None or port in listening_ports()) and (path is None or os.path.exists(path))

        wait_for(up, timeout, f"{command}")
        return p

    yield start
    for p, log in reversed(running):
        p.terminate()
        try:
            p.wait(5)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
        log.close()


@pytest.fixture
def pages(tmp_path):
    """A folder with our pages and the scripts from npm that they load, to be served by wsbridge itself: Chromium refuses
    sockets to loopback from data: pages."""
    www = tmp_path / "www"
    www.mkdir()
    modules = os.path.join(HERE, "node_modules")
    for source in (
        f"{HERE}/pages/xterm.html",
        f"{HERE}/pages/mqtt.html",
        f"{modules}/@xterm/xterm/lib/xterm.js",
        f"{modules}/@xterm/xterm/css/xterm.css",
        f"{modules}/@xterm/addon-attach/lib/addon-attach.js",
        f"{modules}/mqtt/dist/mqtt.min.js",
    ):
        shutil.copy(source, www)
    return str(www)


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def shot():
    return lambda name: os.path.join(SHOTS, name)


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.timeout(180))
