# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Sockets that were handed in: systemd's activation (with its own systemd-socket-activate), plain LISTEN_FDS, inetd's
descriptor 0 in both forms; and what the service manager is told."""

import os
import signal
import socket
import subprocess
import time

import pytest
from harness import PROGRAM, SANITIZER, free_port, needs_ipv6, program, wait_for
from tlsparts import needs
from wsclient import WebSocket

ECHO = {"services": {"s": {"to": "builtin:echo"}}, "routes": [{"path": "/", "service": "s"}]}


def listener(family=socket.AF_INET, address=("127.0.0.1", 0)):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.bind(address)
    s.listen(64)
    return s


def handing(sockets, names=None):
    """A command prefix under which these sockets are descriptors 3, 4, ... and LISTEN_PID is right. The sockets have to
    be inheritable; a shell does what only the process itself can know."""
    moves = " ".join(f"{3 + i}<&{s.fileno()}" for i, s in enumerate(sockets))
    for s in sockets:
        os.set_inheritable(s.fileno(), True)
    names = f"LISTEN_FDNAMES={':'.join(names)} " if names else ""
    return ["bash", "-c", f'export LISTEN_PID=$$ LISTEN_FDS={len(sockets)} {names}; exec "$@" {moves}', "bash"]


@pytest.fixture
def handed(bridge, tmp_path):
    """handed(sockets, names, config): a wsbridge that got them."""

    def make(sockets, names, config, wait=True):
        # High numbers first, so that moving one to 3 does not run over another.
        high = [socket.socket(fileno=os.dup2(s.fileno(), 200 + i)) for i, s in enumerate(sockets)]
        prefix = handing(high, names)
        real = subprocess.Popen

        def popen(*a, **k):
            return real(*a, **{**k, "close_fds": False})

        subprocess.Popen = popen
        try:
            b = bridge(config, wait=False, prefix=prefix)
        finally:
            subprocess.Popen = real
            for s in high:
                s.close()
        if wait:
            b.wait_log("listening ")
        return b

    return make


def talks(address):
    with WebSocket(address) as w:
        w.open("/")
        w.binary(b"hello")
        assert w.recv_message().payload == b"hello"


# --- LISTEN_FDS -------------------------------------------------------------------------------------------------------


def test_sockets_by_name(handed, tmp_path):
    one, two, three = listener(), listener(), listener(socket.AF_UNIX, str(tmp_path / "s"))
    b = handed([one, two, three], ["web", "other", "web"],
               {"listeners": [{"address": "systemd:web"}, {"address": "systemd:other"}], **ECHO})  # fmt: skip
    for s in (one, two, three):
        talks(s.getsockname())
    assert len(b.log_lines("listening .*handed=true")) == 3
    b.stop()
    assert os.path.exists(tmp_path / "s")  # it is not ours to remove


@needs_ipv6
def test_a_socket_by_number_and_ipv6(handed):
    s = listener(socket.AF_INET6, ("::1", 0))
    handed([s], None, {"listeners": [{"address": "systemd:0"}], **ECHO})
    talks(s.getsockname()[:2])


def test_plain_sockets_are_found_by_address(handed):
    s = listener()
    port = s.getsockname()[1]
    b = handed([s, listener()], None, {"listeners": [{"address": f"127.0.0.1:{port}"}], **ECHO})
    talks(s.getsockname())
    assert b.wait_log("sockets_unused closed=1")


def test_a_name_that_nobody_handed_in(handed, bridge):
    b = handed([listener()], ["web"], {"listeners": [{"address": "systemd:wbe"}], **ECHO}, wait=False)
    assert b.wait() == 77
    assert b.wait_log("cannot listen on systemd:wbe: no socket of that name")
    b.stop(77)
    b = bridge({"listeners": [{"address": "systemd:web"}], **ECHO}, wait=False)
    assert b.wait() == 77
    b.stop(77)


def test_a_socket_that_does_not_listen(handed):
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    b = handed([s], ["web"], {"listeners": [{"address": "systemd:web"}], **ECHO}, wait=False)
    assert b.wait() == 77
    assert b.wait_log("does not listen")
    b.stop(77)


def test_a_descriptor_that_is_not_there(bridge):
    prefix = ["bash", "-c", 'LISTEN_PID=$$ LISTEN_FDS=7 exec "$@"', "bash"]
    b = bridge({"listeners": [{"address": "systemd:web"}], **ECHO}, wait=False, prefix=prefix)
    assert b.wait() == 1
    assert b.wait_log("LISTEN_FDS promises descriptor")
    b.stop(1)


def test_names_are_checked_at_load(tmp_path):
    (tmp_path / "w.yaml").write_text('listen: "systemd:"\nto: builtin:echo\n')
    r = program("-t", "-c", tmp_path / "w.yaml")
    assert r.returncode == 78 and "followed by the name" in r.stderr


def test_reload_keeps_handed_sockets(handed):
    s = listener()
    b = handed([s], ["web"], {"listeners": [{"address": "systemd:web"}], **ECHO})
    b.process.send_signal(signal.SIGHUP)
    b.wait_log(" reloaded ")
    talks(s.getsockname())
    text = open(b.file).read()
    with open(b.file, "w") as f:
        f.write(text.replace("systemd:web", "systemd:bew"))
    b.process.send_signal(signal.SIGHUP)
    b.wait_log("reload_failed .*listeners changed")


@needs("systemd-socket-activate")
@pytest.mark.parametrize("workers", [1, 3])
def test_systemd_socket_activate(tmp_path, workers):
    """It listens itself and starts the program with the first client."""
    ports = [free_port(), free_port()]
    conf, log = tmp_path / "w.yaml", tmp_path / "log"
    conf.write_text(
        f"process: {{workers: {workers}}}\nlisteners: [{{address: 'systemd:a'}}, {{address: 'systemd:b'}}]\n"
        "services: {s: {to: 'builtin:echo'}}\nroutes: [{path: /, service: s}]\n"
    )
    with open(log, "wb") as out:
        p = subprocess.Popen(
            ["systemd-socket-activate", *(f"--listen=127.0.0.1:{x}" for x in ports), "--fdname=a:b",
             *(f"-E{k}" for k in os.environ if k.endswith("SAN_OPTIONS")), PROGRAM, "-c", str(conf)],
            stdout=out, stderr=out)  # fmt: skip
    try:
        wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", ports[1])) == 0, 10)
        for _ in range(8):
            for port in ports:
                talks(("127.0.0.1", port))
        p.terminate()
        assert p.wait(20) == 0
    finally:
        p.kill()
    assert not SANITIZER.search(log.read_text())


# --- inetd ------------------------------------------------------------------------------------------------------------


def start_inetd(sock, *args, stderr=None):
    """As inetd does: the socket is descriptor 0 to 2."""
    return subprocess.Popen([PROGRAM, "--inetd", *args], stdin=sock, stdout=sock, stderr=stderr or sock)


def test_nowait_serves_one_connection_and_ends():
    ours, theirs = socket.socketpair()
    p = start_inetd(theirs, "builtin:echo")
    theirs.close()
    w = WebSocket(ours).open("/")
    w.binary(b"hello")
    assert w.recv_message().payload == b"hello"
    w.send_close()
    w.recv_close()
    w.expect_end()  # and nothing of a log came this way
    assert p.wait(10) == 0


def test_nowait_over_tcp_names_the_peer(tmp_path):
    s = listener()
    client = socket.create_connection(s.getsockname())
    accepted, _ = s.accept()
    with open(tmp_path / "log", "wb") as err:
        p = start_inetd(accepted, "builtin:echo", stderr=err)
    accepted.close()
    w = WebSocket(client).open("/")
    w.close()
    assert p.wait(10) == 0
    log = (tmp_path / "log").read_text()
    assert f"peer=127.0.0.1:{client.getsockname()[1] if client.fileno() >= 0 else ''}" in log
    assert not SANITIZER.search(log)


def test_nowait_ends_when_the_client_says_nothing(tmp_path):
    ours, theirs = socket.socketpair()
    p = start_inetd(theirs, "builtin:echo")
    theirs.close()
    ours.close()
    assert p.wait(10) == 0


def test_wait_serves_a_listening_socket(tmp_path):
    s = listener()
    with open(tmp_path / "log", "wb") as err:
        p = start_inetd(s, "builtin:echo", stderr=err)
    try:
        for _ in range(5):
            talks(s.getsockname())
        p.terminate()
        assert p.wait(20) == 0
    finally:
        p.kill()


def test_inetd_with_a_file(tmp_path):
    (tmp_path / "w.yaml").write_text("listen: 127.0.0.1:1\nto: builtin:echo\nlog: {to: file:log}\n")
    ours, theirs = socket.socketpair()
    p = start_inetd(theirs, "-c", str(tmp_path / "w.yaml"))
    theirs.close()
    talks_over = WebSocket(ours).open("/")
    talks_over.close()
    assert p.wait(10) == 0
    assert "access session" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    "args, message",
    [
        (["--inetd"], "the target is missing"),
        (["--inetd", "6080", "builtin:echo"], "descriptor 0 is the port"),
    ],
)
def test_inetd_usage(args, message):
    r = program(*args)
    assert r.returncode == 64 and message in r.stderr


def test_inetd_without_a_socket():
    r = program("--inetd", "builtin:echo")
    assert r.returncode == 1 and "neither a listening nor a connected socket" in r.stderr


# --- the manager ------------------------------------------------------------------------------------------------------


@pytest.fixture
def manager(tmp_path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(str(tmp_path / "notify"))
    s.settimeout(10)
    yield s, str(tmp_path / "notify")
    s.close()


def test_the_manager_hears_of_start_reload_and_end(bridge, manager):
    s, path = manager
    b = bridge(to="builtin:echo", env={"NOTIFY_SOCKET": path})

    def hears(word):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            text = s.recv(4096).decode()
            if word in text:
                return text
        raise AssertionError(word)

    hears("READY=1")
    b.process.send_signal(signal.SIGHUP)
    assert "MONOTONIC_USEC=" in hears("RELOADING=1")
    hears("READY=1")
    with open(b.file, "a") as f:
        f.write("nonsense: [")
    b.process.send_signal(signal.SIGHUP)
    hears("RELOADING=1")
    assert "STATUS=" in hears("READY=1")
    b.term()
    hears("STOPPING=1")
    assert b.wait() == 0


def test_the_watchdog_is_fed_while_all_workers_answer(bridge, manager):
    s, path = manager
    b = bridge(to="builtin:echo", process={"workers": 3}, env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
    beats = 0
    end = time.monotonic() + 3
    while beats < 4 and time.monotonic() < end:
        beats += s.recv(4096).decode().count("WATCHDOG=1")
    assert beats == 4
    assert b
