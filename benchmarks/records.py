"""The recipes of examples/, run over seeds: python -m benchmarks.records speed --seeds 0 1 2 3 4

Each seed is a process of its own, timed from its start to its end, and a folder under --runs; a run that is there
already is resumed, or read when it is complete. The figures go to benchmarks/results/records.json, where each recipe
has its entry, and the learning curves to records-NAME.png.
"""

import argparse
import concurrent.futures
import json
import pathlib
import statistics
import subprocess
import sys
import time

from numpycnn import plots

from .common import machine

ROOT = pathlib.Path(__file__).parents[1]
RECIPES = {"accuracy": "record_accuracy", "speed": "record_speed", "small": "record_small", "paper": "paper_vgg"}


def run(recipe, seed, args):
    """One seed, from the start of its process to its end -> its result, with the seconds of the whole."""
    folder = pathlib.Path(args.runs, f"{recipe}-{seed}")
    done = folder / "result.json"
    command = [sys.executable, str(ROOT / "examples" / f"{RECIPES[recipe]}.py"), "--seed", str(seed)]
    command += ["--out", str(folder), "--threads", str(args.threads), *(["--quick"] if args.quick else [])]
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        resumed = ["--resume"] if (folder / "last.npz").exists() else []
        start = time.perf_counter()
        with open(folder / "log.txt", "a") as log:
            subprocess.run([*command, *resumed], stdout=log, stderr=log, check=True)
        seconds = None if resumed else time.perf_counter() - start
        timed = {"process_seconds": seconds, "threads": args.threads, "side_by_side": args.jobs}
        done.write_text(json.dumps({**json.loads(done.read_text()), **timed}, indent=2))
    return json.loads(done.read_text())


def summary(results):
    """{what: {mean, deviation}} over the seeds; of times, where every run had the machine for itself."""
    alone = all(result.get("side_by_side") == 1 for result in results)
    found = {}
    for key in ("accuracy", "flip_accuracy", "loss", *(["training_seconds", "process_seconds"] if alone else [])):
        values = [result[key] for result in results if result.get(key) is not None]
        if len(values) == len(results):
            deviation = statistics.stdev(values) if len(values) > 1 else None
            found[key] = {"mean": statistics.fmean(values), "deviation": deviation}
    return found


def curves(recipe, seed, args):
    """The learning curves of one seed, from its history.csv, as a picture."""
    lines = pathlib.Path(args.runs, f"{recipe}-{seed}", "history.csv").read_text().splitlines()
    names, *rows = [line.split(",") for line in lines]
    history = {name: [float(row[i]) for row in rows] for i, name in enumerate(names)}
    plots.learning_curves(history, pathlib.Path(args.results, f"records-{recipe}.png"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2, help="of each run (2)")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side (1); their times mean little then")
    parser.add_argument("--runs", default="runs/records", help="where the runs' folders are (runs/records)")
    parser.add_argument("--results", default=str(ROOT / "benchmarks" / "results"))
    parser.add_argument("--quick", action="store_true", help="a trial: its numbers mean nothing")
    args = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        results = list(pool.map(lambda seed: run(args.recipe, seed, args), args.seeds))
    path = pathlib.Path(args.results, "records.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = json.loads(path.read_text()) if path.exists() else {}
    entries[args.recipe] = {"seeds": results, "summary": summary(results), "machine": machine(args.threads)}
    path.write_text(json.dumps(entries, indent=2) + "\n")
    curves(args.recipe, args.seeds[0], args)
    print(json.dumps(entries[args.recipe]["summary"], indent=2))


if __name__ == "__main__":
    main()
