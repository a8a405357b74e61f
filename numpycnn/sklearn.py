"""scikit-learn estimators: a network trained by fit, and the features of a trained one.

    make_pipeline(MinMaxScaler(), CNNClassifier(model="vgg", epochs=4, size=(28, 28)))
    make_pipeline(CNNFeatures("pretrained:paper"), LogisticRegression())

X may be images (N, H, W) or (N, H, W, C), or flat rows (N, D) of them, as scikit-learn has them.
"""

import math

import numpy as np

from . import models, optim
from .errors import MissingPackage, ShapeError
from .layers import Sequential, fuse
from .training import checkpoint, loop

try:
    from sklearn.base import (
        BaseEstimator,
        ClassifierMixin,
        ClassNamePrefixFeaturesOutMixin,
        TransformerMixin,
    )
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:
    raise MissingPackage("scikit-learn", "sklearn") from None

KEPT = [np.float32, np.float64, np.uint8]  # dtypes of images; others become the first
LEAST = 8  # pixels of a side, where the rows are no square images


class CNNClassifier(ClassifierMixin, BaseEstimator):
    """A network of numpycnn.models, trained by numpycnn.fit with cross-entropy.

    size: one image's (h, w), (h, w, c) or h, for flat rows. Without it rows are square grey images,
    with zeros behind them where they are none. model_args go to the model's function, the other
    arguments to fit; random_state fixes weights, dropout, order and augmentation.

    After fit: classes_, net_, history_ {name: values, one an epoch}, n_iter_ epochs, input_shape_.
    Raises ValueError (ShapeError, UnknownNameError, TrainingDiverged) for what cannot be trained.
    """

    def __init__(
        self,
        model="vgg",
        epochs=4,
        size=None,
        batch_size=32,
        lr=1e-3,
        schedule="constant",
        augment=None,
        class_weight=None,
        model_args=None,
        random_state=None,
        verbose=False,
    ):
        self.model, self.epochs, self.size, self.batch_size = model, epochs, size, batch_size
        self.lr, self.schedule, self.augment = lr, schedule, augment
        self.class_weight, self.model_args = class_weight, model_args
        self.random_state, self.verbose = random_state, verbose

    def fit(self, X, y):
        """Train a new network on X, rows or images, and labels y (N,) of any kind -> self."""
        rows, y, shape = _rows(self, X, y, reset=True)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        self._build(rows, shape)
        return self._train(rows, labels, self.epochs)

    def partial_fit(self, X, y, classes=None):
        """One epoch more, on a part of the data; `classes` are needed at the first call -> self."""
        first = not hasattr(self, "net_")
        rows, y, shape = _rows(self, X, y, reset=first)
        check_classification_targets(y)
        if first:
            if classes is None:
                raise ValueError(
                    "the first call of partial_fit needs classes: all labels there are"
                )
            self.classes_ = np.unique(classes)
            self._build(rows, shape)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"classes {classes} are others than at the first call, {self.classes_}"
            )
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"the labels {unknown[:5]} are none of the classes {self.classes_}")
        return self._train(rows, np.searchsorted(self.classes_, y), 1)

    def predict(self, X):
        """The most probable class of each image, (N,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X):
        """The probability of each class, (N, K), in the order of classes_."""
        check_is_fitted(self)
        rows, _, _ = _rows(self, X)
        return loop.predict(self.net_, self._images(rows)).astype(np.float64)

    def _build(self, rows, shape):
        if len(self.classes_) < 2:
            raise ValueError(f"one class alone, {self.classes_[0]!r}: a classifier needs two")
        self.input_shape_ = _input_shape(self.size, shape, rows.shape[1])
        self._seed = int(check_random_state(self.random_state).randint(1 << 31))
        unit = 255.0 if rows.dtype == np.uint8 else 1.0
        self._mean, self._std = float(rows.mean() / unit), float(rows.std() / unit) or 1.0
        given = {"classes": len(self.classes_), "input_shape": self.input_shape_}
        given |= {"mean": self._mean, "std": self._std, **(self.model_args or {})}
        self.net_ = models.build(self.model, self._seed, **given)
        self._whole = rows.dtype == np.uint8
        if not self._whole:  # of any range: Standardize takes pixels alone
            self.net_ = Sequential(*self.net_.layers[1:])
        self.optimizer_ = optim.Adam(self.net_.params(), self.lr)
        self.history_, self.n_iter_ = {}, 0

    def _train(self, rows, labels, epochs):
        history = loop.fit(
            self.net_, self._images(rows), labels, epochs=epochs, batch_size=self.batch_size,
            optimizer=self.optimizer_, schedule=self.schedule, augment=self.augment,
            class_weight=self._class_weight(labels), seed=self._seed + self.n_iter_,
            progress=self.verbose,
        )  # fmt: skip
        for name, values in history.items():
            self.history_[name] = [*self.history_.get(name, []), *values]
        self.net_.pixel_scale = None  # other values may come later, and have an answer
        self.n_iter_ += epochs
        return self

    def _class_weight(self, labels):
        """fit's, (K,), of None, "balanced" or scikit-learn's {label: weight}."""
        if self.class_weight is None:
            return None
        if isinstance(self.class_weight, dict):
            classes = self.classes_.tolist()
            others = [key for key in self.class_weight if key not in classes]
            if others and not self.class_weight.keys() >= set(classes):  # scikit-learn's own rule
                raise ValueError(f"class_weight names {others[0]!r}; the classes are {classes}")
            return np.array([self.class_weight.get(label, 1.0) for label in classes])
        if self.class_weight != "balanced":
            raise ValueError(
                f"class_weight must be 'balanced' or a dict, not {self.class_weight!r}"
            )
        counts = np.bincount(labels, minlength=len(self.classes_))
        return len(labels) / (len(counts) * np.maximum(counts, 1))

    def _images(self, rows):
        """(N, H, W, C): uint8, or floats standardized by the first images' mean and deviation."""
        if (rows.dtype == np.uint8) != self._whole:
            kinds = ("uint8", str(rows.dtype))[:: 1 if self._whole else -1]
            raise ValueError(f"the network was trained on {kinds[0]}, and these are {kinds[1]}")
        if not self._whole:
            rows = ((rows - self._mean) / self._std).astype(np.float32)
        missing = math.prod(self.input_shape_) - rows.shape[1]
        rows = np.pad(rows, ((0, 0), (0, missing))) if missing else rows
        return rows.reshape(len(rows), *self.input_shape_)


class CNNFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What a trained network gives its last dense layer, as features (N, D) for another estimator.

    checkpoint: a file of numpycnn.save, or "pretrained:NAME". uint8 images are brought to [0, 1];
    others must be there already. Raises CheckpointError, and ShapeError for images of another size.
    """

    def __init__(self, checkpoint="pretrained:paper", batch_size=256):
        self.checkpoint, self.batch_size = checkpoint, batch_size

    def fit(self, X, y=None):
        """Read the checkpoint, and check that X's images are of its size -> self."""
        rows, _, shape = _rows(self, X, reset=True)
        net = checkpoint.load(self.checkpoint)
        layers = getattr(net, "layers", [])
        last = [i for i, layer in enumerate(layers) if type(layer).__name__ == "Dense"]
        if not last or not hasattr(net, "input_shape"):
            raise ValueError(f"{self.checkpoint} holds no classifier whose last layer is dense")
        size = math.prod(net.input_shape)
        if rows.shape[1] != size:
            raise ShapeError(
                f"{self.checkpoint} is for images {net.input_shape}, {size} features, "
                f"not {rows.shape[1]}"
            )
        _check_shape(shape, net.input_shape)
        self.net_, self.input_shape_ = Sequential(*layers[: last[-1]]), net.input_shape
        self._n_features_out = layers[last[-1]].w.value.shape[0]
        return self

    def transform(self, X):
        """Images or rows -> features (N, D)."""
        check_is_fitted(self)
        rows, _, _ = _rows(self, X)
        x = rows.reshape(len(rows), *self.input_shape_)
        x = x if x.dtype == np.uint8 else x.astype(np.float32, copy=False)
        net = fuse(self.net_)
        parts = (x[i : i + self.batch_size] for i in range(0, len(x), self.batch_size))
        return np.concatenate([net.infer(part) for part in parts])


def _rows(estimator, X, y=None, reset=False):
    """-> flat rows (N, D), y, the shape of one image or None. Raises ValueError, ShapeError."""
    X = np.asarray(X) if isinstance(X, (list, tuple)) else X
    shape = X.shape[1:] if getattr(X, "ndim", 2) in (3, 4) else None  # a data frame stays one
    if not reset:
        _check_shape(shape, estimator.input_shape_)
    X = X.reshape(len(X), -1) if shape else X
    given = {"dtype": KEPT, "reset": reset}
    if y is None:
        return validate_data(estimator, X, **given), None, shape
    return *validate_data(estimator, X, y, **given), shape


def _check_shape(shape, expected, what="the network"):
    """Raise ShapeError where images, unless they are flat rows, are of another shape (H, W, C)."""
    if shape is not None and (*shape, 1)[:3] != tuple(expected):
        raise ShapeError(
            f"{what} is for images {tuple(expected)}, not {(*shape, 1)[:3]}; resize or transpose "
            "them to (N, H, W, C)"
        )


def _input_shape(size, shape, count):
    """(H, W, C) of an image of `count` values, from the argument size, or its own shape."""
    if shape is not None:
        if size is not None:
            _check_shape(shape, _whole_size(size), f"size={size!r}")
        return (*shape, 1)[:3]
    if size is None:
        side = math.isqrt(count - 1) + 1 if count > 1 else 1
        side = side if side >= LEAST else LEAST
        return side, side, 1
    size = _whole_size(size)
    if math.prod(size) != count:
        raise ShapeError(f"size {size} has {math.prod(size)} values, the rows have {count}")
    return size


def _whole_size(size):
    """(H, W, C) of h, (h, w) or (h, w, c)."""
    return (*((size, size) if np.ndim(size) == 0 else size), 1)[:3]
