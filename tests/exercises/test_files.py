"""Stubs and what the command line does with them: nothing leaks, nothing hangs, nothing is lost."""

import ast
import doctest
import json
import sys
import time

import numpy as np
import pytest

from numpycnn import ops
from numpycnn.cli import main
from numpycnn.exercises import EXERCISES, check, check_file, cut, hint, process, solution, start
from numpycnn.exercises.files import page
from numpycnn.layers.traverse import walk
from numpycnn.training.checkpoint import load

WRITTEN = {name: one for name, one in EXERCISES.items() if one.probes and not one.text}


def answered(name):
    """The page of an exercise with the library's own lines in the student's place."""
    exercise = EXERCISES[name]
    text, (_, _, answer) = page(exercise), cut.parts(exercise.place)
    todo = next(one for one in text.splitlines() if one.strip() == cut.TODO)
    text = text.replace(todo, "\n".join(answer))
    imports = cut.imports("def f():\n" + "\n".join(answer), exercise.place)
    return text.replace("import numpy as np\n", "\n".join(["import numpy as np", *imports, ""]), 1)


@pytest.mark.parametrize("name", WRITTEN)
def test_the_stub_with_the_librarys_lines_in_it_passes(name, tmp_path):
    """The stub is the library's own function, but for the student's part."""
    path = tmp_path / f"{name}.py"
    path.write_text(answered(name))
    verdict = check_file(path)
    assert verdict.passed, verdict


@pytest.mark.parametrize("name", WRITTEN)
def test_no_stub_contains_its_answer(name):
    """No statement of the answer stands in the page, in code or in words."""
    exercise = WRITTEN[name]
    _, _, answer = cut.parts(exercise.place)
    text = " ".join(page(exercise).split())
    given = " ".join(
        "\n".join(cut.function((exercise.place[0], g)) for g in exercise.given).split()
    )
    body = ast.parse("def f():\n" + "\n".join(answer)).body[0].body
    statements = [node for node in ast.walk(ast.Module(body, [])) if isinstance(node, ast.stmt)]
    for node in statements:
        code = ast.unparse(node)
        if isinstance(node, (ast.Assign, ast.AugAssign)) and len(code) > 12 and code not in given:
            assert code not in text, code
    assert cut.TODO in text


@pytest.mark.parametrize("name", WRITTEN)
def test_the_worked_numbers_are_right(name):
    exercise = WRITTEN[name]
    names = {"np": np, "ops": ops, exercise.place[1]: exercise.reference}
    test = doctest.DocTestParser().get_doctest(exercise.example, names, name, None, 0)
    result = doctest.DocTestRunner().run(test)
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize("name", WRITTEN)
def test_a_fresh_file_runs_and_says_that_nothing_is_written(name, tmp_path):
    verdict = check_file(start(WRITTEN[name], tmp_path))
    assert verdict.sentences == ["nothing is written yet: NotImplementedError"]


def wrong_ways():
    def hangs(x):
        while True:
            pass

    def leaves(x):
        raise SystemExit(0)

    def crashes(x):
        import ctypes

        ctypes.string_at(0)

    def fills(x):
        kept = []
        while True:
            kept.append(np.empty(10**7))

    def recurses(x):
        return recurses(x)

    def raises(x):
        return x @ np.ones((99, 99))

    return {
        "endless loop": hangs,
        "ends the program: SystemExit": leaves,
        "SIGSEGV": crashes,
        "MemoryError": fills,
        "RecursionError": recurses,
        "it raises ValueError": raises,
    }


@pytest.mark.parametrize("words", wrong_ways())
def test_whatever_a_function_does_is_one_failed_exercise(words):
    verdict = check("relu", wrong_ways()[words], limit=1)
    [sentence] = verdict.sentences
    assert words in sentence


def test_check_in_python():
    verdict = check("relu", lambda x: np.maximum(x, 0))
    assert verdict.passed
    assert "<table>" in verdict._repr_html_()
    assert "wrong" in check("relu", lambda x: x)._repr_html_()
    with pytest.raises(TypeError, match="cannot be called"):
        check("relu", 3)
    with pytest.raises(ValueError, match="did you mean relu"):
        check("rellu", abs)


def test_three_hints_and_no_answer(tmp_path):
    path = start(EXERCISES["relu_backward"], tmp_path)
    said = [hint(path) for _ in range(4)]
    assert [level for level, _ in said] == [1, 2, 3, 3]
    assert "ops/activation.py:" in said[1][1]
    assert "explain" in said[2][1]
    assert not any("dy * positive" in text for _, text in said)
    assert solution("relu_backward").startswith("numpycnn/ops/activation.py:")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "relu"], "unexpected 'relu'"),
        (["check", "relu.py", "--csv", "a.csv"], "--csv is for grade, not for check"),
        (["hint", "relu.py", "--limit", "3"], "--limit is for check and grade, not for hint"),
        (["solution", "relu", "--seed", "ann"], "--seed is for start and grade, not for solution"),
    ],
)
def test_what_an_action_does_not_read_is_refused(arguments, words, capsys):
    assert main(["exercise", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["exercise"]) == 0
    assert "batch_norm_backward" in capsys.readouterr().out
    assert main(["exercise", "start", "relu"]) == 0
    assert main(["exercise", "start", "relu"]) == 2
    assert "no file is written over" in capsys.readouterr().err
    assert main(["exercise", "start", "relu_backward", "--seed", "a\nb"]) == 2
    assert "one line" in capsys.readouterr().err
    assert main(["exercise", "check", "relu.py", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] is False
    assert found["exercise"] == "relu"
    (tmp_path / "relu.py").write_text(answered("relu"))
    assert main(["exercise", "check", "relu.py"]) == 0
    assert "passed" in capsys.readouterr().out
    for line in (["check", "none.py"], ["check"], ["start", "rellu"], ["solution", "x"]):
        assert main(["exercise", *line]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_file_that_cannot_be_run(tmp_path):
    path = tmp_path / "relu.py"
    for text, words in (
        ("def relu(x:", "SyntaxError"),
        ("import nothing_there", "line 1"),
        ("x = 1", "no function relu"),
        ("import sys; sys.exit()", "SystemExit"),
    ):
        path.write_text(text)
        assert words in check_file(path).sentences[0]


def test_without_fork_it_runs_in_a_thread():
    assert process._in_thread(lambda: {"rows": 1}, 5) == ({"rows": 1}, None)
    hung = process._in_thread(lambda: time.sleep(9), 0.1)
    assert hung[0] is None
    assert "endless loop" in hung[1]
    assert process._in_thread(sys.exit, 5)[0]["raised"].startswith("SystemExit")


def test_check_after_kernels_have_run():
    """The child of a process whose numba threads have worked must not wait for them."""
    x = np.ones((2, 6, 6, 3), np.float32)
    ops.conv2d(x, np.ones((3, 3, 3, 4), np.float32))
    assert check("relu", lambda x: np.maximum(x, 0), limit=20).passed


def test_the_step_of_a_hint_is_there():
    """The explainer's page has the kind of layer, and a file that is named exists."""
    repository = cut.PACKAGE.parent
    for exercise in EXERCISES.values():
        if isinstance(exercise.step, tuple):
            network, kind, way = exercise.step
            assert way in ("forward", "backward")
            if network.startswith("pretrained:") and kind != "the loss":
                kinds = {type(one).__name__ for _, one in walk(load(network))}
                assert kind in kinds
        else:
            first = exercise.step.split(",")[0]
            assert first.startswith("numpycnn inspect") or (repository / first).exists(), first
