"""What is compared: each study's claim, its variants, and what the claim expects of them.

The variants of a study differ in one thing.
"""

from dataclasses import dataclass

# Of every job, unless its variant says otherwise. What is not named here goes to the model.
DEFAULTS = {
    "model": "vgg", "data": "fashion-mnist", "limit": 10_000, "epochs": 8, "batch_size": 32,
    "optimizer": "adam", "optimizer_arguments": {}, "lr": 2e-3, "schedule": "one_cycle",
    "augment": "none", "patience": None, "rare": None, "balance": None,
    "dropout_when_measured": False, "measure_most": None,
}  # fmt: skip
VGG = {"augment": "flip,crop"}
ALEXNET = {"model": "alexnet", "batch_size": 64, "lr": 1e-3, "epochs": 20}
MOMENTUM = {"optimizer": "sgd", "optimizer_arguments": {"momentum": 0.9}}
SHIRT = 6
DATA_SETS = ("fashion-mnist", "mnist", "kmnist", "emnist")


@dataclass(frozen=True)
class Study:
    """A claim of the paper, and the networks that test it.

    variants: {name: settings}. expect: statements as verdict.decide takes them, or {part of the
    claim: statements}. minutes: of one core, for 3 seeds. test: the last epoch is measured on the
    test set, once; otherwise on validation images, so that the test set chooses nothing.
    shown: the measures that the plot shows. target: an accuracy to explain.
    """

    claim: str
    variants: dict
    minutes: int
    expect: tuple | dict = ()
    test: bool = False
    shown: tuple = ("accuracy",)
    target: float | None = None
    note: str = ""
    last: int = 0  # epochs at the end whose slope is measured (full.py)


def of(base, variants, title=""):
    """{title + name: base and variant}"""
    return {f"{title}{name}": {**base, **variant} for name, variant in variants.items()}


def above(best, *others):
    """Statements: `best` more accurate than each of the others."""
    return tuple((best, ">", other) for other in others)


STUDIES = {
    "optimizer": Study(
        "Adam is better than SGD",
        of(VGG, {
            "Adam": {},
            "SGD, lr 0.01": {"optimizer": "sgd", "lr": 0.01},
            "SGD, lr 0.1": {"optimizer": "sgd", "lr": 0.1},
            "SGD, momentum 0.9, lr 0.01": {**MOMENTUM, "lr": 0.01},
            "SGD, momentum 0.9, lr 0.1": {**MOMENTUM, "lr": 0.1},
            "AdamW": {"optimizer": "adamw", "optimizer_arguments": {"weight_decay": 0.05}},
            "Muon": {"optimizer": "muon", "lr": 0.03},
        }),
        minutes=22,
        expect=above(
            "Adam", "SGD, lr 0.01", "SGD, lr 0.1",
            "SGD, momentum 0.9, lr 0.01", "SGD, momentum 0.9, lr 0.1",
        ),
        note="0.01 is Keras's rate for SGD; each optimiser needs a rate of its own.",
    ),
    "filter-size": Study(
        "5 is better than 3 (AlexNet); 3 is the most efficient (VGG)",
        of(ALEXNET, {f"{k}x{k}": {"kernel_size": k} for k in (3, 5)}, "AlexNet, ")
        | of(VGG, {f"{k}x{k}": {"kernel_size": k} for k in (3, 5)}, "VGG, "),
        minutes=14,
        expect={
            "5x5 is better than 3x3 in AlexNet": (("AlexNet, 5x5", ">", "AlexNet, 3x3"),),
            "3x3 is as accurate as 5x5 in VGG": (("VGG, 3x3", ">=", "VGG, 5x5"),),
            "3x3 is faster than 5x5 in VGG": (("VGG, 3x3", "<", "VGG, 5x5", "seconds"),),
        },
        shown=("accuracy", "seconds"),
    ),
    "dropout": Study(
        "0 to 0.7: 0.7 is best (AlexNet); 0.1 to 0.3 per block (VGG)",
        of(ALEXNET, {str(p): {"dropout": p} for p in (0, 0.3, 0.5, 0.7)}, "AlexNet, ")
        | of(VGG, {
            "none": {"dropout": (0, 0, 0)},
            "0.1 to 0.3": {"dropout": (0.1, 0.2, 0.3)},
            "0.3": {"dropout": (0.3, 0.3, 0.3)},
            "0.5": {"dropout": (0.5, 0.5, 0.5)},
        }, "VGG, "),
        minutes=23,
        expect={
            "dropout 0.7 is best in AlexNet": above(
                "AlexNet, 0.7", "AlexNet, 0", "AlexNet, 0.3", "AlexNet, 0.5"
            ),
            "dropout 0.1 to 0.3 is best in VGG": above(
                "VGG, 0.1 to 0.3", "VGG, none", "VGG, 0.3", "VGG, 0.5"
            ),
        },
        note="dropout is the share dropped; AlexNet after each hidden layer, VGG after each level",
    ),
    "hidden-units": Study(
        "256/128 hidden units are better than 128/64",
        of(ALEXNET, {
            f"{a}/{b}": {"hidden": (a, b)} for a, b in ((128, 64), (256, 128), (512, 256))
        }),
        minutes=10,
        expect=above("256/128", "128/64"),
    ),
    "filters": Study(
        "32/64 filters are better than 16/32",
        of(ALEXNET, {
            f"{a}/{b}": {"filters": (a, b)} for a, b in ((16, 32), (32, 64), (64, 128))
        }),
        minutes=13,
        expect=above("32/64", "16/32"),
    ),
    "init": Study(
        "He normal is better than LSUV and Glorot uniform",
        of(ALEXNET, {i: {"init": i} for i in ("he_normal", "lsuv", "glorot_uniform")}, "AlexNet, ")
        | of(VGG, {i: {"init": i} for i in ("he_normal", "lsuv", "glorot_uniform")}, "VGG, "),
        minutes=17,
        expect={
            f"He normal is best in {net}": above(
                f"{net}, he_normal", f"{net}, lsuv", f"{net}, glorot_uniform"
            )
            for net in ("AlexNet", "VGG")
        },
    ),
    "activation": Study(
        "ReLU is better than PReLU, ELU and others when batch norm is everywhere",
        of(VGG, {a: {"activation": a} for a in ("relu", "prelu", "elu", "leaky_relu", "tanh")}),
        minutes=21,
        expect=above("relu", "prelu", "elu", "leaky_relu", "tanh"),
    ),
    "batch-norm": Study(
        "networks with batch norm are better than those without",
        of(VGG, {
            "with": {},
            "without": {"batch_norm": False},
            "without, lr 0.0005": {"batch_norm": False, "lr": 5e-4},
            "without, lr 0.004": {"batch_norm": False, "lr": 4e-3},
        }),
        minutes=11,
        expect=above("with", "without", "without, lr 0.0005", "without, lr 0.004"),
    ),
    "augmentation": Study(
        "flip and crop help; vertical flip and large rotations hurt; too many at once hurt",
        of({"epochs": 10}, {
            a: {"augment": a}
            for a in ("none", "flip", "crop", "flip,crop", "vertical-flip", "rotate", "rotate-45",
                      "flip,crop,rotate,erase")
        } | {f"{a}, 30 epochs": {"augment": a, "epochs": 30} for a in ("none", "flip,crop")}),
        minutes=50,
        expect={
            "flip and crop help": tuple(
                (helpful, ">", "none") for helpful in ("flip", "crop", "flip,crop")
            ),
            "vertical flip and large rotations hurt": above("none", "vertical-flip", "rotate-45"),
            "too many augmentations at once hurt": above("flip,crop", "flip,crop,rotate,erase"),
            "flip and crop help in 30 epochs": above("flip,crop, 30 epochs", "none, 30 epochs"),
        },
        note="a rotation is of at most 10 degrees, rotate-45 of at most 45",
    ),
    "batch-size": Study(
        "32 is suitable: larger is faster but less accurate",
        of(VGG, {str(size): {"batch_size": size} for size in (16, 32, 64, 128, 256)}),
        minutes=14,
        expect={
            "a batch of 32 is as accurate as 16": (("32", ">=", "16"),),
            "a larger batch than 32 is less accurate": above("32", "64", "128", "256"),
            "a larger batch than 32 is faster": tuple(
                (size, "<", "32", "seconds") for size in ("64", "128", "256")
            ),
        },
        shown=("accuracy", "seconds"),
        note="learning rate and epochs are the same for all sizes: a larger batch takes fewer "
        "steps",
    ),
    "head": Study(
        "global average pooling is better than dense layers",
        of(VGG, {"gap": {}, "dense": {"head": "dense"}}),
        minutes=6,
        expect=(("gap", ">", "dense"),),
        shown=("accuracy", "parameters"),
    ),
    "mirror": Study(
        "a symmetry that is built in is better than one that flipped images teach",
        of({"augment": "crop"}, {
            "neither": {"dropout": 0},
            "flips": {"dropout": 0, "augment": "flip,crop"},
            "symmetry": {"model": "mirror_vgg"},
            "both": {"model": "mirror_vgg", "augment": "flip,crop"},
        }),
        minutes=16,
        expect={
            "built-in symmetry is better than flipped images": (("symmetry", ">", "flips"),),
            "flipped images add nothing to built-in symmetry": (("symmetry", ">=", "both"),),
        },
        shown=("accuracy", "parameters"),
        note="this project's own claim, not the paper's; no dropout. The symmetric network gives "
        "an image and its mirror image the same answer (models/mirror_vgg.py)",
    ),
    "depth": Study(
        "more convolutions a level are better: two than one, three than two",
        of(VGG, {"one": {"depth": 1}, "two": {"depth": 2}, "three": {"depth": 3}}),
        minutes=8,
        expect={
            "two convolutions a level are better than one": above("two", "one"),
            "three convolutions a level are better than two": above("three", "two"),
        },
        shown=("accuracy", "seconds"),
    ),
    "alexnet-74": Study(
        "the tuned AlexNet reaches 74.46 %",
        of({**ALEXNET, "limit": None, "epochs": 3}, {
            "as tuned": {},
            "0.7 kept, 0.3 dropped": {"dropout": 0.3},
            "dropout also when measured": {"dropout_when_measured": True},
            "one epoch": {"epochs": 1},
            "plain SGD, lr 0.01": {"optimizer": "sgd", "lr": 0.01},
            "plain SGD, lr 0.001": {"optimizer": "sgd", "lr": 0.001},
            "plain SGD, lr 0.001, 4 epochs": {"optimizer": "sgd", "lr": 0.001, "epochs": 4},
            "plain SGD, lr 0.01, one epoch": {"optimizer": "sgd", "lr": 0.01, "epochs": 1},
            "input 0..255": {"mean": 0.0, "std": 1 / 255},
            "input 0..255, weights N(0, 0.01²)": {"mean": 0.0, "std": 1 / 255, "init": 0.01},
            "weights N(0, 0.01²)": {"init": 0.01},
            "weights N(0, 0.1²)": {"init": 0.1},
            "weights N(0, 1)": {"init": 1.0},
        }),
        minutes=30,
        test=True,
        target=0.7446,
        note="plausible slips, one or two at a time; "
        "SGD's rates are Keras's 0.01 and a tenth of it",
    ),
    "imbalance": Study(
        "unequal classes harm the rare one; class weights or balanced sampling help",
        of({**VGG, "rare": {"class": SHIRT, "share": 0.1}}, {
            "all shirts": {"rare": {"class": SHIRT, "share": 1.0}},
            "a tenth of the shirts": {},
            "a tenth, class weights": {"balance": "weights"},
            "a tenth, balanced sampling": {"balance": "sampling"},
        }),
        minutes=11,
        expect={
            "unequal classes harm the rare one": (
                ("all shirts", ">", "a tenth of the shirts", "rare_recall"),
            ),
            "class weights help the rare class": (
                ("a tenth, class weights", ">", "a tenth of the shirts", "rare_recall"),
            ),
            "balanced sampling helps the rare class": (
                ("a tenth, balanced sampling", ">", "a tenth of the shirts", "rare_recall"),
            ),
        },
        shown=("rare_recall", "accuracy"),
        note="the rare class is the shirt, which is the hardest already",
    ),
    "transfer": Study(
        "the same network and settings work on other data sets: at least 98 % on MNIST",
        of({}, {f"VGG, {data}": {"data": data} for data in DATA_SETS})
        | of(ALEXNET, {f"AlexNet, {data}": {"data": data} for data in DATA_SETS}),
        minutes=12,
        test=True,
        expect={
            f"at least 98 % on MNIST with {net}": ((f"{net}, mnist", ">", 0.98),)
            for net in ("VGG", "AlexNet")
        },
        note="without flips, which would make other digits; "
        "kmnist and emnist take part where their files are here",
    ),
    "architectures": Study(
        "Keras's two-convolution network reaches about 91 % (Kaggle); "
        "the VGG-like network is better than AlexNet, and AlexNet better tuned",
        of({"limit": None, "epochs": 3, "augment": "flip,crop"}, {
            "LeNet-5": {"model": "lenet5", "epochs": 12, "augment": "none"},
            "Keras CNN": {"model": "keras_cnn", "lr": 1e-3, "batch_size": 64, "epochs": 12,
                          "patience": 3, "schedule": "constant", "augment": "none"},
            "AlexNet": {**ALEXNET, "epochs": 8, "augment": "none"},
            "AlexNet, untuned": {**ALEXNET, "epochs": 8, "augment": "none", "filters": (16, 32),
                                 "kernel_size": 3, "hidden": (128, 64), "dropout": 0},
            "VGG": {},
            "ResNet-20": {"model": "resnet"},
            "DenseNet-16": {"model": "densenet", "depth": 16},
        }),
        minutes=62,
        test=True,
        expect={
            "Keras's network reaches about 91 %": (("Keras CNN", "within", (0.90, 0.92)),),
            "the VGG-like network is better than AlexNet": (("VGG", ">", "AlexNet"),),
            "the tuned AlexNet is better than the untuned": (("AlexNet", ">", "AlexNet, untuned"),),
        },
        shown=("accuracy", "seconds"),
        note="each with a short recipe of its own: this compares what one gets for the time, not "
        "limits; trained on the 55,000 images that are not validation images",
    ),
    "baselines": Study(
        "support vector machines reach 89 to 90 %",
        {
            name: {"model": model, "limit": limit, "once": model != "random_forest"}
            for name, model, limit in (
                ("linear SVM, 10,000", "linear_svm", 10_000),
                ("linear SVM", "linear_svm", None),
                ("RBF SVM, 10,000", "rbf_svm", 10_000),
                ("RBF SVM", "rbf_svm", None),
                ("random forest", "random_forest", None),
                ("5 nearest neighbours", "nearest_neighbours", None),
                ("logistic regression", "logistic_regression", None),
            )
        },
        minutes=8,
        test=True,
        expect=(("RBF SVM", "within", (0.885, 0.905)),),
        shown=("accuracy", "seconds", "predict_seconds"),
        note="scikit-learn, on pixels from 0 to 1, trained on the 55,000 images that are not "
        "validation images; one run each, but three of the forest, which alone is random; "
        "linear SVM and logistic regression stop after 200 iterations",
    ),
}  # fmt: skip
