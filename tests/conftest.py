"""What every test may use: both backends in turn, and hypothesis with few examples, always the same ones.

NUMPYCNN_EXAMPLES=10000 pytest tests/ops      is the long form.
"""

import importlib.util
import os

import pytest
from hypothesis import HealthCheck, settings

import numpycnn
from numpycnn import backend

settings.register_profile(
    "numpycnn",
    max_examples=int(os.environ.get("NUMPYCNN_EXAMPLES", "25")),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("numpycnn")


@pytest.fixture(params=["numpy", "numba"])
def each_backend(request):
    """The test runs twice: with the NumPy text, and with the numba twins."""
    if request.param == "numba" and importlib.util.find_spec("numba") is None:
        pytest.skip("numba is not installed")
    before = backend.backend(), backend.threads()
    numpycnn.use(request.param)
    yield request.param
    numpycnn.use(*before)
