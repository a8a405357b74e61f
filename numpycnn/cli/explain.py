"""`numpycnn explain`: a page that steps through both passes of a network on one image."""

from pathlib import Path

from .. import files


def grammar(sub, natural, positive):
    """Its arguments."""
    sub.add_argument("checkpoint", help="a file.npz, or pretrained:NAME")
    sub.add_argument("image", help="a picture, or fashion-mnist:0 (a test image)")
    sub.add_argument("--label", type=natural, help="its class (default: known, or predicted)")
    sub.add_argument(
        "--train",
        type=natural,
        default=32,
        metavar="N",
        help="images in the batch of the run in training (32); 0: no such run",
    )
    sub.add_argument("--data", metavar="NAME", help="where the batch's other images are from")
    sub.add_argument("--out", metavar="FILE", help="the page (default: a new explain.html)")
    size = "bytes; above it the page computes some arrays itself (8000000)"
    sub.add_argument("--size", type=positive, default=8_000_000, metavar="N", help=size)


def explain(args):
    """Write a page that steps through both passes of a network, number by number."""
    import numpycnn as nc

    from ..explainer import source

    out = Path(args.out or files.unused("explain.html"))
    given = source.arguments(
        nc.load(args.checkpoint), args.image, args.label, args.train, args.data
    )
    title = f"{args.checkpoint} on {Path(args.image).name}"
    out.parent.mkdir(parents=True, exist_ok=True)
    facts = nc.explain(path=out, title=title, size=args.size, **given)
    left = len(facts["computed"])
    size = f"{facts['bytes'] / 1e6:.1f} MB"
    if left:
        size += f"; {left} array{'s' * (left != 1)} computed in the page"
    return facts, f"{out}: {size}; open it in a browser"
