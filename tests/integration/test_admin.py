# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""The admin socket: --status and --reload from the command line, and clients that do not do their part."""

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
import time

import pytest
from harness import PROGRAM, SANITIZER, free_port, needs_root, program, wait_for
from tlsparts import client_context, wss

ECHO = {"services": {"echo": {"to": "builtin:echo"}}, "routes": [{"path": "/", "service": "echo"}]}


@pytest.fixture
def folder():
    """For sockets: a short path, that other users can walk."""
    d = tempfile.mkdtemp(prefix="wsbridge-")
    os.chmod(d, 0o755)
    yield d
    shutil.rmtree(d)


@pytest.fixture
def administered(bridge, folder):
    """administered(...): as bridge, with an admin socket, which is in its .admin."""

    def start(mode=None, **keys):
        path = os.path.join(folder, f"admin-{len(os.listdir(folder))}")
        admin = {"address": f"unix:{path}", "mode": mode} if mode else f"unix:{path}"
        if not {"to", "files", "services"} & set(keys):
            keys = {**ECHO, **keys}
        br = bridge(admin=admin, **keys)
        br.admin = path
        wait_for(lambda: os.path.exists(path))
        return br

    return start


def status(br):
    r = program("--status", "--json", "--admin", f"unix:{br.admin}")
    assert r.returncode == 0 and r.stderr == "", r.stderr
    return json.loads(r.stdout)


def dial(path, timeout=20):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(timeout)
    s.connect(path)
    return s


def take_all(s):
    got = b""
    while data := s.recv(65536):
        got += data
    s.close()
    return got


def ask(path, request):
    s = dial(path)
    s.sendall(request)
    return take_all(s)


def works(br):
    assert ask(br.admin, b"status\n").startswith(b"ok\nwsbridge ")


def change(br, old, new):
    with open(br.file) as f:
        text = f.read()
    assert old in text
    with open(br.file, "w") as f:
        f.write(text.replace(old, new))


# --- status -----------------------------------------------------------------------------------------------------------


def test_status_with_live_sessions(administered):
    br = administered(process={"workers": 2})
    socks = [br.ws() for _ in range(6)]
    br.get("/")
    for ws in socks[:2]:
        ws.close()
    s = wait_for(lambda: (s := status(br))["totals"]["connections"] == 4 and s)
    assert s["pid"] == br.pid and s["state"] == "serving" and s["uptime_seconds"] < 60
    assert s["totals"] == {"connections": 4, "sessions": 4, "accepted": 7, "sessions_total": 6, "requests": 7}
    assert len(s["workers"]) == 2
    assert sum(w["sessions"] for w in s["workers"]) == sum(w["connections"] for w in s["workers"]) == 4
    assert s["listeners"] == [{"name": "test", "address": f"127.0.0.1:{br.port}", "tls": False}]
    assert s["configuration"]["files"] == [br.file] and s["last_reload"] is None
    assert s["certificates"] == []
    assert re.match(r"20\d\d-\d\d-\d\dT", s["started"]) and s["configuration"]["loaded"].endswith("Z")


def test_status_for_people(administered):
    br = administered(process={"workers": 2})
    assert br.ws()
    r = program("--status", "-c", br.file)
    assert r.returncode == 0 and r.stderr == ""
    for pattern in (
        rf"^wsbridge \S+, process {br.pid}, serving$",
        rf"^configuration  loaded 20\S+Z from {re.escape(br.file)}$",
        r"^last reload    none$",
        r"^connections    1 open, 1 accepted$",
        r"^sessions       1 open, 1 in total$",
        r"^kernel tls     (not )?possible$",
        r"^worker  connections  sessions$",
        r"^[01]                 1         1$",
        rf"^test      127\.0\.0\.1:{br.port}\s+no$",
    ):
        assert re.search(pattern, r.stdout, re.M), (pattern, r.stdout)


def test_certificates_with_names_and_days(administered, ca):
    other = ca.make("two.test", ["DNS:two.test", "DNS:*.two.test"], days=5, kind="rsa")
    tls = {"certificates": [{"cert": c, "key": k} for c, k in (ca.localhost, other)]}
    br = administered(tls=tls, to="builtin:echo")
    one, two = status(br)["certificates"]
    assert one["names"] == ["localhost"] and one["kind"] == "ECDSA" and one["file"] == ca.localhost[0]
    assert 28 <= one["days_left"] <= 30 and one["renewal_failed"] is None
    assert two["names"] == ["*.two.test", "two.test"] or two["names"] == ["two.test", "*.two.test"]
    assert 3 <= two["days_left"] <= 5
    text = program("--status", "-c", br.file).stdout
    assert re.search(r"^certificate .*two.test.pem\n  RSA, .*\n  ends 20\S+Z, [345] days left$", text, re.M), text
    assert re.search(rf"127\.0\.0\.1:{br.port}\s+yes$", text, re.M)


def test_tls_connections_are_counted(administered, ca):
    inner = administered(tls={"cert": ca.localhost[0], "key": ca.localhost[1]}, to="builtin:echo")
    context = client_context(ca)
    socks = [wss(inner, context) for _ in range(3)]
    s = status(inner)["tls"]
    assert s["clients"]["open"] == 3 and s["backends"]["open"] == 0
    assert s["clients"]["kernel_send"] <= 3 and (s["kernel_possible"] or s["clients"]["kernel_send"] == 0)
    socks.pop().close()
    wait_for(lambda: status(inner)["tls"]["clients"]["open"] == 2)
    outer = administered(services={"s": {"to": f"localhost:{inner.port}", "tls": {"ca": ca.cert}}},
                         routes=[{"path": "/", "service": "s"}])  # fmt: skip
    ws = outer.ws()
    assert status(outer)["tls"]["backends"]["open"] == 1 and status(outer)["tls"]["clients"]["open"] == 0
    assert status(inner)["tls"]["clients"]["open"] == 3
    ws.close()
    wait_for(lambda: status(outer)["tls"]["backends"]["open"] == 0)


def test_a_failed_renewal_is_shown_until_one_succeeds(administered, ca, tmp_path):
    cert, key = (shutil.copy(f, tmp_path) for f in ca.localhost)
    other = ca.make("other", ["DNS:localhost"])
    br = administered(tls={"cert": cert, "key": key}, to="builtin:echo")
    shutil.copy(other[0], cert)
    br.wait_log("certificate_refused", timeout=20)
    (c,) = status(br)["certificates"]
    (line,) = br.log_lines("certificate_refused")
    assert c["renewal_failed"]["error"] in line.replace("\\", "") and c["renewal_failed"]["time"].startswith("20")
    text = program("--status", "-c", br.file).stdout
    assert re.search(r"^  renewal failed 20\S+Z: .*; the old one is kept$", text, re.M), text
    shutil.copy(other[1], key)
    br.wait_log("certificate_renewed", timeout=20)
    assert status(br)["certificates"][0]["renewal_failed"] is None


def test_draining_is_shown_and_takes_no_reload(administered, backend):
    b = backend()
    br = administered(services={"s": {"to": b.target}}, routes=[{"path": "/", "service": "s"}],
                      timeouts={"close": "20s", "drain": "20s"})  # fmt: skip
    ws = br.ws()
    b.accept()
    br.term()
    assert ws.recv_close()[0] == 1001
    assert status(br)["state"] == "draining"
    r = program("--reload", "-c", br.file)
    assert r.returncode == 1 and "going away" in r.stderr
    ws.close()
    b.conns[0].close()
    assert br.wait() == 0
    assert not os.path.exists(br.admin)


# --- reload -----------------------------------------------------------------------------------------------------------


def test_reload(administered):
    br = administered()
    change(br, '"path": "/"', '"path": "/new"')
    r = program("--reload", "-c", br.file)
    assert (r.returncode, r.stdout, r.stderr) == (0, "reloaded routes=1 services=1\n", "")
    wait_for(lambda: br.upgrade("/new").status == 101)
    br.wait_log(rf"admin_reload uid={os.getuid()} pid=\d+")
    br.wait_log(" reloaded routes=1 services=1")
    s = status(br)
    assert s["last_reload"]["ok"] is True and s["last_reload"]["error"] is None
    assert s["configuration"]["loaded"] >= s["started"]


def test_reload_with_errors_prints_all_of_them(administered):
    br = administered()
    loaded = status(br)["configuration"]["loaded"]
    change(br, '"services": {', '"nonsense": 1,\n "services": {"bad": {"to": "nowhere"},')
    check = program("-t", "-c", br.file)
    assert check.returncode == 78 and check.stderr.count(": error: ") == 2 and "^" in check.stderr
    r = program("--reload", "-c", br.file)
    assert r.returncode == 78 and r.stdout == ""
    first, rest = r.stderr.split("\n", 1)
    assert first == "wsbridge: configuration refused: the new configuration has errors; the old one is kept"
    assert rest == check.stderr
    assert br.upgrade().status == 101
    s = status(br)
    assert s["last_reload"]["ok"] is False and s["last_reload"]["error"] == "the new configuration has errors"
    assert s["configuration"]["loaded"] == loaded
    assert "failed: the new configuration has errors" in program("--status", "-c", br.file).stdout
    assert len(br.wait_log("configuration said=")) == 2


def test_reload_with_a_file_that_is_no_yaml(administered):
    """Where the socket is cannot be read from it then."""
    br = administered()
    change(br, '"services": {', '"services": ]{')
    r = program("--reload", "-c", br.file)
    assert r.returncode == 78 and ": error: " in r.stderr and "--admin" in r.stderr
    r = program("--reload", "--admin", f"unix:{br.admin}")
    assert r.returncode == 78 and ": error: " in r.stderr
    works(br)


def test_warnings_come_with_the_answer(administered, ca):
    br = administered(mode="0600")
    change(br, '"services"', f'"tls": {{"x": {{"cert": {json.dumps(ca.make("soon", days=3)[0])},'
           f'"key": {json.dumps(os.path.join(ca.folder, "soon.key"))}}}}},\n"services"')  # fmt: skip
    r = program("--reload", "-c", br.file)
    assert r.returncode == 0 and r.stdout.startswith("reloaded ") and ": warning: " in r.stdout, r


def test_another_admin_socket_takes_a_restart(administered):
    br = administered(mode="0600")
    for old, new in (("0600", "0660"), (br.admin, br.admin + "-new")):
        change(br, old, new)
        r = program("--reload", "--admin", f"unix:{br.admin}")
        assert r.returncode == 78 and "admin changed, which takes a restart" in r.stderr
        change(br, new, old)
    br.wait_log("reload_failed .*admin changed", count=2)
    assert not os.path.exists(br.admin + "-new")
    assert program("--reload", "-c", br.file).returncode == 0


def test_another_number_of_workers_takes_a_restart(administered):
    br = administered(process={"workers": 1})
    change(br, '"workers": 1', '"workers": 2')
    r = program("--reload", "-c", br.file)
    assert r.returncode == 78 and "process.workers changed, which takes a restart" in r.stderr, r
    assert len(status(br)["workers"]) == 1


def test_the_signal_and_the_process_id_still_work(administered):
    br = administered()
    assert program("--reload", br.pid).returncode == 0
    br.wait_log(" reloaded ")
    assert program(f"--reload={br.pid}").returncode == 0
    br.wait_log(" reloaded ", count=2)
    assert not br.log_lines("admin_reload")
    assert status(br)["last_reload"]["ok"] is True


def test_short_form_on_the_command_line_has_no_admin_socket(bridge):
    port = free_port()
    br = bridge(args=[f"127.0.0.1:{port}", "builtin:echo"], port=port)
    assert " admin " not in br.log()


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args, message",
    [
        (["--status", "word"], "takes no word"),
        (["--reload", "word"], "not a process id"),
        (["--reload", "0"], "not a process id"),
        (["--reload=-1"], "not a process id"),
        (["--reload", "1", "2"], "one process id"),
        (["--reload", "1", "--admin", "unix:/x"], "says already"),
        (["--reload", "--json"], "belongs to --status"),
        (["--json", "6080", "builtin:echo"], "belongs to --status\n"),
        (["--status", "--reload"], "one question at a time"),
        (["--reload", "--status"], "one question at a time"),
        (["-t", "-c", "x", "--admin", "unix:/x"], "belongs to"),
        (["--status", "--admin", "127.0.0.1:1"], "who may"),
        (["--status", "--admin", "/run/x"], "write unix:/path"),
        (["--status", "--admin", "unix:@x"], "no permissions"),
        (["--status", "--admin", "unix:x"], "does not begin with /"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_usage(args, message):
    r = program(*args)
    assert r.returncode == 64 and message in r.stderr and r.stdout == "", r


@pytest.mark.parametrize("command", ["--status", "--reload"])
def test_nobody_there(folder, command):
    r = program(command, "--admin", f"unix:{folder}/none")
    assert r.returncode == 1 and f"unix:{folder}/none" in r.stderr and "Is wsbridge running" in r.stderr
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(f"{folder}/dead")
    r = program(command, "--admin", f"unix:{folder}/dead")
    assert r.returncode == 1 and "nobody listens there" in r.stderr


def test_a_file_without_admin(tmp_path):
    (tmp_path / "w.yaml").write_text("listen: 127.0.0.1:1\nto: builtin:echo\n")
    r = program("--status", "-c", tmp_path / "w.yaml")
    assert r.returncode == 1 and "has no `admin`" in r.stderr and "w.yaml" in r.stderr
    (tmp_path / "w.yaml").write_text("listen: 127.0.0.1:1\nto: builtin:echo\nadmin: 127.0.0.1:9\n")
    r = program("--status", "-c", tmp_path / "w.yaml")
    assert r.returncode == 78 and "w.yaml:3:8: error: " in r.stderr
    r = program("--status", "-c", tmp_path / "none.yaml")
    assert r.returncode == 78 and "none.yaml" in r.stderr


def test_one_that_does_not_answer(folder):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(f"{folder}/s")
        s.listen()
        began = time.monotonic()
        r = program("--status", "--admin", f"unix:{folder}/s")
        assert r.returncode == 1 and "longer than 10 s" in r.stderr
        assert 9 < time.monotonic() - began < 15


@needs_root
def test_no_permission(administered, folder):
    br = administered(mode="0660")
    mine = shutil.copy(PROGRAM, folder)  # where others may run it; the sanitizer's file they may not read
    env = {**os.environ, "TSAN_OPTIONS": ""}
    for command in ("--status", "--reload"):
        r = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", mine, command, "--admin", f"unix:{br.admin}"],
            capture_output=True, text=True, timeout=60, env=env)  # fmt: skip
        assert r.returncode == 77 and f"no permission to open unix:{br.admin}" in r.stderr, r.stderr
    assert stat.S_IMODE(os.stat(br.admin).st_mode) == 0o660
    works(br)


# --- configuration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "admin, message",
    [
        ("127.0.0.1:9000", "whoever reaches this socket commands the process"),
        ('"[::1]:9000"', "whoever reaches this socket commands the process"),
        ("{address: 127.0.0.1:9000}", "whoever reaches this socket commands the process"),
        ("9000", "the admin socket is a unix socket"),
        ("/run/x", "write unix:/path"),
        ("unix:x", "does not begin with /"),
        ("unix:@x", "an abstract name has no permissions"),
        ("systemd:x", "the admin socket is a unix socket"),
        ("unix:/" + "x" * 200, "too long"),
        ("{mode: '0660'}", '"address" is missing in admin'),
        ("{}", '"address" is missing in admin'),
        ("{address: 'unix:/x', mode: rw}", "not an octal file mode"),
        ("{adress: 'unix:/x'}", 'did you mean "address"'),
        ("[unix:/x]", "admin is an address or a map, not a list"),
    ],
)
def test_mistakes(tmp_path, admin, message):
    (tmp_path / "w.yaml").write_text(f"listen: 127.0.0.1:1\nto: builtin:echo\nadmin: {admin}\n")
    r = program("-t", "-c", tmp_path / "w.yaml")
    assert r.returncode == 78 and message in r.stderr and "w.yaml:3:" in r.stderr, r.stderr


def test_a_listener_has_the_address_already(tmp_path):
    (tmp_path / "w.yaml").write_text("listen: unix:/run/x\nto: builtin:echo\nadmin: unix:/run/x\n")
    r = program("-t", "-c", tmp_path / "w.yaml")
    assert r.returncode == 78 and "w.yaml:3:8" in r.stderr and "listener's address already" in r.stderr


def test_everybody_is_warned_of(tmp_path):
    (tmp_path / "w.yaml").write_text(
        "listen: 127.0.0.1:1\nto: builtin:echo\nadmin: {address: 'unix:/run/x', mode: '0666'}\n"
    )
    r = program("-t", "-c", tmp_path / "w.yaml")
    assert r.returncode == 0 and "everybody on this machine" in r.stderr


def test_the_effective_form_reads_back(tmp_path):
    for admin, mode in (("unix:/run/x", "0600"), ("{address: 'unix:/run/x', mode: '0660'}", "0660")):
        (tmp_path / "a.yaml").write_text(f"listen: 127.0.0.1:1\nto: builtin:echo\nadmin: {admin}\n")
        first = program("-T", "-c", tmp_path / "a.yaml").stdout
        assert f'admin:\n  address: unix:/run/x\n  mode: "{mode}"\n' in first
        (tmp_path / "b.yaml").write_text(first)
        assert program("-T", "-c", tmp_path / "b.yaml").stdout == first
    (tmp_path / "a.yaml").write_text("listen: 127.0.0.1:1\nto: builtin:echo\n")
    assert "admin" not in program("-T", "-c", tmp_path / "a.yaml").stdout


# --- the file ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode, want", [(None, 0o600), ("0660", 0o660), ("0640", 0o640)])
def test_mode(administered, mode, want):
    br = administered(mode=mode)
    assert stat.S_IMODE(os.stat(br.admin).st_mode) == want
    br.stop()
    assert not os.path.exists(br.admin)


def test_a_stale_file_is_replaced(administered, folder):
    br = administered()
    path = br.admin
    br.process.kill()
    br.wait()
    br.stopped = True
    assert os.path.exists(path)
    with open(br.file) as f:
        text = f.read()
    with subprocess.Popen([PROGRAM, "-c", br.file], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as p:
        try:
            wait_for(lambda: program("--status", "--admin", f"unix:{path}").returncode == 0)
        finally:
            p.terminate()
        said = p.stderr.read()
        assert p.wait(20) == 0 and not SANITIZER.search(said), said
    assert path in text and not os.path.exists(path)


def test_a_live_one_is_left_alone(administered, bridge):
    br = administered()
    other = bridge(admin=f"unix:{br.admin}", **ECHO, wait=False)
    assert other.wait() == 77
    assert f"cannot open the admin socket unix:{br.admin}: address already in use" in other.log()
    other.stop(77)
    works(br)


def test_other_files_are_left_alone(bridge, folder):
    path = os.path.join(folder, "file")
    with open(path, "w") as f:
        f.write("mine")
    for where, why in ((path, "not a socket"), (os.path.join(folder, "none", "s"), "directory of the socket does not exist")):
        br = bridge(admin=f"unix:{where}", **ECHO, wait=False)
        assert br.wait() == 77 and why in br.log()
        br.stop(77)
    with open(path) as f:
        assert f.read() == "mine"


# --- clients that do not do their part --------------------------------------------------------------------------------


def test_a_stalled_client_is_told_and_closed(administered):
    br = administered()
    began = time.monotonic()
    silent, half = dial(br.admin), dial(br.admin)
    half.sendall(b"stat")
    works(br)
    assert time.monotonic() - began < 4
    assert take_all(silent) == b"error: no request came in time\n"
    assert take_all(half) == b"error: no request came in time\n"
    assert 4 < time.monotonic() - began < 9


def test_twenty_stalled_clients_hold_up_no_session_and_one_command_for_five_seconds(administered):
    br = administered(process={"workers": 1})
    stalled = [dial(br.admin) for _ in range(20)]
    began = time.monotonic()
    assert br.upgrade().status == 101
    assert time.monotonic() - began < 3
    before = br.cpu()
    r = program("--status", "-c", br.file)
    assert r.returncode == 0, r.stderr
    assert time.monotonic() - began < 10
    assert br.cpu() - before < 2, "it waits, and does not spin"
    for s in stalled:
        s.close()


def test_twenty_clients_at_once(administered):
    br = administered()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(ask(br.admin, b"status json\n"))) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(answers) == 20
    for a in answers:
        assert a.startswith(b"ok\n") and json.loads(a[3:])["pid"] == br.pid


@pytest.mark.parametrize(
    "request_, answer",
    [
        (b"x" * 255 + b"\n", rb'error: unknown command "x{255}"; known: status, reload\n'),
        (b"x" * 256, rb"error: the request is too long\n"),
        (b"x" * 100000, rb"error: the request is too long\n"),
        (b"sessions\n", rb'error: unknown command "sessions"; known: status, reload\n'),
        (b"\n", rb'error: unknown command ""; known: status, reload\n'),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", rb'error: unknown command "GET"; known: status, reload\n'),
        (b"\x1b[2J\x00\xff\n", rb'error: unknown command "\\x1b\[2J\\x00\\xff"; known: status, reload\n'),
        (b"status xml\n", rb"error: status takes nothing, or json\n"),
        (b"reload now\n", rb"error: reload takes nothing\n"),
    ],
    ids=lambda v: repr(v)[:24],
)
def test_requests_that_are_none(administered, request_, answer):
    br = administered()
    s = dial(br.admin)
    try:
        s.sendall(request_)
    except ConnectionError:
        pass
    got = b""
    try:
        while data := s.recv(65536):
            got += data
    except ConnectionError:  # it sent more than anybody reads
        assert len(request_) > 70000
    s.close()
    assert re.fullmatch(answer, got), got
    works(br)


def test_garbage(administered):
    br = administered()
    for n in (1, 10, 255, 256, 257, 5000):
        s = dial(br.admin)
        s.sendall(os.urandom(n).replace(b"\n", b"x"))
        s.shutdown(socket.SHUT_WR)
        assert take_all(s).startswith(b"error: ")
    works(br)


def test_clients_that_go_away(administered):
    br = administered()
    descriptors = br.descriptors()
    for request in (b"", b"sta", b"status\n", b"status json\n", b"reload\n"):
        for _ in range(10):
            s = dial(br.admin)
            s.sendall(request)
            s.close()
    works(br)
    wait_for(lambda: br.descriptors() == descriptors)
    assert br.upgrade().status == 101


def test_status_under_load(administered):
    """Counters are read while the workers write them."""
    br = administered(process={"workers": 2})
    end = time.monotonic() + 2
    done = []

    def come_and_go():
        while time.monotonic() < end:
            done.append(br.upgrade().status)

    threads = [threading.Thread(target=come_and_go) for _ in range(3)]
    for t in threads:
        t.start()
    while time.monotonic() < end:
        s = json.loads(ask(br.admin, b"status json\n")[3:])
        assert s["totals"]["sessions"] <= s["totals"]["sessions_total"]
        assert s["totals"]["connections"] < 1000
    for t in threads:
        t.join()
    assert set(done) == {101}
    wait_for(lambda: status(br)["totals"]["connections"] == 0)
    s = status(br)["totals"]
    assert s["sessions_total"] == s["accepted"] == len(done) and s["sessions"] == 0


def test_inetd_with_one_connection_has_no_admin_socket(tmp_path, folder):
    path = os.path.join(folder, "s")
    (tmp_path / "w.yaml").write_text(f"listen: 127.0.0.1:1\nto: builtin:echo\nadmin: unix:{path}\nlog: {{to: file:log}}\n")
    ours, theirs = socket.socketpair()
    p = subprocess.Popen([PROGRAM, "--inetd", "-c", str(tmp_path / "w.yaml")], stdin=theirs, stdout=theirs, stderr=theirs)
    theirs.close()
    wait_for(lambda: (tmp_path / "log").exists() and "route" in (tmp_path / "log").read_text())
    assert not os.path.exists(path)
    ours.close()
    assert p.wait(20) == 0
