"""The recipes of examples/, run over seeds: python -m benchmarks.records speed --seeds 0 1 2 3 4

Each seed is a process of its own, timed from its start to its end, and a folder under --runs; a run
that is there already is resumed, or read when it is complete. The figures go to
benchmarks/results/records.json, where each recipe has its entry, and the learning curves to
records-NAME.png; those of --quick to the folder of the runs.
"""

import argparse
import ast
import concurrent.futures
import hashlib
import json
import pathlib
import statistics
import subprocess
import sys
import time

from numpycnn import files
from numpycnn.cli.grammar.values import natural, positive
from numpycnn.errors import RunFolderError
from numpycnn.report import plots

from .common import machine

ROOT = pathlib.Path(__file__).parents[1]
RECIPES = {
    "accuracy": "record_accuracy",
    "speed": "record_speed",
    "small": "record_small",
    "mirror": "record_mirror",
    "half": "record_half",
    "paper": "paper_vgg",
}


def folder(recipe, seed, args):
    """Where that run is; a trial is apart from it."""
    return pathlib.Path(
        args.runs, "-".join([recipe, str(seed), *(["quick"] if args.quick else [])])
    )


def run(recipe, seed, args):
    """One seed, from the start of its process to its end -> its result, with the seconds of the
    whole.
    """
    out = folder(recipe, seed, args)
    done, before = out / "result.json", {"recipe": digest(recipe), "machine": machine(args.threads)}
    command = [sys.executable, str(script(recipe)), "--seed", str(seed)]
    command += [
        "--out",
        str(out),
        "--threads",
        str(args.threads),
        *(["--quick"] if args.quick else []),
    ]
    if not done.exists():
        out.mkdir(parents=True, exist_ok=True)
        resumed = ["--resume"] if (out / "last.npz").exists() else []
        start = time.perf_counter()
        with open(out / "log.txt", "a") as log:
            subprocess.run([*command, *resumed], stdout=log, stderr=log, check=True)
        seconds = None if resumed else time.perf_counter() - start
        more = {
            "process_seconds": seconds,
            "threads": args.threads,
            "side_by_side": args.jobs,
            **before,
        }
        files.write(done, json.dumps({**json.loads(done.read_text()), **more}, indent=2).encode())
    return finished(recipe, done)


def finished(recipe, done):
    """The result of a run.

    Raises RunFolderError for one of other code, but for its docstring, or of unknown code.
    """
    result = json.loads(done.read_text())
    if "recipe" not in result:
        raise RunFolderError(
            f"{done} does not say of which recipe it is; delete it, and give the command again"
        )
    if result["recipe"] != digest(recipe):
        name = script(recipe).name
        raise RunFolderError(
            f"{done} is of another {name} than this one; move its folder away to run it anew"
        )
    return result


def script(recipe):
    """Where the recipe stands."""
    return ROOT / "examples" / f"{RECIPES[recipe]}.py"


def digest(recipe):
    """A hash of a recipe's code, whatever its docstring and comments say."""
    tree = ast.parse(script(recipe).read_text())
    return hashlib.sha256(ast.unparse(tree.body[1:]).encode()).hexdigest()[:12]


def summary(results):
    """{what: {mean, deviation}} over the seeds.

    Of times, where every run had the machine for itself.
    """
    alone = all(result.get("side_by_side") == 1 for result in results)
    found = {}
    for key in (
        "accuracy",
        "flip_accuracy",
        "loss",
        *(["training_seconds", "process_seconds"] if alone else []),
    ):
        values = [result[key] for result in results if result.get(key) is not None]
        if len(values) == len(results):
            deviation = statistics.stdev(values) if len(values) > 1 else None
            found[key] = {"mean": statistics.fmean(values), "deviation": deviation}
    return found


def stored(path):
    """The entries of records.json, or none."""
    return json.loads(path.read_text()) if path.exists() else {}


def others(recipe, entries, seeds):
    """The results of other seeds among the entries.

    Raises RunFolderError where they are of another recipe.
    """
    found = [
        result
        for result in entries.get(recipe, {"seeds": []})["seeds"]
        if result["seed"] not in seeds
    ]
    if any(result.get("recipe") != digest(recipe) for result in found):
        name = script(recipe).name
        raise RunFolderError(
            f"records.json has seeds of another {name}, or of an unknown one; "
            "run all, without --add"
        )
    return found


def curves(folder, path):
    """The learning curves of a run, from its history.csv, as a picture."""
    names, *rows = [line.split(",") for line in (folder / "history.csv").read_text().splitlines()]
    history = {name: [float(row[i]) for row in rows] for i, name in enumerate(names)}
    plots.learning_curves(history, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--seeds", type=natural, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--add", action="store_true", help="keep the seeds in records.json, if of the same recipe"
    )
    parser.add_argument("--threads", type=positive, default=2, help="of each run (2)")
    parser.add_argument(
        "--jobs",
        type=positive,
        default=1,
        help="runs side by side (1); their times mean little then",
    )
    parser.add_argument(
        "--runs", default="runs/records", help="where the runs' folders are (runs/records)"
    )
    parser.add_argument("--results", help="benchmarks/results; with --quick what --runs is")
    parser.add_argument("--quick", action="store_true", help="a trial: its numbers mean nothing")
    args = parser.parse_args()
    place = pathlib.Path(
        args.results or (args.runs if args.quick else ROOT / "benchmarks" / "results")
    )
    path = place / "records.json"
    for done in (folder(args.recipe, seed, args) / "result.json" for seed in args.seeds):
        if done.exists():
            finished(args.recipe, done)  # refuses now what would be refused after hours
    if args.add:
        others(args.recipe, stored(path), args.seeds)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        results = list(pool.map(lambda seed: run(args.recipe, seed, args), args.seeds))
    place.mkdir(parents=True, exist_ok=True)
    entries = stored(path)  # as it is now, after all the time that the runs took
    kept = others(args.recipe, entries, args.seeds) if args.add else []
    results = sorted([*kept, *results], key=lambda result: result["seed"])
    entry = {"seeds": results, "summary": summary(results)}
    files.write(path, (json.dumps({**entries, args.recipe: entry}, indent=2) + "\n").encode())
    if results[0]["seed"] == args.seeds[0]:  # the picture is of the first seed
        curves(folder(args.recipe, args.seeds[0], args), place / f"records-{args.recipe}.png")
    print(json.dumps(entry["summary"], indent=2))


if __name__ == "__main__":
    main()
