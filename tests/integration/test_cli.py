# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""The command line: exit codes, help, versions, the check (-t), the effective configuration (-T), the short form."""

import json
import os
import re
import socket

import pytest
from harness import ROOT, free_port, needs_ipv6, program
from wsclient import WebSocket

GOOD = "listen: 127.0.0.1:6080\nto: 127.0.0.1:5901\n"


def write(tmp_path, text, name="wsbridge.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


# --- about itself -------------------------------------------------------------------------------------------------------


def test_help():
    r = program("--help")
    assert r.returncode == 0 and r.stderr == ""
    lines = r.stdout.splitlines()
    assert len(lines) <= 40 and max(map(len, lines)) <= 120, "one screen"
    for word in ("-c", "-t", "-T", "--web", "-V", "6080"):
        assert word in r.stdout
    assert program("-h").stdout == r.stdout


def test_version():
    r = program("-V")
    with open(os.path.join(ROOT, "packaging", "VERSION")) as f:
        version = f.read().strip()
    assert r.returncode == 0
    assert r.stdout.strip() == f"wsbridge {version}"
    assert program("--version").stdout == r.stdout


def test_more_version():
    r = program("-VV")
    assert r.returncode == 0
    assert r.stdout.startswith("wsbridge ")
    assert "libev" in r.stdout and "OpenSSL" in r.stdout and "yaml" in r.stdout.lower()


# --- wrong use is 64 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--no-such-option"],
        ["-c"],
        ["-t"],
        ["6080"],
        ["6080", "localhost:5901", "too", "many"],
        ["six", "localhost:5901"],
        ["99999", "localhost:5901"],
        ["6080", "localhost"],
        ["6080", "localhost:0"],
        ["6080", "localhost:port"],
        ["6080", "builtin:nonsense"],
        ["--web"],
        ["-c", "x.yaml", "6080", "localhost:5901"],
        ["-x"],
    ],
    ids=lambda a: " ".join(a) or "nothing",
)
def test_usage(args):
    r = program(*args)
    assert r.returncode == 64, (r.returncode, r.stderr)
    assert r.stdout == ""
    assert "wsbridge --help" in r.stderr or r.stderr.startswith("command line:")
    assert len(r.stderr.splitlines()) <= 12, "an error is no manual"


def test_misspelt_option():
    assert "--help" in program("--hepl").stderr


# --- -t and -T ----------------------------------------------------------------------------------------------------------


def test_check_good(tmp_path):
    r = program("-t", "-c", write(tmp_path, GOOD))
    assert r.returncode == 0, r.stderr


def test_check_bad(tmp_path):
    r = program("-t", "-c", write(tmp_path, "listen: 6080\nto: nowhere\n"))
    assert r.returncode == 78
    assert "wsbridge.yaml:2:5: error:" in r.stderr + r.stdout


def test_check_binds_nothing(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        text = f"listen: 127.0.0.1:{s.getsockname()[1]}\nto: 127.0.0.1:5901\n"
        assert program("-t", "-c", write(tmp_path, text)).returncode == 0


def test_run_with_a_bad_file_is_78(tmp_path):
    assert program("-c", write(tmp_path, "listen: 6080\n")).returncode == 78


def test_missing_file(tmp_path):
    r = program("-c", str(tmp_path / "none.yaml"))
    assert r.returncode in (77, 78)
    assert "none.yaml" in r.stderr


def test_effective_configuration_round_trip(tmp_path):
    text = """\
version: 1
listeners:
  - name: public
    address: ["127.0.0.1:6080", "[::1]:6080"]
  - {name: local, address: "unix:/tmp/x.sock", mode: "0660"}
services:
  desktop: {to: "127.0.0.1:5901"}
  broker:
    to: "broker.example:1883"
    subprotocols: [mqtt, "odd name: #1"]
    connect_timeout: 1500ms
  echo: {to: "builtin:echo"}
routes:
  - {path: /websockify, service: desktop, origins: [same, "https://*.example.org"]}
  - {path: /mqtt, host: "*.example.org", service: broker, limits: {message: 1KiB}, timeouts: {idle: unlimited}}
limits: {buffer: 128KiB, message: unlimited}
timeouts: {ping: 10s, lifetime: 8h}
log: {format: json, level: debug, access: off}
process: {workers: 3}
"""
    text = text.replace('"odd name: #1"', "x.y")
    first = program("-T", "-c", write(tmp_path, text))
    assert first.returncode == 0, first.stderr
    path = write(tmp_path, first.stdout, "again.yaml")
    assert program("-t", "-c", path).returncode == 0
    second = program("-T", "-c", path)
    assert second.stdout == first.stdout
    for word in ("1500ms", "128KiB", "8h", "unlimited", "json", "workers: 3", "https://*.example.org", "0660"):
        assert word in first.stdout, word


def test_effective_configuration_of_the_short_form(tmp_path):
    first = program("-T", "--web", str(tmp_path), "127.0.0.1:6080", "localhost:5901")
    assert first.returncode == 0, first.stderr
    path = write(tmp_path, first.stdout, "moved.yaml")
    second = program("-T", "-c", path)
    assert second.returncode == 0, second.stderr
    assert second.stdout == first.stdout
    assert "localhost:5901" in first.stdout and str(tmp_path) in first.stdout


def test_short_and_long_yaml_are_the_same(tmp_path):
    short = program("-T", "-c", write(tmp_path, GOOD))
    assert "services" in short.stdout and "listeners" in short.stdout


@pytest.mark.parametrize("name", sorted(os.listdir(os.path.join(ROOT, "config", "examples"))) if os.path.isdir(os.path.join(ROOT, "config", "examples")) else [])
def test_examples_are_valid(name):
    r = program("-t", "-c", os.path.join(ROOT, "config", "examples", name))
    assert r.returncode == 0, r.stderr


def test_demo_is_valid():
    r = program("-t", "-c", "config/demo.yaml", cwd=ROOT)
    assert r.returncode == 0, r.stderr


# --- running ------------------------------------------------------------------------------------------------------------


def test_short_form(bridge, backend):
    b = backend(serve=lambda c: c.send(b"hello"))
    port = free_port()
    br = bridge(args=[f"127.0.0.1:{port}", b.target], port=port)
    assert br.ws("/any/path").recv_bytes(5) == b"hello"


def test_short_form_all_addresses(bridge, backend):
    b = backend(serve=lambda c: c.send(b"hello"))
    port = free_port()
    br = bridge(args=[port, f"localhost:{b.port}"], port=port)
    assert br.ws().recv_bytes(5) == b"hello"
    assert br.get("/").status in (404, 426)


@needs_ipv6
def test_short_form_ipv6(bridge, backend):
    b = backend(host="::1", serve=lambda c: c.send(b"six"))
    port = free_port("::1")
    br = bridge(args=[f"[::1]:{port}", b.target], port=port, host="::1")
    assert br.ws(host=f"[::1]:{port}").recv_bytes(3) == b"six"


def test_short_form_unix_target_and_web(bridge, backend, tmp_path):
    b = backend(unix=str(tmp_path / "s.sock"), serve=lambda c: c.send(b"unix"))
    (tmp_path / "index.html").write_text("page")
    port = free_port()
    br = bridge(args=["--web", str(tmp_path), f"127.0.0.1:{port}", b.target], port=port)
    assert br.ws().recv_bytes(4) == b"unix"
    assert br.get("/").body == b"page"


def test_short_form_builtin(bridge):
    port = free_port()
    br = bridge(args=[f"127.0.0.1:{port}", "builtin:echo"], port=port)
    ws = br.ws()
    ws.text("x")
    assert ws.recv_message().payload == b"x"


def test_cannot_bind_is_77(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        r = program(f"127.0.0.1:{port}", "builtin:echo")
    assert r.returncode == 77
    assert str(port) in r.stderr and "in use" in r.stderr


def test_second_one_on_the_same_port_is_77(bridge):
    """SO_REUSEPORT would let two share it, and each would get half of the clients."""
    br = bridge(to="builtin:echo")
    r = program(f"127.0.0.1:{br.port}", "builtin:echo", timeout=10)
    assert r.returncode == 77


def test_address_that_is_not_ours_is_77():
    r = program("203.0.113.7:6080", "builtin:echo")
    assert r.returncode == 77
    assert "203.0.113.7" in r.stderr


def test_directory_of_files(tmp_path, bridge):
    port = free_port()
    d = tmp_path / "conf"
    d.mkdir()
    (d / "10-listen.yaml").write_text(f"listeners: [{{address: '127.0.0.1:{port}'}}]\n")
    (d / "20-services.yaml").write_text("services: {e: {to: 'builtin:echo'}}\n")
    (d / "30-routes.yaml").write_text("routes: [{path: /, service: e}]\n")
    (d / "ignored.txt").write_text("not: [yaml\n")
    br = bridge(args=["-c", d], port=port)
    assert br.upgrade().status == 101


def test_no_colour_into_a_pipe(tmp_path):
    r = program("-t", "-c", write(tmp_path, "listn: 6080\n"))
    assert "\x1b" not in r.stderr + r.stdout


def test_start_warns_of_readable_secrets_and_open_listeners_only_when_so(bridge):
    br = bridge(to="builtin:echo")
    assert not re.search(r"\bwarn (?!few_descriptors)", br.log()), br.log()


# --- several addresses ------------------------------------------------------------------------------------------------


def on_addresses(*addresses):
    return {
        "listeners": [{"address": list(addresses)}],
        "services": {"echo": {"to": "builtin:echo"}},
        "routes": [{"path": "/", "service": "echo"}],
    }


@needs_ipv6
@pytest.mark.parametrize("order", [("0.0.0.0", "[::]"), ("[::]", "0.0.0.0")])
@pytest.mark.parametrize("workers", [1, 3])
def test_both_families_in_two_words(bridge, order, workers):
    """As config/reference.yaml shows it."""
    port = free_port()
    br = bridge(port=port, process={"workers": workers}, **on_addresses(*(f"{host}:{port}" for host in order)))
    for host in ("127.0.0.1", "::1"):
        with WebSocket((host, port)) as w:
            assert w.open("/", check=False).status == 101


@pytest.mark.parametrize("a,b", [("127.0.0.1:{}", "127.0.0.1:{}"), ("{}", "127.0.0.1:{}"), ("unix:/tmp/s{}", "unix:/tmp/s{}")])
def test_two_listeners_of_one_address(tmp_path, a, b):
    port = free_port()
    config = tmp_path / "w.yaml"
    config.write_text(json.dumps(on_addresses(a.format(port), b.format(port))))
    r = program("-t", "-c", config)
    assert r.returncode == 78 and "cannot be listened on beside" in r.stderr, r.stderr


@pytest.mark.parametrize("option", ["--cert=x.pem", "--ssl-only", "-D", "--unix-target=/x", "--heartbeat=5"])
def test_habits_from_websockify_are_answered(option):
    r = program(option, "6080", "localhost:5901")
    assert r.returncode == 64 and r.stderr.count("wsbridge: " + option.split("=")[0] + ": ") == 1, r
