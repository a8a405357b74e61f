"""Images that the tests of this folder share."""

import pytest

import numpycnn as nc


@pytest.fixture(scope="session")
def garments():
    """A thousand drawings of garments, uint8 (1000, 28, 28, 1)."""
    return nc.data.load("synthetic").x_test[:1000]
