"""The parts of a network that can go alone: an encoder, a decoder, a GAN's generator."""

from .. import layers as L
from .. import models
from ..layers.base import fact
from .graph import ExportError, trace


def part(net, name=None, input_shape=None):
    """-> (layers, input shape) of the whole network, or of its part `name`.

    An encoder gives codes (a VAE's: the means); a decoder or generator takes codes, with the
    one-hot class beside them, and gives images in [0, 1]; a critic takes images. Raises
    ExportError for a part that there is not, and where nothing tells the input's shape.
    """
    shape = input_shape or fact(net, "input_shape")
    known = _parts(net, shape)
    if name is None and None not in known:
        raise ExportError(
            f"{type(net).__name__} cannot go as one network; choose a part of it: "
            + ", ".join(known)
        )
    if name not in known:
        there = ", ".join(sorted(known.keys() - {None})) or "none"
        raise ExportError(f"the network has no part {name!r}; its parts: {there}")
    layers, shape = known[name]
    if shape is None:
        raise ExportError(
            "nothing tells what images the network takes: set net.input_shape, or give input_shape"
        )
    return layers, tuple(int(n) for n in shape)


def _parts(net, shape):
    """{name: (layers, input shape)}; the whole is None."""
    if isinstance(net, models.GAN):
        generator = net.generator, (net.latent + net.classes,)
        image = trace(*generator)[-1].shape
        critic = {"critic": (net.critic, (*image[:2], image[2] + net.classes))}
        return {"generator": generator, "decoder": generator, **(critic if net.critic else {})}
    if isinstance(net, models.VAE):
        wide = shape and (*shape[:2], shape[2] + net.classes)
        encoder = L.Sequential(net.encoder, net.sampling)
        decoder = L.Sequential(net.decoder, L.Sigmoid())
        whole = {None: (L.Sequential(encoder, net.decoder), wide)} if not net.classes else {}
        codes = (net.latent + net.classes,)
        return {**whole, "encoder": (encoder, wide), "decoder": (decoder, codes)}
    if isinstance(net, models.Autoencoder):
        whole = L.Sequential(net.encoder, net.decoder)
        return {
            None: (whole, shape),
            "encoder": (net.encoder, shape),
            "decoder": (net.decoder, (net.latent,)),
        }
    return {None: (net, shape)}
