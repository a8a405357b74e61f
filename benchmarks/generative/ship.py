"""The network of a finished VAE or GAN run, without optimisers and critic, as a file that the
package ships.

# first: what the card says
python -m benchmarks.generative.samples runs/gan-fashion-mnist-conditional
# -> numpycnn/pretrained/gan.npz
python -m benchmarks.generative.ship runs/gan-fashion-mnist-conditional --name gan
"""

import json
import pathlib

import numpycnn as nc
from numpycnn import models
from numpycnn.errors import RunFolderError
from numpycnn.layers.traverse import named_buffers, named_params
from numpycnn.training.checkpoint import PRETRAINED

from .common import arguments, finished

LIMIT = 2_000_000  # bytes
CARD = """# {name}

Generates images like those of {data}: `numpycnn generate pretrained:{name}`.

| | |
|---|---|
| data | {data}, all training images |
| recipe | `{command}`: {epochs} epochs, seed {seed} |
| time | {minutes:.0f} min, threads: {threads} |
| Frechet distance | {frechet:.3g} to the test images, {share_of_gaussian:.1%} of \
a PCA-Gaussian's (pretrained:paper) |
| classes | the rarest class has {rarest_class:.1%} of the samples{right} |
| measured by | `python -m benchmarks.generative.samples` on the run |
"""


def shipped(net):
    """net, or of a GAN a copy that has no critic."""
    if not hasattr(net, "generator"):
        return net
    alone = models.build("gan", **{**net.spec["arguments"], "critic": False})
    for own, new in (
        (named_params(net), named_params(alone)),
        (named_buffers(net), named_buffers(alone)),
    ):
        for name, array in new.items():
            getattr(array, "value", array)[...] = getattr(own[name], "value", own[name])
    return alone


def card(name, result, samples):
    """The Markdown page beside the network: its run, and what benchmarks.generative.samples
    measured.
    """
    right = samples["class_right"]
    right = "" if right is None else f"; {right:.1%} are classified as the class that was requested"
    return CARD.format(
        **{**samples, **result, "name": name, "minutes": result["seconds"] / 60, "right": right}
    )


if __name__ == "__main__":
    args = arguments(
        __doc__,
        runs=1,
        name={"required": True, "help": "its name: numpycnn generate pretrained:NAME"},
    )
    (folder,) = args.runs
    result, net, images = finished(folder, "vae", "gan")
    if result["val"] or result["limit"]:
        raise SystemExit(f"{folder} did not train on all images; a card would say that it did")
    measured = args.out / f"samples-{result['run']}.json"
    if not measured.exists():
        raise RunFolderError(
            f"there is no {measured}; first: python -m benchmarks.generative.samples {folder}"
        )
    samples = json.loads(measured.read_text())
    if any(samples[key] != result[key] for key in ("command", "seed", "epochs", "seconds")):
        raise RunFolderError(
            f"{measured} measures another run than {folder}; "
            "run benchmarks.generative.samples again"
        )
    path = PRETRAINED / f"{args.name}.npz"
    facts = {"classes": list(images.classes), "data": images.name, "data_sha256": images.sha256}
    nc.save(
        path, shipped(net), **facts, seed=result["seed"], command=result["command"], samples=samples
    )
    path.with_suffix(".md").write_text(card(args.name, result, samples), encoding="utf-8")
    size = pathlib.Path(path).stat().st_size
    print(
        f"{path.name}: {size:,} bytes"
        + (f", more than {LIMIT:,}: use fewer filters" if size > LIMIT else "")
    )
