"""What `numpycnn train` takes."""

from .shared import reading
from .values import (
    all_or_number,
    given,
    lower,
    name_or_number,
    natural,
    positive,
    rate,
    several,
    share,
)


def train(sub):
    """The command's grammar."""
    sub.shown(
        "",
        ("", "the paper's network on Fashion-MNIST"),
        ("--data photos --size 64", "a folder of your own pictures"),
        ("--data photos --from a/best.npz", "begin with a trained network"),
        ("--model alexnet --out runs/a", "another network, into your folder"),
        ("--resume --out runs/a", "go on where that run was stopped"),
        stray="--data",
    )
    _data(sub.add_argument_group("the data"))
    reading(sub)
    _network(sub.add_argument_group("the network (defaults: the model's own, here vgg's)"))
    _training(sub.add_argument_group("the training (defaults: the model's own, here vgg's)"))
    _classes(sub.add_argument_group("classes of unequal size, labels in doubt"))
    _folder(sub.add_argument_group("the results"))
    sub.add_argument_group("several processes: mpirun -n 4 numpycnn train").add_argument(
        "--rank-timeout",
        type=positive,
        metavar="SECONDS",
        help="end when a process has been silent for so long (default: 300)",
    )


def _data(group):
    group.add_argument(
        "--data",
        type=given,
        metavar="DATA",
        help="a name (numpycnn doctor lists them), or your folder, archive or file "
        "(default: fashion-mnist)",
    )
    group.add_argument(
        "--val",
        type=natural,
        metavar="N",
        help="hold N training images back, to measure each epoch on them "
        "(default: a twelfth; none where the data have their own)",
    )
    group.add_argument(
        "--limit", type=positive, metavar="N", help="use N training images only (default: all)"
    )


def _network(group):
    group.add_argument(
        "--model",
        type=given,
        metavar="MODEL",
        help="vgg, mirror_vgg, alexnet, resnet, densenet, keras_cnn or lenet5 (default: vgg)",
    )
    group.add_argument(
        "--from",
        type=given,
        dest="start",
        metavar="CHECKPOINT",
        help="begin with a trained network, pretrained:accurate or your file.npz: a new last layer "
        "for the classes, the others learn at 0.3 of the rate (default: a new network)",
    )
    group.add_argument(
        "--freeze",
        type=all_or_number,
        metavar="N|all",
        help="with --from: the first N layers, as summary counts them, stay as they are; all: all "
        "but the last (default: none)",
    )
    group.add_argument(
        "--filters",
        type=several(positive),
        metavar="N,N,...",
        help="filters of the convolutions, level by level (default: 32,64,92; not for lenet5)",
    )
    group.add_argument(
        "--dropout",
        type=several(share),
        metavar="RATE[,...]",
        help="share of the values that training drops: one rate, or one for each level "
        "(default: 0.1,0.2,0.3; not for lenet5, resnet)",
    )
    group.add_argument(
        "--activation",
        type=given,
        metavar="NAME",
        help="relu, leaky_relu, prelu, elu, sigmoid, tanh, silu, gelu or hard_swish "
        "(default: relu; for vgg and mirror_vgg)",
    )
    group.add_argument(
        "--init",
        type=name_or_number,
        metavar="NAME",
        help="how the first weights are drawn: he_normal, glorot_uniform, lecun_normal, "
        "orthonormal, or the standard deviation as a number (default: he_normal)",
    )
    group.add_argument(
        "--seed",
        type=natural,
        metavar="N",
        help="of the first weights, the order of the images, and all else that is drawn "
        "(default: 0)",
    )


def _training(group):
    group.add_argument(
        "--epochs",
        type=positive,
        metavar="N",
        help="passes over the images (default: 4, with --from 2; more for few images)",
    )
    group.add_argument(
        "--batch-size",
        type=positive,
        metavar="N",
        help="images in each step (default: 32; fewer for few images)",
    )
    group.add_argument(
        "--lr",
        type=rate,
        metavar="RATE",
        help="the learning rate, where its schedule is highest "
        "(default: 0.002, with --from 0.005; for sgd 0.1, rmsprop 0.001, muon 0.015)",
    )
    group.add_argument(
        "--schedule",
        type=given,
        metavar="NAME",
        help="the learning rate over time: constant, step, cosine, linear, one_cycle, "
        "triangular, warm_up (default: one_cycle)",
    )
    group.add_argument(
        "--optimizer",
        type=lower,
        metavar="NAME",
        help="how a gradient becomes a step: adam, adamw, sgd, rmsprop, muon (default: adam)",
    )
    group.add_argument(
        "--weight-decay",
        type=rate,
        metavar="RATE",
        help="pull weights towards 0 at each step (default: 0; for adamw 0.01)",
    )
    group.add_argument(
        "--ema",
        type=share,
        metavar="DECAY",
        help="average the weights over the steps, with this decay, such as 0.999, and keep the "
        "average (default: the last weights)",
    )
    group.add_argument(
        "--augment",
        type=given,
        metavar="LIST",
        help="random changes of each image: flip, crop, rotate, rotate-45, erase, "
        "vertical-flip, with commas; none; or auto, by the nature of the data (default: flip,crop, "
        "but crop for digits; auto for your own data)",
    )
    group.add_argument(
        "--teacher",
        type=given,
        metavar="CHECKPOINT",
        help="learn what this trained network makes of each image, pretrained:accurate or your "
        "file.npz, in the place of labels (default: learn the labels)",
    )
    group.add_argument(
        "--temperature",
        type=rate,
        metavar="T",
        help="with --teacher: the higher, the more its second thoughts count (default: 2)",
    )
    group.add_argument(
        "--patience",
        type=positive,
        metavar="N",
        help="stop when validation accuracy has not risen for N epochs (default: never)",
    )


def _classes(group):
    group.add_argument(
        "--sampling",
        choices=("balanced",),
        help="balanced: draw each class equally often (default: each image once an epoch)",
    )
    group.add_argument(
        "--class-weight",
        choices=("balanced",),
        help="balanced: the rarer a class, the more each of its images counts "
        "(default: all the same)",
    )
    group.add_argument(
        "--label-smoothing",
        type=share,
        metavar="SHARE",
        help="give this share of each label to all classes, so that no answer is wholly sure "
        "(default: 0)",
    )


def _folder(group):
    group.add_argument(
        "--out",
        type=given,
        metavar="DIR",
        help="the folder of the run (default: a new one, runs/MODEL-DATA-1, -2, ...)",
    )
    before = group.add_mutually_exclusive_group()
    before.add_argument("--resume", action="store_true", help="go on with the run in --out")
    before.add_argument(
        "--force",
        action="store_true",
        help="start anew in --out; the run that is there moves to previous-1 in it",
    )
