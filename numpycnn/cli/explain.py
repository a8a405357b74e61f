"""`numpycnn explain`: a page that steps through both passes of a network on one image."""

from pathlib import Path

from .. import files
from .grammar.shared import CHECKPOINT
from .grammar.values import natural, positive
from .output import check_used


def grammar(sub):
    """Its arguments."""
    sub.shown(
        "CHECKPOINT IMAGE",
        ("pretrained:small fashion-mnist:0", "an included one, on a test image"),
        ("runs/vgg-photos-1/best.npz cat.jpg", "your own network, on a picture"),
        ("best.npz cat.jpg --label 3", "when you know its class"),
    )
    sub.add_argument("checkpoint", metavar="CHECKPOINT", help=CHECKPOINT)
    text = "a picture, or fashion-mnist:0 (a test image)"
    sub.add_argument("image", metavar="IMAGE", help=text)
    group = sub.add_argument_group("the run that is shown")
    text = "the number of its class (default: known, or predicted)"
    group.add_argument("--label", type=natural, metavar="N", help=text)
    text = "images in the batch of the run in training; 0: no such run (default: 32)"
    group.add_argument("--train", type=natural, metavar="N", help=text)
    text = "where the batch's other images are from (default: what it was trained on)"
    group.add_argument("--data", metavar="NAME", help=text)
    group = sub.add_argument_group("the page")
    text = "a new file (default: explain.html, explain-2.html, ...)"
    group.add_argument("--out", metavar="FILE", help=text)
    text = "bytes; of a larger page it computes some numbers itself (default: 8000000)"
    group.add_argument("--size", type=positive, metavar="N", help=text)


def explain(args):
    """Write a page that steps through both passes, number by number."""
    import numpycnn as nc

    from ..exchange import int8
    from ..explainer import source, write
    from .networks import load
    from .output import check_new

    if args.out:
        check_new("--out", args.out)
    out = Path(args.out or files.unused("explain.html"))
    net, title = load(args.checkpoint), f"{args.checkpoint} on {Path(args.image).name}"
    if isinstance(net, int8.Int8Network):
        uses = dict.fromkeys(("--train", "--data", "--size"), ("networks of floats",))
        check_used(args, uses, "one of whole numbers")
        image, label, _ = source.image_of(net, args.image)
        facts = int8.explain(out, net, image, title, label if args.label is None else args.label)
        return facts, f"{out}: {facts['class']}; the forward pass in whole numbers"
    if args.data and args.train == 0:
        raise ValueError("--data is for the run in training, which --train 0 leaves out")
    train = source.BATCH if args.train is None else args.train
    given = source.arguments(net, args.image, args.label, train, args.data)
    out.parent.mkdir(parents=True, exist_ok=True)
    facts = nc.explain(path=out, title=title, size=args.size or write.SIZE, **given)
    left = len(facts["computed"])
    size = f"{facts['bytes'] / 1e6:.1f} MB"
    if left:
        size += f"; {left} array{'s' * (left != 1)} computed in the page"
    return facts, f"{out}: {size}; open it in a browser"
