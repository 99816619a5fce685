# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""What can be seen in the packages without installing them."""

import filecmp
import glob
import os

import pytest

import machine as m


@pytest.mark.parametrize("kind, pattern", [("deb", "*.deb"), ("rpm", "*.rpm")])
def test_two_builds_give_the_same_bytes(kind, pattern, deb, rpm, tmp_path):
    """From another folder, with another mask, time zone and language."""
    command = "umask 077; TZ=Asia/Tokyo LANG=C packaging/build.sh %s %s" % (kind, tmp_path)
    m.must("sh", "-c", command, cwd=m.TOP)
    files = glob.glob(str(tmp_path / pattern))
    assert files
    for f in files:
        assert filecmp.cmp(f, os.path.join(m.PACKAGES, os.path.basename(f)), shallow=False), os.path.basename(f)


def test_hardening(deb, tmp_path):
    m.must("dpkg-deb", "-x", deb, str(tmp_path))
    status, said = m.run("hardening-check", str(tmp_path / "usr/bin/wsbridge"))
    lines = [line for line in said.splitlines() if line.startswith(" ")]
    assert len(lines) == 7, said
    assert status == 0 and all(": yes" in line for line in lines), said


def test_no_path_of_this_machine_is_in_the_program(deb, tmp_path):
    m.must("dpkg-deb", "-x", deb, str(tmp_path))
    with open(tmp_path / "usr/bin/wsbridge", "rb") as f:
        program = f.read()
    assert m.TOP.encode() not in program


def test_lintian(deb):
    said = m.must("lintian", "--allow-root", "--fail-on", "error,warning,info", "--display-info", deb)
    assert not said.strip(), said


def test_rpmlint(rpm):
    said = m.must("rpmlint", "-c", os.path.join(m.TOP, "packaging/rpm/rpmlint.toml"), rpm)
    assert " 0 errors, 0 warnings" in said, said


def test_both_packages_hold_the_same(deb, rpm):
    """But for what each system has in places of its own."""
    here = {line.split(None, 5)[5].lstrip(".") for line in m.must("dpkg-deb", "-c", deb).splitlines() if line[0] == "-"}
    there = {line.split(None, 8)[8] for line in m.must("rpm", "-qplv", rpm).splitlines() if line[0] == "-"}
    own = ("/usr/share/licenses/", "/usr/share/lintian/", "/etc/ufw/")
    own += ("/usr/share/doc/wsbridge/copyright", "/usr/share/doc/wsbridge/changelog")
    here = {f.replace("/lib/systemd/", "/usr/lib/systemd/") for f in here}
    here = {f.replace("/zsh/vendor-completions/", "/zsh/site-functions/") for f in here}
    # Debian packs manuals and long texts by their size, Fedora manuals only.
    here, there = ({f[:-3] if f.endswith(".gz") else f for f in files} for files in (here, there))
    assert {f for f in here if not f.startswith(own)} == {f for f in there if not f.startswith(own)}


def test_rpm_owners_and_scripts(rpm):
    listed = m.must("rpm", "-qplv", rpm)
    conf = next(line for line in listed.splitlines() if line.endswith("/etc/wsbridge/wsbridge.yaml"))
    assert conf.split()[:4] == ["-rw-r-----", "1", "root", "wsbridge"]
    for line in listed.splitlines():
        assert line == conf or line.split()[2:4] == ["root", "root"], line
    assert "/etc/wsbridge/wsbridge.yaml" in m.must("rpm", "-qpc", rpm)
    flags = m.must("rpm", "-qp", "--qf", "[%{FILENAMES} %{FILEFLAGS:fflags}\n]", rpm)
    assert "/etc/wsbridge/wsbridge.yaml cn" in flags  # config, noreplace
    scripts = m.must("rpm", "-qp", "--scripts", rpm)
    for part in ("preinstall", "postinstall", "preuninstall", "postuninstall"):
        assert part + " scriptlet" in scripts
    for path in ("/usr/lib/systemd/system/wsbridge.service", "/usr/lib/sysusers.d/wsbridge.conf"):
        assert path in listed
