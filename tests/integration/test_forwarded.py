# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""X-Forwarded-For, -Proto, -Host and Forwarded: believed from trusted proxies alone, read from the right."""

import pytest
from harness import free_port
from tlsparts import Program, needs
from wsclient import WebSocket


def listening(bridge, trusted=("127.0.0.1", "10.0.0.0/8"), routes=None, **keys):
    port = free_port()
    return bridge(
        listeners=[{"name": "in", "address": f"127.0.0.1:{port}", "trusted_proxies": list(trusted)}],
        services={"s": {"to": "builtin:echo"}},
        routes=routes or [{"path": "/", "service": "s"}],
        port=port,
        **keys,
    )


def peer_of(b, headers):
    before = len(b.log_lines("access session"))
    w = b.ws("/", headers=headers)
    w.send_close()
    w.recv_close()
    line = b.wait_log("access session", count=before + 1)[-1]
    return line.split("peer=")[1].split()[0].strip('"')


@pytest.mark.parametrize(
    "headers, peer",
    [
        ({"X-Forwarded-For": "192.0.2.7"}, "192.0.2.7"),
        ({"X-Forwarded-For": "203.0.113.66, 192.0.2.7, 10.1.2.3"}, "192.0.2.7"),
        ({"X-Forwarded-For": "203.0.113.66, 192.0.2.7"}, "192.0.2.7"),
        ({"X-Forwarded-For": "2001:db8::7"}, "[2001:db8::7]"),
        ({"Forwarded": 'for="192.0.2.7:4711";proto=https'}, "192.0.2.7:4711"),
        ({"Forwarded": 'for="[2001:db8::7]", for=10.0.0.1'}, "[2001:db8::7]"),
        ([("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-For", "10.0.0.1")], "192.0.2.7"),
    ],
)
def test_the_client_is_found_from_the_right(bridge, headers, peer):
    assert peer_of(listening(bridge), headers).startswith(peer)


def test_strangers_are_not_believed(bridge):
    b = listening(bridge, trusted=["192.0.2.1"])
    assert peer_of(b, {"X-Forwarded-For": "192.0.2.7"}).startswith("127.0.0.1:")
    assert b.upgrade(headers={"X-Forwarded-Proto": "https"}, origin="https://localhost").status == 403
    assert b.upgrade(headers={"X-Forwarded-For": "not an address"}).status == 101


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "not an address"},
        {"X-Forwarded-For": ", ".join(["10.0.0.1"] * 40)},
        {"Forwarded": "for=;;="},
        {"Forwarded": "for=192.0.2.7", "X-Forwarded-For": "192.0.2.8"},
        {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Host": "a b"},
    ],
)
def test_what_cannot_be_believed_is_a_400(bridge, headers):
    b = listening(bridge)
    assert b.upgrade(headers=headers).status == 400
    assert b.wait_log(r"request_refused .*peer=127\.0\.0\.1:\d+ status=400")


def test_the_origin_is_the_one_that_the_browser_saw(bridge):
    b = listening(bridge)
    https = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    assert b.upgrade(headers=https, origin="https://localhost").status == 101
    assert b.upgrade(headers=https, origin="http://localhost").status == 403
    moved = {**https, "X-Forwarded-Host": "vnc.example.org"}
    assert b.upgrade(headers=moved, origin="https://vnc.example.org").status == 101
    assert b.upgrade(headers=moved, origin="https://localhost").status == 403


def test_routes_see_the_forwarded_host(bridge):
    b = listening(bridge, routes=[{"host": "vnc.example.org", "path": "/", "service": "s"}])
    assert b.upgrade().status == 404
    assert b.upgrade(headers={"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Host": "vnc.example.org"}).status == 101


def test_the_backend_hears_the_same_name(bridge, backend):
    t = backend()
    port = free_port()
    b = bridge(
        listeners=[{"address": f"127.0.0.1:{port}", "trusted_proxies": ["127.0.0.1"]}],
        services={"s": {"to": t.target, "proxy_protocol": "v1"}},
        routes=[{"path": "/", "service": "s"}],
        port=port,
    )
    w = b.ws("/", headers={"X-Forwarded-For": "192.0.2.7"})
    assert t.accept().take_until(b"\r\n").startswith(b"PROXY TCP4 192.0.2.7 127.0.0.1 ")
    assert w


def test_a_proxy_on_a_unix_socket(bridge, tmp_path):
    b = bridge(
        listeners=[{"address": f"unix:{tmp_path}/in.sock", "trusted_proxies": ["unix"]}],
        services={"s": {"to": "builtin:echo"}},
        routes=[{"path": "/", "service": "s"}],
    )
    b.wait_log("listening ")
    assert peer_of(b, {"X-Forwarded-For": "192.0.2.7"}).startswith("192.0.2.7")


@needs("nginx")
def test_nginx_in_front(bridge, tmp_path):
    b = listening(bridge)
    front = free_port()
    conf = tmp_path / "nginx.conf"
    conf.write_text(
        f"daemon off;\npid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{ access_log off;\n"
        + "".join(f"{x}_temp_path {tmp_path}/{x};\n" for x in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        + f"server {{ listen 127.0.0.1:{front}; location / {{ proxy_pass http://127.0.0.1:{b.port}; proxy_http_version 1.1;\n"
        "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_set_header Host $http_host;\n"
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; } } }\n"
    )
    p = Program(["nginx", "-c", str(conf)], front, log=str(tmp_path / "nginx.log"))
    try:
        with WebSocket(("127.0.0.1", front)) as w:
            w.open("/", host=f"localhost:{front}", origin=f"http://localhost:{front}", headers={"X-Forwarded-For": "192.0.2.7"})
            w.binary(b"hello")
            assert w.recv_message().payload == b"hello"
            w.send_close()
            w.recv_close()
        # nginx added 127.0.0.1, which is trusted, so what it was told counts.
        assert b.wait_log("access session .*peer=192.0.2.7")
    finally:
        p.stop()
