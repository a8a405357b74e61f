"""Learning-rate schedules: functions of the share of training done, t in [0, 1], that return a
factor of lr.

    schedule = one_cycle(warmup=0.3)
    optimizer.lr = lr * schedule(step / steps)

Arguments that are shares of training (`at`, `start` of linear, `warmup`, `peak`, `share`) raise
ValueError outside [0, 1].
"""

import math

from .errors import unknown


def constant():
    """factor = 1

    >>> constant()(0.5)
    1.0
    """
    return lambda t: 1.0


def step(at=(0.5, 0.75), factor=0.1):
    """factor^k after the k-th of the shares `at` is passed. Source: He et al. 2016, 4.2.

    >>> step(at=(0.5, 0.75), factor=0.1)(0.6)
    0.1
    """
    _check(*at)
    return lambda t: factor ** sum(t >= share for share in at)


def cosine(final=0.0):
    """final + (1 - final) * (1 + cos(pi t)) / 2      Source: Loshchilov & Hutter 2017, (5).

    >>> round(cosine()(0.5), 6)
    0.5
    """
    return lambda t: final + (1 - final) * (1 + math.cos(math.pi * min(t, 1.0))) / 2


def linear(start=0.5):
    """1 for the share `start` of training, then down to 0 in a line.

    >>> linear(start=0.5)(0.75)
    0.5
    """
    _check(start)
    return lambda t: min(1.0, (1 - min(t, 1.0)) / max(1 - start, 1e-12))


def one_cycle(warmup=0.3, start=0.04, final=1e-4):
    """Half a cosine up from `start` to 1 in the share `warmup`, another down to `final`. Source:
    Smith & Topin 2018.

    >>> one_cycle(warmup=0.3)(0.3)
    1.0
    """
    _check(warmup)

    def factor(t):
        if t < warmup:
            low, share = start, t / warmup
        else:
            low, share = final, 1 - (min(t, 1.0) - warmup) / max(1 - warmup, 1e-12)
        return low + (1 - low) * (1 - math.cos(math.pi * share)) / 2

    return factor


def triangular(peak=0.2, start=0.0, final=0.0):
    """Linearly from `start` up to 1 at the share `peak` of training, then down to `final`. Source:
    Smith 2017.

    >>> triangular(peak=0.2)(0.1)
    0.5
    """
    _check(peak)

    def factor(t):
        if t < peak:
            return start + (1 - start) * t / peak
        return 1 + (final - 1) * (min(t, 1.0) - peak) / max(1 - peak, 1e-12)

    return factor


def warm_up(schedule=None, share=0.05):
    """Linearly up from 0 to 1 in the first `share` of training, then `schedule`. Source: Goyal et
    al. 2017, 2.2.

    `schedule` is a name or a function. Raises UnknownNameError.

    >>> warm_up("cosine", share=0.1)(0.05)
    0.5
    """
    _check(share)
    schedule = named(schedule or "constant")
    return lambda t: t / share if t < share else schedule((t - share) / max(1 - share, 1e-12))


SCHEDULES = {
    f.__name__: f for f in (constant, step, cosine, linear, one_cycle, triangular, warm_up)
}


def named(schedule):
    """The schedule of that name with its default settings; a function is returned as it is.

    Raises UnknownNameError, and TypeError for one of these functions that was not called.
    """
    if schedule in SCHEDULES.values():
        name = schedule.__name__
        raise TypeError(f"schedule.{name} makes a schedule: call it, schedule.{name}(), or name it")
    if callable(schedule):
        return schedule
    if schedule not in SCHEDULES:
        raise unknown("schedule", schedule, SCHEDULES)
    return SCHEDULES[schedule]()


def _check(*shares):
    for share in shares:
        if not 0 <= share <= 1:
            raise ValueError(f"{share} is no share of training; expected a number from 0 to 1")
