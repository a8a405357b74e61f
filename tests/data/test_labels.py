"""Classes by file names, and by a table beside the pictures."""

import pytest

from numpycnn.data import labels
from tests.data.test_layout import load, refused
from tests.data.trees import picture


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cat.0.jpg", "cat"), ("a/b/dog.12.jpg", "dog"), ("great_dane_12.png", "great_dane"),
        ("car (3).jpg", "car"), ("n02-ü-7.png", "n02-ü"), ("Bombay_1.jpg", "Bombay"),
        ("12.jpg", None), ("cat.jpg", None), ("0001_2.png", None), ("x-ray-001.png", "x-ray"),
    ],
)  # fmt: skip
def test_the_class_in_a_name(name, label):
    assert labels.class_in(name) == label


def cats_and_dogs(root):
    """As Kaggle's competition is unpacked."""
    for i in range(12):
        picture(root / "train" / f"{'cat' if i % 2 else 'dog'}.{i}.jpg", i)
        picture(root / "test1" / f"{i}.jpg", i)
    return root


def test_by_file_names(tmp_path):
    found, said = load(cats_and_dogs(tmp_path), labels="names")
    assert found.classes == ("cat", "dog")
    assert len(found.y_train) + len(found.y_test) == 12
    for x, y in zip(found.x_train, found.y_train, strict=True):
        assert x[0, 0, 0] % 2 != y  # odd ones are cats, class 0
    assert "12 pictures without a class (test1/0.jpg" in said
    refused(tmp_path / "test1", "no training picture has a class", labels="names")


def table(root, name="labels.csv", header="file,label", row="{i}.png,{label}", n=10):
    for i in range(n):
        picture(root / "images" / f"{i}.png", i)
    rows = [row.format(i=i, label="ab"[i % 2]) for i in range(n)]
    (root / name).write_text("\n".join([header, *rows] if header else rows))
    return root


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("file,label", "{i}.png,{label}"),
        ("id,breed", "{i},{label}"),
        ("image;class;weight", "images/{i}.png;{label};3.5"),
        (None, "{label},./images/{i}.png"),
        ("label\tname", "{label}\t{i}.png"),
        ("x,filepaths,labels,data set", "{i}0,images\\{i}.png,{label},whole"),
    ],
)
def test_by_a_table(tmp_path, header, row):
    found, said = load(table(tmp_path, header=header, row=row), labels="labels.csv")
    assert found.classes == ("a", "b")
    for x, y in zip(found.x_train, found.y_train, strict=True):
        assert x[0, 0, 0] % 2 == y
    assert "row" not in said


def test_the_table_may_stand_elsewhere(tmp_path, monkeypatch):
    root = table(tmp_path / "photos")
    expected, _ = load(root, labels="labels.csv")
    (root / "labels.csv").rename(tmp_path / "mine.csv")
    monkeypatch.chdir(tmp_path)
    for place in (str(tmp_path / "mine.csv"), "./mine.csv", "mine.csv"):
        assert load(root, labels=place)[0].y_train.tolist() == expected.y_train.tolist()


def test_a_column_of_parts(tmp_path):
    rows = [
        f"{i}.png,{'ab'[i % 2]},{'train' if i < 6 else 'valid' if i < 8 else 'TEST'}"
        for i in range(10)
    ]
    (table(tmp_path) / "labels.csv").write_text("\n".join(["file,label,split", *rows]))
    found, _ = load(tmp_path, labels="labels.csv")
    assert [len(getattr(found, f"y_{part}")) for part in ("train", "val", "test")] == [6, 2, 2]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("3.png,a,train", ("row 14 says a train of images/3.png, a row before it b train",)),
        ("3.png,b,test", ("row 14 says b test of images/3.png", "one part")),
        ("11.png,b,holdout", ("row 14: split 'holdout'", "expected train, val or test")),
        ("11.png,b,2", ("row 14: split '2'",)),
        ("11.png,b", ("row 14: split ''",)),
    ],
)
def test_rows_that_contradict_another_or_name_no_part(tmp_path, row, words):
    table(tmp_path, header="file,label,split", row="{i}.png,{label},train")
    picture(tmp_path / "images" / "11.png")
    with open(tmp_path / "labels.csv", "a") as file:
        file.write("\n3.png,b,train\n11.png,,\n")  # what was said before, and nothing
    assert load(tmp_path, labels="labels.csv")[0].classes == ("a", "b")
    with open(tmp_path / "labels.csv", "a") as file:
        file.write(row)
    refused(tmp_path, *words, labels="labels.csv")


def test_what_the_table_lacks_and_has_beyond(tmp_path):
    table(tmp_path)
    with open(tmp_path / "labels.csv", "a") as file:
        file.write("\n77.png,a\nshort\n")
    picture(tmp_path / "images" / "99.png")
    _, said = load(tmp_path, labels="labels.csv")
    assert "1 picture without a class (images/99.png)" in said
    assert "2 rows of labels.csv without a picture" in said


def test_without_labels_the_way_is_told(tmp_path):
    refused(table(tmp_path), "labels.csv", "labels='labels.csv'")
    refused(cats_and_dogs(tmp_path / "pets"), "--labels names")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"header": "file,one,two", "row": "{i}.png,{label},x"},
            ("one, two", "column named label"),
        ),
        ({"header": "file,label", "row": "x{i},{label}"}, ("no column names the pictures",)),
        ({"header": "file", "row": "{i}.png"}, ("none",)),
        ({"name": "other.csv"}, ("no table labels.csv", "in it is other.csv")),
        ({"header": "file,label", "row": "{i}.png,test"}, ("test", "part of a data set")),
    ],
)
def test_refused(tmp_path, change, words):
    refused(table(tmp_path, **change), *words, labels="labels.csv")
