"""What tests share: compiled kernels, both backends in turn, hypothesis with few, fixed examples.

NUMPYCNN_EXAMPLES=10000 pytest tests/ops      is the long form.
"""

import importlib.util
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import numpycnn
from numpycnn import backend, layers, models, optim

settings.register_profile(
    "numpycnn",
    max_examples=int(os.environ.get("NUMPYCNN_EXAMPLES", "25")),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("numpycnn")


NUMBA = importlib.util.find_spec("numba") is not None


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist, for `-n auto` in setup.cfg
def pytest_xdist_auto_num_workers(config):
    """The whole suite runs in two processes, a part of it (a file, -k, ...) in this one."""
    whole = config.args_source is not pytest.Config.ArgsSource.ARGS and not config.option.keyword
    return min(2, backend.threads()) if whole else 0


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes():
    """Before the processes begin: compile the kernels, once; give BLAS one thread in each."""
    compile_kernels()
    for name in ("OPENBLAS", "MKL", "OMP"):
        os.environ.setdefault(f"{name}_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels():
    """Every kernel runs once, so that no test's duration is a compiler's."""
    compile_kernels()


def compile_kernels():
    """Run every kernel: half a minute, or a second where numba's cache has them."""
    if not NUMBA:
        return
    before = backend.backend(), backend.threads()
    numpycnn.use("numba", threads=2)
    for net, shape in _networks_of_all_kernels():
        x = np.zeros((2, *shape), np.float32)
        for form in net, layers.fuse(net):
            y, cache = form.forward(x, train=True)
            form.backward(y, cache)
            form.infer(x)
        optim.Adam(net.params()).step()
        _run_read_only(net, x)
    numpycnn.use(*before)


def _run_read_only(net, x):
    """Both passes, layer by layer, of read-only arrays: for numba another type."""
    for param in net.params():
        param.value.flags.writeable = False
    for layer in net.layers:
        x.flags.writeable = False
        x, cache = layer.forward(x, train=True)
        dy = x.copy()
        dy.flags.writeable = False
        layer.backward(dy, cache)


def _networks_of_all_kernels():
    """(network, shape of one image): small ones that need every kernel in float32."""
    yield models.build("vgg", seed=0, filters=(4, 16, 17), input_shape=(8, 8, 1)), (8, 8, 1)
    yield models.build("alexnet", seed=0, filters=(16, 17), input_shape=(8, 8, 1)), (8, 8, 1)
    rng = np.random.default_rng(0)
    convolutions = [
        layers.Conv2D(4, 16, 4, stride=2, rng=rng),  # the direct form, strided
        layers.LeakyReLU(),
        layers.Conv2D(16, 4, 3, rng=rng),  # kn2row: few filters
        layers.BatchNorm(4),
        layers.AvgPool2D(2),
    ]
    yield layers.Sequential(*convolutions), (8, 8, 4)
    small_blocks = [
        layers.Conv2D(4, 4, 3, groups=4, rng=rng),
        layers.LayerNorm(4),
        layers.SiLU(),
        layers.Conv2D(4, 16, 3, dilation=2, rng=rng),
        layers.GroupNorm(2, 16),
        layers.GELU(),
        layers.HardSwish(),
    ]
    yield layers.Sequential(*small_blocks), (8, 8, 4)


@pytest.fixture(autouse=True)
def same_backend_afterwards(compiled_kernels):
    """A test that leaves another backend behind fails, for it would slow and change all others."""
    before = backend.backend(), backend.threads()
    yield
    after = backend.backend(), backend.threads()
    numpycnn.use(*before)
    assert after == before, f"the test left {after} behind, not {before}"


@pytest.fixture(params=["numpy", "numba"])
def each_backend(request):
    """The test runs twice: with the NumPy reference, and with the numba kernels."""
    if request.param == "numba" and not NUMBA:
        pytest.skip("numba is not installed")
    before = backend.backend(), backend.threads()
    numpycnn.use(request.param)
    yield request.param
    numpycnn.use(*before)


@pytest.fixture
def on_numpy():
    """The test runs with the NumPy reference."""
    before = backend.backend()
    numpycnn.use("numpy")
    yield
    numpycnn.use(before)
