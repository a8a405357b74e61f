"""Ten bug hunts and five broken runs: planted, found, drawn for each student, graded in folders."""

import csv
import os
import socket
import unicodedata

import numpy as np
import pytest

from numpycnn import backend
from numpycnn.cli import main
from numpycnn.exercises import EXERCISES, check_file, hunts, runs, start
from numpycnn.exercises.files import identify
from numpycnn.exercises.grader import grade
from numpycnn.exercises.marks import grade_folder, table

from .test_files import answered

HUNTS = {name: one for name, one in EXERCISES.items() if name.startswith("hunt")}
BASES = dict(zip(HUNTS, hunts.FAULTS, strict=True))


@pytest.fixture(autouse=True)
def numpy_backend():
    before = backend.backend()
    backend.use("numpy")
    yield
    backend.use(before)


@pytest.mark.parametrize("name", HUNTS)
def test_each_fault_is_planted_found_and_mended(name, tmp_path):
    base, path = EXERCISES[BASES[name]], tmp_path / f"{name}.py"
    _, text = hunts.parted(base)
    for fault in hunts.FAULTS[base.name]:
        assert text.count(fault[0]) == 1, fault
        path.write_text(hunts._page(name, base, [fault], "somebody"))
        verdict = check_file(path)
        assert verdict.sentences, fault
        assert verdict.rows[0][0] != "file", verdict  # it works, wrongly
        path.write_text(hunts._page(name, base, [(fault[0], fault[0])], "somebody"))
        assert check_file(path).passed, fault


@pytest.mark.parametrize("name", HUNTS)
def test_the_seed_draws_fault_and_names(name):
    texts = {HUNTS[name].text(f"student {i}").split("import numpy", 1)[1] for i in range(12)}
    assert len(texts) > 1
    assert HUNTS[name].text("alice") == HUNTS[name].text("alice")


@pytest.mark.parametrize("seed", ["", "alice", "bob"])
def test_inspect_judges_the_five_runs(seed, tmp_path):
    right = []
    for number in range(5):
        exercise = EXERCISES[f"run_{number + 1}"]
        path = start(exercise, tmp_path, seed)
        page = path.read_text()
        assert "answer is empty" in check_file(path).sentences[0]
        cause = runs.cause_of(number, seed)
        for answer in runs.CAUSES:
            path.write_text(page.replace('answer = ""', f"answer = {answer!r}"))
            verdict = check_file(path)
            assert verdict.passed == (answer == cause), verdict
        path.write_text(page.replace('answer = ""', "answer = 'tired'"))
        assert "expected one of" in check_file(path).sentences[0]
        right.append(cause)
    assert sorted(right) == sorted(runs.DRAWN)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_seed_is_read_also_behind_a_byte_order_mark(encoding, tmp_path):
    """Windows' editors write one: without its seed a right answer would fail."""
    path = start(EXERCISES["run_1"], tmp_path, "anna")
    assert runs.cause_of(0, "anna") != runs.cause_of(0, "")
    answer = f'answer = "{runs.cause_of(0, "anna")}"'
    path.write_text(path.read_text().replace('answer = ""', answer), encoding=encoding)
    assert identify(path) == ("run_1", "anna")
    assert check_file(path).passed


def test_a_folder_is_graded_and_nothing_stops_it(tmp_path, capsys):
    folder = tmp_path / "class"
    for student in ("alice", "bob"):
        start(EXERCISES["hunt_1"], folder / student, student)
    (folder / "alice" / "relu.py").write_text(answered("relu"))
    (folder / "bob" / "relu.py").write_text("def relu(x):\n    while True:\n        pass")
    (folder / "bob" / "dense.py").write_bytes(b"\xff\xfe")
    (folder / "bob" / "poem.py").write_text("roses = 'red'")
    (folder / "alice" / "hunt_2.py").write_text(HUNTS["hunt_2"].text("bob"))
    marks = tmp_path / "marks.csv"
    line = ["exercise", "grade", str(folder), "--csv", str(marks), "--limit", "1"]
    assert main([*line, "--seed", "folder"]) == 0
    shown = capsys.readouterr().out
    assert "answers are open in numpycnn/ops/" in shown
    rows = {(r["student"], r["exercise"]): r for r in csv.DictReader(marks.open())}
    assert len(rows) == 7
    assert rows["bob", "poem"]["sentences"].startswith("unknown exercise")
    assert "no text file" in rows["bob", "dense"]["sentences"]
    assert rows["alice", "hunt_2"]["sentences"] == "it is drawn for bob, not for alice"
    passed = [key for key, row in rows.items() if row["passed"] == "1"]
    assert passed == []  # relu.py has no seed in its header
    before = marks.read_bytes()
    assert main(line) == 2
    assert "no file is written over" in capsys.readouterr().err
    assert marks.read_bytes() == before
    rows = grade_folder(folder, limit=1)
    assert [(r["student"], r["exercise"]) for r in rows if r["passed"]] == [("alice", "relu")]
    said = {(r["student"], r["exercise"]): r["sentences"] for r in rows}
    assert "endless loop" in said["bob", "relu"]
    assert main(["exercise", "grade", str(tmp_path / "nowhere")]) == 2


def test_what_is_not_graded_is_named_for_each_student(tmp_path, capsys):
    def hand_in(*files):
        for file in files:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(answered("relu"))

    hand_in("alice/relu.py", "alice/run_1.csv", "ben/deep/relu.py", "cleo/relu.ipynb")
    hand_in("dora/RELU.PY", "eve/relu.py", "eve/more/dense.py", "eve/__pycache__/relu.py")
    hand_in("finn/relu.py.txt", *(f"gus/{i}.txt" for i in range(7)), ".git/relu.txt")
    (tmp_path / "hal").mkdir()
    assert main(["exercise", "grade", str(tmp_path), "--csv", str(tmp_path / "marks.csv")]) == 0
    assert capsys.readouterr().out.splitlines()[:8] == [
        "alice  1 of 1",
        "ben    0 of 0; no NAME.py, but deep/relu.py",
        "cleo   0 of 0; no NAME.py, but relu.ipynb",
        "dora   0 of 0; no NAME.py, but RELU.PY",
        "eve    1 of 1; only eve/NAME.py is graded, not more/dense.py",
        "finn   0 of 0; no NAME.py, but relu.py.txt",
        "gus    0 of 0; no NAME.py, but 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 2 more",
        "hal    0 of 0; no NAME.py",
    ]
    rows = list(csv.DictReader((tmp_path / "marks.csv").open()))
    assert [row["student"] for row in rows].count("eve") == 2
    assert rows[-1] == dict(zip(rows[-1], ["hal", "", "0", "", "no NAME.py"], strict=True))


def test_copies_of_one_exercise_count_once_and_the_best_of_them(tmp_path):
    path = start(EXERCISES["relu"], tmp_path / "alice", "")
    for i in (1, 2):
        path.with_name(f"relu ({i}).py").write_text(
            answered("relu") if i == 2 else path.read_text()
        )
    start(EXERCISES["hunt_1"], tmp_path / "alice", "")
    rows = grade_folder(tmp_path)
    assert [(row["exercise"], row["passed"]) for row in rows] == [("hunt_1", 0), ("relu", 1)]
    files = "relu (1).py, relu (2).py, relu.py"
    assert rows[1]["sentences"] == f"handed in 3 times ({files}), and the best counts"
    assert table(rows) == "alice  1 of 2"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("folder", ["NFC", "NFD"])
def test_a_name_is_the_same_however_its_accents_are_written(form, folder, tmp_path):
    place = tmp_path / unicodedata.normalize(folder, "Müller")
    start(EXERCISES["hunt_1"], place, unicodedata.normalize(form, "Müller"))
    assert "drawn for" not in grade_folder(tmp_path, seeded=True)[0]["sentences"]


def no_network(*address):
    raise AssertionError("a check is offline")


def test_the_same_result_a_hundred_times_offline(tmp_path, monkeypatch):
    """A forward pass, a backward pass, a hunt, and what is wrong with a run."""
    monkeypatch.setattr(socket.socket, "connect", no_network)
    space = {}
    exec(hunts.planted(EXERCISES["dense_backward"], hunts.FAULTS["dense_backward"], ""), space)
    wrong = {
        "relu": np.abs,
        "relu_backward": lambda dy, cache: dy,
        "hunt_1": space["dense_backward"],
    }
    for name, function in wrong.items():
        said = {str(grade(EXERCISES[name], function)) for _ in range(100)}
        assert len(said) == 1
        assert "not yet right" in said.pop()
    answer = {"answer": runs.cause_of(0, "")}
    judged = {str(EXERCISES["run_1"].examine(tmp_path, answer, "")) for _ in range(10)}
    assert len(judged) == 1
    assert "passed" in judged.pop()


def test_all_checks_together_take_less_than_ten_seconds(tmp_path):
    for name, exercise in EXERCISES.items():
        path = start(exercise, tmp_path, "")
        if exercise.probes and not exercise.text:
            path.write_text(answered(name))
        elif exercise.probes:
            base = EXERCISES[BASES[name]]
            path.write_text(hunts._page(name, base, [("", "")], ""))
        else:
            cause = runs.cause_of(int(name[-1]) - 1, "")
            path.write_text(path.read_text().replace('answer = ""', f'answer = "{cause}"'))
    began = sum(os.times()[:4])  # of this process and its children: others may be busy beside it
    rows = grade_folder(tmp_path)
    assert [row for row in rows if not row["passed"]] == []
    assert len(rows) == len(EXERCISES) >= 24 + 10 + 5
    assert sum(os.times()[:4]) - began < 10
