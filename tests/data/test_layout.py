"""Which folders are classes, which are parts, and what is refused rather than guessed."""

import os
import warnings

import pytest

from numpycnn import data
from numpycnn.data import splits
from numpycnn.errors import DatasetError
from tests.data.trees import folder, picture


def load(path, **options):
    """-> the data set, what was said."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = data.load(path, **options)
    return found, " ".join(str(one.message) for one in said)


def refused(path, *words, **options):
    with pytest.raises(DatasetError) as info:
        data.load(path, **options)
    text = str(info.value)
    assert "\n" not in text
    for word in words:
        assert word in text, text
    return text


@pytest.mark.parametrize(
    "hidden", [".ipynb_checkpoints", ".git", ".cache", "__MACOSX", "@eaDir", "$RECYCLE.BIN"]
)
@pytest.mark.parametrize("below", ["", "cat/", "train/"])
def test_hidden_folders_are_no_classes(tmp_path, hidden, below):
    places = ["train/cat", "train/dog", "test/cat"] if below == "train/" else ["cat", "dog"]
    folder(tmp_path, [*places, f"{below}{hidden}", f"{below}{hidden}/deep"])
    found, said = load(tmp_path)
    assert found.classes == ("cat", "dog")
    silent = hidden[0] != "."  # what systems leave behind is not worth a word
    assert ("8 hidden files" in said and hidden in said) != silent


def test_files_of_systems_and_of_other_kinds(tmp_path):
    folder(tmp_path, ["cat", "dog"])
    for name in ("cat/.DS_Store", "cat/Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_bytes(b"x")
    assert load(tmp_path)[1] == ""
    (tmp_path / "cat" / "a.heic").write_bytes(b"x")
    (tmp_path / "dog" / "notes.TXT").write_bytes(b"x")
    (tmp_path / "cat" / "._0.png").write_bytes(b"x")
    _, said = load(tmp_path)
    assert "2 files of other kinds (1 .heic, 1 .txt)" in said
    assert "1 hidden file (cat/._0.png)" in said


@pytest.mark.parametrize(
    ("train", "test", "val"),
    [
        ("train", "test", None),
        ("Train", "TEST", "Valid"),
        ("training", "testing", "validation"),
        ("TrainingSet", "TestSet", "ValidationSet"),
        ("train_images", "test_images", "val_images"),
        ("train1", "test1", "dev"),
        ("pets_train", "pets_test", "pets_val"),
        ("seg_train/seg_train", "seg_test/seg_test", None),
        ("archive/data/train", "archive/data/test", "archive/data/val"),
    ],
)
def test_names_of_parts(tmp_path, train, test, val):
    places = {f"{train}/a": 5, f"{train}/b": 4, f"{test}/a": 2, f"{test}/b": 1}
    if val:
        places |= {f"{val}/a": 1, f"{val}/b": 2}
    found, said = load(folder(tmp_path, places))
    assert found.classes == ("a", "b")
    assert (len(found.y_train), len(found.y_test)) == (9, 3)
    assert found.y_test.tolist() == [0, 0, 1]
    assert found.parts == (("train", "test", "val") if val else ("train", "test"))
    if val:
        assert found.y_val.tolist() == [0, 1, 1]
    assert said == ""


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("test", "test"), ("Test_2", "test"), ("testdata", "test"), ("t10k", "test"),
        ("VALID", "val"), ("dev set", "val"), ("train (1)", "train"),
        ("test tube", None), ("trains", None), ("latest", None), ("train-station", None),
        ("valley", None), ("contest", None), ("train-test", None), ("", None), ("images", None),
    ],
)  # fmt: skip
def test_what_says_that_it_is_a_part(name, part):
    assert splits.part_of(name) == part


def test_without_a_test_folder_the_validation_pictures_are_the_test(tmp_path):
    found, _ = load(folder(tmp_path, {"train/a": 4, "train/b": 4, "val/a": 1, "val/b": 2}))
    assert found.y_test.tolist() == [0, 1, 1]
    assert found.x_val is None
    assert "validation are the test set" in found.source


@pytest.mark.parametrize(
    ("places", "words"),
    [
        (["train", "test1"], ("test1/ and train/", "of a data set", "train/CLASS/")),
        (["test", "cup"], ("test/", "rename")),
        (["Train", "car"], ("Train/", "rename")),
        (["validation", "x"], ("validation/",)),
        (["cat/train", "cat/test", "dog/train", "dog/test"], ("classes_at",)),
        (["train/train", "train/x", "test/x"], ("train is the name of a part",)),
        (["train/a", "train/b", "test/a", "test/c"], ("c has pictures for test", "a, b")),
        (["train/a", "train/b", "val/A", "val/b"], ("A has pictures for val",)),
        (["animals/cat", "animals/dog", "plants/rose"], ("classes_at=2 cat, dog, rose",)),
        (["dogs_train", "dogs_test"], ("dogs_test/ and dogs_train/",)),
    ],
)
def test_refused_with_what_to_do(tmp_path, places, words):
    refused(folder(tmp_path, places), *words)


def test_the_classes_in_names_are_told(tmp_path):
    for i in range(4):
        picture(tmp_path / "train" / f"{'cat' if i % 2 else 'dog'}.{i}.png")
        picture(tmp_path / "test1" / f"{i}.png")
    refused(tmp_path, "(cat, dog)", "into a folder of its name")


def test_classes_two_folders_down(tmp_path):
    folder(tmp_path, ["animals/cat", "animals/other", "plants/rose", "plants/other"])
    found, _ = load(tmp_path, classes_at=2)
    assert found.classes == ("animals/other", "cat", "plants/other", "rose")
    found, _ = load(tmp_path, classes_at=1)
    assert found.classes == ("animals", "plants")
    assert len(found.y_train) + len(found.y_test) == 16
    refused(tmp_path, "no class folder", classes_at=3)
    refused(tmp_path, "expected 1 to 8", classes_at=0)


def test_what_is_left_out_is_counted(tmp_path):
    folder(tmp_path, {"train/a": 4, "train/b": 4, "train/b/small": 2, "test": 3, "extra": 5, "": 1})
    found, said = load(tmp_path)
    assert len(found.y_train) + len(found.y_test) == 8
    for words in (
        "5 pictures in extra/, beside train/", "1 picture in no folder, beside train/",
        "3 pictures in no class folder (test/0.png", "2 pictures in folders inside", "classes_at=1",
    ):  # fmt: skip
        assert words in said, said


def test_a_run_of_numpycnn_is_no_class(tmp_path):
    folder(tmp_path, ["a", "b", "run", "run/previous-1"])
    for name in ("last.npz", "history.csv"):
        (tmp_path / "run" / name).write_bytes(b"x")
    found, said = load(tmp_path)
    assert found.classes == ("a", "b")
    assert "run (a run)" in said


@pytest.mark.parametrize("place", ["labels.csv", "train.tsv", "images/labels.csv"])
def test_a_table_beside_pictures_is_not_passed_over(tmp_path, place):
    folder(tmp_path, ["images", "masks"])
    tab = "\t" if place.endswith("tsv") else ","
    rows = [f"{i}.png{tab}{'cat' if i % 2 else 'dog'}" for i in range(4)]
    (tmp_path / place).write_text("\n".join([f"file{tab}label", *rows]))
    refused(tmp_path, place, "names the pictures", "images, masks")


def test_tables_that_say_the_same_or_nothing_of_pictures(tmp_path):
    folder(tmp_path, {"cat": 3, "dog": 2})
    rows = ["cat/0.png,cat", "cat/1.png,cat", "cat/2.png,cat", "dog/0.png,dog", "dog/1.png,dog"]
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    (tmp_path / "prices.csv").write_text("day,price\n1,2\n2,3\n")
    assert load(tmp_path)[0].classes == ("cat", "dog")


def test_links_in_a_circle_and_folders_that_are_links(tmp_path):
    folder(tmp_path / "data", ["cat"])
    folder(tmp_path / "elsewhere", ["pictures"])
    os.symlink(tmp_path / "elsewhere" / "pictures", tmp_path / "data" / "dog")
    os.symlink(tmp_path / "data", tmp_path / "data" / "cat" / "again")
    assert load(tmp_path / "data")[0].classes == ("cat", "dog")


def test_what_there_is_instead_of_pictures(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.heic").write_bytes(b"x")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "x.png").write_bytes(b"x")
    refused(tmp_path, "no pictures", "1 .heic", "1 hidden file")
