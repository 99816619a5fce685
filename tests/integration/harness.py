# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Starts wsbridge for a test and plays its backends.

Each test has its own process, port and folder. Bridge.stop() is part of every test (the fixture calls it): TERM, exit
status 0 and nothing from a sanitizer in what it wrote, or the test has failed whatever else it saw. The log goes to a
file, so nobody has to read a pipe.

Sizes come through scale(), which shrinks them when WSBRIDGE_SLOW says that the program runs under a sanitizer.
"""

import json
import os
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest
from wsclient import TIMEOUT, Eof, WebSocket, Wire

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("WSBRIDGE", os.path.join(ROOT, "build", "wsbridge"))
VARIANT = os.environ.get("WSBRIDGE_VARIANT", "")
SLOW = int(os.environ.get("WSBRIDGE_SLOW", "1"))
SANITIZED = VARIANT in ("asan", "tsan")
MiB = 1 << 20

SANITIZER = re.compile(
    r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehavior|runtime error:|Assertion `|stack smashing"
)


def scale(n, least=1):
    """n, or a fraction of it when the program is slow."""
    return max(least, n // SLOW)


measures_memory = pytest.mark.skipif(SANITIZED, reason="a sanitizer's own memory hides the program's")


# --- ports and waiting ------------------------------------------------------------------------------------------------

# Below the range that the kernel takes for outgoing connections, so that nobody gets a port between our choice and its
# use; each test process begins somewhere else. Never used twice: SO_REUSEPORT would let an old process share it.
_ports = iter(random.sample(range(11000, 32000), 20000))


def free_port(host="127.0.0.1"):
    for port in _ports:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as s:
            try:
                s.bind((host, port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


def listening_ports(pid=None):
    """TCP ports in LISTEN state, of the network namespace."""
    found = set()
    for name in ("tcp", "tcp6"):
        try:
            with open(f"/proc/{pid or 'self'}/net/{name}") as f:
                next(f)
                for line in f:
                    parts = line.split()
                    if parts[3] == "0A":
                        found.add(int(parts[1].rsplit(":", 1)[1], 16))
        except FileNotFoundError:
            pass
    return found


def wait_for(what, timeout=TIMEOUT, message="", pause=0.01):
    """Polls until what() is true; returns what it gave."""
    deadline = time.monotonic() + timeout
    while True:
        got = what()
        if got:
            return got
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s for {message or what}")
        time.sleep(pause)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback here")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


# --- the program ------------------------------------------------------------------------------------------------------


def program(*args, cwd=None, stdin="", timeout=30, env=None):
    """Runs wsbridge to its end; CompletedProcess with text output."""
    return subprocess.run(
        [PROGRAM, *map(str, args)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=timeout * (4 if SANITIZED else 1),
        env={**os.environ, **(env or {})},
    )


class Bridge:
    """A running wsbridge. config: a dict (JSON is YAML) or text; `listen` and an empty log section are added to a dict
    that has none. args: a whole command line instead."""

    def __init__(self, folder, config=None, args=None, port=None, host="127.0.0.1", prefix=(), open_files=None, env=None):
        self.folder = str(folder)
        self.host = host
        self.port = port or free_port(host)
        self.clients = []
        self.backends = []
        self.unix = None
        self.stopped = False
        self.log_path = os.path.join(self.folder, f"log-{self.port}")
        self.status = None
        if args is None:
            if isinstance(config, dict):
                config = self.complete(config)
                text = json.dumps(config, indent=1)
            else:
                text = config.replace("@PORT@", str(self.port))
            self.file = os.path.join(self.folder, f"wsbridge-{self.port}.yaml")
            with open(self.file, "w") as f:
                f.write(text)
            args = ["-c", self.file]
        self.args = [str(a) for a in args]

        def limits():
            if open_files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))

        with open(self.log_path, "wb") as out:
            self.process = subprocess.Popen(
                [*prefix, PROGRAM, *self.args],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.folder,
                env={**os.environ, **(env or {})},
                preexec_fn=limits if open_files else None,
            )

    def complete(self, config):
        config = dict(config)
        address = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        if "listeners" in config or "listen" in config:
            for entry in config.get("listeners", []):
                if str(entry.get("address", "")).startswith("unix:"):
                    self.unix = entry["address"][5:]
        elif "services" in config or "routes" in config:
            config["listeners"] = [{"name": "test", "address": address}]
        else:
            config["listen"] = address
        return config

    # Its life.

    def ready(self, timeout=TIMEOUT):
        def up():
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode} at start:\n{self.log()}")
            if self.unix:
                return os.path.exists(self.unix)
            return self.port in listening_ports()

        wait_for(up, timeout * (3 if SANITIZED else 1), f"wsbridge to listen on {self.port}:\n{self.log()}")
        return self

    @property
    def pid(self):
        return self.process.pid

    def term(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout=20):
        try:
            self.status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            # What it was doing is worth more than its death.
            self.process.send_signal(signal.SIGABRT)
            self.process.wait(10)
            raise AssertionError(f"still running {timeout} s after it was told to stop:\n{self.log()}") from None
        return self.status

    def stop(self, status=0):
        """Ends it as its fixture does; safe to call twice."""
        if self.stopped:
            return
        self.stopped = True
        for c in self.clients:
            c.close()
        if self.process.poll() is None:
            self.term()
        try:
            self.wait()
        finally:
            for b in self.backends:
                b.close()
        text = self.log()
        assert not SANITIZER.search(text), text
        assert self.status == status, f"exit status {self.status}:\n{text}"

    # What it says of itself.

    def log(self):
        with open(self.log_path, errors="backslashreplace") as f:
            return f.read()

    def log_lines(self, pattern):
        return [line for line in self.log().splitlines() if re.search(pattern, line)]

    def wait_log(self, pattern, timeout=TIMEOUT, count=1):
        def found():
            lines = self.log_lines(pattern)
            return lines if len(lines) >= count else None

        try:
            return wait_for(found, timeout)
        except AssertionError:
            raise AssertionError(f"no line {pattern!r} in the log:\n{self.log()}") from None

    def rss(self):
        """Resident bytes of its own (file pages of the program and libraries left out)."""
        return self._smaps("Anonymous")

    def pss(self):
        return self._smaps("Pss")

    def _smaps(self, key):
        with open(f"/proc/{self.pid}/smaps_rollup") as f:
            for line in f:
                if line.startswith(key + ":"):
                    return int(line.split()[1]) * 1024
        raise AssertionError(key)

    def cpu(self):
        """Seconds of processor time used so far."""
        with open(f"/proc/{self.pid}/stat") as f:
            parts = f.read().rsplit(")", 1)[1].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    # Coming to it.

    @property
    def address(self):
        return self.unix or (self.host, self.port)

    def wire(self, **options):
        w = Wire(self.address, **options)
        self.clients.append(w)
        return w

    def socket(self, **options):
        w = WebSocket(self.address, **options)
        self.clients.append(w)
        return w

    def ws(self, path="/", rcvbuf=None, sndbuf=None, auto_pong=True, **parts):
        """An open WebSocket."""
        return self.socket(rcvbuf=rcvbuf, sndbuf=sndbuf, auto_pong=auto_pong).open(path, **parts)

    def get(self, target="/", **how):
        with Wire(self.address) as w:
            return w.request(target, **how)

    def upgrade(self, path="/", **parts):
        """The answer to a handshake, whatever it is; the connection is closed."""
        with WebSocket(self.address) as w:
            return w.open(path, check=False, **parts)


# --- backends ---------------------------------------------------------------------------------------------------------


class Conn(Wire):
    """The backend's end of a session."""

    def recv_bytes(self, n, timeout=TIMEOUT):
        return self.take(n, timeout)

    def recv_all(self, timeout=TIMEOUT):
        """Everything until wsbridge's FIN."""
        return self.take_all(timeout)


class Backend:
    """A listening TCP or unix socket; the test accepts and talks. With `serve`, a function of one Conn runs in a thread
    for each connection instead."""

    def __init__(self, host="127.0.0.1", port=0, unix=None, serve=None, backlog=512, rcvbuf=None, sndbuf=None):
        if unix:
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.listener.bind(unix)
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self.listener = socket.socket(family, socket.SOCK_STREAM)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if rcvbuf:
                self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
            if sndbuf:
                self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
            self.listener.bind((host, port))
            self.port = self.listener.getsockname()[1]
        self.unix = unix
        self.host = host
        self.listener.listen(backlog)
        self.conns = []
        self.failure = None
        if serve:
            threading.Thread(target=self._serve, args=(serve,), daemon=True).start()

    def _serve(self, serve):
        def one(conn):
            try:
                serve(conn)
            except (OSError, Eof):
                pass
            finally:
                conn.close()

        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(Conn(s),), daemon=True).start()

    @property
    def target(self):
        """How the configuration names it."""
        if self.unix:
            return f"unix:{self.unix}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def accept(self, timeout=TIMEOUT):
        self.listener.settimeout(timeout)
        s, self.peer = self.listener.accept()
        if not self.unix:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conn = Conn(s, timeout)
        self.conns.append(conn)
        return conn

    def untouched(self, seconds=0.3):
        """Nobody came."""
        self.listener.settimeout(seconds)
        try:
            self.listener.accept()
        except socket.timeout:
            return True
        return False

    def close(self):
        for c in self.conns:
            c.close()
        # shutdown wakes an accept in another thread; close alone would not.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


class BlackHole:
    """An address where connecting neither succeeds nor fails: a listener whose queue is full drops further SYNs."""

    def __init__(self, host="127.0.0.1", port=0):
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(0)
        self.host, self.port = self.listener.getsockname()
        self.fill = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex((self.host, self.port))
            self.fill.append(s)
        time.sleep(0.05)
        self.target = f"{self.host}:{self.port}"

    def close(self):
        for s in [*self.fill, self.listener]:
            s.close()


def closed_port():
    """A port where nobody listens."""
    return free_port()


# --- byte streams that can be checked anywhere ------------------------------------------------------------------------


class Pattern:
    """An endless stream of random bytes that any place of it can be compared with: one random block, repeated. The block
    has an odd, prime length, so that bytes moved by a round number of places never look right."""

    BLOCK = 1048573
    _block = None

    def __init__(self, seed=0):
        if Pattern._block is None:
            Pattern._block = random.Random(20260101).randbytes(self.BLOCK) * 2
        self.shift = seed * 7919 % self.BLOCK
        self.at = 0  # how far it has been given out or checked

    def give(self, n):
        """The next n bytes (at most a block)."""
        start = (self.at + self.shift) % self.BLOCK
        assert n <= self.BLOCK
        self.at += n
        return self._block[start : start + n]

    def check(self, data):
        """data is what comes next."""
        view = memoryview(data)
        done = 0
        while done < len(view):
            n = min(len(view) - done, self.BLOCK)
            start = (self.at + self.shift) % self.BLOCK
            if view[done : done + n] != memoryview(self._block)[start : start + n]:
                got = bytes(view[done : done + n])
                want = self._block[start : start + n]
                bad = next(i for i in range(n) if got[i] != want[i])
                raise AssertionError(
                    f"byte {self.at + bad} differs: {got[bad:bad + 16].hex()} came, {want[bad:bad + 16].hex()} sent"
                )
            self.at += n
            done += n


def abort_on_close(sock):
    """Closing sends RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
