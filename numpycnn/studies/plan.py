"""From a study's definition to its jobs: settings, seeds, folders."""

import functools
import hashlib
import inspect
import json
import pathlib

from .. import backend, data, models
from ..data.official import OFFICIAL
from .definitions import DEFAULTS

SEEDS = 3
FROM_DATA = (
    "classes",
    "input_shape",
    "mean",
    "std",
    "rng",
)  # arguments of a model that a job finds out itself
QUICK = {"seeds": 2, "epochs": 2, "limit": 1_000, "measure_most": 1_000}


def plan(name, study, out, jobs, given, sha256_of, say):
    """{(variant, seed): job} of a study: what job.perform takes, and its share of the study's minutes as "cost".

    `given` may replace seeds, epochs, limit, measure_most and data; sha256_of(data) -> hash, which loads it. A job's
    folder is named after its settings: studies that share a variant share its job. A variant that names a data set
    which is not on this machine is left out, and said to be.
    """
    planned = {}
    for variant, changes in study.variants.items():
        settings = resolve(study, changes, given)
        source, once = settings.pop("data"), settings.pop("once", False)
        if "data" in changes and not data.present(source):
            say(
                f"{name}: {variant} is left out: {source} is not on this machine; numpycnn data {source} fetches it"
            )
            continue
        facts = {"settings": settings, "test": study.test, "data_sha256": sha256_of(source)}
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        for seed in range(1 if once else given.get("seeds", SEEDS)):
            planned[variant, seed] = {
                "facts": json.loads(json.dumps({**facts, "seed": seed})), "data": place(source),
                "folder": str(out / "runs" / f"{settings['model']}-{digest}-{seed}"), "progress": jobs == 1,
                "backend": backend.backend(), "threads": backend.threads() if jobs == 1 else 1, "code": code(),
            }  # fmt: skip
    return {key: {**job, "cost": study.minutes / len(planned)} for key, job in planned.items()}


def resolve(study, changes, given):
    """A variant's settings, its model's default arguments among them.

    Given epochs and a given limit replace the study's largest; a variant that has less keeps it, if it is less.
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
def code():
    """A hash of this package's Python files: results of other code are told from those of this one."""
    package = pathlib.Path(__file__).parents[1]
    texts = (path.read_bytes() for path in sorted(package.rglob("*.py")))
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:12]


def largest(values):
    """The largest; None, which stands for all, is larger than every number."""
    return None if None in values else max(values)


def place(source):
    """A path of one's own, absolute, for processes that may stand elsewhere; a name as it is."""
    path = pathlib.Path(source)
    return str(path.absolute()) if path.exists() and source not in OFFICIAL else source
