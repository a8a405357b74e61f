"""Distillation: the loss by hand, a student that learns from teachers alone, resuming."""

import numpy as np
import pytest

from numpycnn import evaluate, ops, predict
from numpycnn.distill import Teachers
from numpycnn.errors import CheckpointError
from tests.test_training import arrays, fit, pictures, same, small

X, Y = pictures(64)


def taught(**arguments):
    net = small(dropout=(0, 0), **arguments)
    fit(net, X, Y, epochs=12, lr=1e-2)
    return net


def test_the_loss_is_the_mixture_and_its_gradient_too():
    nets, rng = [small(seed=seed) for seed in (1, 2)], np.random.default_rng(0)
    teachers, s = Teachers(nets, share=0.7), rng.standard_normal((5, 4)).astype(np.float32)
    q = (predict(nets[0], X[:5]) + predict(nets[1], X[:5])) / 2
    np.testing.assert_allclose(teachers.predict(X[:5]), q, rtol=1e-5)
    value, ds = teachers.beside(lambda s, y, x: ops.softmax_cross_entropy(s, y))(s, Y[:5], X[:5])
    a = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
    y = 0.3 * np.eye(4)[Y[:5]] + 0.7 * q
    assert value == pytest.approx(-(y * np.log(a)).sum(axis=1).mean(), rel=1e-5)
    np.testing.assert_allclose(ds, (a - y) / 5, rtol=1e-4, atol=1e-7)
    assert ds.dtype == np.float32


def test_a_student_learns_from_its_teacher_though_all_labels_are_wrong():
    teacher, student = taught(), small(seed=1, dropout=(0, 0))
    fit(student, X, (Y + 1) % 4, teachers=Teachers([teacher], share=1.0), epochs=12, lr=1e-2)
    assert evaluate(teacher, X, Y)["accuracy"] > 0.9
    assert evaluate(student, X, Y)["accuracy"] > 0.9


def test_a_student_leaves_its_teacher_alone_and_resumes_to_the_same_bits(tmp_path):
    teacher = taught()
    before = arrays(teacher)
    whole, parts = small(seed=3), small(seed=3)
    fit(whole, X, Y, epochs=3, teachers=Teachers([teacher]), out=tmp_path / "whole")

    def stop(x, rng):
        stop.calls += 1
        if stop.calls == 6:
            raise KeyboardInterrupt
        return x

    stop.calls = 0
    settings = {"epochs": 3, "teachers": Teachers([teacher]), "out": tmp_path / "parts"}
    with pytest.raises(KeyboardInterrupt):
        fit(parts, X, Y, augment=stop, **settings)
    stop.calls = 100
    fit(parts, X, Y, augment=stop, resume=True, **settings)
    assert same(arrays(whole), arrays(parts))
    assert same(before, arrays(teacher))
    with pytest.raises(CheckpointError, match="teachers"):
        fit(parts, X, Y, augment=stop, resume=True, **{**settings, "teachers": Teachers([small(seed=5)])})


@pytest.mark.parametrize(("nets", "share"), [([], 0.5), (1, 0.0), (1, 1.5), (1, np.nan)])
def test_what_is_refused(nets, share):
    with pytest.raises(ValueError, match="share in"):
        Teachers([small()] * nets if nets else [], share)
