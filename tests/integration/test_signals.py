# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""TERM drains: no new clients, Close 1001 to each session, exit 0. A second TERM, or INT, stops at once."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest
from harness import PROGRAM, free_port, listening_ports, program, wait_for
from wsclient import Wire


def test_term_without_sessions(bridge):
    br = bridge(to="builtin:echo")
    began = time.monotonic()
    br.term()
    assert br.wait() == 0
    assert time.monotonic() - began < 2


def test_term_closes_each_session(bridge, backend):
    b = backend()
    br = bridge(to=b.target, timeouts={"drain": "10s"})
    socks = [br.ws() for _ in range(20)]
    conns = [b.accept() for _ in socks]
    for c in conns:
        c.send(b"before")
    time.sleep(0.3)  # what is still on its way when the signal comes may be lost
    began = time.monotonic()
    br.term()
    for ws in socks:
        got = []
        code, reason = ws.recv_close(data=got)
        assert code == 1001 and reason
        assert b"".join(got) == b"before", "what the backend had sent comes first"
        ws.send_close(1001)
        ws.expect_end()
    for c in conns:
        assert c.recv_all() == b""
        c.close()
    assert br.wait() == 0
    assert time.monotonic() - began < 8
    assert len(br.log_lines(r" session .*code=1001.*closed_by=wsbridge")) == 20


def test_term_refuses_new_clients(bridge, backend):
    b = backend()
    br = bridge(to=b.target, timeouts={"drain": "5s", "close": "4s"})
    ws = br.ws()
    b.accept()
    idle = br.wire()
    time.sleep(0.1)
    br.term()
    assert ws.recv_close()[0] == 1001
    idle.expect_end(3)
    with pytest.raises(OSError):
        w = Wire(br.address, timeout=1)
        w.request()
    ws.send_close()
    ws.close()
    for c in b.conns:
        c.close()
    assert br.wait() == 0


def test_the_client_may_still_send_until_it_closes(bridge, backend):
    b = backend()
    br = bridge(to=b.target)
    ws = br.ws()
    conn = b.accept()
    br.term()
    assert ws.recv_close()[0] == 1001
    ws.binary(b"my last words")
    ws.send_close(1001)
    assert conn.recv_all() == b"my last words"
    conn.close()
    ws.expect_end()
    assert br.wait() == 0


def test_clients_that_do_not_answer_are_let_go(bridge, backend):
    """timeouts.close for each, timeouts.drain for all."""
    b = backend()
    br = bridge(to=b.target, timeouts={"close": "1s", "drain": "30s"})
    for _ in range(5):
        br.ws()
    began = time.monotonic()
    br.term()
    assert br.wait() == 0
    assert 0.5 < time.monotonic() - began < 5


def test_drain_has_an_end(bridge, backend):
    """Clients that neither read nor answer, with long deadlines of their own: drain cuts them off, and that is still a
    good end."""
    b = backend()
    br = bridge(to=b.target, timeouts={"close": "60s", "drain": "1s", "write_stall": "60s"})
    ws = br.ws(rcvbuf=4096)
    conn = b.accept()
    conn.sock.setblocking(False)
    try:
        while True:
            conn.sock.send(b"x" * 65536)
    except BlockingIOError:
        pass
    began = time.monotonic()
    br.term()
    assert br.wait() == 0
    assert 0.5 < time.monotonic() - began < 5
    ws.close()


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_second_signal_stops_at_once(bridge, backend, second):
    b = backend()
    br = bridge(to=b.target, timeouts={"close": "60s", "drain": "60s"})
    br.ws()
    br.term()
    time.sleep(0.3)
    assert br.process.poll() is None
    began = time.monotonic()
    br.process.send_signal(second)
    assert br.wait() == 0
    assert time.monotonic() - began < 2


def test_int_stops_at_once(bridge, backend):
    b = backend()
    br = bridge(to=b.target, timeouts={"close": "60s", "drain": "60s"})
    br.ws()
    began = time.monotonic()
    br.process.send_signal(signal.SIGINT)
    assert br.wait() == 0
    assert time.monotonic() - began < 2


def test_term_while_connecting(bridge, black_hole):
    br = bridge(to=black_hole.target, timeouts={"connect": "20s", "drain": "2s"})
    w = br.wire()
    w.send("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    time.sleep(0.2)
    br.term()
    assert br.wait(10) == 0


def test_term_during_a_download(bridge, tmp_path):
    """A file on its way is finished."""
    www = tmp_path / "www"
    www.mkdir()
    (www / "big").write_bytes(b"b" * (8 << 20))
    br = bridge(to="builtin:echo", files=str(www), timeouts={"drain": "15s"})
    w = br.wire(rcvbuf=16384)
    w.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
    time.sleep(0.2)
    br.term()
    time.sleep(0.2)
    assert len(w.response(timeout=15).body) == 8 << 20
    w.expect_end()
    assert br.wait() == 0


def test_sigpipe_and_other_signals_do_no_harm(bridge):
    br = bridge(to="builtin:echo")
    ws = br.ws()
    br.process.send_signal(signal.SIGPIPE)
    time.sleep(0.1)
    ws.text("here")
    assert ws.recv_message().payload == b"here"


def test_term_under_load(bridge, backend):
    def chat(conn):
        while data := conn.sock.recv(65536):
            conn.sock.sendall(data)

    b = backend(serve=chat)
    br = bridge(to=b.target)
    socks = [br.ws() for _ in range(10)]
    for ws in socks:
        ws.binary(os.urandom(50000))
    br.term()
    for ws in socks:
        assert ws.recv_close(data=[])[0] == 1001
        ws.send_close(1001)
    assert br.wait() == 0


def test_signals_at_the_very_end_do_not_kill(bridge):
    """What comes between the last connection and exit(): a rotated log, an impatient user."""
    for _ in range(10):
        br = bridge(to="builtin:echo", process={"workers": 8})
        br.term()
        while br.process.poll() is None:
            for s in (signal.SIGUSR1, signal.SIGHUP, signal.SIGINT):
                br.process.send_signal(s)
            time.sleep(0.0005)
        assert br.wait() == 0


# --- reload and rotation ----------------------------------------------------------------------------------------------


def hup(br):
    br.process.send_signal(signal.SIGHUP)


def test_a_bad_file_keeps_the_old_configuration_and_says_why_in_the_log(bridge, tmp_path):
    log = tmp_path / "bridge.log"
    br = bridge(to="builtin:echo", log={"to": f"file:{log}", "format": "json"})
    with open(br.file) as f:
        good = f.read()
    with open(br.file, "w") as f:
        f.write('listen: 1\nto: builtin:echo\nfilez: /tmp\nlimits: {buffer: "x\\ny"}\n')
    hup(br)
    wait_for(lambda: "reload_failed" in log.read_text())
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    said = [line["said"] for line in lines if line["event"] == "configuration"]
    assert len(said) == 2
    assert any("3:1: error: unknown key" in s for s in said), said
    assert br.upgrade().status == 101
    with open(br.file, "w") as f:
        f.write(good)
    hup(br)
    wait_for(lambda: '"reloaded"' in log.read_text())
    assert "unknown key" not in br.log(), "standard error is not where the log goes"


def test_a_reload_does_not_wait(bridge):
    br = bridge(to="builtin:echo")
    os.unlink(br.file)
    os.mkfifo(br.file)
    hup(br)
    br.wait_log("not a regular file")
    br.wait_log("reload_failed")
    assert br.upgrade().status == 101
    br.term()
    assert br.wait(5) == 0


def test_a_reload_does_not_wait_for_standard_error(tmp_path):
    port = free_port()
    config = tmp_path / "w.yaml"
    config.write_text(f"listen: 127.0.0.1:{port}\nto: builtin:echo\n")
    r, w = os.pipe()
    process = subprocess.Popen([PROGRAM, "-c", config], stdout=w, stderr=w)
    try:
        wait_for(lambda: port in listening_ports())
        os.set_blocking(w, False)
        try:
            while True:
                os.write(w, b"x" * 4096)
        except BlockingIOError:
            pass
        os.set_blocking(w, True)
        config.write_text("nonsense: 1\n")
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        os.close(r)
        os.close(w)


def test_a_log_that_cannot_be_opened_again_says_why(bridge, tmp_path):
    log = tmp_path / "bridge.log"
    br = bridge(to="builtin:echo", log={"to": f"file:{log}"})
    wait_for(log.exists)
    log.rename(tmp_path / "old.log")
    log.mkdir()
    br.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: "log_reopen_failed" in (tmp_path / "old.log").read_text())
    assert "Is a directory" in (tmp_path / "old.log").read_text()


# --- the files of unix sockets ----------------------------------------------------------------------------------------


def on_unix(path, *more, **keys):
    return {
        "listeners": [{"address": f"unix:{path}"}, *more],
        "services": {"echo": {"to": "builtin:echo"}},
        "routes": [{"path": "/", "service": "echo"}],
        **keys,
    }


def test_a_program_that_drains_leaves_the_socket_of_the_next_one(bridge, tmp_path):
    path = str(tmp_path / "s")
    old = bridge(on_unix(path, timeouts={"drain": "10s", "close": "5s"}))
    ws = old.ws()
    old.term()
    assert ws.recv_close()[0] == 1001
    new = bridge(on_unix(path))
    new.wait_log("listening")  # the file was there before
    ws.close()
    assert old.wait() == 0
    assert new.upgrade().status == 101
    new.stop()
    assert not os.path.exists(path)


def test_a_start_that_fails_leaves_no_socket_behind(tmp_path):
    path = str(tmp_path / "s")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = tmp_path / "w.yaml"
        config.write_text(json.dumps(on_unix(path, {"address": f"127.0.0.1:{taken.getsockname()[1]}"})))
        assert program("-c", config).returncode == 77
    assert not os.path.exists(path)


def test_usr2_is_no_end(bridge):
    br = bridge(to="builtin:echo")
    os.kill(br.pid, signal.SIGUSR2)
    br.wait_log("signal_unused")
    assert br.upgrade().status == 101


def test_signals_during_the_start_wait_for_its_end(tmp_path):
    """A service manager may rotate logs or stop at any moment: between main and the loop a signal is kept, not died of."""
    port = free_port()
    (tmp_path / "w.yaml").write_text(f"listen: 127.0.0.1:{port}\nto: builtin:echo\n")
    for signum in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        with subprocess.Popen([PROGRAM, "-c", tmp_path / "w.yaml"], stderr=subprocess.DEVNULL) as p:

            def held(p=p):
                with open(f"/proc/{p.pid}/status") as f:
                    return any(line.startswith("SigBlk") and int(line.split()[1], 16) & 1 << signum - 1 for line in f)

            try:
                wait_for(lambda p=p: held() or port in listening_ports(p.pid), pause=0.0001)
                p.send_signal(signum)
                wait_for(lambda: port in listening_ports(), message="the port")
                assert p.poll() is None
            finally:
                p.terminate()
            assert p.wait(20) == 0


def test_a_start_without_standard_error(tmp_path):
    """Descriptor 2 must not become a client, who would then be sent the log."""
    port = free_port()
    (tmp_path / "w.yaml").write_text(f"listen: 127.0.0.1:{port}\nto: builtin:echo\nlog: {{to: file:a.log}}\n")
    with subprocess.Popen(["sh", "-c", 'exec "$0" "$@" 0<&- 1>&- 2>&-', PROGRAM, "-c", str(tmp_path / "w.yaml")]) as p:
        try:
            wait_for(lambda: port in listening_ports(), message="the port")
            for fd in range(3):
                assert os.readlink(f"/proc/{p.pid}/fd/{fd}") == "/dev/null"
        finally:
            p.terminate()
        assert p.wait(20) == 0
