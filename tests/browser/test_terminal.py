# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Terminals: telnetd and a shell behind xterm.js, sshd behind a real ssh client, over TCP and a unix socket."""

import os
import shutil
import subprocess
import sys

import pytest
from harness import ROOT


def telnetd_path():
    return next((p for p in ("/usr/sbin/telnetd", "/usr/sbin/in.telnetd") if os.path.exists(p)), None)


@pytest.mark.skipif(not (telnetd_path() and shutil.which("socat")), reason="needs telnetd and socat")
def test_telnet(bridge, spawn, node, pages, port, shot):
    """telnetd as inetd would start it; its login prompt is rendered by xterm.js."""
    # login wants root; elsewhere a stand-in asks the same question.
    login = "" if os.geteuid() == 0 else " --exec-login='/bin/sh -c \"echo login:; read name\"'"
    # socat splits at blanks and gives the socket itself to the program, as inetd does.
    spawn("socat", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", f"EXEC:{telnetd_path()}{login},nofork", port=port)
    br = bridge(
        services={"telnet": {"to": f"127.0.0.1:{port}"}},
        routes=[{"path": "/", "files": pages}, {"path": "/telnet", "service": "telnet"}],
    )
    got = node(
        "xterm.mjs",
        url=f"http://localhost:{br.port}/xterm.html?telnet&path=/telnet",
        # Whether login echoes the name or has switched that off by then is its own affair.
        steps=[{"expect": "login:", "type": "nobody-here\r"}, {"expect": "nobody-here|Password"}],
        shot=shot("telnet.png"),
    )
    assert "login:" in got["screen"]


@pytest.mark.skipif(not shutil.which("socat"), reason="needs socat")
def test_shell_behind_a_unix_socket(bridge, spawn, node, pages, tmp_path, shot):
    """A shell on a pseudo-terminal, listening on a unix socket, through xterm.js and its attach addon."""
    path = str(tmp_path / "shell.sock")
    spawn("socat", f"UNIX-LISTEN:{path},fork", "EXEC:sh -i,pty,setsid,ctty,stderr,sane", path=path, env={"PS1": "ready> ", "ENV": ""})
    br = bridge(
        services={"shell": {"to": f"unix:{path}"}},
        routes=[{"path": "/", "files": pages}, {"path": "/shell", "service": "shell"}],
    )
    got = node(
        "xterm.mjs",
        url=f"http://localhost:{br.port}/xterm.html?path=/shell",
        steps=[
            {"expect": "ready> ?$", "type": "echo $((6*7))\r"},
            {"expect": r"\b42\b", "type": "seq 2000 | tail -n 3; echo end-of-it\r"},
            {"expect": "1998\n1999\n2000\nend-of-it", "type": "exit\r"},
        ],
        shot=shot("shell.png"),
    )
    assert "42" in got["screen"]
    br.wait_log(r" session .*backend=unix:")


def sshd_path():
    return "/usr/sbin/sshd" if os.path.exists("/usr/sbin/sshd") else None


@pytest.fixture
def sshd(spawn, tmp_path, port):
    """sshd on a high port with keys of its own. It must not be reached through our user's configuration."""
    keys = {}
    for name in ("host", "user"):
        keys[name] = str(tmp_path / name)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys[name]], check=True)
    shutil.copy(keys["user"] + ".pub", tmp_path / "authorized")
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    config = tmp_path / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {keys['host']}\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {tmp_path}/authorized\nPermitRootLogin yes\nPasswordAuthentication no\n"
    )
    spawn(sshd_path(), "-D", "-e", "-f", config, port=port)
    return keys["user"]


@pytest.mark.skipif(not sshd_path(), reason="needs sshd")
def test_ssh_banner(bridge, sshd, node, pages, port):
    """In a page, and to our own client."""
    br = bridge(
        services={"ssh": {"to": f"localhost:{port}"}},
        routes=[{"path": "/", "files": pages}, {"path": "/ssh", "service": "ssh"}],
    )
    ws = br.ws("/ssh", protocols="binary")
    assert ws.recv_message().payload.startswith(b"SSH-2.0-")
    got = node("xterm.mjs", url=f"http://localhost:{br.port}/xterm.html?eol&path=/ssh", steps=[{"expect": "SSH-2.0-OpenSSH"}])
    assert got["screen"].startswith("SSH-2.0-")


@pytest.mark.skipif(not (sshd_path() and shutil.which("ssh")), reason="needs sshd and ssh")
def test_ssh_session(bridge, sshd, port, tmp_path):
    """A whole SSH session, key exchange and a megabyte each way, through a ProxyCommand that speaks WebSocket."""
    br = bridge(to=f"127.0.0.1:{port}")
    proxy = f"{sys.executable} {ROOT}/tests/browser/wscat.py {br.host} {br.port} /"
    data = os.urandom(1 << 20)
    r = subprocess.run(
        ["ssh", "-F", "none", "-i", sshd, "-o", f"ProxyCommand={proxy}", "-o", "StrictHostKeyChecking=no",
         "-o", f"UserKnownHostsFile={tmp_path}/known", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "localhost", "cat"],
        input=data, capture_output=True, timeout=60, env={**os.environ, "PYTHONPATH": f"{ROOT}/tests/integration"},
    )
    assert r.returncode == 0, r.stderr.decode(errors="replace")
    assert r.stdout == data
