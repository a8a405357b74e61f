"""`export --to int8` and `--to c`: a network for small devices."""

import pathlib
import re

IMAGES = 500  # for the calibration
CHECKED = 8


def export(args, net, out):
    """The file at `out` -> facts, a line."""
    from ..exchange import int8, parts

    if isinstance(net, int8.Int8Network):
        if args.calibrate:
            raise ValueError(f"{args.checkpoint} is calibrated already: leave --calibrate out")
        made, facts = net, {}
        images = given = None
    else:
        int8.prepared(*parts.part(net))  # what does not go is named before anything is read
        name, count = calibration(args.calibrate, net)
        images = training_images(net, name, count)
        made = int8.quantize(net, images)
        given = {"images": len(images), "data": name}
        facts = {"calibration": given, **_difference(net, made, images[:CHECKED])}
    if args.to == "int8":
        return _int8(made, out, facts)
    return _c(made, out, facts, images)


def calibration(given, net):
    """(name of the data, number of images) of --calibrate NAME [N]. Raises ValueError."""
    name, *count = given or [net.metadata.get("data", "fashion-mnist")]
    if len(count) > 1 or not all(one.isdecimal() and int(one) for one in count):
        raise ValueError("--calibrate: expected a data set and a number of its training images")
    return name, int(*count) if count else IMAGES


def training_images(net, name, count):
    """The first training images of a data set, read as the network's own were."""
    from ..data.datasets import load_for
    from .networks import input_shape

    return load_for(net.metadata, name, input_shape(net)).x_train[:count]


def _difference(net, made, images):
    """Of some answers: how many are the same, and how far the logits are apart."""
    import numpy as np

    ours, theirs = net.infer(images), made.infer(images)
    same = int((ours.argmax(axis=1) == theirs.argmax(axis=1)).sum())
    return {
        "same_answers": same,
        "checked": len(images),
        "error": float(np.abs(ours - theirs).max()),
    }


def _int8(made, out, facts):
    import numpycnn as nc

    more = {"calibration": facts["calibration"]}
    nc.save(out, made, **made.metadata, **more)
    result = {"file": out, "bytes": pathlib.Path(out).stat().st_size}
    result |= {"weight_bytes": made.weight_bytes(), **facts}
    data = facts["calibration"]
    return result, (
        f"{out}: {result['weight_bytes']:,} bytes of weights, ranges by {data['images']} training "
        f"images of {data['data']}; of {facts['checked']} images {facts['same_answers']} get the "
        f"same answer, largest difference {facts['error']:.2g}"
    )


def _c(made, out, facts, images):
    import numpy as np

    from .. import files
    from ..errors import NumpyCNNError
    from ..exchange import c

    name = re.sub(r"\W", "_", pathlib.Path(out).name.partition(".")[0], flags=re.ASCII)
    text, measured = c.export(made, name)
    if images is None:
        shape = (CHECKED, *made.input_shape)
        images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    different = c.difference(text, name, made, images[:CHECKED])
    if different:
        raise NumpyCNNError(
            f"{different} logits of the C program differ from NumPy's; please report the network"
        )
    flash = c.measure(text, name)
    files.write(out, text.encode())
    result = {"file": out, "function": f"{name}_infer", "flash": flash, **measured, **facts}
    result |= {"ms_at_64_mhz": c.milliseconds(measured["multiply_adds"]), "bits": different}
    code = flash and f"{flash:,} bytes of flash, {flash - measured['constants']:,} of them code"
    code = code or f"{measured['constants']:,} bytes of flash and some 2,000 of code"
    checked = "no C compiler is here to check it"
    if different == 0:
        checked = f"the bits of NumPy on {CHECKED} images"
    return result, (
        f"{out}: {code}, {measured['ram']:,} bytes of RAM, {measured['multiply_adds']:,} "
        f"multiply-adds, about {result['ms_at_64_mhz']:.0f} ms on a Cortex-M4 at 64 MHz; {checked}"
    )
