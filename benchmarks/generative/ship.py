"""The network of a finished VAE or GAN run, without optimisers and critic, as a file that the package ships.

python -m benchmarks.generative.ship runs/gan-fashion-mnist --name gan        # -> numpycnn/pretrained/gan.npz
"""

import pathlib

import numpycnn as nc
from numpycnn import models
from numpycnn.checkpoint import PRETRAINED
from numpycnn.layers.base import named_buffers, named_params

from .common import arguments, finished

LIMIT = 2_000_000  # bytes


def shipped(net):
    """net, or of a GAN a copy that has no critic."""
    if not hasattr(net, "generator"):
        return net
    alone = models.build("gan", **{**net.spec["arguments"], "critic": False})
    for own, new in ((named_params(net), named_params(alone)), (named_buffers(net), named_buffers(alone))):
        for name, array in new.items():
            getattr(array, "value", array)[...] = getattr(own[name], "value", own[name])
    return alone


if __name__ == "__main__":
    args = arguments(__doc__, name={"required": True, "help": "its name: numpycnn generate pretrained:NAME"})
    (folder,) = args.runs
    result, net, images = finished(folder)
    path = PRETRAINED / f"{args.name}.npz"
    nc.save(path, shipped(net), classes=list(images.classes), data=images.name, seed=result["seed"])
    size = pathlib.Path(path).stat().st_size
    print(f"{path.name}: {size:,} bytes" + (f", more than {LIMIT:,}: use fewer filters" if size > LIMIT else ""))
