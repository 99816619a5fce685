# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Fixtures: `bridge` starts wsbridge (any number of them), `backend` makes backends; both end with the test, and the
program's end is checked. `ca` signs certificates."""

from harness_fixtures import backend, black_hole, bridge, pytest_runtest_makereport  # noqa: F401
from tlsparts import ca  # noqa: F401


def pytest_make_parametrize_id(config, val, argname):
    """Frames have random masks: bytes in a test's name would give it another one in each of several processes."""
    return argname if isinstance(val, bytes) else None
