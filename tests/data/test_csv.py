"""Tables with an image a row, in the forms that people have."""

import warnings

import numpy as np
import pytest

from numpycnn import data
from tests.data.test_layout import load, refused
from tests.data.trees import arrays

X, Y = arrays(24)
PIXELS = X.reshape(24, -1)  # 36
NAMES = ["label", *(f"pixel{i}" for i in range(36))]


def table(path, rows, header=None, sep=",", label="first", ending="\n"):
    """Rows of (label, pixels)."""
    lines = [header] if header else []
    for y, x in rows:
        lines.append([y, *x] if label == "first" else [*x, y] if label == "last" else x)
    path.write_text(ending.join(sep.join(map(str, line)) for line in lines) + ending)
    return path


def rows(y=Y, x=PIXELS):
    return list(zip(y.tolist(), x.tolist(), strict=True))


def check(found, n=24):
    """The same pixels and labels, in whatever part."""
    x = np.concatenate([found.x_train, found.x_test])
    y = np.concatenate([found.y_train, found.y_test])
    assert x.shape == (n, 6, 6, 1)
    assert x.dtype == np.uint8
    known = {image.tobytes(): label for image, label in zip(X, Y, strict=True)}
    assert [known[image.tobytes()] for image in x] == y.tolist()


@pytest.mark.parametrize("label", ["first", "last"])
@pytest.mark.parametrize("sep", [",", ";", "\t"])
@pytest.mark.parametrize("header", [True, False])
def test_one_table(tmp_path, label, sep, header):
    names = NAMES if label == "first" else [*NAMES[1:], "class"]
    path = table(tmp_path / "data.csv", rows(), names if header else None, sep, label)
    found, _ = load(path)
    check(found)
    assert f"the label in the {label} column" in found.source
    check(load(tmp_path)[0])


@pytest.mark.parametrize(
    "header",
    [
        ["label", *(f"{i}x{j}" for i in range(1, 7) for j in range(1, 7))],
        ["Digit", *map(str, range(36))],
        ["letter", *(f"pixel_{i}" for i in range(36))],
        ["0", *(f"0.{i}" for i in range(1, 37))],  # pandas took the first row for a header
    ],
)
def test_headers(tmp_path, header):
    check(load(table(tmp_path / "a.csv", rows(), header))[0])


def test_columns_of_other_kinds(tmp_path):
    header = ["id", *NAMES[1:], "label"]
    lines = [[i, *x, y] for i, (y, x) in enumerate(rows())]
    text = "\r\n".join(",".join(f'"{cell}"' for cell in line) for line in [header, *lines])
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert load(tmp_path / "a.csv")[1] == ""
    (tmp_path / "a.csv").write_text(text.replace('"id"', '"city"'))
    found, said = load(tmp_path / "a.csv")
    check(found)
    assert "ignored" in said
    assert "city" in said


@pytest.mark.parametrize(
    ("train", "test"),
    [("sign_train.csv", "sign_test.csv"), ("train.csv", "Test.CSV"), ("a/train.csv", "a/test.csv")],
)
def test_train_and_test(tmp_path, train, test):
    (tmp_path / "a").mkdir()
    table(tmp_path / train, rows()[:16], NAMES)
    table(tmp_path / test, rows()[16:], NAMES)
    for place in (tmp_path, tmp_path / train):
        found, _ = load(place)
        check(found)
        assert (len(found.y_train), len(found.y_test)) == (16, 8)


def test_a_test_table_without_labels_is_left_out_and_said(tmp_path):
    table(tmp_path / "train.csv", rows(), NAMES)
    table(tmp_path / "test.csv", rows()[:9], NAMES[1:], label=None)
    found, said = load(tmp_path)
    check(found)
    assert "9 rows without a label column" in said
    refused(tmp_path / "test.csv", "9 rows without a label column")


@pytest.mark.parametrize(
    "header",
    [
        [*NAMES[1:], "label"],  # the label last, not first
        [*NAMES[:0:-1], "Label"],  # and the pixels the other way round
        [*NAMES[1:], "target"],
        ["id", *NAMES[1:], "label"],
    ],
)
def test_the_columns_of_a_test_table_are_those_of_its_own_names(tmp_path, header):
    table(tmp_path / "train.csv", rows()[:16], NAMES)
    lines = [header]
    for i, (y, x) in enumerate(rows()[16:]):
        cell = {"id": i, "label": y, "target": y, **dict(zip(NAMES[1:], x, strict=True))}
        lines.append([cell[name.lower()] for name in header])
    (tmp_path / "test.csv").write_text("\n".join(",".join(map(str, line)) for line in lines))
    found, said = load(tmp_path)
    check(found)
    assert (len(found.y_test), said) == (8, "")


def test_numbers_of_rows_are_no_labels(tmp_path):
    """As many columns as the training table, in other roles; also where it stands alone."""
    table(tmp_path / "train.csv", rows(), NAMES)
    table(tmp_path / "test.csv", rows(np.arange(24)), ["id", *NAMES[1:]])
    found, said = load(tmp_path)
    check(found)
    assert "24 rows without a label column" in said
    refused(tmp_path / "test.csv", "24 rows without a label column")
    (tmp_path / "ids.csv").write_text("id,index\n1,2\n")
    refused(tmp_path / "ids.csv", "2 columns")


def test_a_test_table_without_a_header_is_like_that_for_training(tmp_path):
    table(tmp_path / "train.csv", rows()[:16], NAMES)
    table(tmp_path / "test.csv", [(int(Y[16]), PIXELS[16])])
    found, _ = load(tmp_path)
    assert (found.x_test[0, ..., 0] == X[16]).all()
    assert found.y_test.tolist() == [Y[16]]


def test_labels_that_are_text(tmp_path):
    names = np.array(["dress", "bag", "coat", "shirt"])
    table(tmp_path / "train.csv", rows(names[Y])[:20])
    table(tmp_path / "test.csv", rows(names[Y])[20:])
    found, _ = load(tmp_path)
    assert found.classes == ("bag", "coat", "dress", "shirt")
    assert [found.classes[y] for y in found.y_test] == names[Y[20:]].tolist()
    table(tmp_path / "test.csv", rows(np.array(["hat"] * 24)))
    refused(tmp_path, "hat", "bag, coat, dress, shirt")


def test_colours_and_other_shapes(tmp_path):
    x = np.random.default_rng(1).integers(0, 256, (12, 8, 6, 3))
    path = table(tmp_path / "a.csv", rows(np.arange(12) % 3, x.reshape(12, -1)), label="last")
    refused(path, "144 pixels", "--shape", shape=(12, 11))
    assert load(path)[0].x_train.shape[1:] == (12, 12, 1)
    found, _ = load(path, shape=(8, 6, 3))
    assert any((image == found.x_train[0]).all() for image in x)
    path = table(tmp_path / "b.csv", rows(np.arange(12) % 3, x[:, :6].reshape(12, -1)))
    assert load(path)[0].x_train.shape[1:] == (6, 6, 3)
    path = table(tmp_path / "c.csv", rows(np.arange(12) % 3, x[:, :5].reshape(12, -1)))
    refused(path, "90 pixels", "square")


def test_shares_instead_of_pixels(tmp_path):
    found, _ = load(table(tmp_path / "a.csv", rows(x=PIXELS / 255), NAMES))
    assert found.x_train.dtype == np.float32
    assert found.x_train.max() <= 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines.__setitem__(5, lines[5].rpartition(",")[0]), ["36 columns", "row 6"]),
        (lambda lines: lines.__setitem__(5, lines[5] + "0000"), ["expected 0 to 255"]),
        (lambda lines: lines.__setitem__(5, "2,x" + lines[5][3:]), ["row", "numbers"]),
        (lambda lines: lines.__setitem__(5, "-" + lines[6]), ["is -1"]),
        (lambda lines: lines.__setitem__(5, "1.5" + lines[5][1:]), ["1.5", "whole"]),
        (lambda lines: lines.__setitem__(5, " " + lines[5][1:]), ["row 6 has no label"]),
        (lambda lines: lines.clear(), ["empty"]),
        (lambda lines: lines.__delitem__(slice(1, None)), ["no rows"]),
        (lambda lines: lines.__setitem__(0, lines[0].replace("pixel0", "name")), ["35 pixels"]),
        (lambda lines: lines.__setitem__(5, lines[5].replace(",", ",\x1b[31m", 1)), ["numbers"]),
    ],
)
def test_refused(tmp_path, change, words):
    path = table(tmp_path / "a.csv", rows(), NAMES)
    lines = path.read_text().splitlines()
    change(lines)
    path.write_text("\n".join(lines))
    text = refused(path, *words)
    assert "\x1b" not in text


def test_labels_that_cannot_be_told(tmp_path):
    """Both columns could be labels, equally well."""
    x = PIXELS.copy()
    x[:, -1] = Y[::-1]
    refused(table(tmp_path / "a.csv", rows(x=x)), "neither the first nor the last")


def test_two_tables_for_one_part(tmp_path):
    for name in ("one.csv", "two.csv"):
        table(tmp_path / name, rows(), NAMES)
    refused(tmp_path, "one.csv", "two.csv", "train or test in its name")


def test_other_tables_in_the_folder_are_no_images(tmp_path):
    table(tmp_path / "train.csv", rows(), NAMES)
    (tmp_path / "sample_submission.csv").write_text("ImageId,Label\n1,0\n2,0\n")
    check(load(tmp_path)[0])


def test_a_line_without_an_end_takes_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("numpycnn.data.csv_table.LINE", 1000)
    (tmp_path / "a.csv").write_text("1," * 2000)
    refused(tmp_path / "a.csv", "a line of more than 1,000 bytes")


def test_the_tables_of_many_rows_are_read_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("numpycnn.data.csv_table.ROWS", 5)
    check(load(table(tmp_path / "a.csv", rows(), NAMES))[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert data.load(tmp_path / "a.csv").classes == ("0", "1", "2", "3")


def strings(path, change=lambda i, line: line, header="emotion,pixels,Usage"):
    """FER2013's form: 24 rows, of which every fourth is PublicTest and every sixth PrivateTest."""
    lines = [header]
    for i, (y, x) in enumerate(zip(Y, PIXELS, strict=True)):
        usage = "PublicTest" if i % 4 == 3 else "PrivateTest" if i % 6 == 4 else "Training"
        lines.append(change(i, f"{y},{' '.join(map(str, x))},{usage}"))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_pixels_in_one_cell(tmp_path):
    path = strings(tmp_path / "fer2013.csv")
    for place in (path, tmp_path):
        found, _ = load(place)
        index = np.arange(24)
        val, test = index % 4 == 3, (index % 4 != 3) & (index % 6 == 4)
        for part, chosen in (("train", ~val & ~test), ("val", val), ("test", test)):
            np.testing.assert_array_equal(getattr(found, f"x_{part}")[..., 0], X[chosen])
            np.testing.assert_array_equal(getattr(found, f"y_{part}"), Y[chosen])


def test_pixels_in_one_cell_without_parts_and_with_words_for_labels(tmp_path):
    path = strings(
        tmp_path / "d.csv",
        lambda i, line: ",".join([f" c{Y[i]}", f'"{line.split(",")[1]}"', "x"]),
        "Label , Pixels,note",
    )
    found, said = load(path)
    check(found)
    assert found.classes == tuple(f"c{k}" for k in sorted(set(Y)))
    assert "columns note" in said


@pytest.mark.parametrize(
    ("change", "header", "message"),
    [
        (lambda i, s: s.replace(" ", " x", 1) if i == 3 else s, None, "near row 2"),
        (lambda i, s: s.replace(" ", " 1 ", 1) if i == 3 else s, None, "row 5 has 37 pixels"),
        (lambda i, s: s.replace(" ", " 999 ", 1).replace(" 999 ", " 999", 1), None, "pixels from"),
        (lambda i, s: s + ",1" if i == 3 else s, None, "row 5 has 4 columns; expected 3"),
        (lambda i, s: s.replace("Training", "later"), None, "usage 'later'"),
        (lambda i, s: s, "a,pixels,b", "expected pixels, one column named label"),
        (lambda i, s: s.partition(",")[0] + ",,Training", None, "near row 2"),
        (lambda i, s: s[1:] if i == 3 else s, None, "row 5 has no label"),
    ],
)
def test_pixels_in_one_cell_that_are_wrong(change, header, message, tmp_path):
    path = strings(tmp_path / "d.csv", change, header or "emotion,pixels,Usage")
    assert message in refused(path)
