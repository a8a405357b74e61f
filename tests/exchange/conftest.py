"""Images that the tests of this folder share."""

import os

import pytest

import numpycnn as nc

os.environ.setdefault("KERAS_BACKEND", "torch")  # TensorFlow's 2 GB are not needed


@pytest.fixture(scope="session")
def garments():
    """A thousand drawings of garments, uint8 (1000, 28, 28, 1)."""
    return nc.data.load("synthetic").x_test[:1000]
