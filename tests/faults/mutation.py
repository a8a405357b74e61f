"""Mutants of ops, layers, losses and optimisers: `pip install cosmic-ray && python -m
tests.faults.mutation`

Each file is mutated in a copy of the repository, one change at a time, and the tests named beside
it run until one of them fails: then the mutant is dead. They use the NumPy reference, the mutants.
"""

import argparse
import concurrent.futures
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BACKEND = "tests/test_backend.py"
LAYERS = (
    "tests/layers/test_gradients.py",
    "tests/layers/test_layers.py",
    "tests/layers/test_fused.py tests/test_models.py",
)
FILES = {  # what is mutated: the tests that must notice, one after the other
    **{f"ops/{name}.py": (f"tests/ops/test_{name}.py", BACKEND) for name in
       ("conv", "pool", "norm", "dense", "dropout", "activation", "loss", "update")},
    "ops/fused.py": ("tests/layers/test_fused.py", f"tests/layers/test_gradients.py {BACKEND}"),
    **{f"layers/{name}.py": LAYERS for name in
       ("base", "activation", "combine", "conv", "dense", "dropout", "fused", "norm", "pool",
        "standardize")},
    "optim.py": ("tests/test_optim.py",),
}  # fmt: skip
# An operator replaced by every other one gives ten mutants that die of the same: the closest few
# are enough.
SKIPPED = [
    "core/ReplaceBinaryOperator_(?!Add_Sub|Sub_Add|Mul_Div|Div_Mul|Mul_Add|FloorDiv_Mul|Mod_FloorDiv|Pow_Mul).*",
    "core/ReplaceComparisonOperator_(?!Eq_NotEq|NotEq_Eq|Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt|Is_IsNot|IsNot_Is).*",
    "core/ReplaceUnaryOperator_(?!USub_UAdd|Delete_Not).*",
    "core/ExceptionReplacer",
]


def mutate(file, folder, timeout=60):
    """Run all mutants of a file in a copy of the repository: [(line, operator, outcome, diff)]."""
    copy = Path(folder) / file.replace("/", "-")
    ignored = shutil.ignore_patterns(".git", "__pycache__", "runs", ".hypothesis", "*.npz", "*.png")
    shutil.copytree(ROOT, copy, ignore=ignored)
    pytest = f"{sys.executable} -m pytest -x -p no:cacheprovider -W ignore -k 'not numba' "
    command = shlex.join(["bash", "-c", " && ".join(pytest + tests for tests in FILES[file])])
    config = (
        f'[cosmic-ray]\nmodule-path = "numpycnn/{file}"\ntimeout = {timeout}.0\n'
        "excluded-modules = []\n"
        f"test-command = {json.dumps(command)}\n[cosmic-ray.distributor]\nname = 'local'\n"
        f"[cosmic-ray.filters.operators-filter]\nexclude-operators = {json.dumps(SKIPPED)}\n"
    )
    (copy / "mutants.toml").write_text(config)
    environment = {**os.environ, "NUMPYCNN_BACKEND": "numpy", "PYTHONDONTWRITEBYTECODE": "1",
                   "OPENBLAS_NUM_THREADS": "1"}  # fmt: skip
    tools = Path(sys.executable).parent

    def run(*words):
        return subprocess.run(
            words, cwd=copy, env=environment, capture_output=True, text=True, check=True
        ).stdout

    subprocess.run(
        command, shell=True, cwd=copy, env=environment, check=True, stdout=subprocess.DEVNULL
    )  # all pass
    run(tools / "cosmic-ray", "init", "mutants.toml", "mutants.sqlite")
    run(tools / "cr-filter-operators", "mutants.sqlite", "mutants.toml")
    run(tools / "cosmic-ray", "exec", "mutants.toml", "mutants.sqlite")
    found = []
    for line in run(tools / "cosmic-ray", "dump", "mutants.sqlite").splitlines():
        item, result = json.loads(line)
        mutation = item["mutations"][0]
        if result and result["worker_outcome"] != "skipped":
            operator = mutation["operator_name"].removeprefix("core/")
            found.append(
                (mutation["start_pos"][0], operator, result["test_outcome"], result["diff"])
            )
    shutil.rmtree(copy)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "files", nargs="*", metavar="file", help=f"{', '.join(FILES)}; all if none is named"
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", default="survivors.txt", help="what the surviving mutants changed")
    options = parser.parse_args()
    dead = whole = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        concurrent.futures.ThreadPoolExecutor(options.jobs) as pool,
        open(options.out, "w") as out,
    ):
        running = {pool.submit(mutate, file, folder): file for file in options.files or FILES}
        for done in concurrent.futures.as_completed(running):
            file, found = running[done], done.result()
            alive = [mutant for mutant in found if mutant[2] == "survived"]
            dead, whole = dead + len(found) - len(alive), whole + len(found)
            sys.stdout.write(f"{file}: {len(found) - len(alive)} of {len(found)} killed\n")
            sys.stdout.flush()
            for line, operator, _, diff in alive:
                changes = [
                    d for d in diff.splitlines() if d[:1] in "+-" and d[:3] not in ("+++", "---")
                ]
                out.write(f"{file}:{line} {operator}\n" + "".join(f"    {d}\n" for d in changes))
            out.flush()
    sys.stdout.write(f"{dead} of {whole} mutants killed: {100 * dead / max(whole, 1):.1f} %\n")


if __name__ == "__main__":
    main()
