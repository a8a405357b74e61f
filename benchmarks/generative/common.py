"""What the commands share: arguments, the run's network and data, the JSON, the Markdown row."""

import argparse
import json
import pathlib
import sys

import numpycnn as nc
from numpycnn import generative
from numpycnn.errors import RunFolderError, in_one_line


def arguments(doc, runs="+", **more):
    """The command line: the folders of `runs`, how many of argparse's kinds, and `more`, {name:
    argparse settings}.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "runs", nargs=runs, type=pathlib.Path, help="folders of finished runs of examples/"
    )
    parser.add_argument(
        "--out", type=pathlib.Path, default=pathlib.Path("benchmarks/generative/results")
    )
    for name, settings in more.items():
        parser.add_argument(f"--{name}", **settings)
    sys.excepthook = in_one_line
    return parser.parse_args()


def result_of(folder, *examples):
    """result.json of a run of one of these examples, of any where none is named.

    Raises RunFolderError.
    """
    path = folder / "result.json"
    if not path.exists():
        raise RunFolderError(
            f"there is no result.json in {folder}: no run, or not finished; "
            "continue it with --resume"
        )
    result = json.loads(path.read_text())
    name = result["run"].partition("-")[0]
    if examples and name not in examples:
        raise RunFolderError(
            f"{folder} is a run of {name}.py; this measures runs of {' or '.join(examples)}"
        )
    return result


def finished(folder, *examples):
    """(result.json, the network, its data set) of such a run. Raises RunFolderError."""
    result = result_of(folder, *examples)
    return result, nc.load(folder / "last.npz"), generative.load(result["data"], result["val"])


def write(out, name, measured, **facts):
    """The JSON of one measurement, with facts about it, and its numbers as a Markdown row on
    standard output.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(measured | facts, indent=2) + "\n")
    print(
        f"| {name} | " + " | ".join(shown(value) for value in measured.values()) + " |", flush=True
    )


def header(names):
    """The head of a Markdown table."""
    print("| run | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 1))


def shown(value):
    """A number with the digits that mean something."""
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
