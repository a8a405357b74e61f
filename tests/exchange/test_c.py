"""The C file: the same bits as NumPy, however it is compiled; what it says of itself."""

import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest

from numpycnn import layers as L
from numpycnn.exchange import c, int8
from numpycnn.exchange.c import build, memory
from numpycnn.exchange.structure import ExportError
from tests.exchange.networks import classifier
from tests.exchange.test_int8 import NETWORKS, images, quantized
from tests.helpers import ROOT

ARM = "arm-none-eabi-gcc"
DEVICE = pathlib.Path(ROOT, "examples", "device")
SANITIZED = "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"


def needs(*programs):
    missing = [one for one in programs if shutil.which(one) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


@needs("gcc")
@pytest.mark.parametrize("name", NETWORKS)
def test_it_gives_numpys_bits_and_no_sanitizer_complains(name):
    net, made = quantized(name)
    text, _ = c.export(made, "net")
    x = images(net, 30, seed=7)
    x[0], x[1] = 0, 255
    assert np.array_equal(build.run(text, "net", x, ("gcc", *SANITIZED)), made.integers(x))


COMPILERS = [("gcc", "-O0"), ("gcc", "-O3", "-funsigned-char"), ("gcc", "-O2", "-m32"),
             ("clang", "-O2")]  # fmt: skip


@pytest.mark.parametrize("command", COMPILERS, ids=" ".join)
def test_every_compiler_gives_the_same_bits(command):
    if not _compiles(command):
        pytest.skip(f"{' '.join(command)}: not installed")
    _, made = quantized("tanh")
    text, _ = c.export(made, "net")
    x = images(made, 30, seed=7)
    assert np.array_equal(build.run(text, "net", x, command), made.integers(x))


@needs("gcc")
@pytest.mark.parametrize("options", [("-O3",), SANITIZED], ids=" ".join)
def test_a_kernel_of_one_pixel_compiles_without_a_warning(options):
    rng = np.random.default_rng(0)
    net = L.Sequential(L.Conv2D(2, 3, 1, rng=rng), L.Flatten(), L.Dense(192, 3, rng=rng))
    net.input_shape = (8, 8, 2)
    made = int8.quantize(net, images(net))
    x = images(net, 30, seed=7)
    text, _ = c.export(made, "net")
    assert np.array_equal(build.run(text, "net", x, ("gcc", *options)), made.integers(x))


def _compiles(command):
    if shutil.which(command[0]) is None:
        return False
    program = b"#include <stdio.h>\nint main(void) { return 0; }"
    line = [*command, "-x", "c", "-", "-o", "/dev/null"]
    return not subprocess.run(line, input=program, capture_output=True).returncode


@needs(ARM)
@pytest.mark.parametrize("name", ["slopes", "residual"])
def test_arms_compiler_takes_it_without_a_warning(name):
    _, made = quantized(name)
    text, facts = c.export(made, "net")
    assert facts["constants"] < c.measure(text, "net") < facts["constants"] + 4000


@needs(ARM, "qemu-system-arm")
@pytest.mark.parametrize("board", build.BOARDS)
def test_a_board_under_qemu_gives_the_same_bits(board):
    """Of the M4 the instructions that multiply twice, too."""
    _, made = quantized("vgg")
    text, _ = c.export(made, "net")
    x = images(made, 3, seed=7)
    if not _compiles((ARM, "--specs=nosys.specs")):
        pytest.skip("not installed: a C library for a bare Arm")
    found, instructions = build.on_board(text, DEVICE, board, x)
    assert np.array_equal(found, made.integers(x))
    assert min(instructions) > made.multiply_adds()


ARDUINO = """
#include <cstdio>
#include <cstdlib>
struct {
    void begin(long) {}
    explicit operator bool() { return true; }
    size_t readBytes(char *to, size_t n) { return fread(to, 1, n, stdin); }
    void print(const char *text) { printf("%s", text); }
    void println(unsigned long) { puts(""); exit(0); }
} Serial;
static unsigned long millis() { return 0; }
#include "arduino.ino"
int main() { for (setup();;) loop(); }
"""


@needs("gcc", "g++")
def test_the_arduinos_sketch_reads_an_image_and_names_its_class(tmp_path):
    """With a serial line that is this computer's standard input and output."""
    net = classifier("vgg", filters=(3, 4), depth=1)
    made = int8.quantize(net, images(net, 4))
    made.metadata["classes"] = [f"class {k}" for k in range(10)]
    (tmp_path / "net.c").write_text(c.export(made, "net")[0])
    (tmp_path / "sketch.cpp").write_text(ARDUINO)
    compiled = ["gcc", "-std=c99", "-c", "net.c"], ["g++", f"-I{DEVICE}", "sketch.cpp", "net.o"]
    for command in compiled:
        subprocess.run(command, cwd=tmp_path, check=True)
    x = images(net, 1, seed=4)
    found = subprocess.run(tmp_path / "a.out", input=x.tobytes(), capture_output=True, check=True)
    assert found.stdout.decode() == f"class {made.integers(x).argmax()}, ms: \n"


@pytest.mark.parametrize("name", NETWORKS)
def test_no_step_writes_over_codes_that_are_read_later(name):
    """The arena, byte by byte: whoever reads finds what was written for it."""
    _, made = quantized(name)
    layers = c.writer._Layers(made)
    for key, size, first, _, lead in layers.tensors():
        for other, n, start, end, _ in layers.tensors():
            if key == other or not start <= first <= end:
                continue
            at, there = layers.places[key], layers.places[other]
            over = at < there + n and there < at + size
            assert not over or at + lead[other] <= there
        assert layers.places[key] + size <= layers.arena


def test_a_pool_overwrites_the_rows_that_are_read():
    """The network that fits best: 28 x 28 x 24 codes, convolved and pooled into 14 x 14 x 24."""
    places, size = memory.place([(1, 18816, 1, 2, {}), (2, 4704, 2, 3, {1: 336})])
    assert (places, size) == ({1: 336, 2: 0}, 18816 + 336)
    places, size = memory.place([(1, 10, 1, 2, {}), (2, 20, 2, 3, {1: 20}), (3, 10, 3, 4, {2: 0})])
    assert size == 30
    assert memory.gap([(1, 10, 1, 2, {}), (2, 8, 2, 3, {})], {1: 0, 2: 12}, 2, 4) == 20
    assert memory.gap([(1, 10, 1, 2, {}), (2, 8, 2, 3, {})], {1: 0, 2: 12}, 2, 2) == 10


def test_it_says_what_it_is():
    _, made = quantized("vgg")
    made.metadata = {"classes": ['a "b"', "c\\d??/", "é*/"], "data": "own */ data"}
    text, facts = c.export(made, "my_net")
    assert "void my_net_infer(const uint8_t *image, int32_t *logits)" in text
    assert f"static uint8_t arena[{facts['ram']}];" in text
    assert facts["constants"] == made.weight_bytes()
    assert "/* conv1: 8x8x1 -> 8x8x6, 3x3, relu */" in text
    assert "malloc" not in re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    assert max(map(len, text.splitlines())) <= 100
    assert text.isascii()
    if shutil.which("gcc"):
        assert build.run(text, "my_net", images(made, 2)).shape == (2, 3)


@pytest.mark.parametrize("name", ["my-net", "1st", "a b", ""])
def test_a_name_that_c_does_not_take_is_refused(name):
    with pytest.raises(ExportError, match="no name in C"):
        c.export(quantized("vgg")[1], name)
