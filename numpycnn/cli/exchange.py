"""The commands `export` and `import`: a checkpoint as another framework's file, and back."""

import os
import pathlib

from .. import files


def export(args):
    """Write a checkpoint's network as a file that other programs run."""
    import numpycnn as nc

    from ..exchange import onnx

    net = nc.load(args.checkpoint)
    out = _new(args.out, args.checkpoint, f".{args.to}")
    result = onnx.save(
        out, net, name=args.part, layout=args.layout, input=args.input, softmax=args.softmax,
        fold=not args.no_fold,
    )  # fmt: skip
    error = result["error"]
    checked = (
        'not checked, since onnxruntime is not installed: pip install "numpycnn[onnx]"'
        if error is None
        else f"largest difference on 8 images {error:.1e}"
    )
    return result, f"{out}: {result['bytes']:,} bytes; {checked}"


def import_(args):
    """Read another program's file, and write its network as a checkpoint."""
    import numpycnn as nc

    from ..exchange import onnx

    readers = {".onnx": onnx.load}
    ending = pathlib.Path(args.file).suffix.lower()
    if ending not in readers:
        raise ValueError(f"{args.file}: expected a file that ends in {' or '.join(readers)}")
    out = _new(args.out, args.file, ".npz")
    net = readers[ending](args.file)
    nc.save(out, net, **net.metadata)
    layers = [repr(layer).split("(")[0] for layer in net.layers]
    result = {"out": out, "input_shape": list(net.input_shape), "layers": layers}
    result |= {"parameters": sum(p.value.size for p in net.params())}
    text = f"{out}: images or features {net.input_shape}, {result['parameters']:,} parameters, "
    return result, text + " ".join(layers)


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
    sub.add_argument("--to", required=True, choices=["onnx"], help="the kind of file")
    sub.add_argument("--out", metavar="FILE", help="a new file (default: CHECKPOINT.onnx here)")
    sub.add_argument("--part", help="encoder, decoder, generator or critic, instead of the whole")
    text = "axes of the images outside (default: nchw)"
    sub.add_argument("--layout", choices=("nchw", "nhwc"), default="nchw", help=text)
    text = "float in [0, 1] (default), or uint8"
    sub.add_argument("--input", choices=("float", "uint8"), default="float", help=text)
    sub.add_argument("--softmax", action="store_true", help="probabilities instead of logits")
    sub.add_argument("--no-fold", action="store_true", help="keep batch norm as layers of its own")
    sub = command(import_)
    sub.add_argument("file", help="a FILE.onnx of PyTorch, Keras or others")
    sub.add_argument("--out", metavar="FILE.npz", help="a new checkpoint (default: FILE.npz here)")
