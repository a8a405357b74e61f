"""Options that several commands have, each with its group of the help page."""

from .values import given, image_shape, positive, sizes

CHECKPOINT = "a trained network: a file.npz of a run, or pretrained:NAME"


def every(sub):
    """What every command takes; the last group of its page."""
    group = sub.add_argument_group("for every command")
    group.add_argument("-h", "--help", action="help", help="show this page and end")
    group.add_argument("--json", action="store_true", help="print one JSON object, for programs")
    group.add_argument(
        "--threads",
        type=positive,
        metavar="N",
        help="of the compiled code (default: all cores); NumPy's follow OPENBLAS_NUM_THREADS",
    )
    group.add_argument(
        "--backend",
        choices=("numba", "numpy"),
        help="numba: compiled and fast; numpy: the readable definitions, slow (default: numba)",
    )
    group.add_argument("--debug", action="store_true", help="show where in the code an error arose")


def doctor(sub):
    """The command's grammar."""
    sub.shown(
        "",
        ("", "is all there? what to send with a question"),
        ("--backend numpy", "the same without compiled code"),
        ("--json", "for a program"),
    )


def reading(sub, default=None):
    """How data of one's own are read; default: what holds for all options that are not given."""
    group = sub.add_argument_group("your own data")

    def otherwise(text):
        return f" (default: {default or text})"

    group.add_argument(
        "--size",
        type=sizes,
        metavar="N",
        help="make pictures N x N pixels, or HEIGHTxWIDTH" + otherwise("as they are"),
    )
    group.add_argument(
        "--fit",
        choices=("pad", "crop", "stretch"),
        help="how: add borders, cut, or change the proportions" + otherwise("pad"),
    )
    colours = group.add_mutually_exclusive_group()
    colours.add_argument(
        "--colour", action="store_true", default=None, help="three channels, also of grey pictures"
    )
    colours.add_argument(
        "--grey", action="store_false", default=None, dest="colour", help="one channel"
    )
    group.add_argument(
        "--classes-at",
        type=positive,
        metavar="N",
        help="classes are the Nth folders from the top" + otherwise("1"),
    )
    group.add_argument(
        "--labels",
        type=given,
        metavar="names|TABLE",
        help="classes by the files' names (cat.0.jpg), or by a .csv of files and classes"
        + otherwise("by folders"),
    )
    group.add_argument(
        "--shape",
        type=sizes,
        metavar="HxWxC",
        help="height, width, channels of a .csv's pictures" + otherwise("square, grey"),
    )
    group.add_argument(
        "--skip-broken", action="store_true", default=None, help="go on without broken pictures"
    )


def trained(sub):
    """The network that a command uses, and data that are its own unless told otherwise."""
    sub.add_argument("checkpoint", type=given, metavar="CHECKPOINT", help=CHECKPOINT)
    group = sub.add_argument_group("the data")
    group.add_argument(
        "--data",
        type=given,
        metavar="DATA",
        help="a name, folder, archive or file (default: what the network was trained on)",
    )
    reading(sub, "as in training")


def own_code(group, metavar="FILE.py[:FUNCTION]"):
    """A network in code of one's own."""
    text = "your own code: FUNCTION builds the network; for a file.npz without it: its layers"
    group.add_argument("--net", type=given, metavar=metavar, help=text)


def untrained(sub):
    """A network by its name, its checkpoint or its code: what needs no data."""
    models = "vgg, mirror_vgg, alexnet, resnet, densenet, keras_cnn, lenet5, "
    models += "autoencoder, denoiser, vae or gan"
    sub.add_argument(
        "model", nargs="?", type=given, metavar="MODEL", help=f"{models}; or a checkpoint"
    )
    group = sub.add_argument_group("the network")
    own_code(group, "FILE.py:FUNCTION")
    group.add_argument(
        "--shape",
        type=image_shape,
        metavar="HxWxC",
        help="height, width, channels of an image (default: the network's, else 28x28x1)",
    )
