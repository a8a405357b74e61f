"""The report: numbers where they belong, text escaped, references to files that are there."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from numpycnn.errors import ShapeError
from numpycnn.report import training_page

CLASSES = ["cat & dog", "<b>bird</b>", 'a "fish"', "お茶"]
#           true class: 0        1     2     3      (3 is never predicted, row 2 has a tie)
LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 3])
GUESSES = np.array([0, 0, 0, 1, 1, 1, 2, 0, 1, 2])
HISTORY = {"loss": [2.0, 1.0], "accuracy": [0.3, 0.6], "val_loss": [1.9, 1.2],
           "val_accuracy": [0.4, 0.5], "lr": [0.1, 0.01], "seconds": [3.0, 3.1]}  # fmt: skip
FACTS = {"Model": "vgg <small>", "Parameters": "198,351", "Seconds": 301.23456, "Seed": 20240101,
         "Command": "numpycnn train --out 'a & b'"}  # fmt: skip


class Page(HTMLParser):
    """Tags with their attributes, the pictures, and the rows of each table as lists of text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.pictures, self.rows, self.cell = [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        attributes = dict(attributes)
        if tag == "img":
            self.pictures += [attributes["src"], attributes["srcset"].split()[0]]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.cell = True

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.cell = False

    def handle_data(self, data):
        if self.cell:
            self.rows[-1][-1] += data


def write(folder, **changes):
    probabilities = 0.1 + 0.6 * np.eye(4)[GUESSES]
    images = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 1), dtype=np.uint8)
    given = {"title": "A <i>run</i>", "facts": FACTS, "history": HISTORY, "labels": LABELS,
             "probabilities": probabilities, "images": images, "classes": CLASSES,
             "first_filters": np.ones((3, 3, 1, 4))}  # fmt: skip
    return training_page.write(folder, **{**given, **changes})


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    with pytest.warns(UserWarning, match=f"class {re.escape(CLASSES[3])} is never predicted"):
        path = write(tmp_path_factory.mktemp("runs") / "ein Lauf ü & <x>")
    return path, path.read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore::UserWarning")
class TestOtherInputs:
    def test_twice_the_same_bytes(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        first = {p.name: p.read_bytes() for p in write("run").parent.iterdir()}
        again = {p.name: p.read_bytes() for p in write("run").parent.iterdir()}
        assert first == again

    def test_without_filters_and_without_history(self, tmp_path):
        path = write(tmp_path, first_filters=None, history={})
        assert not (tmp_path / "filters.png").exists()
        assert "filters.png" not in path.read_text(encoding="utf-8")

    def test_a_perfect_network(self, tmp_path):
        page = Page(write(tmp_path, probabilities=np.eye(4)[LABELS]).read_text(encoding="utf-8"))
        assert [row[-1] for row in page.rows[-4:]] == ["–"] * 4

    def test_one_class(self, tmp_path):
        zeros = np.zeros(10, dtype=int)
        path = write(tmp_path, labels=zeros, probabilities=np.ones((10, 1)), classes=["only"])
        assert "one class only" in path.read_text(encoding="utf-8")

    def test_what_does_not_fit_is_refused_before_anything_is_written(self, tmp_path):
        with pytest.raises(ShapeError, match="expected 3"):
            write(tmp_path / "run", classes=CLASSES[:3])
        assert not (tmp_path / "run").exists()


def test_headline(written):
    _, text = written
    assert "Test accuracy <b>60.00\u00a0%</b>" in text
    assert "6 of 10 images correct; top-3 accuracy: " in text


def test_class_rows(written):
    rows = Page(written[1]).rows
    assert rows[-4:] == [
        ["cat & dog", "75.00\u00a0%", "75.00\u00a0%", "75.00\u00a0%", "4", "<b>bird</b> (1)"],
        ["<b>bird</b>", "50.00\u00a0%", "100.00\u00a0%", "66.67\u00a0%", "2", "–"],
        ['a "fish"', "50.00\u00a0%", "33.33\u00a0%", "40.00\u00a0%", "3", "cat & dog (1)"],
        ["お茶", "–", "0.00\u00a0%", "0.00\u00a0%", "1", 'a "fish" (1)'],
    ]
    assert re.findall(r'<tr class="low"><th scope="row">(.*?)<', written[1]) == ["お茶"]


def test_facts(written):
    rows = Page(written[1]).rows
    assert rows[:5] == [
        ["Model", "vgg <small>"],
        ["Parameters", "198,351"],
        ["Seconds", "301.2"],
        ["Seed", "20240101"],
        ["Command", "numpycnn train --out 'a & b'"],
    ]


def test_foreign_text_is_escaped(written):
    text = written[1]
    assert "<title>A &lt;i&gt;run&lt;/i&gt;</title>" in text
    assert "&lt;b&gt;bird&lt;/b&gt;" in text
    assert not {"i", "small", "x", "script"} & set(Page(text).tags)


def test_pictures_are_there_and_nothing_else_is_fetched(written):
    path, text = written
    pictures = Page(text).pictures
    names = {"learning_curves.png", "confusion.png", "mistakes.png", "filters.png"}
    assert set(pictures) == names
    assert {p.name for p in path.parent.iterdir()} == names | {"report.html"}
    for name in names:
        assert (path.parent / name).read_bytes().startswith(b"\x89PNG")
    assert "http" not in text
    assert "url(" not in text


def test_commands_can_be_pasted(written):
    path, text = written
    quoted = str(path.parent).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert f"numpycnn evaluate &#x27;{quoted}/last.npz&#x27;" in text
    assert f"numpycnn train --resume --out &#x27;{quoted}&#x27;" in text


def test_the_note_about_what_is_undefined(written):
    assert "Note: class お茶 is never predicted" in written[1]


def test_returns_the_path(written):
    assert isinstance(written[0], Path)
    assert written[0].name == "report.html"


def test_commonest_confusion():
    found = training_page.commonest_confusion(np.array([[5, 2, 2], [0, 3, 0], [1, 4, 0]]))
    np.testing.assert_array_equal(found, [1, -1, 1])
