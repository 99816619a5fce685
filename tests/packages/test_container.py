# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""The container image: built by buildah on a base made by mmdebstrap, so that no registry is asked; run by buildah, and
as process 1 of a read-only system by systemd-nspawn, which takes the same folder."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

import machine as m

STORE = os.path.join(m.PACKAGES, "containers")
BUILDAH = ["buildah", "--root", STORE, "--runroot", STORE + ".run", "--storage-driver", "vfs"]
IMAGE = "localhost/wsbridge:test"


def buildah(*arguments):
    return m.must(*BUILDAH, *arguments, timeout=1200)


def slim_base():
    """What docker.io's debian:bookworm-slim is, near enough: the essential packages and apt."""
    path = os.path.join(m.PACKAGES, "slim.tar")
    if not os.path.exists(path):
        include = "--include=ca-certificates"
        m.must("mmdebstrap", "--quiet", "--format=tar", "--variant=minbase", include, "bookworm", path + ".new", m.MIRROR)
        os.rename(path + ".new", path)
    return path


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    context = tmp_path_factory.mktemp("base")
    shutil.copy(slim_base(), context / "slim.tar")
    (context / "Dockerfile").write_text("FROM scratch\nADD slim.tar /\n")
    build = ["bud", "--quiet", "--isolation", "chroot", "--format", "docker"]
    buildah(*build, "-t", "localhost/base", str(context))
    folder = os.path.join(m.TOP, "packaging", "container")
    buildah(
        *(*build, "--build-arg", "BASE=localhost/base", "-f", folder + "/Dockerfile"),
        *("--ignorefile", folder + "/Dockerfile.dockerignore", "-t", IMAGE, m.TOP),
    )
    yield IMAGE
    m.run(*BUILDAH, "rm", "--all")
    m.run(*BUILDAH, "rmi", "--all", "--force")
    shutil.rmtree(STORE, ignore_errors=True)
    shutil.rmtree(STORE + ".run", ignore_errors=True)


@pytest.fixture(scope="module")
def container(image):
    return buildah("from", image).strip()


@pytest.fixture
def network():
    """A process that holds a network of its own, whose loopback is up."""
    holder = subprocess.Popen(
        ["unshare", "-n", "sh", "-c", "ip link set lo up && echo up && exec sleep 600"], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "up\n"
    yield holder.pid
    holder.kill()
    holder.wait()


def echoes(pid):
    end = time.monotonic() + 15
    while True:
        status, said = m.in_network(pid, m.ECHO, "6080", "/echo")
        if status == 0:
            return
        assert time.monotonic() < end, said
        time.sleep(0.2)


def test_what_the_image_says(image):
    said = json.loads(buildah("inspect", "--type", "image", image))["Docker"]["config"]
    user = said["User"].split(":")
    assert len(user) == 2 and all(part.isdigit() and int(part) >= 1000 for part in user)
    assert said["Entrypoint"] == ["/usr/bin/wsbridge"]
    assert said["StopSignal"] in ("SIGTERM", "15")
    assert said["Healthcheck"]["Test"] == ["CMD", "/usr/local/bin/wsbridge-health"]
    assert "6080/tcp" in said["ExposedPorts"]


def test_it_runs_under_buildah(container, network):
    command = ["nsenter", "-t", str(network), "-n", *BUILDAH, "run", "--isolation", "chroot", container, "--"]
    server = subprocess.Popen([*command, "/usr/bin/wsbridge", "-c", "/etc/wsbridge/wsbridge.yaml"], stdin=subprocess.DEVNULL)
    try:
        echoes(network)
        assert m.run(*command, "/usr/local/bin/wsbridge-health")[0] == 0
        assert m.run(*command, "sh", "-c", "id -u; id -g")[1].split() == ["10001", "10001"]
        assert m.run(*command, "sh", "-c", "WSBRIDGE_HEALTH=127.0.0.1:1 wsbridge-health")[0] != 0
    finally:
        for pid in m.children(server.pid):
            with open(f"/proc/{pid}/comm") as f:
                if f.read().strip() == "wsbridge":
                    os.kill(pid, signal.SIGTERM)
        assert server.wait(20) == 0


def as_process_1(folder):
    """As a container engine would run it: number, no privilege, read-only."""
    user = ["/usr/bin/setpriv", "--reuid=10001", "--regid=10001", "--clear-groups", "--bounding-set=-all", "--no-new-privs"]
    command = ["/usr/bin/wsbridge", "-c", "/etc/wsbridge/wsbridge.yaml"]
    return m.nspawn(folder, "--read-only", *user, *command)


@pytest.mark.parametrize(
    "how, seconds", [([signal.SIGTERM], 10), ([signal.SIGHUP, signal.SIGTERM], 10), ([signal.SIGINT], 3)]
)
def test_process_1_of_a_read_only_system(container, how, seconds):
    folder = buildah("mount", container).strip()
    server = as_process_1(folder)
    leader = m.leader_of(server)
    echoes(leader)
    with open(f"/proc/{leader}/status") as f:
        status = f.read()
    assert "NSpid:\t%d\t1\n" % leader in status and "Uid:\t10001\t10001" in status and "CapEff:\t0000000000000000" in status
    for s in how:
        os.kill(leader, s)
        time.sleep(0.3)
    said, _ = server.communicate(timeout=seconds)
    assert server.returncode == 0, said
    assert b"stopped" in said and (signal.SIGHUP not in how or b"reloaded" in said), said
