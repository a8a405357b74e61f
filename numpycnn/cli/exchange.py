"""The commands `export` and `import`: a checkpoint as another framework's file, and back."""

import os
import pathlib

from .. import files


def export(args):
    """Write a checkpoint's network as a file that other programs run."""
    import numpycnn as nc

    net = nc.load(args.checkpoint)
    out = _new(args.out, args.checkpoint, f".{args.to}")
    if args.to == "safetensors":
        from ..exchange import names, parts, safetensors

        weights = names.state_dict(parts.part(net, args.part)[0])
        safetensors.save(out, weights, {"format": "pt"})
        result = {"file": out, "bytes": os.path.getsize(out), "arrays": len(weights)}
        return (
            result,
            f"{out}: {result['bytes']:,} bytes, {len(weights)} arrays, as PyTorch has them",
        )
    if args.to == "keras":
        from ..exchange import keras

        result = keras.save(out, net, args.part)
    else:
        from ..exchange import onnx

        result = onnx.save(
            out, net, name=args.part, layout=args.layout, input=args.input, softmax=args.softmax,
            fold=not args.no_fold,
        )  # fmt: skip
    return result, f"{out}: {result['bytes']:,} bytes; {_checked(result['error'])}"


def _checked(error):
    if error is None:
        return 'not checked, since onnxruntime is not installed: pip install "numpycnn[onnx]"'
    return f"largest difference on 8 images {error:.1e}"


def import_(args):
    """Read another program's file, and write its network as a checkpoint."""
    import numpycnn as nc

    ending = pathlib.Path(args.file).suffix.lower()
    if ending not in READERS:
        raise ValueError(f"{args.file}: expected a file that ends in {' or '.join(READERS)}")
    out = _new(args.out, args.file, ".npz")
    net = READERS[ending](args)
    nc.save(out, net, **{k: v for k, v in net.metadata.items() if k in ("classes", "data")})
    layers = [type(layer).__name__ for _, layer in net.children()]
    shape = getattr(net, "input_shape", None)
    result = {"out": out, "input_shape": shape and list(shape), "layers": layers}
    result |= {"parameters": sum(p.value.size for p in net.params())}
    text = f"{out}: images or features {shape}, {result['parameters']:,} parameters, "
    return result, text + " ".join(layers)


def _from_onnx(args):
    from ..exchange import onnx

    return onnx.load(args.file)


def _from_keras(args):
    from ..exchange import keras

    return keras.load(args.file)


def _from_safetensors(args):
    import numpycnn as nc

    from ..exchange import names, safetensors

    if args.like is None:
        raise ValueError(
            f"{args.file} holds weights alone: give a checkpoint of the network as --like"
        )
    net = nc.load(args.like)
    arrays, _ = safetensors.load(args.file)
    names.load_state(net, arrays, args.flatten)
    return net


KINDS = "onnx", "keras", "safetensors"
READERS = {".onnx": _from_onnx, ".keras": _from_keras, ".safetensors": _from_safetensors}
import_.__name__ = "import"  # the command's name, which no function of Python may have


def _new(out, source, ending):
    """The file to write, which there is not yet. Raises ValueError."""
    if out and os.path.lexists(out):
        raise ValueError(f"--out {out}: it exists, and no file is written over; give another name")
    name = pathlib.Path(source.removeprefix("pretrained:")).stem
    return out or files.unused(f"{name}{ending}")


def options(command):
    """The grammar of both commands; `command` makes one of a function."""
    sub = command(export)
    sub.add_argument("checkpoint", help="a file.npz, or pretrained:NAME")
    sub.add_argument("--to", required=True, choices=KINDS, help="the kind of file")
    sub.add_argument("--out", metavar="FILE", help="a new file (default: CHECKPOINT.KIND here)")
    sub.add_argument("--part", help="encoder, decoder, generator or critic, instead of the whole")
    text = "ONNX: axes of the images outside (default: nchw)"
    sub.add_argument("--layout", choices=("nchw", "nhwc"), default="nchw", help=text)
    text = "ONNX: float in [0, 1] (default), or uint8"
    sub.add_argument("--input", choices=("float", "uint8"), default="float", help=text)
    sub.add_argument("--softmax", action="store_true", help="ONNX: probabilities, no logits")
    sub.add_argument("--no-fold", action="store_true", help="ONNX: keep batch norm")
    sub = command(import_)
    sub.add_argument("file", help="a FILE.onnx or FILE.keras, or weights in a FILE.safetensors")
    sub.add_argument("--out", metavar="FILE.npz", help="a new checkpoint (default: FILE.npz here)")
    sub.add_argument("--like", metavar="CHECKPOINT", help="the network of a .safetensors")
    text = "how its Flatten orders an image, where its names are others than export's"
    sub.add_argument("--flatten", choices=("nchw", "nhwc"), help=text)
