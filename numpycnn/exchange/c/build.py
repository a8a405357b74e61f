"""What compilers make of the file: a check against the definition, and the size of its code."""

import pathlib
import shutil
import subprocess
import tempfile

import numpy as np

from ..graph import ExportError

ARM = "arm-none-eabi-gcc"
FLAGS = "-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"
M4 = "-mcpu=cortex-m4", "-mthumb", "-O2", "-ffunction-sections"
# Of a multiply-add on a Cortex-M4: 2.0 instructions, counted under QEMU with everything around it,
# and a third of a load, which takes a cycle more. An estimate: flash memory can be slower.
CYCLES = 2.3
CLOCK = 64e6


def run(text, name, images, compiler=("cc", "-O2"), runner=()):
    """int32 logits (N, K) that the C program gives for uint8 images. Raises ExportError."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder, f"{name}.c"), pathlib.Path(folder, "program")
        source.write_text(text)
        command = [*compiler, *FLAGS, f"-D{name.upper()}_MAIN", str(source), "-o", str(program)]
        _call(command)
        lines = _call([*runner, str(program)], np.ascontiguousarray(images).tobytes()).splitlines()
    count = text.partition(f"#define {name.upper()}_CLASSES ")[2].split()[0]
    return np.array([line.split()[: int(count)] for line in lines]).astype(np.int32)


BOARDS = {  # of QEMU: processor, instructions a tick of its clock at 1 ns an instruction
    "mps2-an386": ("cortex-m4", 40),  # 25 MHz
    "lm3s6965evb": ("cortex-m3", 80),  # 12.5 MHz
}


def on_board(text, folder, board, images):
    """(int32 logits (N, K), instructions of each image) of net.c under QEMU.

    By bare_metal.c and the linker's file of the folder (examples/device). Raises ExportError.
    """
    processor, tick = BOARDS[board]
    with tempfile.TemporaryDirectory() as made:
        pathlib.Path(made, "net.c").write_text(text)
        program = pathlib.Path(made, "net.elf")
        command = [
            ARM,
            *FLAGS,
            f"-mcpu={processor}",
            "-mthumb",
            "-O2",
            "-nostartfiles",
            f"-I{made}",
        ]
        command += [f"-T{folder}/{board}.ld", f"{folder}/bare_metal.c", "-o", str(program)]
        _call(command)
        command = ["qemu-system-arm", "-M", board, "-display", "none", "-serial", "none"]
        command += ["-monitor", "none", "-semihosting", "-icount", "shift=0", "-kernel", program]
        output = _call(command, np.ascontiguousarray(images).tobytes())
    words = [line.split() for line in output.splitlines() if "ticks" in line]
    count = int(text.partition("#define NET_CLASSES ")[2].split()[0])
    logits = np.array([one[:count] for one in words]).astype(np.int32)
    return logits, [int(one[-1]) * tick for one in words]


def _call(command, given=None):
    streams = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
    }  # QEMU's console is the second
    done = subprocess.run(command, input=given, **streams)
    output = done.stdout.decode(errors="replace")
    if done.returncode:
        raise ExportError(f"{command[0]} failed: {output.strip()}")
    return output


def difference(text, name, net, images):
    """How many logits of the C program are not net's: 0, or None where there is no C compiler."""
    compiler = next((one for one in ("cc", "gcc", "clang") if shutil.which(one)), None)
    if compiler is None:
        return None
    found = run(text, name, images, (compiler, "-O2"))
    return int((found != net.integers(images)).sum())


def measure(text, name):
    """Bytes of flash on a Cortex-M4, code and constants, by arm-none-eabi-gcc; None without it."""
    if not (shutil.which(ARM) and shutil.which("arm-none-eabi-size")):
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, compiled = pathlib.Path(folder, f"{name}.c"), pathlib.Path(folder, f"{name}.o")
        source.write_text(text)
        _call([ARM, *M4, *FLAGS, "-c", str(source), "-o", str(compiled)])
        code, data, _ = _call(["arm-none-eabi-size", str(compiled)]).splitlines()[1].split()[:3]
    return int(code) + int(data)


def milliseconds(multiply_adds):
    """An estimate, on a Cortex-M4 at 64 MHz."""
    return multiply_adds * CYCLES / CLOCK * 1e3
