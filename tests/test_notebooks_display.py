"""What a notebook shows of data, networks, results and plots; what prints without one."""

import html.parser
import io
import sys
import types

import matplotlib
import numpy as np
import pytest
from PIL import Image

import numpycnn as nc
from numpycnn import inspection, layers, models, tables
from numpycnn.data import Dataset
from numpycnn.errors import ShapeError
from numpycnn.report import grids, plots
from numpycnn.training.interrupt import Interrupted
from numpycnn.training.progress import Progress

NASTY = "<script>alert(1)</script>"


def rng():
    return np.random.default_rng(3)


class Reader(html.parser.HTMLParser):
    """The rows of the tables, and all tags, of a piece of HTML."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.tags, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def dataset(classes=("boot", NASTY, "bag")):
    x = rng().integers(0, 256, (9, 6, 6, 1), dtype=np.uint8)
    y = np.arange(9) % 3
    return Dataset("mine", x, y, x[:6], y[:6], classes)


def network():
    return models.build("vgg", seed=0, input_shape=(28, 28, 1), classes=10)


def images(n=4, size=28):
    return rng().integers(0, 256, (n, size, size, 1), dtype=np.uint8)


def test_a_data_set_is_one_line_and_a_table_with_a_picture():
    data = dataset()
    assert repr(data) == "Dataset mine: 9 training, 6 test images 6 x 6 x 1 uint8, 3 classes"
    read = Reader(data._repr_html_())
    assert read.rows[0] == ["class", "training", "test"]
    assert read.rows[2] == [NASTY, "3", "2"]
    assert "img" in read.tags
    assert "script" not in read.tags


def test_show_draws_as_many_images_as_asked_for_with_their_classes():
    figure = dataset().show(5)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert len([t for t in titles if t]) == 5
    again = dataset().show(5)
    assert figure._repr_png_() == again._repr_png_()  # the same seed, the same picture


@pytest.mark.parametrize(
    ("images", "labels"),
    [(np.zeros((0, 3, 3, 1)), None), (np.zeros(3), None), (np.zeros((2, 3, 3, 1)), [1])],
)
def test_show_refuses_what_are_no_images(images, labels):
    with pytest.raises(ShapeError):
        nc.show(images, labels)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: nc.show(images().astype(np.float32)),
        lambda: nc.show(images() / -255),
        lambda: nc.show(np.full((1, 3, 3, 1), np.nan)),
        lambda: nc.show(images(), [0, 1, 2, -1], classes="abc"),
        lambda: nc.show(images(), [0, 1, 2, 3], classes="abc"),
        lambda: nc.show(images(), columns=0),
        lambda: dataset().show(0),
        lambda: dataset().show(3, "val"),
        lambda: dataset().show(3, "name"),
    ],
)
def test_show_draws_nothing_that_would_be_wrong(wrong):
    with pytest.raises(ValueError, match=r"from|label|columns|show"):
        wrong()


def test_networks_that_know_their_input_summarise_themselves():
    net = network()
    assert str(net.summary()) == str(net.summary((28, 28, 1)))
    read = Reader(net._repr_html_())
    assert len(read.rows) == len(net.summary().splitlines()) - 7  # two rules, five counts
    assert f"Total params: {net.summary().total:,}" in read.text
    assert layers.Dense(2, 3, rng=rng())._repr_html_() is None
    with pytest.raises(ShapeError, match=r"net.summary\(\(28, 28, 1\)\)"):
        layers.Dense(2, 3, rng=rng()).summary()


def test_a_gradient_check_shows_its_verdict_in_colour():
    right = nc.gradcheck(layers.Tanh(), rng().standard_normal((3, 4)))
    assert tables.GREEN in right._repr_html_()
    assert tables.RED not in right._repr_html_()

    class Wrong(layers.Tanh):
        def backward(self, dy, cache):
            return -super().backward(dy, cache)

    wrong = nc.gradcheck(Wrong(), rng().standard_normal((3, 4)), raise_error=False)
    assert tables.RED in wrong._repr_html_()
    assert Reader(wrong._repr_html_()).rows[0][0] == "array"


def test_history_and_evaluation_are_tables():
    history = nc.History({key: [0.5, 0.25] for key in ("loss", "accuracy", "lr", "seconds")})
    history["val_loss"] = history["val_accuracy"] = [float("nan")] * 2
    read = Reader(history._repr_html_())
    assert read.rows[1][:4] == ["1", "0.5000", "0.5000", "-"]
    assert str(history).splitlines()[0].split()[0] == "epoch"
    assert isinstance(history.plot(), matplotlib.figure.Figure)
    net = network()
    result = nc.evaluate(net, images(20), np.arange(20) % 10)
    read = Reader(result._repr_html_())
    assert len(read.rows) == 11
    assert f"accuracy {result['accuracy']:.2%}" in read.text
    assert [row[0] for row in read.rows[1:]] == [str(k) for k in range(10)]
    names = [f"garment {k}" for k in range(10)]
    result = nc.evaluate(net, images(20), np.arange(20) % 10, classes=names)
    assert [row[0] for row in Reader(result._repr_html_()).rows[1:]] == names
    with pytest.raises(ValueError, match="3 names of classes for 10 outputs"):
        nc.evaluate(net, images(20), np.arange(20) % 10, classes=names[:3])


def test_an_examination_is_a_table():
    net = network()
    examined = inspection.examine(net, images(20), np.arange(20) % 10, gradient_images=10)
    assert len(Reader(examined._repr_html_()).rows) == 1 + len(examined.layers)
    assert len(str(examined).splitlines()) == 2 + len(examined.layers)


def test_a_diagnosis_is_a_table_too():
    found = inspection.finding.Diagnosis()
    assert str(found).startswith("Nothing wrong was found")
    assert "dead" in Reader(found._repr_html_()).text
    found.append(inspection.Finding("dead", "3 ReLU", NASTY))
    read = Reader(found._repr_html_())
    assert read.rows[-1] == ["dead", "3 ReLU", NASTY]
    assert "script" not in read.tags


DRAWN = {
    "learning curves": lambda path: plots.learning_curves({"loss": [1, 0.5]}, path),
    "confusion": lambda path: plots.confusion(np.eye(3, dtype=int), "abc", path),
    "no mistakes": lambda path: plots.mistakes(images(2), [0, 1], np.eye(2), "ab", path),
    "mistakes": lambda path: plots.mistakes(images(2), [1, 0], np.eye(2), "ab", path),
    "filters": lambda path: plots.filters(rng().standard_normal((3, 3, 1, 4)), path),
    "curves": lambda path: grids.curves([{"epoch": 1, "loss": 1.0}], path),
    "map": lambda path: grids.latent_map(rng().standard_normal((9, 2)), [0] * 9, ["a"], path),
    "images": lambda path: nc.show(images(), path=path),
    "feature maps": lambda path: nc.feature_maps(network(), images()[0], path=path),
    "a look": lambda path: nc.look(network(), images()[0], path=path, layer="0"),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_plot_is_a_figure_without_a_path_and_the_same_in_a_file(name, tmp_path):
    draw = DRAWN[name]
    figure = draw(None)
    assert isinstance(figure, matplotlib.figure.Figure)
    assert (
        "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
    )
    with Image.open(io.BytesIO(figure._repr_png_())) as shown:
        shown.load()
        assert min(shown.size) > 50
    assert draw(tmp_path / "plot.png") == tmp_path / "plot.png"
    file = io.BytesIO()
    assert draw(file) is file
    assert file.getvalue() == (tmp_path / "plot.png").read_bytes()


def test_in_a_notebook_progress_is_on_standard_output_and_a_bar(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)  # no ipywidgets
    with Progress(2, 5, 0) as bar:
        bar.step(types.SimpleNamespace(
            history=nc.History(), loss_sum=2.0, images=2, correct=1, seconds=1.0
        ))  # fmt: skip
    out, err = capsys.readouterr()
    assert "epoch 1/2" in out
    assert err == ""


def test_an_interrupt_shows_one_line_and_no_traceback():
    assert Interrupted(2)._render_traceback_() == ["stopped; the network keeps what it has learned"]
