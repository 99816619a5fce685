# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Connecting to the backend before the 101: what fails is an honest status, all addresses are tried, and with `errors:
close` a page gets to see why. Names come from an /etc/hosts of our own in a mount namespace, which takes root."""

import shutil
import socket
import subprocess
import time

import pytest
from harness import BlackHole, closed_port, free_port, needs_ipv6, needs_root
from wsclient import WebSocket, upgrade_head


def can_mount():
    try:
        return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


needs_hosts = pytest.mark.skipif(not (shutil.which("unshare") and can_mount()), reason="cannot have its own /etc/hosts")


@pytest.fixture
def hosts(tmp_path):
    """hosts("127.0.0.2 name", ...) gives the command prefix under which these names exist."""

    def make(*lines):
        path = tmp_path / "hosts"
        path.write_text("127.0.0.1 localhost\n" + "".join(f"{line}\n" for line in lines))
        script = f'mount --bind "{path}" /etc/hosts && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "sh"]

    return make


def refused(br, status, path="/"):
    began = time.monotonic()
    with WebSocket(br.address) as ws:
        r = ws.open(path, check=False)
        took = time.monotonic() - began
        assert r.status == status, r
        assert r.body.strip() and r.get("connection") == "close"
        ws.expect_end()
    return took, r


def test_refused(bridge):
    port = closed_port()
    br = bridge(to=f"127.0.0.1:{port}")
    took, r = refused(br, 502)
    assert took < 2
    assert str(port).encode() not in r.body, "addresses are for the log alone"
    br.wait_log(rf"connect_failed.*{port}")


def test_unreachable(bridge):
    took, _ = refused(bridge(to="255.255.255.255:9"), 502)
    assert took < 2


def test_too_slow(bridge, black_hole):
    br = bridge(to=black_hole.target, timeouts={"connect": "1s"})
    took, _ = refused(br, 504)
    assert 0.8 < took < 3


def test_connect_timeout_of_the_service(bridge, black_hole):
    br = bridge(
        services={"s": {"to": black_hole.target, "connect_timeout": "500ms"}},
        routes=[{"path": "/", "service": "s"}],
    )
    took, _ = refused(br, 504)
    assert 0.3 < took < 2


def test_other_clients_do_not_wait_for_a_slow_backend(bridge, black_hole):
    br = bridge(
        services={"slow": {"to": black_hole.target}, "echo": {"to": "builtin:echo"}},
        routes=[{"path": "/slow", "service": "slow"}, {"path": "/echo", "service": "echo"}],
        process={"workers": 1},
        timeouts={"connect": "3s"},
    )
    waiting = br.wire()
    waiting.send(upgrade_head("/slow", key="dGhlIHNhbXBsZSBub25jZQ=="))
    began = time.monotonic()
    ws = br.ws("/echo")
    ws.text("quick")
    assert ws.recv_message().payload == b"quick"
    assert time.monotonic() - began < 1


def test_client_leaves_while_connecting(bridge, black_hole):
    """The attempt is given up with it: no descriptor stays."""
    br = bridge(to=black_hole.target, timeouts={"connect": "30s"})
    before = br.descriptors()
    wires = [br.wire() for _ in range(10)]
    for w in wires:
        w.send(upgrade_head(key="dGhlIHNhbXBsZSBub25jZQ=="))
    time.sleep(0.3)
    assert br.descriptors() >= before + 20
    for w in wires:
        w.close()
    time.sleep(0.5)
    assert br.descriptors() <= before + 1


def test_backend_that_resets_at_once(bridge, backend):
    def slam(conn):
        conn.reset()

    br = bridge(to=backend(serve=slam).target)
    with WebSocket(br.address) as ws:
        r = ws.open(check=False)
        if r.status == 101:
            assert ws.recv_close()[0] in (1000, 1011)
        else:
            assert r.status == 502


def test_unix_socket_missing(bridge, tmp_path):
    refused(bridge(to=f"unix:{tmp_path}/nobody.sock"), 502)


def test_unix_socket_without_listener(bridge, tmp_path):
    path = str(tmp_path / "dead.sock")
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.close()
    refused(bridge(to=f"unix:{path}"), 502)


def test_unix_socket_with_full_queue(bridge, tmp_path):
    """connect() says EAGAIN: that is no success."""
    path = str(tmp_path / "full.sock")
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(0)
    fill = []
    for _ in range(3):
        c = socket.socket(socket.AF_UNIX)
        c.setblocking(False)
        c.connect_ex(path)
        fill.append(c)
    br = bridge(to=f"unix:{path}", timeouts={"connect": "1s"})
    with WebSocket(br.address) as ws:
        assert ws.open(check=False).status in (502, 503, 504)
    for c in [*fill, s]:
        c.close()


# --- names --------------------------------------------------------------------------------------------------------------


def test_localhost(bridge, backend):
    b = backend(serve=lambda c: c.send(b"by name"))
    br = bridge(to=f"localhost:{b.port}")
    assert br.ws().recv_bytes(7) == b"by name"


@needs_ipv6
def test_localhost_on_ipv6(bridge, backend):
    b = backend(host="::1", serve=lambda c: c.send(b"six"))
    assert bridge(to=f"[::1]:{b.port}").ws().recv_bytes(3) == b"six"


def test_name_not_found(bridge):
    """Quickly where a name server (or its absence) answers; a silent name server is a 504."""
    br = bridge(to="no-such-host.invalid:5901", timeouts={"connect": "4s"})
    with WebSocket(br.address) as ws:
        r = ws.open(check=False)
        assert r.status in (502, 504), r
    br.wait_log(r"connect_failed.*no-such-host\.invalid")


@needs_hosts
@needs_root
def test_every_address_of_a_name_is_tried(bridge, hosts, backend):
    port = free_port()
    backend(host="127.0.0.4", port=port, serve=lambda c: c.send(b"last"))
    prefix = hosts("127.0.0.2 many.test", "127.0.0.3 many.test", "127.0.0.4 many.test")
    br = bridge(to=f"many.test:{port}", prefix=prefix)
    for _ in range(5):
        assert br.ws().recv_bytes(4) == b"last"


@needs_hosts
@needs_root
def test_all_addresses_refuse(bridge, hosts):
    br = bridge(to=f"many.test:{closed_port()}", prefix=hosts("127.0.0.2 many.test", "127.0.0.3 many.test"))
    took, _ = refused(br, 502)
    assert took < 3


@needs_hosts
@needs_root
def test_a_dead_address_costs_a_moment_only(bridge, hosts, backend):
    """RFC 8305: the second attempt starts 250 ms after the first, not after its timeout."""
    port = free_port()
    hole = BlackHole("127.0.0.2", port)
    backend(host="127.0.0.3", port=port, serve=lambda c: c.send(b"second"))
    br = bridge(to=f"race.test:{port}", prefix=hosts("127.0.0.2 race.test", "127.0.0.3 race.test"))
    began = time.monotonic()
    assert br.ws().recv_bytes(6) == b"second"
    assert time.monotonic() - began < 1.5
    hole.close()


@needs_hosts
@needs_root
@needs_ipv6
@pytest.mark.parametrize("family", ["v4", "v6"])
def test_both_families(bridge, hosts, backend, family):
    """Whichever family the service listens on, a name with both addresses finds it."""
    port = free_port()
    host = "127.0.0.2" if family == "v4" else "::1"
    backend(host=host, port=port, serve=lambda c: c.send(b"found"))
    br = bridge(to=f"both.test:{port}", prefix=hosts("127.0.0.2 both.test", "::1 both.test"))
    assert br.ws().recv_bytes(5) == b"found"


@needs_hosts
@needs_root
def test_hosts_file_is_read_again(bridge, hosts, backend, tmp_path):
    """Names are looked up at each connect: a service that moved is found."""
    port = free_port()
    backend(host="127.0.0.2", port=port, serve=lambda c: c.send(b"old"))
    backend(host="127.0.0.3", port=port, serve=lambda c: c.send(b"new"))
    br = bridge(to=f"moves.test:{port}", prefix=hosts("127.0.0.2 moves.test"))
    assert br.ws().recv_bytes(3) == b"old"
    (tmp_path / "hosts").write_text("127.0.0.3 moves.test\n")
    assert br.ws().recv_bytes(3) == b"new"


# --- errors: close ------------------------------------------------------------------------------------------------------


def test_errors_close_refused(bridge):
    br = bridge(to=f"127.0.0.1:{closed_port()}", errors="close")
    ws = br.ws()
    code, reason = ws.recv_close()
    assert code == 1011 and reason
    ws.send_close(1011)
    ws.expect_end()


def test_errors_close_too_slow(bridge, black_hole):
    br = bridge(to=black_hole.target, errors="close", timeouts={"connect": "700ms"})
    ws = br.ws()
    code, reason = ws.recv_close()
    assert code in (1011, 1013) and reason


def test_errors_close_still_refuses_what_is_no_handshake(bridge):
    br = bridge(to=f"127.0.0.1:{closed_port()}", errors="close")
    assert br.upgrade(version="12").status == 426
    assert br.upgrade(origin="http://evil.example").status == 403


def test_errors_close_swallows_early_frames(bridge):
    br = bridge(to=f"127.0.0.1:{closed_port()}", errors="close")
    ws = br.ws(early=b"\x82\x85\0\0\0\0early")
    assert ws.recv_close()[0] == 1011
    ws.send_close(1011)
    ws.expect_end()
