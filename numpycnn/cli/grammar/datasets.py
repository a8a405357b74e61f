"""What `numpycnn data` takes."""

from .shared import reading
from .values import given


def data(sub):
    """The command's grammar."""
    sub.shown(
        "NAME | look DATA | pack PHOTOS OUT",
        ("mnist", "fetch a data set, and verify it"),
        ("look photos", "a page: counts, examples, duplicates"),
        ("pack photos packed --size 64", "for more pictures than the memory holds"),
    )
    sub.add_argument(
        "names",
        type=given,
        nargs="+",
        metavar="NAME",
        help="fashion-mnist, mnist, ... or a path: fetch and verify it; look DATA: a page about "
        "any data; pack PHOTOS OUT: write a folder of pictures as arrays",
    )
    group = sub.add_argument_group("the page of look")
    group.add_argument(
        "--out", type=given, metavar="DIR", help="its folder (default: NAME-look here)"
    )
    reading(sub)
