"""From a study's definition to its jobs: settings, seeds, folders."""

import ast
import functools
import hashlib
import inspect
import json
import pathlib

from .. import backend, data, models
from ..data.official import OFFICIAL
from .definitions import DEFAULTS

SEEDS = 3
# arguments of a model that a job finds out itself
FROM_DATA = ("classes", "input_shape", "mean", "std", "rng")
QUICK = {"seeds": 2, "epochs": 2, "limit": 1_000, "measure_most": 1_000}

PACKAGE = pathlib.Path(__file__).parents[1]
# What takes part in training and measuring a job; the report's wording, say, does not.
TRAINS = (
    "ops", "kernels", "layers", "models", "data", "training", "backend.py", "metrics.py",
    "optim.py", "schedule.py", "studies/job.py", "studies/baselines.py",
)  # fmt: skip


def plan(name, study, out, jobs, given, sha256_of, say):
    """{(variant, seed): job} of a study: what job.perform takes, and its minutes as "cost".

    `given` may replace seeds, epochs, limit, measure_most and data; sha256_of(data) -> hash, which
    loads it. A job's folder is named after its settings: studies that share a variant share its
    job. A variant that names a data set which is not on this machine is left out, with a message.
    """
    planned = {}
    for variant, changes in study.variants.items():
        settings = resolve(study, changes, given)
        source, once = settings.pop("data"), settings.pop("once", False)
        if "data" in changes and not data.present(source):
            say(
                f"{name}: {variant} is left out: {source} is not on this machine; "
                f"numpycnn data {source} fetches it"
            )
            continue
        facts = {"settings": settings, "test": study.test, "data_sha256": sha256_of(source)}
        facts |= {"last": study.last} if study.last else {}  # else folders of old jobs keep names
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        for seed in range(1 if once else given.get("seeds", SEEDS)):
            planned[variant, seed] = {
                "facts": json.loads(json.dumps({**facts, "seed": seed})),
                "data": absolute(source),
                "folder": str(out / "runs" / f"{settings['model']}-{digest}-{seed}"),
                "progress": jobs == 1,
                "backend": backend.backend(),
                "threads": backend.threads() if jobs == 1 else 1,
                "code": code(),
            }
    return {key: {**job, "cost": study.minutes / len(planned)} for key, job in planned.items()}


def resolve(study, changes, given):
    """A variant's settings, its model's default arguments among them.

    Given epochs and a given limit replace the study's largest; a variant that has less keeps it,
    if it is less.
    """
    model = models.MODELS.get({**DEFAULTS, **changes}["model"])
    parameters = inspect.signature(model).parameters.values() if model else ()
    arguments = {p.name: p.default for p in parameters if p.name not in FROM_DATA}
    settings = {**DEFAULTS, **arguments, **changes, "measure_most": given.get("measure_most")}
    for key in ("epochs", "limit"):
        most = largest([{**DEFAULTS, **variant}[key] for variant in study.variants.values()])
        if key in given:
            settings[key] = given[key] if settings[key] == most else min(given[key], settings[key])
    if "data" in given and "data" not in changes:
        settings["data"] = given["data"]
    return settings


@functools.cache
def code(package=PACKAGE):
    """A hash of the code that trains: results of other code are told from those of this one.

    Hours of stored results should not count as old because a file was moved, or a comment
    reworded. So each file counts by its syntax tree, without comments, layout, docstrings and
    imports (a move changes those), and the files are sorted by their hashes, not by their names.
    Every other change counts: a constant, an expression, a name.
    """
    paths = []
    for part in TRAINS:
        path = package / part
        paths += path.rglob("*.py") if path.is_dir() else [path]
    trees = (_syntax(ast.parse(path.read_text(encoding="utf-8"))) for path in paths)
    digests = sorted(hashlib.sha256(tree.encode()).hexdigest() for tree in trees)
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:12]


def _syntax(node):
    """A syntax tree without imports and docstrings, as text.

    Not ast.dump, whose text differs between the versions of Python.
    """
    if isinstance(node, list):
        return f"[{', '.join(_syntax(inner) for inner in node if not _is_silent(inner))}]"
    if isinstance(node, ast.AST):
        fields = [(name, value) for name, value in ast.iter_fields(node) if value not in (None, [])]
        inner = ", ".join(f"{name}={_syntax(value)}" for name, value in fields)
        return f"{type(node).__name__}({inner})"
    return repr(node)


def _is_silent(node):
    """Whether the statement is an import, or text that stands alone, as docstrings do."""
    alone = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return isinstance(node, (ast.Import, ast.ImportFrom)) or alone


def largest(values):
    """The largest; None, which stands for all, is larger than every number."""
    return None if None in values else max(values)


def absolute(source):
    """A path made absolute, for processes that may stand elsewhere; a known name as it is."""
    path = pathlib.Path(source)
    return str(path.absolute()) if path.exists() and source not in OFFICIAL else source
