"""Modules that PyTorch has not, for layers of ours that it lacks or does otherwise."""

import torch
from torch import nn

from ...ops.conv import conv_padding, transposed_padding


class Sum(nn.Module):
    """y = f(x) + g(x) + ..."""

    def __init__(self, branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        ys = [branch(x) for branch in self.branches]
        return sum(ys[1:], ys[0])


class Concatenation(Sum):
    """y = f(x), g(x), ... along the channels"""

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


class Frozen(nn.Sequential):
    """y = f(x), f always as in use"""

    def train(self, mode=True):
        return super().train(False)


class Standardize(nn.Module):
    """y = (x - mean) / std"""

    def __init__(self, mean, std):
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, x):
        return (x - self.mean) * (1 / self.std)


class SameConv2d(nn.Conv2d):
    """Padding of ceil(H / stride): an odd zero behind, as in Keras."""

    def forward(self, x):
        return super().forward(_padded(self, x, "same"))


def _padded(conv, x, padding):
    """x with the zeros that ours sets around it."""
    place = conv.kernel_size, conv.stride, padding, conv.dilation
    size = [int(n) for n in x.shape[2:]]  # as PyTorch exports them, -(-n // 2) is n // 2
    (top, bottom), (left, right) = conv_padding(size, *place)
    return nn.functional.pad(x, (left, right, top, bottom))


class CutConvTranspose2d(nn.ConvTranspose2d):
    """What its `cut` says is cut off the full output, or added behind it."""

    cut = 0

    def forward(self, x):
        size, place = x.shape[2:], (self.kernel_size, self.stride)
        full = [(n - 1) * s + k for n, k, s in zip(size, *place, strict=True)]
        (top, bottom), (left, right) = transposed_padding(full, *place, self.cut)
        if top >= bottom and left >= right:  # as PyTorch has it: both sides alike, then more behind
            place = self.stride, (top, left), (top - bottom, left - right)
            return nn.functional.conv_transpose2d(x, self.weight, self.bias, *place)
        y = nn.functional.conv_transpose2d(x, self.weight, None, self.stride)
        y = nn.functional.pad(y, (-left, -right, -top, -bottom))
        return y if self.bias is None else y + self.bias[:, None, None]


class BatchNorm(nn.BatchNorm2d):
    """Of features too. Its momentum is the weight of the new value, ours that of the old."""

    def _check_input_dim(self, x):
        pass


class LayerNorm(nn.LayerNorm):
    """Over the channels: of each pixel by itself, where x is an image."""

    def forward(self, x):
        if x.ndim == 2:
            return super().forward(x)
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class SqueezeExcite(nn.Module):
    """y = x * gate(x), one number a channel."""

    def __init__(self, gate):
        super().__init__()
        self.gate = gate

    def forward(self, x):
        return x * self.gate(x)[:, :, None, None]


class MirrorConv2d(nn.Conv2d):
    """Each filter as it is, and mirrored with the halves of its in-channels swapped."""

    first, padded = False, 0  # padded: as conv2d's padding

    def forward(self, x):
        partner = self.weight.flip(3)
        partner = partner if self.first else partner.roll(partner.shape[1] // 2, 1)
        bias = None if self.bias is None else self.bias.repeat(2)
        both = torch.cat([self.weight, partner])
        return nn.functional.conv2d(_padded(self, x, self.padded), both, bias, self.stride)


class MirrorBatchNorm(BatchNorm):
    """The two halves of the channels as two images."""

    def forward(self, x):
        n, c, h, w = x.shape
        return super().forward(x.reshape(2 * n, c // 2, h, w)).reshape(x.shape)


class MirrorMean(nn.Module):
    """(N, 2F) -> (N, F)"""

    def forward(self, x):
        return x.unflatten(1, (2, -1)).mean(1)


class Flatten(nn.Module):
    """(N, C, H, W) -> (N, H*W*C)"""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1) if x.ndim == 4 else x.flatten(1)


class Reshape(nn.Module):
    """In our order, (H, W, C)."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        x = x.permute(0, 2, 3, 1) if x.ndim == 4 else x
        y = x.reshape(len(x), *self.shape)
        return y.permute(0, 3, 1, 2) if y.ndim == 4 else y


class GlobalAvgPool(nn.Module):
    """(N, C, H, W) -> (N, C)"""

    def forward(self, x):
        return x.mean((2, 3))


class Sampling(nn.Module):
    """mean + exp(log_var / 2) * noise; in use the mean"""

    def forward(self, x):
        mean, log_var = x.chunk(2, 1)
        noise = torch.randn_like(mean) if self.training else 0
        return mean + torch.exp(log_var / 2) * noise
