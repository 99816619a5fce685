# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""What a browser makes of wsbridge itself: the built-in page, same-origin pages, and what a page learns of an end."""

import re

from harness import ROOT, closed_port, free_port


def test_demo_page(bridge, node, shot):
    br = bridge(
        services={"echo": {"to": "builtin:echo"}},
        routes=[{"path": "/", "files": "builtin:demo"}, {"path": "/echo", "service": "echo"}],
    )
    got = node("demo.mjs", url=f"http://localhost:{br.port}/", line="grüße 😀", shot=shot("demo.png"))
    assert re.search(r"median [\d.]+ ms", got["rtt"])
    assert "".join(got["answers"]).count("grüße 😀") == 2
    assert "1000" in got["state"]


def test_demo_page_to_a_tcp_service(bridge, backend, node):
    """What `make run TO=host:port` shows."""

    def shout(conn):
        while data := conn.sock.recv(1000):
            conn.sock.sendall(data.upper())

    b = backend(serve=shout)
    br = bridge(
        services={"echo": {"to": "builtin:echo"}, "service": {"to": b.target}},
        routes=[
            {"path": "/", "files": "builtin:demo"},
            {"path": "/echo", "service": "echo"},
            {"path": "/service", "service": "service"},
        ],
    )
    got = node("demo.mjs", url=f"http://localhost:{br.port}/?path=/service", line="LOUD")
    assert "".join(got["answers"]).count("LOUD") == 2


def test_what_a_page_learns_of_an_end(bridge, backend, node, pages):
    bye = backend(serve=lambda c: c.send(b"bye"))
    br = bridge(
        services={
            "bye": {"to": bye.target},
            "down": {"to": f"127.0.0.1:{closed_port()}"},
            "idle": {"to": "builtin:echo", "timeouts": {"idle": "500ms"}},
        },
        routes=[
            {"path": "/", "files": pages},
            {"path": "/bye", "service": "bye"},
            {"path": "/down", "service": "down"},
            {"path": "/idle", "service": "idle"},
        ],
    )
    got = node("closing.mjs", url=f"http://localhost:{br.port}/mqtt.min.js", paths=["/bye", "/down", "/idle", "/none"])
    assert got["/bye"]["text"] == "bye" and got["/bye"]["code"] == 1000 and got["/bye"]["clean"]
    assert not got["/down"]["opened"] and got["/down"]["code"] == 1006
    assert got["/idle"]["code"] == 1001 and got["/idle"]["reason"] and got["/idle"]["clean"]
    assert not got["/none"]["opened"]


def test_a_page_of_another_origin_is_kept_out(bridge, node, pages):
    """The same port under another name is another origin."""
    inside = bridge(services={"s": {"to": "builtin:echo"}}, routes=[{"path": "/", "files": pages}, {"path": "/ws", "service": "s"}])
    got = node(
        "closing.mjs",
        url=f"http://127.0.0.1:{inside.port}/mqtt.min.js",
        paths=[f"ws://localhost:{inside.port}/ws"],
    )
    assert not next(iter(got.values()))["opened"]
    inside.wait_log(r"status=403")


def test_make_run(bridge, node, backend, tmp_path):
    """The demonstration's own configuration, on another port, with a service added as `make run TO=` does."""
    with open(f"{ROOT}/config/demo.yaml") as f:
        text = f.read()
    b = backend(serve=lambda c: c.send(b"welcome") or c.take_all(60))
    (tmp_path / "to.yaml").write_text(
        f'services:\n  service: {{to: "{b.target}"}}\nroutes:\n  - {{path: /service, service: service}}\n'
    )
    port = free_port()
    assert '"127.0.0.1:6080"' in text  # this machine only
    text = text.replace('6080"', f'{port}"').replace("../build/run.d/*.yaml", "to.yaml")
    (tmp_path / "demo.yaml").write_text(text)
    br = bridge(args=["-c", tmp_path / "demo.yaml"], port=port)
    assert br.ws("/service").recv_bytes(7) == b"welcome"
    got = node("demo.mjs", url=f"http://localhost:{port}/", line="hello")
    assert "".join(got["answers"]).count("hello") == 2
