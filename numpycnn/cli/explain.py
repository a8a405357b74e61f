"""`numpycnn explain`: a page that steps through both passes of a network on one image."""

from pathlib import Path

from .. import files


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
    size = f"{facts['bytes'] / 1e6:.1f} MB" + (f"; {left} arrays computed in the page" * bool(left))
    return facts, f"{out}: {size}; open it in a browser"
