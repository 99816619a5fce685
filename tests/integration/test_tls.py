# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Listeners with TLS, from outside: who is served, who is turned away and what the log says of it, renewal."""

import json
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import time

import pytest
from harness import SANITIZED, free_port, measures_memory, program, scale, wait_for
from tlsparts import Authority, client_context, needs, secure, wss
from wsclient import Eof, dial


@pytest.fixture
def context(ca):
    return client_context(ca)


def settings(ca, pair=None, **tls):
    cert, key = pair or ca.localhost
    return {"tls": {"cert": cert, "key": key, **tls}, "to": "builtin:echo"}


def echoes(w, data=b"hello"):
    w.binary(data)
    assert w.recv_message().payload == data


def tls_failed(b, why):
    (line,) = b.wait_log(rf"tls_failed peer=127\.0\.0\.1:\d+ listener=\S+ why=.*{why}")
    return line


# --- served -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_websocket_over_tls(bridge, ca, version):
    b = bridge(**settings(ca))
    c = client_context(ca, least=version, most=version)
    w = wss(b, c)
    echoes(w)
    echoes(w, os.urandom(1 << 20))
    w.send_close()
    (line,) = b.wait_log("access session")
    name = {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
    assert f"tls={name}" in line and "cipher=" in line and "client=" not in line


def test_alpn_says_http1(bridge, ca, context):
    b = bridge(**settings(ca))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with secure(b.address, context) as s:
        assert s.selected_alpn_protocol() == "http/1.1"


def test_the_start_names_the_certificates(bridge, ca):
    b = bridge(**settings(ca))
    (line,) = b.wait_log("certificate file=")
    assert "names=localhost" in line and "kind=ECDSA" in line and "ends=20" in line
    assert b.log_lines("listening .*tls=true")


@needs("curl")
def test_curl_gets_a_file(bridge, ca, tmp_path):
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "index.html").write_text("hello")
    b = bridge(**settings(ca), files=str(tmp_path / "www"))
    r = subprocess.run(
        ["curl", "-s", "--cacert", ca.cert, "--resolve", f"localhost:{b.port}:127.0.0.1", f"https://localhost:{b.port}/"],
        capture_output=True, text=True, timeout=30)  # fmt: skip
    assert r.stdout == "hello"
    assert b.wait_log("access request .*status=200 .*tls=TLSv1.3 cipher=TLS_")


def test_a_certificate_for_each_name(bridge, ca):
    one = ca.make("one.test", ["DNS:one.test"])
    wild = ca.make("wild.test", ["DNS:*.wild.test"], kind="rsa")
    b = bridge(**{"tls": {"certificates": [
        {"cert": ca.localhost[0], "key": ca.localhost[1]}, {"cert": one[0], "key": one[1]}, {"cert": wild[0], "key": wild[1]}
    ]}, "to": "builtin:echo"})  # fmt: skip

    def name_for(sni):
        c = client_context(ca)
        c.check_hostname = False
        with secure(b.address, c, sni) as s:
            return dict(x[0] for x in s.getpeercert()["subject"])["commonName"]

    assert name_for("one.test") == "one.test"
    assert name_for("a.wild.test") == "wild.test"
    assert name_for("a.b.wild.test") == "localhost"
    assert name_for("other.test") == "localhost"


def test_strict_sni_turns_strangers_away(bridge, ca, context):
    b = bridge(**settings(ca, strict_sni=True))
    echoes(wss(b, context))
    with pytest.raises(ssl.SSLError):
        secure(b.address, context, "other.test")
    tls_failed(b, ".")


def test_an_encrypted_key_needs_its_passphrase(bridge, ca, context, tmp_path):
    pair = ca.make("locked", ["DNS:localhost"], passphrase="open sesame")
    (tmp_path / "word").write_text("open sesame\n")
    b = bridge(**settings(ca, pair, passphrase_file=str(tmp_path / "word")))
    echoes(wss(b, context))
    (tmp_path / "bad.yaml").write_text(
        f"listen: 127.0.0.1:1\nto: builtin:echo\ntls: {{cert: {pair[0]}, key: {pair[1]}}}\n"
    )
    r = program("-t", "-c", tmp_path / "bad.yaml")
    assert r.returncode == 78 and "passphrase" in r.stderr


def test_sessions_resume_and_survive_a_reload(bridge, ca):
    b = bridge(**settings(ca))
    c = client_context(ca, most=ssl.TLSVersion.TLSv1_2)
    with secure(b.address, c) as s:
        session = s.session
    w = wss(b, c, session=session)
    assert w.sock.session_reused
    b.process.send_signal(signal.SIGHUP)
    b.wait_log(" reloaded ")
    w = wss(b, c, session=session)
    assert w.sock.session_reused


# --- client certificates ----------------------------------------------------------------------------------------------


def test_client_certificates(bridge, ca, context, tmp_path_factory):
    good = ca.make("alice", usage="clientAuth")
    other = Authority(tmp_path_factory.mktemp("other"), "Other CA")
    bad = other.make("mallory", usage="clientAuth")
    for auth in ("required", "optional"):
        b = bridge(**settings(ca, client_ca=ca.cert, client_auth=auth))
        w = wss(b, client_context(ca, *good))
        echoes(w)
        w.send_close()
        (line,) = b.wait_log("access session")
        assert 'client="CN=alice"' in line or "client=CN=alice" in line
        with pytest.raises((ssl.SSLError, ConnectionError, Eof)):
            echoes(wss(b, client_context(ca, *bad)))
        tls_failed(b, "certificate verify failed")
        if auth == "optional":
            echoes(wss(b, context))
        else:
            with pytest.raises((ssl.SSLError, ConnectionError, Eof)):
                echoes(wss(b, context))
            tls_failed(b, "peer did not return a certificate")


def test_a_session_does_not_carry_over_to_other_client_rules(bridge, ca):
    ports = [free_port(), free_port()]
    cert, key = ca.localhost
    plain = {"cert": cert, "key": key}
    b = bridge(
        listeners=[
            {"address": f"127.0.0.1:{ports[0]}", "tls": plain},
            {"address": f"127.0.0.1:{ports[1]}", "tls": {**plain, "client_ca": ca.cert, "client_auth": "optional"}},
        ],
        services={"echo": {"to": "builtin:echo"}},
        routes=[{"path": "/", "service": "echo"}],
        port=ports[0],
    )
    b.wait_log("listening", count=2)
    c = client_context(ca, most=ssl.TLSVersion.TLSv1_2)
    with secure(("127.0.0.1", ports[0]), c) as s:
        session = s.session
    with c.wrap_socket(dial(("127.0.0.1", ports[1])), server_hostname="localhost", session=session) as s:
        assert not s.session_reused


# --- one port for both ------------------------------------------------------------------------------------------------


def test_detect_serves_both(bridge, ca, context):
    b = bridge(**settings(ca, detect=True))
    echoes(wss(b, context))
    echoes(b.ws())
    assert b.get("/x").status == 426


def test_redirect_sends_browsers_to_https(bridge, ca, context):
    b = bridge(**settings(ca, redirect=True))
    r = b.get("/a%20b?c=d", host=f"localhost:{b.port}")
    assert r.status == 308 and r.get("location") == f"https://localhost:{b.port}/a%20b?c=d"
    r = b.get("/", host="[::1]:80")
    assert r.status == 308 and r.get("location") == "https://[::1]:80/"
    r = b.get("/", host="localhost")
    assert r.get("location") == "https://localhost/"
    r = b.upgrade()
    assert r.status == 403 and b"wss://" in r.body
    assert b.get("/", host=None, version="HTTP/1.0").status == 400
    echoes(wss(b, context))


def test_clear_http_gets_a_readable_400(bridge, ca):
    b = bridge(**settings(ca))
    r = b.get("/")
    assert r.status == 400 and b"https://" in r.body
    r = b.upgrade()
    assert r.status == 400


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02\x03",
        b"hello\r\n\r\n",
        b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(37),  # SSLv2
        b"SSH-2.0-x\r\n"[2:],
    ],
)
def test_garbage_is_closed_and_logged(bridge, ca, data):
    b = bridge(**settings(ca))
    w = b.wire()
    w.send(data)
    w.expect_end(reset_ok=True)
    tls_failed(b, "neither a TLS hello nor HTTP")


def test_a_broken_hello_is_closed_with_openssls_reason(bridge, ca):
    b = bridge(**settings(ca))
    w = b.wire()
    w.send(b"\x16\x03\x01\x00\x05hello")
    w.take_all()
    tls_failed(b, "unexpected message|bad|length")


@pytest.mark.parametrize("old", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(bridge, ca, old):
    b = bridge(**settings(ca))
    r = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{b.port}", old, "-cipher", "ALL:@SECLEVEL=0"],
        input="", capture_output=True, text=True, timeout=30)  # fmt: skip
    assert r.returncode != 0
    tls_failed(b, "unsupported protocol")


def hello(ca):
    """The bytes of a ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    o = client_context(ca).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        o.do_handshake()
    return outgoing.read()


def test_a_hello_in_single_bytes(bridge, ca):
    b = bridge(**settings(ca))
    w = b.wire()
    w.send_cut(hello(ca), 1, 0.0005)
    assert w.take(5)[:2] == b"\x16\x03"


def test_an_oversized_hello_is_refused(bridge, ca):
    b = bridge(**settings(ca))
    w = b.wire()
    body = b"\x01" + (0x30000).to_bytes(3, "big") + b"\x03\x03" + bytes(0x30000 - 2)
    try:
        for at in range(0, len(body), 4096):
            piece = body[at : at + 4096]
            w.send(b"\x16\x03\x01" + struct.pack("!H", len(piece)) + piece)
        w.take_all()
    except ConnectionError:
        pass
    tls_failed(b, "excessive message size")


def test_stalled_handshakes_end_and_hold_back_nobody(bridge, ca, context):
    b = bridge(**settings(ca), timeouts={"handshake": "1s"}, process={"workers": 1})
    stalled = [b.wire() for _ in range(20)]
    for w in stalled[:10]:
        w.send(hello(ca)[:50])
    began = time.monotonic()
    echoes(wss(b, context))
    assert time.monotonic() - began < 1
    for w in stalled:
        w.take_all() if w not in stalled[:10] else w.expect_end(reset_ok=True)
    assert time.monotonic() - began < 6
    assert len(b.wait_log("tls_failed .*timeouts.handshake", count=10)) == 10


def test_renegotiation_is_refused(bridge, ca):
    b = bridge(**settings(ca))
    p = subprocess.Popen(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{b.port}", "-tls1_2", "-CAfile", ca.cert, "-legacy_renegotiation"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    b.wait_log("listening")
    time.sleep(0.5)
    p.stdin.write(b"R\n")
    p.stdin.flush()
    out, _ = p.communicate(timeout=20)
    assert b"no renegotiation" in out or b"alert" in out or b"handshake failure" in out, out[-2000:]


def test_an_end_without_close_notify_is_an_end(bridge, ca, context):
    b = bridge(**settings(ca))
    w = wss(b, context)
    echoes(w)
    raw = socket.socket(fileno=os.dup(w.sock.fileno()))
    w.sock.detach()
    raw.shutdown(socket.SHUT_RDWR)
    raw.close()
    (line,) = b.wait_log("access session")
    assert "code=1006" in line


def test_a_truncated_record_ends_the_session(bridge, ca, context):
    b = bridge(**settings(ca))
    w = wss(b, context)
    echoes(w)
    raw = socket.socket(fileno=os.dup(w.sock.fileno()))
    w.sock.detach()
    raw.sendall(b"\x17\x03\x03\x01\x00" + bytes(20))
    raw.shutdown(socket.SHUT_WR)
    (line,) = b.wait_log("access session")
    assert "code=1006" in line
    raw.close()


def test_a_forged_record_is_a_failure_with_openssls_reason(bridge, ca, context):
    b = bridge(**settings(ca))
    w = wss(b, context)
    echoes(w)
    raw = socket.socket(fileno=os.dup(w.sock.fileno()))
    w.sock.detach()
    raw.sendall(b"\x17\x03\x03\x00\x40" + bytes(64))
    (line,) = b.wait_log("access session")
    assert "code=1006" in line and ("bad record mac" in line or "decryption failed" in line), line
    raw.close()


# --- configuration ----------------------------------------------------------------------------------------------------


LONG = "services: {s: {to: 'builtin:echo'}}\nroutes: [{path: /, service: s}]\n"


@pytest.mark.parametrize(
    "text, message",
    [
        ("listeners: [{address: 6080, tls: mian}]\ntls: {main: {cert: @CERT@, key: @KEY@}}\n" + LONG, 'tls "mian" is not defined'),
        ("listeners: [{address: 6080, tls: mian}]\ntls: {main: {cert: @CERT@, key: @KEY@}}\n" + LONG, 'did you mean "main"'),
        ("listeners: [{address: 6080, tls: {cert: /nowhere.pem}}]\n" + LONG, "/nowhere.pem"),
        ("listeners: [{address: 6080, tls: {cert: @CERT@, key: @OTHER@}}]\n" + LONG, "key"),
        ("listeners: [{address: 6080, tls: [a]}]\n" + LONG, "tls is a name or a map, not a list"),
        ("listeners: [{address: 6080, tls: {}}]\n" + LONG, "TLS needs a certificate"),
        ("listen: 6080\nto: builtin:echo\ntls: {a: {cert: @CERT@, key: @KEY@}, b: {cert: @CERT@, key: @KEY@}}\n", "needs one tls"),
        ("listeners: [{address: 6080, proxy_protocol: required}]\n" + LONG, "no proxy is trusted"),
        ("listeners: [{address: 6080, trusted_proxies: [somewhere]}]\n" + LONG, "no address and no network"),
        ("listeners: [{address: 6080}]\nservices: {s: {to: 'unix:/x', tls: on}}\nroutes: [{path: /, service: s}]\n", "server_name"),
        ("listeners: [{address: 6080}]\nservices: {s: {to: 'builtin:echo', tls: on}}\nroutes: [{path: /, service: s}]\n", "built in"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(ca, tmp_path, text, message):
    other = ca.make("other", ["DNS:other"])
    text = text.replace("@CERT@", ca.localhost[0]).replace("@KEY@", ca.localhost[1]).replace("@OTHER@", other[1])
    (tmp_path / "w.yaml").write_text(text)
    r = program("-t", "-c", tmp_path / "w.yaml")
    assert r.returncode == 78, r.stdout
    assert message in r.stderr
    assert "w.yaml:" in r.stderr


def test_the_effective_form_reads_back(ca, tmp_path):
    cert, key = ca.localhost
    (tmp_path / "a.yaml").write_text(
        f"listeners: [{{address: 6080, tls: {{cert: {cert}, key: {key}, detect: on}}}}, {{address: 6081, tls: main, "
        f"proxy_protocol: optional, trusted_proxies: [10.0.0.0/8, unix]}}]\ntls: {{main: {{cert: {cert}, key: {key}}}}}\n"
        "services: {s: {to: 'localhost:1', tls: {verify: off}, proxy_protocol: v2}}\nroutes: [{path: /, service: s}]\n"
    )
    first = program("-T", "-c", tmp_path / "a.yaml").stdout
    (tmp_path / "b.yaml").write_text(first)
    assert program("-T", "-c", tmp_path / "b.yaml").stdout == first
    assert "detect: on" in first and "tls: main" in first and "trusted_proxies: [\"10.0.0.0/8\", unix]" in first


def test_an_ending_certificate_is_warned_of(ca, bridge):
    pair = ca.make("short", ["DNS:localhost"], days=5)
    b = bridge(**settings(ca, pair))
    b.wait_log("warning: the certificate in .*short.pem ends in [45] days")


# --- renewal ----------------------------------------------------------------------------------------------------------


def serial(b, ca):
    c = client_context(ca)
    with secure(b.address, c) as s:
        return s.getpeercert()["serialNumber"]


def test_renewal_by_a_swapped_directory(bridge, ca, context, tmp_path):
    """As Kubernetes and certbot do it: the files are reached through a symlink, and that is replaced."""
    for name in ("1", "2"):
        pair = ca.make("renewed", ["DNS:localhost"])
        (tmp_path / name).mkdir()
        shutil.copy(pair[0], tmp_path / name / "c.pem")
        shutil.copy(pair[1], tmp_path / name / "k.pem")
    os.symlink("1", tmp_path / "now")
    b = bridge(**settings(ca, (str(tmp_path / "now" / "c.pem"), str(tmp_path / "now" / "k.pem"))))
    w = wss(b, context)
    before = serial(b, ca)
    os.symlink("2", tmp_path / "next")
    os.rename(tmp_path / "next", tmp_path / "now")
    b.wait_log("certificate_renewed", timeout=15)
    assert serial(b, ca) != before
    echoes(w)


def test_a_bad_renewal_keeps_the_old_pair(bridge, ca, context, tmp_path):
    cert, key = str(tmp_path / "c.pem"), str(tmp_path / "k.pem")
    shutil.copy(ca.localhost[0], cert)
    shutil.copy(ca.localhost[1], key)
    b = bridge(**settings(ca, (cert, key)))
    before = serial(b, ca)
    other = ca.make("mismatch", ["DNS:localhost"])
    shutil.copy(other[0], cert)  # without its key
    b.wait_log("certificate_refused .*kept=", timeout=15)
    assert serial(b, ca) == before
    ended = ca.make("ended", ["DNS:localhost"], days=-1)
    shutil.copy(ended[0], cert)
    shutil.copy(ended[1], key)
    b.wait_log("certificate_refused .*has ended already", timeout=15)
    assert serial(b, ca) == before
    with open(cert, "wb") as f:  # a chain that no client would take; then a wrong file
        f.write(open(ca.localhost[0], "rb").read() * 50)
    shutil.copy(ca.localhost[1], key)
    b.wait_log("certificate_refused .*more than 10 certificates", timeout=15)
    with open(cert, "wb") as f:
        f.truncate(1 << 30)
    b.wait_log("certificate_refused .*far too large", timeout=15)
    assert serial(b, ca) == before
    echoes(wss(b, context))


def test_reload_brings_new_tls_settings(bridge, ca, context):
    b = bridge(**settings(ca))
    w = wss(b, context)
    text = open(b.file).read()
    with open(b.file, "w") as f:
        f.write(text.replace('"key":', '"min_version": "1.3", "key":'))
    b.process.send_signal(signal.SIGHUP)
    b.wait_log(" reloaded ")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        secure(b.address, client_context(ca, most=ssl.TLSVersion.TLSv1_2))
    echoes(w)
    with open(b.file, "w") as f:
        f.write(text.replace(ca.localhost[1], "/nowhere.key"))
    b.process.send_signal(signal.SIGHUP)
    b.wait_log("reload_failed")
    echoes(wss(b, context))


def test_renewals_under_load_lose_no_session_and_no_memory(bridge, ca, context, tmp_path):
    """A thousand new pairs (two in turn, so a stale one would show), each brought by a reload, while sessions talk and
    new ones come."""
    pairs = [ca.make(f"turn{i}", ["DNS:localhost"]) for i in range(2)]
    cert, key = str(tmp_path / "c.pem"), str(tmp_path / "k.pem")

    def put(i):
        for source, target in zip(pairs[i % 2], (cert, key)):
            shutil.copy(source, target + ".new")
            os.rename(target + ".new", target)

    put(0)
    b = bridge(**settings(ca, (cert, key)), log={"access": False})
    sessions = [wss(b, context) for _ in range(20)]
    rounds = scale(1000)
    numbers = [serial(b, ca)]
    memory = None
    for i in range(1, rounds + 1):
        put(i)
        if i == rounds // 4:
            memory = b.rss()
        b.process.send_signal(signal.SIGHUP)
        for w in sessions[i % 20 :: 7]:
            echoes(w, b"%d" % i)
        if i == 1:
            numbers.append(wait_for(lambda: (s := serial(b, ca)) != numbers[0] and s, 10, "the new certificate"))
        # Of every worker, as far as two connections tell.
        wait_for(lambda: {serial(b, ca), serial(b, ca)} == {numbers[i % 2]}, 10, "the new certificate")  # noqa: B023
        if i % 50 == 0:
            sessions[i // 50 % 20].close()
            sessions[i // 50 % 20] = wss(b, context)
    for w in sessions:
        echoes(w)
    if not SANITIZED:
        assert b.rss() - memory < 2 << 20, (memory, b.rss())


@measures_memory
def test_idle_sessions_are_small(bridge, ca, context):
    b = bridge(**settings(ca), log={"access": False})

    def some(n):
        sessions = [wss(b, context) for _ in range(n)]
        for w in sessions:
            echoes(w)
        return sessions

    warm = some(50)
    before = b.rss()
    idle = some(600)
    each = (b.rss() - before) / len(idle)
    print(f"{each:.0f} bytes each")
    assert each <= 16.5 * 1024, f"{each:.0f} bytes for each idle session"
    assert warm


# --- files that are none ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["cert", "key", "client_ca"])
@pytest.mark.parametrize("file", ["/dev/zero", "pipe"])
def test_what_never_ends_is_no_certificate(tmp_path, ca, key, file):
    if file == "pipe":
        file = str(tmp_path / "pipe")
        os.mkfifo(file)
    parts = {"cert": ca.localhost[0], "key": ca.localhost[1], key: file}
    if key == "client_ca":
        parts["client_auth"] = "required"
    config = tmp_path / "w.yaml"
    config.write_text(json.dumps({"listen": free_port(), "to": "builtin:echo", "tls": {k: str(v) for k, v in parts.items()}}))
    r = program("-t", "-c", config, timeout=5)
    assert r.returncode == 78 and "it is not a regular file" in r.stderr, r.stderr


def test_a_certificate_that_became_a_pipe_keeps_nobody_waiting(bridge, ca, tmp_path):
    cert, key = (shutil.copy(f, tmp_path) for f in ca.localhost)
    b = bridge(**settings(ca, (cert, key)))
    os.unlink(cert)
    os.mkfifo(cert)
    b.process.send_signal(signal.SIGHUP)
    b.wait_log("reload_failed")
    assert b.log_lines("configuration .*not a regular file")
    b.term()
    assert b.wait(5) == 0
