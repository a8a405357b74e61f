"""What `numpycnn study` takes."""

from .values import given, positive


def study(sub):
    """The command's grammar."""
    sub.shown(
        "NAME [NAME ...]",
        ("--list", "the studies, what they claim, and how long they take"),
        ("dropout --quick", "one of them, as a trial in minutes"),
        ("all --jobs 2", "all of them; what is done already is kept"),
    )
    sub.add_argument(
        "names", type=given, nargs="*", metavar="NAME", help="of those that --list shows, or all"
    )
    group = sub.add_argument_group("how much")
    group.add_argument(
        "--list", action="store_true", help="the studies, their claims, and how long they take"
    )
    group.add_argument(
        "--quick", action="store_true", help="a trial in minutes: its numbers mean nothing"
    )
    group.add_argument(
        "--full",
        action="store_true",
        help="all training images and 40 epochs: hours a study; each result is kept at once",
    )
    group.add_argument(
        "--seeds", type=positive, metavar="N", help="runs of each variant (default: 3)"
    )
    group.add_argument(
        "--epochs", type=positive, metavar="N", help="of each run (default: the study's own)"
    )
    group.add_argument(
        "--limit", type=positive, metavar="N", help="training images (default: the study's own)"
    )
    group.add_argument(
        "--data", type=given, metavar="DATA", help="as for train (default: fashion-mnist)"
    )
    group = sub.add_argument_group("where")
    place = group.add_mutually_exclusive_group()
    place.add_argument(
        "--on",
        type=given,
        metavar="dask://HOST:PORT",
        help="a dask cluster, which trains them; its machines must share the folder and the data "
        "(default: this machine)",
    )
    place.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        help="networks trained side by side (default: one a core)",
    )
    group.add_argument(
        "--out",
        type=given,
        metavar="DIR",
        help="folder of the results; what is done there is kept "
        "(default: runs/studies, with --quick runs/studies-quick)",
    )
