# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""The life of the Debian package on a booted machine, in the order in which it is lived: each test goes on where the one
before has ended."""

import os
import re
import resource
import time

import pytest

import machine as m

CONF = "/etc/wsbridge/wsbridge.yaml"
WITH_BACKEND = """
listeners:
  - address: ["127.0.0.1:6080", "[::1]:6080"]
services:
  echo: builtin:echo
  backend: "127.0.0.1:7000"
routes:
  - {path: /, files: "builtin:demo"}
  - {path: /echo, service: echo}
  - {path: /backend, service: backend}
admin: {address: "unix:/run/wsbridge/admin.sock", mode: "0660"}
"""


def every_file(root):
    """All but what the system itself writes when packages come and go."""
    skip = ("/proc", "/sys", "/dev", "/run", "/tmp", "/root", "/var/log", "/var/cache", "/var/lib/dpkg", "/var/lib/apt")
    skip += ("/var/lib/systemd", "/var/tmp", "/etc/machine-id", "/etc/.pwd.lock", "/etc/.updated", "/var/.updated")
    skip += ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid")
    found = set()
    for folder, folders, files in os.walk(root):
        inside = folder[len(root) :] or "/"
        folders[:] = [d for d in folders if not os.path.join(inside, d).startswith(skip)]
        found |= {p for p in (os.path.join(inside, f) for f in files + folders) if not p.startswith(skip)}
    return found


def stat(machine, path):
    return machine.do("stat", "-c", "%a %U:%G", path).strip()


def echoes(machine, port=6080, path="/echo"):
    status, said = machine.python(m.ECHO, str(port), path)
    assert status == 0 and "echoed" in said, said + machine.journal("wsbridge*")


def eventually(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def before(machine):
    machine.boot()
    return every_file(machine.root)


@pytest.fixture(scope="module")
def backend(machine):
    b = machine.python(m.BACKEND, "7000", wait=False)
    assert b.stdout.readline() == "ready\n"
    yield b
    b.kill()
    b.wait()


def test_install(machine, before, deb):
    machine.do("apt-get", "install", "-y", "-q", machine.put(deb))
    assert machine.do("systemctl", "is-active", "wsbridge").strip() == "active"
    assert machine.do("systemctl", "is-enabled", "wsbridge").strip() == "enabled"
    assert machine.try_("systemctl", "is-enabled", "wsbridge.socket")[1].strip() == "disabled"
    assert stat(machine, CONF) == "640 root:wsbridge"
    machine.do("/usr/bin/wsbridge", "-t", "-c", CONF)
    echoes(machine)


def test_it_is_who_it_should_be(machine):
    pid = machine.show("MainPID")
    status = machine.do("cat", f"/proc/{pid}/status")
    user = machine.do("id", "-u", "wsbridge").strip()
    assert re.search(r"^Uid:\s+%s\s+%s" % (user, user), status, re.M)
    assert re.search(r"^CapEff:\s+0000000000000400$", status, re.M), status  # CAP_NET_BIND_SERVICE
    assert re.search(r"^CapBnd:\s+0000000000000400$", status, re.M), status
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
    assert re.search(r"^Seccomp:\s+2$", status, re.M)
    assert machine.show("StatusText") == "serving"
    # Where this machine does not allow what the unit asks for, it is right to complain.
    few = resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 65536
    warnings = [line for line in machine.journal().splitlines() if " warn " in line or " error " in line]
    assert not [w for w in warnings if not (few and "few_descriptors" in w)], warnings


def test_the_admin_socket(machine):
    assert stat(machine, "/run/wsbridge/admin.sock") == "660 wsbridge:wsbridge"
    assert f"process {machine.show('MainPID')}, serving" in machine.do("/usr/bin/wsbridge", "--status")
    assert "reloaded" in machine.do("/usr/bin/wsbridge", "--reload", "-c", CONF)
    assert machine.show("StatusText") == "serving"
    assert machine.try_("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/wsbridge", "--status")[0] == 77


def test_units_are_verified_in_silence(machine):
    for unit in ("wsbridge.service", "wsbridge.socket", "wsbridge@desk.service"):
        assert machine.do("systemd-analyze", "verify", "--man=no", unit) == ""
    said = machine.do("systemd-analyze", "security", "--no-pager", "wsbridge.service")
    exposure = float(re.search(r"Overall exposure level for wsbridge.service: ([0-9.]+)", said)[1])
    assert exposure <= 1.6


def test_reload_keeps_sessions_and_brings_routes(machine, backend):
    pid = machine.show("MainPID")
    held = machine.python(m.HOLD, "6080", "/echo", wait=False)
    assert held.stdout.readline() == "open\n"
    machine.write(CONF, WITH_BACKEND)
    machine.do("systemctl", "reload", "wsbridge")
    echoes(machine, path="/backend")
    said, _ = held.communicate("go on\n", timeout=20)
    assert "alive" in said
    assert machine.show("MainPID") == pid


def test_a_wrong_file_is_refused_and_named(machine):
    machine.write(CONF, WITH_BACKEND.replace("service: backend", "service: bakend"))
    status, _ = machine.try_("systemctl", "reload", "wsbridge")
    assert status != 0
    said = machine.journal()
    assert f"{CONF}:10:" in said and "bakend" in said and 'did you mean "backend"' in said.replace("`", '"'), said[-1500:]
    assert machine.do("systemctl", "is-active", "wsbridge").strip() == "active"
    echoes(machine, path="/backend")
    # By the signal alone, which nobody has checked before: the old one stays, and the status says so.
    machine.do("systemctl", "kill", "-s", "HUP", "wsbridge")
    eventually(lambda: "kept the old configuration" in machine.show("StatusText"))
    echoes(machine, path="/backend")
    machine.write(CONF, WITH_BACKEND)
    machine.do("systemctl", "reload", "wsbridge")
    assert machine.show("StatusText") == "serving"


def test_watchdog(machine):
    machine.do("mkdir", "-p", "/run/systemd/system/wsbridge.service.d")
    machine.do("sh", "-c", "printf '[Service]\\nWatchdogSec=2\\n' > /run/systemd/system/wsbridge.service.d/watchdog.conf")
    machine.do("systemctl", "daemon-reload")
    machine.do("systemctl", "restart", "wsbridge")
    time.sleep(5)
    pid = machine.show("MainPID")
    assert machine.show("NRestarts") == "0"  # it gives its signs of life
    machine.do("sh", "-c", f"kill -STOP {pid}")
    eventually(lambda: machine.show("NRestarts") == "1" and machine.show("ActiveState") == "active", 20)
    echoes(machine)
    machine.do("rm", "-r", "/run/systemd/system/wsbridge.service.d")
    machine.do("systemctl", "daemon-reload")
    machine.do("systemctl", "restart", "wsbridge")


def test_instances_and_low_ports(machine):
    listen = 'listen: ["127.0.0.1:81", "unix:/run/wsbridge-desk/ws.sock"]'
    machine.write("/etc/wsbridge/desk.yaml", listen + "\nto: builtin:echo\n")
    machine.do("systemctl", "start", "wsbridge@desk")
    echoes(machine, 81, "/")
    machine.do("test", "-S", "/run/wsbridge-desk/ws.sock")
    machine.do("systemctl", "reload", "wsbridge@desk")


def test_wrong_configuration_is_not_tried_again(machine):
    machine.write("/etc/wsbridge/bad.yaml", "listen: 6081\ntoo: builtin:echo\n")
    assert machine.try_("systemctl", "start", "wsbridge@bad")[0] != 0
    assert machine.show("ExecMainStatus", "wsbridge@bad") == "78"
    assert machine.show("NRestarts", "wsbridge@bad") == "0"
    machine.do("systemctl", "reset-failed", "wsbridge@bad")


def test_socket_activation(machine):
    machine.do("systemctl", "stop", "wsbridge")
    machine.write(CONF, WITH_BACKEND.replace('["127.0.0.1:6080", "[::1]:6080"]', '"systemd:public"'))
    machine.do("systemctl", "start", "wsbridge.socket")
    assert machine.try_("systemctl", "is-active", "wsbridge")[1].strip() == "inactive"
    echoes(machine)
    assert machine.do("systemctl", "is-active", "wsbridge").strip() == "active"
    machine.do("systemctl", "restart", "wsbridge")
    echoes(machine)
    machine.do("systemctl", "stop", "wsbridge.socket", "wsbridge")
    machine.write(CONF, WITH_BACKEND)
    machine.do("systemctl", "start", "wsbridge")


def test_upgrade(machine, higher_deb, backend):
    machine.do("chmod", "0644", CONF)
    old = machine.show("MainPID")
    desk = machine.show("MainPID", "wsbridge@desk")
    machine.do("apt-get", "install", "-y", "-q", machine.put(higher_deb))
    assert m.HIGHER in machine.do("/usr/bin/wsbridge", "-V")
    assert machine.do("systemctl", "is-active", "wsbridge").strip() == "active"
    assert machine.show("MainPID") != old
    assert machine.show("MainPID", "wsbridge@desk") != desk
    # What the administrator made of the file stays: the text, and who may read it.
    assert machine.read(CONF) == WITH_BACKEND
    assert stat(machine, CONF) == "644 root:wsbridge"


def test_remove(machine):
    machine.do("apt-get", "remove", "-y", "-q", "wsbridge")
    assert machine.try_("systemctl", "is-active", "wsbridge")[1].strip() in ("inactive", "unknown")
    assert machine.try_("systemctl", "is-active", "wsbridge@desk")[1].strip() in ("inactive", "unknown")
    assert machine.read(CONF) == WITH_BACKEND
    assert not os.path.exists(machine.path("/usr/bin/wsbridge"))


def test_purge_leaves_the_user_only(machine, before):
    machine.do("rm", "/etc/wsbridge/desk.yaml", "/etc/wsbridge/bad.yaml")  # they were never the package's
    machine.do("apt-get", "purge", "-y", "-q", "wsbridge")
    assert every_file(machine.root) - before == set()
    assert machine.do("find", "/run", "-name", "*wsbridge*") == ""
    machine.do("getent", "passwd", "wsbridge")


def test_install_again(machine, deb):
    machine.do("apt-get", "install", "-y", "-q", machine.put(deb))
    assert machine.do("systemctl", "is-active", "wsbridge").strip() == "active"
    assert stat(machine, CONF) == "640 root:wsbridge"
    echoes(machine)


def test_it_starts_with_the_machine(machine):
    machine.stop()
    machine.boot()
    eventually(lambda: machine.try_("systemctl", "is-active", "wsbridge")[1].strip() == "active")
    echoes(machine)
