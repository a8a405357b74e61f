"""The C file of an integer network: the pieces beside this that it needs, arrays, layers."""

import math
import pathlib
import re
import textwrap

import numpy as np

from ...errors import printable
from ..graph import ExportError
from . import memory

PIECES = pathlib.Path(__file__).parent
PIECE = {  # what each step needs, in the order of the file
    "conv": ("common", "conv"), "dense": ("common", "dense"), "head": ("head",), "add": ("add",),
    "mean": ("window", "mean"), "max_pool": ("window", "max_pool"), "lookup": ("lookup",),
    "reshape": (),
}  # fmt: skip
ORDER = "common", "conv", "dense", "add", "window", "mean", "max_pool", "lookup", "head"
TYPES = {"w": "int8_t", "b": "int32_t", "q": "int32_t", "slope": "int32_t", "s": "uint8_t"}
TYPES |= {"table": "uint8_t"}
NAMES = {"w": "weights", "b": "bias", "s": "shift"}

HEAD = """/* {name}.c: {title}, in whole numbers.
{about}

   void {name}_infer(const uint8_t *image, int32_t *logits);

   image: {h} x {w} pixels of {c} byte{s}, 0 to 255; logits: {k} numbers, the largest is the answer.
   Real logits are these times {scale:.9g}.
   {ram:,} bytes of RAM beside the stack and the image; {adds:,} multiply-adds an image.
   C99. Every sum is exact: the same bits on every machine. Not for two threads at once.
   Written by numpycnn {version}. */
#include <stdint.h>
#include <string.h>

#define {upper}_PIXELS {pixels}
#define {upper}_CLASSES {k}
"""


def export(net, name="net"):
    """-> the text of NAME.c with NAME_infer, and facts {"ram", "constants", "multiply_adds"}.

    constants: bytes of weights and the like; code is to be added (build.measure). Raises
    ExportError for a name that C does not take.
    """
    if not re.fullmatch(r"[A-Za-z_]\w{0,63}", name, re.ASCII):
        raise ExportError(f"{name!r} is no name in C; give the file another: letters, digits and _")
    layers = _Layers(net)
    facts = {"ram": layers.arena, "constants": net.weight_bytes()}
    facts["multiply_adds"] = net.multiply_adds()
    return "".join(_pieces(net, name, layers, facts)), facts


def _pieces(net, name, layers, facts):
    from ... import __version__

    first, last = net.steps[0], net.steps[-1]
    metadata = getattr(net, "metadata", None) or {}
    title = _comment(f"a network for {metadata.get('data', 'images')}")
    about = "\n".join(f"   {line}" for line in layers.lines)
    filled = {"name": name, "upper": name.upper(), "title": title, "about": about}
    filled |= dict(zip("hwc", first.shape, strict=True)) | {"s": "s" * (first.shape[2] > 1)}
    filled |= {"k": last.shape[0], "scale": last.scale, "pixels": math.prod(first.shape)}
    filled |= {"ram": facts["ram"], "adds": facts["multiply_adds"], "version": __version__}
    yield HEAD.format(**filled)
    calls = (step for i, step in enumerate(net.steps) if i and i not in layers.pools.values())
    needed = {piece for step in calls for piece in PIECE[step.op]}
    for piece in (one for one in ORDER if one in needed):
        yield "\n" + (PIECES / f"{piece}.c").read_text()
    yield "\n/* The network. */\n" + "".join(layers.arrays)
    yield "\n".join(["", *layers.structs, *_names(name, metadata.get("classes"), last.shape[0])])
    yield f"\nvoid {name}_infer(const uint8_t *image, int32_t *logits) {{\n"
    if layers.arena:
        yield f"    static uint8_t arena[{layers.arena}];\n"
    yield "".join(layers.calls) + "}\n"
    yield (PIECES / "main.c").read_text().replace("@UPPER@", name.upper()).replace("@name@", name)


def _names(name, classes, count):
    """The classes' names as C has them."""
    names = classes if isinstance(classes, list) and len(classes) == count else range(count)
    quoted = ", ".join(_string(str(one)) for one in names)
    yield f"const char *const {name}_names[{count}] = {{"
    yield textwrap.fill(quoted, 92, initial_indent="    ", subsequent_indent="    ")
    yield "};"


def _string(text):
    """A string of C: what is no letter, digit or blank of ASCII by its number."""
    safe = re.compile(rb"[A-Za-z0-9 _.,/+-]")
    coded = (chr(b) if safe.match(bytes([b])) else f"\\{b:03o}" for b in text.encode())
    return f'"{"".join(coded)}"'


def _comment(text):
    return (
        printable(text)
        .replace("*/", "* /")
        .replace("/*", "/ *")
        .encode("ascii", "replace")
        .decode()
    )


class _Layers:
    """Arrays, structs, calls and their places in memory, one method for each kind of step.

    A method is (number, step) -> the struct's fields as text, or the call's arguments.
    """

    def __init__(self, net):
        self.steps, self.arrays, self.structs, self.calls, self.lines = net.steps, [], [], [], []
        self.pools = self.joined_pools()
        tensors = self.tensors()
        self.places, self.arena = memory.place(tensors)
        for i, step in enumerate(self.steps):  # a convolution's patch, wherever there is room
            if step.op == "conv":
                size = step.arrays["w"][..., 0].size
                self.places[f"patch {i}"] = memory.gap(tensors, self.places, i, size)
                self.arena = max(self.arena, self.places[f"patch {i}"] + size)
        for i, step in enumerate(self.steps[1:], 1):
            self.lines.append(self.line(i, step))
            if i not in self.pools.values() and step.op != "reshape":
                for key, array in step.arrays.items():
                    self.arrays.append(self.array(step, key, array))
                self.calls.append(f"    /* {self.lines[-1]} */\n")
                getattr(self, step.op)(i, step)

    def readers(self, i):
        return [k for k, step in enumerate(self.steps) if i in step.inputs]

    def joined_pools(self):
        """{convolution: max pool}: those that the convolution can do itself."""
        found = {}
        for i, step in enumerate(self.steps):
            after = self.readers(i)
            if step.op == "conv" and len(after) == 1 and self.steps[after[0]].op == "max_pool":
                (kh, kw), stride = (self.steps[after[0]].numbers[k] for k in ("size", "stride"))
                if kh == kw and tuple(stride) == (kh, kw):
                    found[i] = after[0]
        return found

    def source(self, i):
        """The step whose bytes step i's codes are: reshapes and the pool of a convolution have none
        of their own.
        """
        pooled = {pool: conv for conv, pool in self.pools.items()}
        while i in pooled or self.steps[i].op == "reshape":
            i = pooled[i] if i in pooled else self.steps[i].inputs[0]
        return i

    def out(self, i):
        """The step that says what shape leaves the call of step i."""
        return self.steps[self.pools.get(i, i)]

    def tensors(self):
        """What memory.place takes, for each call's output."""
        last = {}  # {source: the last step that reads it}
        for k, step in enumerate(self.steps):
            if self.source(k) == k:
                last |= {self.source(i): k for i in step.inputs}
        found = []
        for k, step in enumerate(self.steps[1:], 1):
            if self.source(k) != k:
                continue
            dying = {self.source(i) for i in step.inputs}
            pool = self.steps[self.pools[k]].numbers["size"][0] if k in self.pools else 1
            lead = {
                i: memory.lead(step, self.steps[step.inputs[0]], pool)
                for i in dying
                if last[i] == k
            }
            if k in last:
                found.append((k, math.prod(self.out(k).shape), k, last[k], lead))
        return found

    def at(self, i):
        """The address of step i's codes."""
        i = self.source(i)
        if i == 0:
            return "image"
        return f"arena + {self.places[i]}" if i in self.places else "logits"

    def line(self, i, step):
        """conv1: 28x28x1 -> 28x28x24, 3x3, relu"""
        x = self.steps[step.inputs[0]].shape
        words = [f"{step.name}: {'x'.join(map(str, x))} -> {'x'.join(map(str, step.shape))}"]
        if step.op == "conv":
            words.append("x".join(map(str, step.arrays["w"].shape[:2])))
            stride = tuple(step.numbers["stride"])
            words += [f"stride {'x'.join(map(str, stride))}"] if stride != (1, 1) else []
        words += [step.numbers["activation"]] if step.numbers.get("activation") else []
        words += ["with the pool behind it"] if i in self.pools else []
        words += ["done by the convolution"] if i in self.pools.values() else []
        words += ["global average pool and dense"] if step.op == "head" and len(x) == 3 else []
        return ", ".join(words)

    def array(self, step, key, array):
        """A constant array; weights filter by filter."""
        if key == "w":
            array = np.moveaxis(array, -1, 0)
        values = [f"{v}," for v in array.ravel().tolist()]
        lines, line = [], ""
        for value in values:
            if len(line) + len(value) > 96:
                lines.append(line)
                line = ""
            line += value
        lines.append(line.rstrip(","))
        head = f"static const {TYPES[key]} {step.name}_{NAMES.get(key, key)}[{array.size}] = {{"
        return "\n".join([head, *lines, "};\n"])

    def struct(self, step, kind, **fields):
        """`static const struct KIND NAME = {.field = value, ...};`"""
        inside = ", ".join(f".{key} = {value}" for key, value in fields.items())
        text = f"static const struct {kind} {step.name} = {{{inside}}};".replace(" = ", "\0=\0")
        lines = textwrap.wrap(text, 92, subsequent_indent="    ", break_on_hyphens=False)
        self.structs.append("\n".join(lines).replace("\0", " "))

    def outputs(self, step):
        fields = {NAMES.get(key, key): f"{step.name}_{NAMES.get(key, key)}"
                  for key in ("b", "q", "s", "slope", "table") if key in step.arrays}  # fmt: skip
        fields["zero"] = step.numbers["offset"]
        return "{" + ", ".join(f".{key} = {value}" for key, value in fields.items()) + "}"

    def call(self, i, text):
        self.calls.append(f"    {text};\n")

    def conv(self, i, step):
        h, w, c = self.steps[step.inputs[0]].shape
        (oh, ow, f), (kh, kw) = self.out(i).shape, step.arrays["w"].shape[:2]
        (sh, sw), ((top, _), (left, _)) = step.numbers["stride"], step.numbers["pads"]
        pool = self.steps[self.pools[i]].numbers["size"][0] if i in self.pools else 1
        self.struct(
            step, "conv", h=h, w=w, c=c, oh=oh, ow=ow, f=f, kh=kh, kw=kw, sh=sh, sw=sw, top=top,
            left=left, outside=step.numbers["outside"], pool=pool, weights=f"{step.name}_weights",
            out=self.outputs(step),
        )  # fmt: skip
        patch = f"arena + {self.places[f'patch {i}']}"
        self.call(i, f"conv(&{step.name}, {self.at(step.inputs[0])}, {self.at(i)}, {patch})")

    def dense(self, i, step):
        n, f = step.arrays["w"].shape
        weights = f"{step.name}_weights"
        self.struct(step, "dense", n=n, f=f, weights=weights, out=self.outputs(step))
        self.call(i, f"dense(&{step.name}, {self.at(step.inputs[0])}, {self.at(i)})")

    def head(self, i, step):
        c, f = step.arrays["w"].shape
        arrays = {"weights": f"{step.name}_weights", "bias": f"{step.name}_bias"}
        self.struct(step, "head", pixels=step.numbers["pixels"], c=c, f=f, **arrays)
        self.call(i, f"head(&{step.name}, {self.at(step.inputs[0])}, logits)")

    def add(self, i, step):
        numbers = {"n": math.prod(step.shape), "branches": len(step.inputs)}
        numbers |= {"shift": step.numbers["s"], "b": f"{step.numbers['b']}LL"}
        self.struct(step, "add", **numbers, q=f"{step.name}_q")
        inputs = ", ".join(self.at(k) for k in step.inputs)
        self.call(i, f"const uint8_t *const {step.name}_x[] = {{{inputs}}}")
        self.call(i, f"add(&{step.name}, {step.name}_x, {self.at(i)})")

    def window(self, step):
        (_, w, c), (kh, kw) = self.steps[step.inputs[0]].shape, step.numbers["size"]
        (sh, sw), (oh, ow) = step.numbers["stride"], (*step.shape, 1, 1)[:2]
        oh, ow = (1, 1) if len(step.shape) == 1 else (oh, ow)
        fields = {"w": w, "c": c, "oh": oh, "ow": ow, "kh": kh, "kw": kw, "sh": sh, "sw": sw}
        return fields

    def mean(self, i, step):
        at = "{" + ", ".join(f".{key} = {value}" for key, value in self.window(step).items()) + "}"
        names = {"b": "b", "q": "q", "s": "shift", "offset": "zero"}
        numbers = {there: step.numbers[here] for here, there in names.items()}
        self.struct(step, "mean", at=at, **numbers)
        self.call(i, f"mean(&{step.name}, {self.at(step.inputs[0])}, {self.at(i)})")

    def max_pool(self, i, step):
        self.struct(step, "window", **self.window(step))
        self.call(i, f"max_pool(&{step.name}, {self.at(step.inputs[0])}, {self.at(i)})")

    def lookup(self, i, step):
        x, size = self.at(step.inputs[0]), math.prod(step.shape)
        self.call(i, f"lookup({step.name}_table, {x}, {self.at(i)}, {size})")
