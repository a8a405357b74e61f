"""The data sets known by name: their files, checksums, addresses and classes.

SHA-256 of fashion-mnist and mnist: computed from the official files, whose MD5 are those that the
authors (README of zalandoresearch/fashion-mnist) and torchvision publish. kmnist and EMNIST's
archive: tensorflow/datasets, url_checksums/; EMNIST's single files: the MD5 in deeplearning4j's
EmnistFetcher; qmnist: torchvision's datasets/mnist.py; cifar10: the authors' page.
"""

from dataclasses import dataclass

IDX_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


@dataclass(frozen=True)
class Official:
    """files: {name: "algorithm:checksum"}, in the order train images, train labels, test images,
    test labels.

    mirrors: folders that end in "/", or a .zip that holds the files (its checksum is `archive`).
    transposed: the images lie on their side in the files, as EMNIST's do. first_label: the label of
    the first class in the files.
    """

    classes: tuple
    files: dict
    mirrors: tuple
    archive: str = ""
    transposed: bool = False
    first_label: int = 0


def _files(names, algorithm, *checksums):
    return {
        name: f"{algorithm}:{checksum}" for name, checksum in zip(names, checksums, strict=True)
    }


OFFICIAL = {
    "fashion-mnist": Official(
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        _files(
            IDX_FILES,
            "sha256",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
        (
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
    ),
    "mnist": Official(
        tuple("0123456789"),
        _files(
            IDX_FILES,
            "sha256",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
    ),
    "kmnist": Official(
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        _files(
            IDX_FILES,
            "sha256",
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
        (
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "https://storage.googleapis.com/kuzushiji-mnist/",
            "https://web.archive.org/web/2023id_/http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ),
    ),
    "qmnist": Official(  # MNIST, with the 50,000 test images that had been lost
        tuple("0123456789"),
        _files(
            (
                "qmnist-train-images-idx3-ubyte.gz",
                "qmnist-train-labels-idx2-int.gz",
                "qmnist-test-images-idx3-ubyte.gz",
                "qmnist-test-labels-idx2-int.gz",
            ),
            "md5",
            "ed72d4157d28c017586c42bc6afe6370",
            "0058f8dd561b90ffdd0f734c6a30e5e4",
            "1394631089c404de565df7b7aeaf9412",
            "5b5b05890a5e13444e108efe57b788aa",
        ),
        ("https://raw.githubusercontent.com/facebookresearch/qmnist/master/",),
    ),
    "cifar10": Official(
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        {"cifar-10-binary.tar.gz": "md5:c32a1d4ab5d03f1284b67883e8d87530"},
        ("https://www.cs.toronto.edu/~kriz/",),
    ),
}

DIGITS, CAPITALS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
EMNIST_MIRRORS = (
    # 562 MB, of which 4 files are kept
    "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
    "https://storage.googleapis.com/emnist/gzip.zip",
    "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/gzip.zip",
)
MERGED = DIGITS + CAPITALS + "abdefghnqrt"  # the other small letters look like their capitals
# The six ways in which EMNIST is split: classes, the label of the first, MD5 of the four files.
EMNIST = {
    "balanced": (
        MERGED, 0,
        "4041b0d6f15785d3fa35263901b5496b", "7a35cc7b2b7ee7671eddf028570fbd20",
        "6818d20fe2ce1880476f747bbc80b22b", "acd3694070dcbf620e36670519d4b32f",
    ),
    "letters": (
        CAPITALS, 1,
        "8795078f199c478165fe18db82625747", "c16de4f1848ddcdddd39ab65d2a7be52",
        "382093a19703f68edac6d01b8dfdfcad", "d4108920cd86601ec7689a97f2de7f59",
    ),
    "digits": (
        DIGITS, 0,
        "d2662ecdc47895a6bbfce25de9e9a677", "2223fcfee618ac9c89ef20b6e48bcf9e",
        "a159b8b3bd6ab4ed4793c1cb71a2f5cc", "8afde66ea51d865689083ba6bb779fac",
    ),
    "mnist": (
        DIGITS, 0,
        "3663598a39195d030895b6304abb5065", "6c092f03c9bb63e678f80f8bc605fe37",
        "fb51b6430fc4dd67deaada1bf25d4524", "ae7f6be798a9a5d5f2bd32e078a402dd",
    ),
    "bymerge": (
        MERGED, 0,
        "4a792d4df261d7e1ba27979573bf53f3", "491be69ef99e1ab1f5b7f9ccc908bb26",
        "8eb5d34c91f1759a55831c37ec2a283f", "c13f4cd5211cdba1b8fa992dae2be992",
    ),
    "byclass": (
        DIGITS + CAPITALS + CAPITALS.lower(), 0,
        "712dda0bd6f00690f32236ae4325c377", "ee299a3ee5faf5c31e9406763eae7e43",
        "1435209e34070a9002867a9ab50160d7", "7a0f934bd176c798ecba96b36fda6657",
    ),
}  # fmt: skip
for _split, (_classes, _first, *_checksums) in EMNIST.items():
    _names = [
        f"emnist-{_split}-{part}-{kind}-ubyte.gz"
        for part in ("train", "test")
        for kind in ("images-idx3", "labels-idx1")
    ]
    OFFICIAL["emnist" if _split == "balanced" else f"emnist-{_split}"] = Official(
        tuple(_classes),
        _files(_names, "md5", *_checksums),
        EMNIST_MIRRORS,
        archive="sha256:fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
        transposed=True,
        first_label=_first,
    )
