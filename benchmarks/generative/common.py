"""What the commands share: arguments, the run's network and data, the JSON, the Markdown row."""

import argparse
import json
import pathlib

import numpycnn as nc
from numpycnn import generative
from numpycnn.errors import RunFolderError


def arguments(doc, **more):
    """The command line: the folders of runs, and `more`, {name: argparse settings}."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=pathlib.Path, help="folders of finished runs of examples/")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("benchmarks/generative/results"))
    for name, settings in more.items():
        parser.add_argument(f"--{name}", **settings)
    return parser.parse_args()


def result_of(folder):
    """result.json of a run. Raises RunFolderError for one that is not finished."""
    path = folder / "result.json"
    if not path.exists():
        raise RunFolderError(f"there is no result.json in {folder}: the run is not finished; continue it with --resume")
    return json.loads(path.read_text())


def finished(folder):
    """(result.json, the network, its data set) of a run. Raises RunFolderError for one that is not finished."""
    result = result_of(folder)
    return result, nc.load(folder / "last.npz"), generative.load(result["data"], result["val"])


def write(out, name, measured, **facts):
    """The JSON of one measurement, with facts about it, and its numbers as a Markdown row on standard output."""
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(measured | facts, indent=2) + "\n")
    print(f"| {name} | " + " | ".join(shown(value) for value in measured.values()) + " |", flush=True)


def header(names):
    """The head of a Markdown table."""
    print("| run | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 1))


def shown(value):
    """A number with the digits that mean something."""
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
