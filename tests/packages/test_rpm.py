# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""The rpm: put into a system that is not running (rpm --root), then lived with on the booted one. That is a Debian whose
rpm knows of no other package, hence --nodeps."""

import os

import machine as m

CONF = "/etc/wsbridge/wsbridge.yaml"


def echoes(machine):
    status, said = machine.python(m.ECHO, "6080", "/echo")
    assert status == 0 and "echoed" in said, said + machine.journal("wsbridge*")


def test_install_from_outside(machine, rpm):
    m.must("rpm", "--root", machine.root, "--initdb")
    said = m.must("rpm", "--root", machine.root, "-i", "--nodeps", rpm)
    # Debian's rpm has an opinion about being used at all.
    assert [line for line in said.splitlines() if not line.startswith("rpm: ")] == [], said
    said = m.must("rpm", "--root", machine.root, "-V", "--nodeps", "wsbridge")
    assert said == "", said
    users = machine.read("/etc/passwd")
    user = next(line for line in users.splitlines() if line.startswith("wsbridge:"))
    assert user.endswith(":/usr/sbin/nologin")
    group = next(line for line in machine.read("/etc/group").splitlines() if line.startswith("wsbridge:"))
    st = os.stat(machine.path(CONF))
    assert (oct(st.st_mode & 0o7777), st.st_uid, st.st_gid) == ("0o640", 0, int(group.split(":")[2]))


def test_it_runs(machine):
    machine.boot()
    assert machine.do("systemd-analyze", "verify", "--man=no", "wsbridge.service") == ""
    machine.do("systemctl", "enable", "--now", "wsbridge")
    echoes(machine)


def test_upgrade_keeps_the_configuration_and_restarts(machine, higher_rpm):
    old = machine.show("MainPID")
    text = machine.read(CONF) + "\n# an administrator's word\n"
    machine.write(CONF, text)
    machine.do("rpm", "-U", "--nodeps", machine.put(higher_rpm))
    assert m.HIGHER in machine.do("/usr/bin/wsbridge", "-V")
    assert machine.show("MainPID") not in ("0", old)
    assert machine.read(CONF) == text
    echoes(machine)


def test_removal_stops_it(machine):
    machine.do("rpm", "-e", "wsbridge")
    assert machine.try_("systemctl", "is-active", "wsbridge")[1].strip() in ("inactive", "unknown")
    assert not os.path.exists(machine.path("/usr/bin/wsbridge"))
    assert machine.do("sh", "-c", "find /usr -name '*wsbridge*'; find /etc/systemd -name '*wsbridge*'") == ""
    assert "an administrator's word" in machine.read(CONF + ".rpmsave")
