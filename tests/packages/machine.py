# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""A clean Debian: made once by mmdebstrap, unpacked for each use, and booted with systemd-nspawn in a network of its own.

Commands run inside through nsenter, so that no bus has to be reached from outside; clients and backends of the tests run
the other way, with this machine's Python in the booted one's network."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
PACKAGES = os.environ.get("PACKAGES", os.path.join(TOP, "build", "packages"))
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
# What the package depends on is there from the start: inside there is no network to fetch it from.
INCLUDE = "systemd,systemd-sysv,dbus,passwd,libev4,libyaml-0-2,libssl3,rpm"
HIGHER = "99.0"  # the version of the packages that upgrades are tried with


def run(*command, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "timeout": 600, **options}
    done = subprocess.run(command, **options)
    return done.returncode, done.stdout


def must(*command, **options):
    status, said = run(*command, **options)
    assert status == 0, f"{' '.join(command)}: {status}\n{said}"
    return said


def base_tarball():
    path = os.path.join(PACKAGES, "base.tar")
    if not os.path.exists(path):
        os.makedirs(PACKAGES, exist_ok=True)
        options = ["--quiet", "--format=tar", "--variant=minbase", f"--include={INCLUDE}"]
        must("mmdebstrap", *options, "bookworm", path + ".new", MIRROR)
        os.rename(path + ".new", path)
    return path


def unpack():
    root = tempfile.mkdtemp(prefix="machine-", dir=PACKAGES)
    os.chmod(root, 0o755)
    must("tar", "-C", root, "--numeric-owner", "-xpf", base_tarball())
    return root


def nspawn(root, *arguments, log=None):
    # Without systemd on this side there is nobody to ask for a scope.
    units = [] if os.path.isdir("/run/systemd/system") else ["--keep-unit"]
    return subprocess.Popen(
        ["systemd-nspawn", "--quiet", "--register=no", *units, "--private-network", "--console=pipe", "-D", root]
        + list(arguments),
        stdin=subprocess.DEVNULL,
        stdout=log or subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def leader_of(process, deadline=20):
    """The first process inside: the child of systemd-nspawn with a process namespace of its own."""
    end = time.monotonic() + deadline
    ours = os.readlink("/proc/self/ns/pid")
    while time.monotonic() < end and process.poll() is None:
        for pid in children(process.pid):
            try:
                if os.readlink(f"/proc/{pid}/ns/pid") != ours:
                    return pid
            except OSError:
                pass
        time.sleep(0.05)
    raise AssertionError(f"systemd-nspawn did not start anything (status {process.poll()})")


def children(pid):
    found = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for task in tasks:
        with open(f"/proc/{pid}/task/{task}/children") as f:
            found += [int(p) for p in f.read().split()]
    return found + [c for p in found for c in children(p)]


def in_network(leader, script, *arguments, wait=True):
    """This machine's Python, with the tests' own client, in the network of that process."""
    command = ["nsenter", "-t", str(leader), "-n", sys.executable, "-c", script, *arguments]
    env = {**os.environ, "PYTHONPATH": os.path.join(TOP, "tests", "integration")}
    if wait:
        return run(*command, env=env, timeout=60)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, env=env, text=True, **pipes)


class Machine:
    def __init__(self, root):
        self.root = root
        self.console = open(root + ".console", "w+")
        self.process = None

    def path(self, inside):
        return self.root + inside

    def write(self, inside, text):
        # As an administrator's editor does: owner and mode stay.
        with open(self.path(inside), "w") as f:
            f.write(text)

    def read(self, inside):
        with open(self.path(inside)) as f:
            return f.read()

    def put(self, file):
        shutil.copy(file, self.path("/root/"))
        return "/root/" + os.path.basename(file)

    def boot(self):
        self.process = nspawn(self.root, "--boot", log=self.console)
        self.leader = leader_of(self.process)
        end = time.monotonic() + 60
        state = ""
        while time.monotonic() < end:
            status, state = self.try_("systemctl", "is-system-running")
            if state.strip() in ("running", "degraded"):
                return self
            time.sleep(0.2)
        self.console.seek(0)
        raise AssertionError(f"did not boot: {state}\n{self.console.read()[-3000:]}")

    def try_(self, *command, **options):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"}
        env["DEBIAN_FRONTEND"] = "noninteractive"
        return run("nsenter", "-t", str(self.leader), "-a", *command, env=env, **options)

    def do(self, *command, **options):
        status, said = self.try_(*command, **options)
        if status != 0:
            journal = self.try_("journalctl", "--no-pager", "-n", "40", "-u", "wsbridge*")[1]
            raise AssertionError(f"{' '.join(command)}: {status}\n{said}\n{journal}")
        return said

    def journal(self, unit="wsbridge", since=None):
        return self.do("journalctl", "--no-pager", "-o", "cat", "-u", unit, *(["--since", since] if since else []))

    def show(self, name, unit="wsbridge"):
        return self.do("systemctl", "show", "-P", name, unit).strip()

    def python(self, script, *arguments, wait=True):
        return in_network(self.leader, script, *arguments, wait=wait)

    def stop(self):
        if self.process and self.process.poll() is None:
            # What a container's init takes for "power off" (systemd: SIGRTMIN+4).
            try:
                os.kill(self.leader, signal.SIGRTMIN + 4)
                self.process.wait(20)
            except (subprocess.TimeoutExpired, OSError):
                self.process.terminate()
                self.process.wait(20)
        self.process = None

    def remove(self):
        self.stop()
        self.console.close()
        shutil.rmtree(self.root, ignore_errors=True)
        os.unlink(self.root + ".console")


ECHO = r"""
import sys, wsclient
port, path = int(sys.argv[1]), sys.argv[2]
w = wsclient.WebSocket(("127.0.0.1", port))
w.open(path, check=True)
for n in (1, 125, 70000):
    data = bytes(i * 7 % 256 for i in range(n))
    w.binary(data)
    assert w.recv_bytes(n) == data, n
print("echoed")
w.finish()
"""

# Says "open", waits for a line, and then whether the session is still there.
HOLD = r"""
import sys, wsclient
w = wsclient.WebSocket(("127.0.0.1", int(sys.argv[1])))
w.open(sys.argv[2], check=True)
print("open", flush=True)
sys.stdin.readline()
w.binary(b"still here")
assert w.recv_bytes(10) == b"still here"
print("alive", flush=True)
w.finish()
"""

# A TCP service: gives back what it gets.
BACKEND = r"""
import socketserver, sys
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
with Server(("127.0.0.1", int(sys.argv[1])), Echo) as s:
    print("ready", flush=True)
    s.serve_forever()
"""
