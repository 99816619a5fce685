# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""TigerVNC's Xvnc with an xterm in it, behind Debian's noVNC in Chromium: what is typed in the browser is run by the remote
shell, and the picture comes back."""

import os
import re
import shutil

import pytest
from harness import free_port, wait_for
from tlsparts import Authority

NOVNC = "/usr/share/novnc"

pytestmark = pytest.mark.skipif(
    not (shutil.which("Xvnc") and shutil.which("xterm") and os.path.exists(f"{NOVNC}/vnc.html")),
    reason="needs Xvnc, xterm and noVNC",
)


@pytest.fixture
def desktop(spawn, tmp_path):
    """An X server with an xterm over the whole screen; gives its RFB port. A display number is taken by trying: the
    server itself knows which are free."""
    rfb = free_port()
    number = tmp_path / "display"
    server = f"exec Xvnc -displayfd 3 -rfbport {rfb} -SecurityTypes None -localhost -geometry 880x520 -depth 24"
    spawn("sh", "-c", f'{server} 3>"{number}"', port=rfb)
    display = wait_for(lambda: number.read_text().strip(), 10, "the display number")
    spawn(
        "xterm", "-geometry", "86x26+2+2", "-fa", "Monospace", "-fs", "12", "-fg", "#d8dee9", "-bg", "#20242c", "-e", "sh",
        env={"DISPLAY": f":{display}", "PS1": "remote$ ", "ENV": "", "HOME": str(tmp_path)},
    )
    return rfb


def test_typing_into_a_remote_desktop(bridge, desktop, node, tmp_path, shot):
    br = bridge(files=NOVNC, to=f"127.0.0.1:{desktop}")
    done = tmp_path / "typed"
    url = f"http://localhost:{br.port}/vnc.html?autoconnect=true&path=websockify"
    got = node(
        "novnc.mjs",
        url=url,
        command=f"echo hello > {done}",
        say=[
            "clear",
            "echo an xterm on a remote X server, through noVNC and wsbridge",
            r"for i in 1 2 3 4 5 6; do printf '\033[4%dm   %d   \033[0m ' $i $i; done; echo",
            "seq -s ' ' 20",
        ],
        shot=shot("novnc.png"),
    )
    assert wait_for(lambda: done.exists() and done.read_text(), 5, "what was typed") == "hello\n"
    assert (got["width"], got["height"]) == (880, 520)
    assert got["colours"] > 2 and got["top"] < 880 * 520, "the picture is not blank"
    assert os.path.getsize(shot("novnc.png")) > 5000
    br.wait_log(r" session .*closed_by=client")
    (line,) = br.log_lines(r" session .*closed_by=")
    assert int(re.search(r"bytes_down=(\d+)", line)[1]) > 10000


def test_typing_over_tls(bridge, desktop, node, tmp_path, shot):
    """The page over https and the WebSocket over wss, on one port."""
    cert, key = Authority(tmp_path / "ca").make("localhost", ["DNS:localhost"])
    br = bridge(files=NOVNC, to=f"127.0.0.1:{desktop}", tls={"cert": cert, "key": key})
    done = tmp_path / "typed"
    got = node(
        "novnc.mjs",
        url=f"https://localhost:{br.port}/vnc.html?autoconnect=true&path=websockify",
        command=f"echo hello > {done}",
        insecure=True,
        shot=shot("novnc-tls.png"),
    )
    assert wait_for(lambda: done.exists() and done.read_text(), 5, "what was typed") == "hello\n"
    assert got["colours"] > 2
    (line,) = br.wait_log(r" session .*closed_by=client")
    assert "tls=TLSv1.3" in line
