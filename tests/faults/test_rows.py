"""The table of faults in README.md names tests that exist.

And nothing is checked by `assert`, which -O takes out.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_row_names_tests_that_exist():
    rows = re.findall(
        r"^\| (\d+|all) \| .* \| (.*) \|$",
        (ROOT / "tests/faults/README.md").read_text(),
        re.MULTILINE,
    )
    assert [number for number, _ in rows] == [*map(str, range(1, 67)), "all"]
    for number, tests in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", tests)
        assert named, number
        for file, name in named:
            functions = {
                node.name
                for node in ast.walk(ast.parse((ROOT / file).read_text()))
                if hasattr(node, "name")
            }
            assert name in functions, f"row {number}: {file} has no {name}"


def test_nothing_is_validated_by_assert():
    files = sorted((ROOT / "numpycnn").rglob("*.py"))
    assert len(files) > 50
    for file in files:
        lines = [
            node.lineno
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Assert)
        ]
        assert not lines, f"{file}: assert in lines {lines}"
