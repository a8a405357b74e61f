"""Models: lists of layers, one architecture a file.

`build(name, seed)` makes any of them by name; `with_new_head` (transfer.py) fits a trained one to
other classes.

None is of depthwise convolutions (MobileNet): probes on Fashion-MNIST found such networks less
accurate at equal parameters, and no faster. Their blocks are there for your own:
`layers.Conv2D(..., groups=in_channels)`, `layers.SqueezeExcite`.
"""

from .alexnet import alexnet
from .autoencoder import Autoencoder, autoencoder, denoiser
from .densenet import densenet
from .gan import GAN, gan
from .keras_cnn import keras_cnn
from .lenet5 import lenet5
from .mirror_vgg import mirror_vgg
from .registry import CLASSIFIERS, MODELS, build
from .resnet import resnet
from .transfer import body, freeze, thaw, with_new_head
from .vae import VAE, vae
from .vgg import vgg

__all__ = [
    "CLASSIFIERS", "GAN", "MODELS", "VAE", "Autoencoder", "alexnet", "autoencoder", "body", "build",
    "denoiser", "densenet", "freeze", "gan", "keras_cnn", "lenet5", "mirror_vgg", "resnet", "thaw",
    "vae", "vgg", "with_new_head",
]  # fmt: skip
