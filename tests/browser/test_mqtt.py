# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""mosquitto (its plain TCP listener) behind wsbridge, and mqtt.js before it, in node and in a page, with the subprotocol
`mqtt`."""

import os
import shutil

import pytest


def mosquitto_path():
    return shutil.which("mosquitto") or ("/usr/sbin/mosquitto" if os.path.exists("/usr/sbin/mosquitto") else None)


pytestmark = pytest.mark.skipif(not mosquitto_path(), reason="needs mosquitto")


@pytest.fixture
def broker(spawn, bridge, tmp_path, port, pages):
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    spawn(mosquitto_path(), "-c", config, port=port)
    return bridge(
        services={"broker": {"to": f"127.0.0.1:{port}", "subprotocols": ["mqtt"]}},
        routes=[{"path": "/", "files": pages}, {"path": "/mqtt", "service": "broker"}],
    )


def test_node_client(broker, node):
    got = node("mqtt_node.mjs", url=f"ws://127.0.0.1:{broker.port}/mqtt")
    assert got["messages"] == 3
    broker.wait_log(r" session .*subprotocol=mqtt .*closed_by=")


def test_page(broker, node):
    got = node("mqtt_page.mjs", url=f"http://localhost:{broker.port}/mqtt.html")
    assert got == {"topic": "page/one", "text": "from the page"}
    broker.wait_log(r" session .*subprotocol=mqtt .*closed_by=")
