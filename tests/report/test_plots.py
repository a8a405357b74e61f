"""What is drawn (data, order, scale, text), and how it is written: whole, without a display."""

import subprocess
import sys
import threading

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from numpycnn.errors import ShapeError
from numpycnn.report import plots, style

NAMES = ["cat", "dog", "bird"]


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved, to look into."""
    figures, save = [], Figure.savefig

    def keep(self, *args, **kwargs):
        figures.append(self)
        return save(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def texts(figure):
    return [t.get_text() for t in figure.findobj(matplotlib.text.Text) if t.get_text()]


def case(n=40, seed=0, channels=1):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    probabilities = rng.dirichlet(np.ones(3), n)
    images = rng.integers(0, 256, (n, 8, 6, channels), dtype=np.uint8)
    return images, labels, probabilities


def test_worst_mistakes_are_the_surest_first():
    labels = [0, 0, 1, 2, 2]
    probabilities = [[0.9, 0.1, 0], [0.3, 0.7, 0], [0.95, 0.05, 0], [0.7, 0.2, 0.1], [0, 0, 1]]
    np.testing.assert_array_equal(
        plots.worst_mistakes(labels, probabilities), [2, 1, 3]
    )  # 1 and 3 tie
    np.testing.assert_array_equal(plots.worst_mistakes(labels, probabilities, 1), [2])
    assert len(plots.worst_mistakes([0], [[0.6, 0.4]])) == 0


def test_worst_mistakes_refuses_logits_and_classes():
    with pytest.raises(ValueError, match="softmax"):
        plots.worst_mistakes([0], [[-3.0, 9.0]])
    with pytest.raises(ShapeError):
        plots.worst_mistakes([0, 1], [0, 1])


def test_row_shares_sum_to_one_or_stay_zero():
    shares = plots.row_shares(np.array([[3, 1], [0, 0]]))
    np.testing.assert_allclose(shares, [[0.75, 0.25], [0, 0]])


def test_learning_curves_draw_the_history(tmp_path, drawn):
    history = {"loss": [2.0, 1.0, 0.5], "accuracy": [0.2, 0.6, 0.8],
               "val_loss": [1.5, None, 1.1], "val_accuracy": [0.5, np.nan, 0.7],
               "lr": [0.1, 0.1, 0.01], "seconds": [1, 1, 1]}  # fmt: skip
    plots.learning_curves(history, tmp_path / "a.png")
    loss, accuracy, lr = drawn[0].axes
    np.testing.assert_array_equal(loss.lines[0].get_xydata(), [[1, 2.0], [2, 1.0], [3, 0.5]])
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), [1.5, np.nan, 1.1])
    np.testing.assert_allclose(accuracy.lines[1].get_ydata(), [50, np.nan, 70])
    np.testing.assert_array_equal(lr.lines[0].get_ydata(), history["lr"])
    assert [text.get_text() for text in accuracy.get_legend().get_texts()] == [
        "training",
        "validation, best 70.00 %",
    ]
    assert [text.get_text() for text in loss.get_legend().get_texts()] == [
        "training",
        "validation, best 1.100",
    ]


def test_learning_curves_without_validation(tmp_path, drawn):
    nothing = [float("nan")] * 2
    plots.learning_curves({"loss": [1, 0.5], "accuracy": [0.1, 0.2]}, tmp_path / "a.png")
    gaps = {"loss": [1, float("inf")], "accuracy": [0.1, 0.2], "val_loss": nothing}
    plots.learning_curves(gaps, tmp_path / "b.png")
    for figure in drawn:
        assert len(figure.axes) == 2
        assert "training" in texts(figure)
        assert "validation" not in texts(figure)


@pytest.mark.parametrize("history", [{}, {"loss": [], "accuracy": []}, {"loss": [None]}])
def test_an_empty_history_says_so(tmp_path, drawn, history):
    plots.learning_curves(history, tmp_path / "a.png")
    assert texts(drawn[0]) == ["No epoch has been finished yet."]


def test_confusion_writes_each_count_into_its_cell(tmp_path, drawn):
    plots.confusion([[5, 2, 0], [1, 7, 0], [0, 0, 9]], NAMES, tmp_path / "a.png")
    axes = drawn[0].axes[0]
    cells = {
        (round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in axes.texts
    }
    assert cells == {(0, 0): "5", (0, 1): "2", (1, 0): "1", (1, 1): "7", (2, 2): "9"}
    assert [t.get_text() for t in axes.get_yticklabels()] == NAMES
    right, wrong = (image.get_array() for image in axes.images)
    np.testing.assert_allclose(np.diag(right), [5 / 7, 7 / 8, 1])
    np.testing.assert_allclose(wrong[0, 1], 2 / 7)


@pytest.mark.parametrize("k", [1, 2, 47])
def test_confusion_of_any_size(tmp_path, k):
    path = plots.confusion(np.eye(k, dtype=int), range(k), tmp_path / "a.png")
    assert imread(path).shape[0] < 2200


@pytest.mark.parametrize("channels", [1, 3])
def test_mistakes_show_truth_guess_and_confidence(tmp_path, drawn, channels):
    images, labels, probabilities = case(channels=channels)
    worst = plots.worst_mistakes(labels, probabilities, 5)
    plots.mistakes(images, labels, probabilities, NAMES, tmp_path / "a.png", count=5)
    assert len(drawn[0].axes) == 5
    for axes, i in zip(drawn[0].axes, worst, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), images[i].squeeze())
        truth, guess, confidence = (t.get_text() for t in axes.texts)
        assert truth == NAMES[labels[i]]
        assert guess == "→ " + NAMES[probabilities[i].argmax()]
        assert confidence == style.percent(probabilities[i].max())


def test_no_mistakes_is_a_friendly_picture(tmp_path, drawn):
    images, labels, _ = case()
    plots.mistakes(images, labels, np.eye(3)[labels], NAMES, tmp_path / "a.png")
    assert texts(drawn[0]) == ["No errors: every image was classified correctly."]


def test_mistakes_refuses_what_does_not_fit(tmp_path):
    images, labels, probabilities = case()
    for bad, error in (
        (images / 255, "uint8"),
        (images[..., 0], "N, H, W, 1"),
        (images[1:], "39 images"),
    ):
        with pytest.raises(ValueError, match=error):
            plots.mistakes(bad, labels, probabilities, NAMES, tmp_path / "a.png")
    with pytest.raises(ShapeError, match="2 class names for 3"):
        plots.mistakes(images, labels, probabilities, NAMES[:2], tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_filters_are_centred_at_zero_on_one_scale(tmp_path, drawn):
    weights = np.random.default_rng(0).normal(0.5, size=(3, 5, 1, 10)).astype(np.float32)
    plots.filters(weights, tmp_path / "a.png")
    images = [axes.images[0] for axes in drawn[0].axes if axes.images]
    assert len(images) == 10
    for i, image in enumerate(images):
        np.testing.assert_allclose(image.get_array(), weights[:, :, 0, i])
        low, high = image.get_clim()
        assert low == -high
        assert high == pytest.approx(np.abs(weights).max())


def test_colour_filters_have_grey_for_zero(tmp_path, drawn):
    weights = np.zeros((2, 2, 3, 4))
    weights[0, 0, :, 1] = [0.5, 0, -0.5]
    plots.filters(weights, tmp_path / "a.png")
    images = [axes.images[0].get_array() for axes in drawn[0].axes]
    np.testing.assert_allclose(images[0], 0.5)
    np.testing.assert_allclose(images[1][0, 0], [1, 0.5, 0])


def test_many_channels_and_filters(tmp_path, drawn):
    weights = np.random.default_rng(0).normal(size=(3, 3, 2, 70))
    plots.filters(weights, tmp_path / "a.png")
    images = [axes.images[0] for axes in drawn[0].axes if axes.images]
    assert len(images) == 64
    np.testing.assert_allclose(images[63].get_array(), weights[..., 63].mean(axis=2))
    assert any("first 64 of 70" in text for text in texts(drawn[0]))
    with pytest.raises(ShapeError):
        plots.filters(weights[..., 0], tmp_path / "b.png")


def test_odd_names_are_drawn_without_warning(tmp_path, drawn, recwarn):
    plots.confusion(
        np.eye(3, dtype=int), ["a $x_$ & \\frac", "お", "long " * 9], tmp_path / "a.png"
    )
    labels = [t.get_text() for t in drawn[0].axes[0].get_yticklabels()]
    assert labels == ["a $x_$ & \\frac", "class 1", "long long long…"]
    assert not recwarn.list


def test_a_failed_picture_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "ein Bild ü.png"
    plots.confusion([[1]], ["x"], path)
    before = path.read_bytes()
    monkeypatch.setattr(
        style.files.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk"))
    )
    with pytest.raises(OSError, match="disk"):
        plots.confusion([[2]], ["x"], path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_same_picture_whatever_the_users_settings(tmp_path):
    plots.confusion([[1]], ["x"], tmp_path / "a.png")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.dpi": 20}):
        plots.confusion([[1]], ["x"], tmp_path / "b.png")
        assert matplotlib.rcParams["font.size"] == 30
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_threads_draw_the_same_and_leave_the_settings_alone(tmp_path):
    before = dict(matplotlib.rcParams)
    paths = [tmp_path / f"{i}.png" for i in range(4)]
    threads = [
        threading.Thread(target=plots.confusion, args=([[1]], ["x"], path)) for path in paths
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({path.read_bytes() for path in paths}) == 1
    assert dict(matplotlib.rcParams) == before


def test_neither_pyplot_nor_training_is_imported():
    code = (
        "import sys, numpycnn.report; "
        "print([m for m in ('matplotlib.pyplot', 'numpycnn.training', 'numba') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_metrics_do_not_import_matplotlib():
    code = "import sys, numpycnn.metrics; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_prediction_beside_what_was_seen(tmp_path, drawn):
    from PIL import Image

    image = np.random.default_rng(0).integers(0, 256, (8, 6, 1), dtype=np.uint8)
    given, shares = (
        Image.new("RGB", (30, 20), (250, 20, 90)),
        dict.fromkeys(map(str, range(12)), 0.01),
    )
    plots.prediction(
        given,
        image,
        {**shares, "a dress": 0.5, "a bag": 0.38},
        tmp_path / "a.png",
        note="Do not trust this.",
    )
    left, middle, right = drawn[0].axes
    np.testing.assert_array_equal(left.images[0].get_array(), np.asarray(given))
    np.testing.assert_array_equal(middle.images[0].get_array(), image[..., 0])
    assert [t.get_text() for t in right.get_yticklabels()] == [
        "a dress",
        "a bag",
        *map(str, range(8)),
    ]
    np.testing.assert_allclose([bar.get_width() for bar in right.patches], [50, 38] + 8 * [1])
    assert {"50.0 %", "38.0 %", "Do not trust this.", "Network input, 8 × 6"} <= set(
        texts(drawn[0])
    )
