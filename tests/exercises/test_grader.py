"""The grader: right answers pass, agreed faults are named, what it is made of holds together."""

import itertools

import numpy as np
import pytest

from numpycnn import backend, ops
from numpycnn.exercises import EXERCISES
from numpycnn.exercises.compare import same
from numpycnn.exercises.grader import grade, probes

from . import other_answers, other_answers_training
from .agreed_faults import FAULTS

ANSWERS = other_answers.ANSWERS | other_answers_training.ANSWERS
WRITTEN = {name: one for name, one in EXERCISES.items() if one.probes and not one.text}


@pytest.fixture(autouse=True)
def numpy_backend():
    before = backend.backend()
    backend.use("numpy")
    yield
    backend.use(before)


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("seed", ["", "alice", "bob"])
def test_the_reference_passes(name, seed):
    verdict = grade(WRITTEN[name], WRITTEN[name].reference, seed)
    assert verdict.passed, verdict


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_written_in_another_way_pass(name):
    for answer in ANSWERS[name]:
        verdict = grade(WRITTEN[name], answer)
        assert verdict.passed, verdict


def test_each_exercise_has_two_other_answers():
    assert set(ANSWERS) == set(WRITTEN)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f[1]}: {f[0]}")
def test_an_agreed_fault_is_named(fault):
    _, name, wrong, words = fault
    verdict = grade(WRITTEN[name], wrong)
    text = " | ".join(verdict.sentences)
    assert not verdict.passed
    assert all(word in text for word in words), text


def test_a_loss_without_the_log_of_the_sum_is_named():
    def wrong(logits, labels):
        s = logits - logits.max(1, keepdims=True)
        return -s[np.arange(len(s)), labels].mean(), ops.softmax_cross_entropy(logits, labels)[1]

    [said] = grade(WRITTEN["softmax_cross_entropy"], wrong).sentences
    assert "the log of the sum is missing" in said


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("each", [True, False])
def test_a_weight_that_is_assigned_where_it_is_to_add_up_is_named(padded, each):
    def wrong(dy, cache):
        dx, dw, db = ops.conv2d_backward(dy, cache)
        x, (sh, sw), pads = cache.x, cache.stride, cache.padding
        H, W = x.shape[1:3]
        xp = np.pad(x, ((0, 0), *pads, (0, 0)))
        for image in range(len(x)) if each else [slice(None)]:
            for i, j, di, dj in np.ndindex(*dy.shape[1:3], *dw.shape[:2]):
                r, s = i * sh + di, j * sw + dj
                if padded or (0 <= r - pads[0][0] < H and 0 <= s - pads[1][0] < W):
                    pixel, d = (np.atleast_2d(one) for one in (xp[image, r, s], dy[image, i, j]))
                    dw[di, dj] = pixel.T @ d
        return dx, dw, db

    [said] = grade(WRITTEN["conv2d_backward"], wrong).sentences
    assert "only the last output pixel" in said, said
    assert ("of the last image" in said) == each
    assert ("that meets x" in said) == (not padded)


@pytest.mark.parametrize("name", WRITTEN)
def test_the_terms_add_up_to_the_right_answer(name):
    exercise = WRITTEN[name]
    for probe in probes(exercise):
        want = exercise.expected(probe.args, None)
        for output, terms in exercise.terms.items():
            total = sum(f(probe.args) for _, f in terms)
            assert same(total + 0 * want[output], want[output], 1e-6), (output, probe.about)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_twin_is_wrong_somewhere_and_no_two_are_the_same(name):
    exercise, drawn = WRITTEN[name], probes(WRITTEN[name])
    for output, twins in exercise.twins.items():
        with np.errstate(all="ignore"):
            found = []
            for sentence, f in twins:
                results = [f(p.args) for p in drawn]
                if isinstance(results[0], dict):  # all outputs, side by side
                    results = [np.concatenate([np.ravel(v) for v in r.values()]) for r in results]
                found.append((sentence, results))
            right = [exercise.expected(p.args, None) for p in drawn]
        if output:
            for sentence, results in found:
                pairs = zip(results, right, strict=True)
                assert not all(same(r, w[output], exercise.tolerance) for r, w in pairs), sentence
        for (a, first), (b, second) in itertools.combinations(found, 2):
            pairs = zip(first, second, strict=True)
            assert not all(same(r, s, exercise.tolerance) for r, s in pairs), (a, b)


@pytest.mark.parametrize("name", WRITTEN)
def test_no_two_attributes_of_the_probes_are_confounded(name):
    """Two attributes that part the probes in the same way would make one sentence false."""
    about = [p.about for p in probes(WRITTEN[name])]
    for a, b in itertools.combinations(about[0], 2):
        for u, v in itertools.product({one[a] for one in about}, {one[b] for one in about}):
            first, second = [one[a] == u for one in about], [one[b] == v for one in about]
            assert second not in (first, [not x for x in first]), (a, u, b, v)
