"""What the commands take that use a network, look into it, or let it draw."""

from .shared import CHECKPOINT, own_code, trained, untrained
from .values import given, natural, positive


def evaluate(sub):
    """The command's grammar."""
    sub.shown(
        "CHECKPOINT",
        ("runs/vgg-photos-1/best.npz", "on the test images of its own data"),
        ("pretrained:paper", "an included network, on Fashion-MNIST"),
        ("best.npz --data more --json", "on other images, for a program"),
        stray="--data",
    )
    trained(sub)
    group = sub.add_argument_group("the network")
    group.add_argument(
        "--flip", action="store_true", help="average over each image and its mirror image"
    )
    own_code(group)


def predict(sub):
    """The command's grammar."""
    sub.shown(
        "IMAGE [IMAGE ...]",
        ("shirt.jpg", "an included network knows garments"),
        ("a.png b.png --checkpoint best.npz", "by your own network"),
        ("photos --csv photos.csv", "a folder, into a table"),
        ("shirt.jpg --show", "draw what the network gets"),
    )
    sub.add_argument(
        "images", type=given, nargs="*", metavar="IMAGE", help="picture files, or folders of them"
    )
    group = sub.add_argument_group("the network")
    group.add_argument(
        "--checkpoint",
        type=given,
        default="pretrained:paper",
        metavar="CHECKPOINT",
        help=f"{CHECKPOINT} (default: %(default)s)",
    )
    own_code(group)
    group = sub.add_argument_group("the results")
    group.add_argument(
        "--csv",
        type=given,
        metavar="FILE.csv",
        help="write a new table with a row for each picture: file, class, probability, that of "
        "each class, and a note (default: a line for each)",
    )
    group.add_argument(
        "--show",
        nargs="?",
        const="",
        metavar="PLACE",
        help="draw what the network gets, into the folder or the file.png PLACE "
        "(default: IMAGE-seen.png here)",
    )


def inspect(sub):
    """The command's grammar."""
    sub.shown(
        "CHECKPOINT",
        ("runs/vgg-photos-1/best.npz", "a page about it, in best-inspect"),
        ("best.npz --image cat.jpg", "where it looks in a picture"),
        ("pretrained:paper --out page", "an included network, into your folder"),
        stray="--image",
    )
    trained(sub)
    group = sub.add_argument_group("the page")
    group.add_argument(
        "--image",
        type=given,
        metavar="FILE",
        help="the picture to look at (default: the first test image)",
    )
    group.add_argument(
        "--out",
        type=given,
        metavar="DIR",
        help="the folder of page and pictures (default: CHECKPOINT-inspect here)",
    )
    own_code(sub.add_argument_group("the network"))


def summary(sub):
    """The command's grammar."""
    sub.shown(
        "MODEL",
        ("vgg", "a model by its name"),
        ("runs/vgg-photos-1/best.npz", "a network that you trained"),
        ("--net mine.py:build --shape 32x32x3", "your own code, in colour"),
    )
    untrained(sub)


def gradcheck(sub):
    """The command's grammar."""
    sub.shown(
        "MODEL",
        ("lenet5", "a model by its name"),
        ("runs/vgg-photos-1/best.npz", "a network that you trained"),
        ("--net mine.py:build --shape 32x32x3", "your own code, in colour"),
    )
    untrained(sub)
    sub.add_argument_group("the check").add_argument(
        "--seed",
        type=natural,
        default=0,
        metavar="N",
        help="another number, other weights, images and steps (default: %(default)s)",
    )


def generate(sub):
    """The command's grammar."""
    sub.shown(
        "[CHECKPOINT]",
        ("--class bag", "bags, drawn by an included network"),
        ("--walk --out walk.gif", "a film of drawings that change"),
        ("pretrained:vae --reconstruct", "test images, and what it makes of them"),
    )
    sub.add_argument(
        "checkpoint",
        type=given,
        nargs="?",
        default="pretrained:gan",
        metavar="CHECKPOINT",
        help="a network that draws: a file.npz of an example, or pretrained:NAME "
        "(default: %(default)s)",
    )
    group = sub.add_argument_group("what is drawn (default: a grid of images)")
    kinds = group.add_mutually_exclusive_group()
    kinds.add_argument(
        "--walk",
        action="store_true",
        help="drawings that change step by step: a .gif film, or a .png with a column each",
    )
    kinds.add_argument(
        "--interpolate", action="store_true", help="from one drawing to another, a row each"
    )
    kinds.add_argument(
        "--reconstruct",
        action="store_true",
        help="test images, and what the network draws when it has seen them",
    )
    kinds.add_argument(
        "--map",
        action="store_true",
        help="test images by the two numbers that a network makes of each",
    )
    group.add_argument(
        "--class",
        type=given,
        dest="class_name",
        metavar="NAME",
        help="this class only, by networks that know classes (default: all)",
    )
    group.add_argument(
        "--count",
        type=positive,
        metavar="N",
        help="how many (default: 8 rows of 8 or of one for each class; 2 rows in a film; "
        "one of each in its still; --map: 5000)",
    )
    group.add_argument(
        "--seed",
        type=natural,
        default=0,
        metavar="N",
        help="another number, other drawings (default: %(default)s)",
    )
    group.add_argument(
        "--data",
        type=given,
        metavar="DATA",
        help="test images for --reconstruct and --map (default: what it was trained on)",
    )
    group.add_argument(
        "--out",
        type=given,
        metavar="FILE",
        help="a new .png, or a .gif film (default: grid.png, grid-2.png, ...)",
    )
