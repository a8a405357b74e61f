"""numpycnn/README.md: what it names is there, and its floors are those that test_house.py holds."""

import pathlib
import re

from tests.test_house import FLOORS, ROOT

REPOSITORY = pathlib.Path(__file__).parents[1]
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
FILES = (".py", ".md", "/")
RUN = {"history.csv", "last.npz"}  # in a run's folder, not here


def rows():
    """Yields (floor, room) of the table, from the roof down."""
    floor = None
    for cell, name in re.findall(r"^\| *(\d*) *\| `([^`]+)` \|", PAGE, flags=re.MULTILINE):
        floor = int(cell) if cell else floor
        yield floor, name.removesuffix(".py").rstrip("/")


def quoted(line):
    return re.findall(r"`([^`]+)`", line)


def test_the_table_has_every_room_on_its_floor():
    there = {path.stem for path in ROOT.glob("*.py")} - {"__init__"}
    there |= {path.parent.name for path in ROOT.glob("*/__init__.py")}
    code = [row for row in rows() if row[1] != "pretrained"]
    height = {name: i for i, floor in enumerate(FLOORS) for name in floor}
    assert sorted(code) == sorted((height[name], name) for name in there)
    assert [floor for floor, _ in code] == sorted((floor for floor, _ in code), reverse=True)


def test_every_file_that_is_named_exists():
    named = [name for name in quoted(PAGE) if name.endswith(FILES)]
    assert len(named) > 30
    for name in named:
        if name.startswith("../"):  # beside the package, where these tests stand
            assert (REPOSITORY / name.removeprefix("../")).exists(), name
        else:
            assert (ROOT / name).exists(), name


def test_every_function_stands_in_the_file_named_before_it():
    _, way = PAGE.split("## The way of one batch")
    checked = 0
    for step in re.split(r"^ *(?:\d+\.|-) ", way, flags=re.MULTILINE):
        path = None
        for name in quoted(step):
            if name.endswith(".py"):
                path = ROOT / name
            elif re.fullmatch(r"[\w.]+", name) and name not in RUN and path:
                owner, _, method = name.rpartition(".")
                text = path.read_text(encoding="utf-8")
                assert re.search(rf"\b(def|class) {method}\b", text), (path.name, name)
                assert not owner or re.search(rf"\bclass {owner}\b", text), (path.name, name)
                checked += 1
    assert checked >= 10
