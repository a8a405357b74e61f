"""Networks that others would bring, in PyTorch; the last ones have what numpycnn has not."""

import torch
from torch import nn


class Residual(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c)
        self.c2, self.b2 = nn.Conv2d(c, c, 3, padding="same"), nn.BatchNorm2d(c)

    def forward(self, x):
        return torch.relu(x + self.b2(self.c2(torch.relu(self.b1(self.c1(x))))))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c, self.r, self.f = nn.Conv2d(1, 8, 5, 2, 2), Residual(8), nn.Linear(8, 10)

    def forward(self, x):
        return self.f(self.r(torch.relu(self.c(x))).mean((2, 3)))


class DenseBlock(nn.Module):
    """As torchvision writes it: each layer reads all before it, from a list."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(4 + 3 * i, 3, 3, padding=1) for i in range(3))
        self.first, self.last = nn.Conv2d(1, 4, 3, 2, padding=1), nn.Linear(13, 10)

    def forward(self, x):
        found = [self.first(x)]
        for layer in self.layers:
            found.append(layer(torch.relu(torch.cat(found, 1))))
        return self.last(torch.cat(found, 1).mean((2, 3)))


class Gated(nn.Module):
    """A product that is no squeeze-and-excite."""

    def __init__(self):
        super().__init__()
        self.conv, self.gate = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 1)

    def forward(self, x):
        x = self.conv(x)
        return x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))


class Crossing(nn.Module):
    """Branches that cross, which no tree of layers can say."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(1, 1, 3, padding=1) for _ in range(3))

    def forward(self, x):
        p, q = self.a(x), self.b(x)
        return (torch.relu(p + q) + self.c(q)).flatten(1)


def tutorial():
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Dropout(0.25), nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5)),
        *(nn.Linear(128, 10), nn.LogSoftmax(1)),
    )


def lenet():
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5)),
        *(nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.Sigmoid()),
        nn.Linear(120, 10),
    )


def vgg():
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.LeakyReLU(0.1), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 24, 4, padding="same"), nn.BatchNorm2d(24), nn.PReLU(24)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10)),
    )


class Excite(nn.Module):
    """Squeeze-and-excite: by dense layers, as its authors wrote it, or by 1x1 convolutions."""

    def __init__(self, c, dense):
        super().__init__()
        down, up = (nn.Linear, nn.Linear) if dense else (nn.Conv2d, nn.Conv2d)
        size = () if dense else (1,)
        self.dense, self.down, self.up = dense, down(c, c // 4, *size), up(c // 4, c, *size)

    def forward(self, x):
        s = nn.functional.adaptive_avg_pool2d(x, 1)
        s = s.flatten(1) if self.dense else s
        s = torch.sigmoid(self.up(torch.relu(self.down(s))))
        return x * (s.view(*s.shape, 1, 1) if self.dense else s)


class Inverted(nn.Module):
    """MobileNet's block."""

    def __init__(self, c, activation, dense):
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(c, 2 * c, 1, bias=False), nn.BatchNorm2d(2 * c), activation()),
            *(nn.Conv2d(2 * c, 2 * c, 5, padding=2, groups=2 * c), nn.BatchNorm2d(2 * c)),
            *(activation(), Excite(2 * c, dense), nn.Conv2d(2 * c, c, 1, bias=False)),
        )

    def forward(self, x):
        return x + self.body(x)


class ChannelsLast(nn.Module):
    """ConvNeXt's norm: the channels of each pixel."""

    def __init__(self, c):
        super().__init__()
        self.norm = nn.LayerNorm(c, eps=1e-6)

    def forward(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def mobile():
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, 2, 1), nn.Hardswish(), Inverted(8, nn.Hardswish, True)),
        *(nn.Conv2d(8, 12, 3, 2, 2, dilation=2, groups=4), Inverted(12, nn.SiLU, False)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 16), nn.SiLU(), nn.Linear(16, 4)),
    )


def modern():
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 4, 4), ChannelsLast(8), nn.Conv2d(8, 8, 7, padding=3, groups=8)),
        *(nn.GroupNorm(2, 8), nn.GELU(), nn.Conv2d(8, 6, 1), nn.InstanceNorm2d(6, 0.01, 0.1, True)),
        *(nn.Flatten(), nn.Linear(294, 12), nn.LayerNorm(12), nn.GELU(), nn.GroupNorm(3, 12, 0.01)),
        nn.Linear(12, 4),
    )


def decoder():
    """Features to images."""
    return nn.Sequential(
        *(nn.Linear(7, 4 * 3 * 5), nn.BatchNorm1d(60), nn.ReLU(), nn.Unflatten(1, (4, 3, 5))),
        *(nn.ConvTranspose2d(4, 3, 4, 2, 1), nn.BatchNorm2d(3), nn.ELU(0.5)),
        *(nn.Upsample(scale_factor=2), nn.Conv2d(3, 1, 3, padding=1), nn.Sigmoid()),
    )


class Flattened(nn.Module):
    """Two flattened images side by side, of which some features go on, and come out."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(2, 2, 1)

    def forward(self, x):
        return torch.cat([self.a(x).flatten(1), torch.relu(self.b(x)).flatten(1)], 1)[:, 5:50]


def unflattened():
    """An image of features that no dense layer makes."""
    return nn.Sequential(nn.Unflatten(1, (2, 2, 3)), nn.Conv2d(2, 3, 2), nn.Flatten())


NETWORKS = {
    "tutorial": (tutorial, (1, 28, 28)),
    "lenet": (lenet, (1, 28, 28)),
    "vgg": (vgg, (1, 28, 28)),
    "resnet": (ResNet, (1, 28, 28)),
    "dense block": (DenseBlock, (1, 28, 28)),
    "decoder": (decoder, (7,)),
    "flattened": (Flattened, (2, 4, 3)),
    "unflattened": (unflattened, (12,)),
    "mobile": (mobile, (1, 28, 28)),
    "modern": (modern, (1, 28, 28)),
}
REFUSED = {
    "other activations": (
        lambda: nn.Sequential(nn.Conv2d(1, 8, 3), nn.Softplus(), nn.GELU("tanh")),
        ["Softplus", "Pow|Gelu|Mul"],
    ),
    "pools": (
        lambda: nn.Sequential(
            *(nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(2, ceil_mode=True)),
            *(nn.Conv2d(1, 2, 1), nn.ConvTranspose2d(2, 2, 2, groups=2)),
        ),
        ["MaxPool", r"pads \[1, 1, 1, 1\]", "AveragePool", "ceil_mode", "ConvTranspose", "group 2"],
    ),
    "dilated": (lambda: nn.MaxPool2d(2, dilation=2), ["MaxPool", r"dilations \[2, 2\]"]),
    "a gate of its own": (lambda: Gated(), ["a product of two values"]),
    "padded": (lambda: nn.Sequential(nn.ZeroPad2d((0, 2, 1, 0)), nn.ReLU()), ["Relu", "padded"]),
    "crossing": (Crossing, ["cross"]),
}


def ready(make, seed=0):
    """A network in use, nothing at its first value."""
    torch.manual_seed(seed)
    net = make()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_()
            if isinstance(module, (nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d)):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_()
            if isinstance(module, nn.PReLU):
                module.weight.uniform_(0, 0.5)
    return net.eval()


def export(net, shape, path, dynamo):
    """By one of PyTorch's two exporters, its batch free."""
    x = torch.randn(2, *shape)
    if dynamo:
        batch = {0: torch.export.Dim("N")}
        free = {"dynamic_shapes": (batch,), "external_data": False}
    else:
        free = {"dynamic_axes": {"x": {0: "N"}}, "input_names": ["x"]}
    torch.onnx.export(net, (x,), str(path), dynamo=dynamo, verbose=False, **free)
    return str(path)
