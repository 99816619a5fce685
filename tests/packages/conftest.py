# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Fixtures: the packages that were built, a higher version of each, and machines to install them on."""

import glob
import os

import pytest

import machine as m

def built(pattern):
    found = sorted(f for f in glob.glob(os.path.join(m.PACKAGES, pattern)) if "dbgsym" not in f)
    assert len(found) == 1, f"{pattern} in {m.PACKAGES}: {found}"
    return found[0]


def version():
    with open(os.path.join(m.TOP, "packaging", "VERSION")) as f:
        return f.read().strip()


@pytest.fixture(scope="session")
def deb():
    return built(f"wsbridge_{version()}-*.deb")


@pytest.fixture(scope="session")
def rpm():
    return built(f"wsbridge-{version()}-*.x86_64.rpm")


def higher(kind, tmp_path_factory, pattern):
    out = tmp_path_factory.mktemp("higher-" + kind)
    m.must(os.path.join(m.TOP, "packaging", "build.sh"), kind, str(out), m.HIGHER)
    return next(f for f in glob.glob(str(out / pattern)) if "dbgsym" not in f)


@pytest.fixture(scope="session")
def higher_deb(tmp_path_factory):
    return higher("deb", tmp_path_factory, "wsbridge_*.deb")


@pytest.fixture(scope="session")
def higher_rpm(tmp_path_factory):
    return higher("rpm", tmp_path_factory, "wsbridge-*.rpm")


@pytest.fixture(scope="module")
def machine():
    one = m.Machine(m.unpack())
    yield one
    one.remove()
