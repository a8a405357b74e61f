"""The order of the rooms of numpycnn/: every import, also those inside functions, points down.

python -m pytest -s tests/test_house.py     # prints the order
"""

import ast
import graphlib
import pathlib

import pytest

import numpycnn

ROOT = pathlib.Path(numpycnn.__file__).parent

# From the ground up. A room is a folder, or a single module at numpycnn/'s root. A module may
# import from its own room, from a lower floor, and from another room of its floor if that makes no
# circle.
# - Optimisers and gradient checks walk over layers, so they stand above those.
# - Layers know no file and models know no data set: files and data stand above models.
# - metrics and schedule need errors alone; they stand where training and report first use them.
# - A data set can be shown, so data stand above report.
# - Kernels return the caches that their ops define, so they stand above ops. None may import them:
#   backend finds each by its name while it runs.
FLOORS = (
    ("errors", "tables"),
    ("backend",),
    ("ops",),
    ("kernels",),
    ("layers",),
    ("models", "optim", "gradient_check"),
    ("files", "metrics", "schedule"),
    ("report",),
    ("data",),
    ("training", "generative", "distributed"),
    (
        "studies",
        "explainer",
        "exercises",
        "exchange",
        "inspection",
        "sklearn",
    ),
    ("cli",),
    ("__main__",),
)
LOOSE = 10  # modules at the root, beside __init__ and __main__
ROOT_OWN = ("moved", "__version__")  # what the root defines: these are no arrow


def modules(root):
    """{dotted name, "" for the package itself: path} of every .py file under root."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(root):
    """{module: set of modules that it imports}, by the text alone: nothing is run.

    The root's __init__ has no arrows: it imports what is asked of it. All may import what the root
    itself defines; another name of it, such as numpycnn.fit, is an arrow to that name.
    """
    known = modules(root)
    arrows = {name: set() for name in known if name}
    for name in arrows:
        package = name if known[name].name == "__init__.py" else name.rpartition(".")[0]
        for node in ast.walk(ast.parse(known[name].read_text())):
            arrows[name] |= set(_targets(node, package, root.name, known)) - {name}
    return arrows


def _targets(node, package, root, known):
    """The modules below the root that one node of the syntax tree imports."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        inside = [root, *package.split(".")] if package else [root]
        above = inside[: len(inside) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        names = [f"{base}.{alias.name}" for alias in node.names]
    else:
        names = []
    for name in names:
        first, _, below = name.partition(".")
        if first != root or below in ("", *ROOT_OWN):
            continue
        target = below
        while target and target not in known:
            target = target.rpartition(".")[0]  # `from .conv import Conv2D`: Conv2D is no module
        yield target or below


def _imports_by_name(path):
    """Whether the file mentions import_module or __import__."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    words = {n.attr for n in nodes if isinstance(n, ast.Attribute)}
    words |= {n.id for n in nodes if isinstance(n, ast.Name)}
    return bool(words & {"import_module", "__import__"})


def room(module):
    return module.partition(".")[0]


def rooms(arrows):
    """{room: set of the other rooms that it imports from}"""
    between = {room(module): set() for module in arrows}
    for module, targets in arrows.items():
        between[room(module)] |= {room(t) for t in targets} - {room(module)}
    return between


def faults(root, floors=FLOORS):
    """What is wrong with the order, in sentences."""
    arrows = imports(root)
    height = {name: i for i, floor in enumerate(floors) for name in floor}
    wrong = [
        f"the room {name} is on no floor; say in FLOORS where it belongs"
        for name in sorted({room(m) for m in arrows} - set(height))
    ]
    between = rooms(arrows)
    for module, targets in arrows.items():
        for target in sorted(targets):
            here, there = room(module), room(target)
            if here == there:
                continue
            if there not in between:
                wrong.append(
                    f"{module} imports {target} from the root; import it from its own module"
                )
            if height.get(there, 0) > height.get(here, 0):
                wrong.append(f"{module} imports {target}, which is above it")
            if there == "kernels":
                wrong.append(
                    f"{module} imports {target}: kernels are reached through backend alone"
                )
    wrong += [
        f"{module} imports by name; only backend may, since nothing can check such an arrow"
        for module in arrows
        if module != "backend" and _imports_by_name(modules(root)[module])
    ]
    wrong += [f"modules in a circle: {circle}" for circle in circles(arrows)]
    wrong += [f"rooms in a circle: {circle}" for circle in circles(between)]
    loose = [m for m in arrows if (root / f"{m}.py").exists() and m != "__main__"]
    if len(loose) > LOOSE:
        wrong.append(f"{len(loose)} modules stand loose at the root, at most {LOOSE}: {loose}")
    return wrong


def circles(arrows):
    """One circle as "a -> b -> a", or nothing."""
    try:
        graphlib.TopologicalSorter(arrows).prepare()
    except graphlib.CycleError as error:
        return [" -> ".join(reversed(error.args[1]))]
    return []


def test_every_import_points_down():
    between = rooms(imports(ROOT))
    for i, floor in reversed(list(enumerate(FLOORS))):
        for name in (name for name in floor if name in between):
            print(f"{i:2d} {name}: {', '.join(sorted(between[name])) or '-'}")
    assert faults(ROOT) == []
    assert {name for floor in FLOORS for name in floor} == set(between)


# ---- the test itself is tested: a fault put into a small tree must be named ---------------------

SOUND = {
    "__init__.py": "def moved(module): ...",
    "errors.py": "",
    "backend.py": "from .errors import ShapeError",
    "kernels/__init__.py": "",
    "kernels/conv.py": "from ..backend import threads",
    "ops/__init__.py": "from .conv import conv2d",
    "ops/conv.py": "from ..backend import op\nfrom .. import errors",
    "layers/__init__.py": "from .conv import Conv2D",
    "layers/conv.py": "import numpy as np\nfrom .. import moved, ops\nimport numpycnn.errors",
    "files.py": "from . import errors",
    "data/__init__.py": "",
    "models/__init__.py": "from ..layers import Conv2D",
    "cli/__init__.py": "from .. import __version__\nfrom ..models import *",
}

FAULTY = {
    "an arrow up": ({"ops/conv.py": "from ..layers import Conv2D"}, "ops.conv imports layers"),
    "up, absolute": (
        {"ops/conv.py": "import numpycnn.layers.conv"},
        "ops.conv imports layers.conv",
    ),
    "up, a module by its name": (
        {"ops/conv.py": "from .. import layers"},
        "ops.conv imports layers",
    ),
    "up, inside a function": (
        {"ops/conv.py": "def f():\n    from numpycnn.layers import conv"},
        "ops.conv imports layers.conv",
    ),
    "layers know no file": ({"layers/conv.py": "from ..files import write"}, "imports files"),
    "models know no data set": ({"models/vgg.py": "from .. import data"}, "imports data"),
    "from the root": ({"ops/conv.py": "from .. import fit"}, "ops.conv imports fit from the root"),
    "a kernel by the side door": ({"cli/doctor.py": "from ..kernels import conv"}, "backend alone"),
    "by name": ({"cli/x.py": "import importlib\nimportlib.import_module(name)"}, "by name"),
    "a circle of modules": (
        {"layers/conv.py": "from .dense import f", "layers/dense.py": "from .conv import g"},
        "modules in a circle: layers.",
    ),
    "a circle with the room's own __init__": (
        {"layers/conv.py": "from . import Conv2D"},
        "modules in a circle: layers",
    ),
    "a circle of rooms": (
        {"optim.py": "from .models.a import f", "models/b.py": "from ..optim import g"}
        | {"models/a.py": ""},
        "rooms in a circle",
    ),
    "a room on no floor": ({"attic.py": ""}, "attic is on no floor"),
    "eleven loose": ({f"loose{i}.py": "" for i in range(8)}, "11 modules stand loose"),
}


def tree(folder, files):
    """Writes {path: text} as a package of the name numpycnn -> its folder."""
    root = folder / "numpycnn"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_sound_tree_has_no_fault(tmp_path):
    root = tree(tmp_path, SOUND)
    assert faults(root) == []
    assert imports(root)["ops.conv"] == {"backend", "errors"}
    assert imports(root)["layers.conv"] == {"ops", "errors"}
    assert imports(root)["ops"] == {"ops.conv"}


@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_in_the_tree_is_named(name, tmp_path):
    files, sentence = FAULTY[name]
    found = faults(tree(tmp_path, SOUND | files))
    assert any(sentence in fault for fault in found), found
