"""The commands `export` and `import`: a checkpoint as another framework's file, and back."""

import os
import pathlib

from .. import files
from . import device
from .grammar.shared import CHECKPOINT
from .output import check_used, say


def export(args):
    """Write a network as a file that other programs run."""
    from ..exchange.int8 import Int8Network
    from .networks import load

    check_used(args, EXPORTING, args.to, "--to ")
    net = load(args.checkpoint)
    if isinstance(net, Int8Network) and args.to != "c":
        raise ValueError(f"{args.checkpoint} is a network of whole numbers: it goes --to c alone")
    ending = ".int8.npz" if args.to == "int8" else f".{args.to}"
    out = _new(args.out, args.checkpoint.removesuffix(".int8.npz"), ending)
    if args.to in DEVICE:
        return device.export(args, net, out)
    if args.to == "safetensors":
        from ..exchange import parts, weights

        result = weights.save(out, *parts.part(net, args.part))
    elif args.to == "keras":
        from ..exchange import keras

        result = keras.save(out, net, args.part)
    else:
        from ..exchange import onnx

        result = onnx.save(
            out, net, name=args.part, layout=args.layout or "nchw", input=args.input or "float",
            softmax=args.softmax, fold=not args.no_fold,
        )  # fmt: skip
    return result, f"{out}: {result['bytes']:,} bytes; {_checked(args.to, result['error'])}"


def _checked(kind, error):
    if error is not None:
        return f"largest difference on 8 images {error:.1e}"
    if kind == "onnx":
        return 'not checked, since onnxruntime is not installed: pip install "numpycnn[onnx]"'
    return "not checked, since a layer's export() returns copies of its weights"


def import_(args):
    """Read a network from another program's file."""
    import numpycnn as nc

    ending = pathlib.Path(args.file).suffix.lower()
    if ending not in READERS:
        raise ValueError(f"{args.file}: expected a file that ends in {' or '.join(READERS)}")
    check_used(args, IMPORTING, ending)
    out = _new(args.out, args.file, ".npz")
    net = READERS[ending](args)
    note = _for_pictures(net) if ending != ".safetensors" else None
    nc.save(out, net, **{k: v for k, v in net.metadata.items() if k in ("classes", "data")})
    if note:
        say(f"note: {out} {note}")
    layers = [type(layer).__name__ for _, layer in net.children()]
    shape = getattr(net, "input_shape", None)
    result = {"out": out, "input_shape": shape and list(shape), "layers": layers}
    result |= {"parameters": sum(p.value.size for p in net.params())}
    text = f"{out}: images or features {shape}, {result['parameters']:,} parameters, "
    return result, text + " ".join(layers)


def _for_pictures(net):
    """Let it take uint8 pictures, where it scales pixels from 0 to 255 itself -> what to say."""
    from ..layers import BatchNorm, Frozen, Standardize
    from ..training.pixels import standardizes

    if len(net.input_shape) != 3 or not net.layers or standardizes(net):
        return None
    first = net.layers[0]
    scales = type(first) is Frozen and type(first.layer) is BatchNorm
    if scales and (abs(first.layer.gamma.value) < 1 / 16).all():
        net.layers.insert(0, Standardize(0.0, 1 / 255))
        return "takes uint8 pictures, or floats from 0 to 1, as it scales pixels from 0 to 255"
    return (
        "takes floats in the scale of its training, not pictures. For `predict`, in Python: "
        "net.layers.insert(0, numpycnn.layers.Standardize(0, 1)) if those were pixels from 0 to 1, "
        "Standardize(0, 1 / 255) if from 0 to 255, and save it"
    )


def _from_onnx(args):
    from ..exchange import onnx

    return onnx.load(args.file)


def _from_keras(args):
    from ..exchange import keras

    return keras.load(args.file)


def _from_safetensors(args):
    import numpycnn as nc

    from ..exchange import weights

    if args.like is None:
        raise ValueError(
            f"{args.file} holds weights alone: give a checkpoint of the network as --like"
        )
    net = nc.load(args.like)
    weights.load(args.file, net, args.flatten)
    return net


DEVICE = "int8", "c"
KINDS = "onnx", "keras", "safetensors", *DEVICE
EXPORTING = {  # the kinds that an option does something for
    "--part": ("onnx", "keras", "safetensors"),
    "--calibrate": DEVICE,
    **dict.fromkeys(("--layout", "--input", "--softmax", "--no-fold"), ("onnx",)),
}
IMPORTING = dict.fromkeys(("--like", "--flatten"), (".safetensors",))
READERS = {".onnx": _from_onnx, ".keras": _from_keras, ".safetensors": _from_safetensors}
import_.__name__ = "import"  # the command's name, which no function of Python may have


def _new(out, source, ending):
    """The file to write, which there is not yet. Raises ValueError."""
    if out and os.path.lexists(out):
        raise ValueError(f"--out {out}: it exists, and no file is written over; give another name")
    name = pathlib.Path(source.removeprefix("pretrained:")).stem
    return out or files.unused(f"{name}{ending}")


def export_grammar(sub):
    """The arguments of `numpycnn export`."""
    sub.shown(
        f"CHECKPOINT --to {'|'.join(KINDS)}",
        ("runs/vgg-photos-1/best.npz --to onnx", "best.onnx, for onnxruntime"),
        ("pretrained:paper --to keras", "paper.keras, for Keras"),
        ("best.npz --to safetensors", "the weights alone, for PyTorch"),
        ("best.npz --to c --out net.c", "for a microcontroller"),
    )
    sub.add_argument("checkpoint", metavar="CHECKPOINT", help=CHECKPOINT)
    group = sub.add_argument_group("the file")
    group.add_argument("--to", required=True, choices=KINDS, help="its kind")
    group.add_argument("--out", metavar="FILE", help="a new file (default: CHECKPOINT.KIND here)")
    text = "encoder, decoder, generator or critic alone (default: the whole)"
    group.add_argument("--part", metavar="PART", help=text)
    group = sub.add_argument_group("int8 and C")
    text = f"training images for the ranges (default: {device.IMAGES} of what it was trained on)"
    group.add_argument("--calibrate", nargs="+", metavar=("DATA", "N"), help=text)
    group = sub.add_argument_group("ONNX")
    text = "the order of an image's axes: batch, channels, height, width (default: nchw)"
    group.add_argument("--layout", choices=("nchw", "nhwc"), help=text)
    text = "pixels as floats in [0, 1], or as uint8 in [0, 255] (default: float)"
    group.add_argument("--input", choices=("float", "uint8"), help=text)
    text = "give probabilities (default: the logits, before the softmax)"
    group.add_argument("--softmax", action="store_true", help=text)
    text = "keep batch norm as it is (default: folded into the convolution before it)"
    group.add_argument("--no-fold", action="store_true", help=text)


def import_grammar(sub):
    """The arguments of `numpycnn import`."""
    sub.shown(
        "FILE",
        ("model.onnx", "an ONNX network, as model.npz"),
        ("model.keras --out mine.npz", "a Keras network, into your file"),
        ("weights.safetensors --like best.npz", "weights, into this network"),
    )
    text = "a FILE.onnx or FILE.keras, or weights in a FILE.safetensors"
    sub.add_argument("file", metavar="FILE", help=text)
    group = sub.add_argument_group("the checkpoint")
    group.add_argument("--out", metavar="FILE.npz", help="a new file (default: FILE.npz here)")
    group = sub.add_argument_group("safetensors")
    text = "a checkpoint that has the same layers (default: none; weights alone need it)"
    group.add_argument("--like", metavar="CHECKPOINT", help=text)
    text = "how the file's Flatten orders an image (default: as export's names say it)"
    group.add_argument("--flatten", choices=("nchw", "nhwc"), help=text)
