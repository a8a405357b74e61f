"""A student learns what its teacher makes of the very images that it sees."""

import copy

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import ops, optim
from numpycnn.errors import CheckpointError, ShapeError
from numpycnn.exchange.int8 import quantize
from numpycnn.training import loop
from tests.helpers import arrays, fit, pictures, same, settings, small


def flip(x, rng):
    return x[:, :, ::-1]


def test_the_first_step_is_the_formulas(steps):
    x, y = pictures(8)
    teacher, student = small(seed=1), small(seed=2)
    order = np.random.default_rng([0, 1, 0]).permutation(8)  # as batches.py draws it
    batch = flip(x[order], None)
    logits, _ = small(seed=2).forward(batch, train=True)
    wanted, _ = ops.distillation(logits, loop.logits(teacher, batch), 3)  # of the flipped images
    nc.fit(
        student, x, y, epochs=1, batch_size=8, augment=flip, teacher=teacher, temperature=3,
        optimizer=optim.SGD(student.params(), lr=0.1), seed=0, progress=False,
    )  # fmt: skip
    assert steps == [pytest.approx(wanted, rel=1e-5)]


def test_a_teacher_stays_as_it_is_and_its_student_comes_to_agree_with_it(tmp_path):
    x, y = pictures(64)
    teacher, student = small(seed=1), small(seed=2)
    fit(teacher, x, y, **{**settings(), "epochs": 2})
    before = {name: array.copy() for name, array in arrays(teacher).items()}

    def apart():
        return np.abs(nc.predict(student, x) - nc.predict(teacher, x)).mean()

    first = apart()
    wrong = (y + 1) % 4  # it learns from no label
    fit(student, x, wrong, **{**settings(), "epochs": 30}, teacher=teacher)
    assert apart() < first / 2
    assert same(arrays(teacher), before)


def test_resumed_with_the_same_teacher_only(tmp_path):
    x, y = pictures(32)
    taught = {"teacher": small(seed=1)}
    whole, student, form = small(), small(), {**settings(), "schedule": "constant"}
    fit(whole, x, y, out=tmp_path / "whole", **form, **taught)
    fit(student, x, y, out=tmp_path / "run", **{**form, "epochs": 1}, **taught)
    for wrong in {"teacher": small(seed=3)}, {**taught, "temperature": 3}, {}:
        with pytest.raises(CheckpointError, match="teacher"):
            fit(small(), x, y, out=tmp_path / "run", resume=True, **form, **wrong)
    fit(student, x, y, out=tmp_path / "run", resume=True, **form, **taught)
    assert same(arrays(student), arrays(whole))


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"label_smoothing": 0.1}, ValueError, "learns from none"),
        ({"class_weight": "balanced"}, ValueError, "learns from none"),
        ({"temperature": 0}, ValueError, "temperature"),
        ({"teacher": None, "temperature": 3}, ValueError, "give a teacher"),
        ({"metadata": {"classes": list("abcd")}}, ValueError, "teacher's classes"),
        ({"teacher": small(input_shape=(12, 12, 3))}, ShapeError, "teacher: .*channels"),
        ({"teacher": small(classes=7)}, ShapeError, "7 classes, and net 4"),
        ({"teacher": "small"}, TypeError, "must be a network, not str"),
    ],
)
def test_what_cannot_teach_is_refused_before_anything_changes(given, error, says):
    x, y = pictures(8)
    teacher = small(seed=1)
    teacher.metadata = {"classes": list("efgh")}
    student = small(seed=2)
    before = {name: array.copy() for name, array in arrays(student).items()}
    with pytest.raises(error, match=says):
        fit(student, x, y, **{**settings(), "teacher": teacher, **given})
    assert same(arrays(student), before)


def test_a_network_is_not_its_own_teacher_but_a_copy_of_it_is():
    x, y = pictures(32)
    net = small()
    for own in net, nc.layers.fuse(net), nc.compile(net):
        with pytest.raises(ValueError, match="deepcopy"):
            fit(net, x, y, teacher=own)
    fit(net, x, y, teacher=copy.deepcopy(net))


@pytest.mark.parametrize("form", [nc.compile, nc.layers.fuse, quantize])
def test_every_form_of_a_network_teaches(form, steps):
    x, y = pictures(32)
    teacher = small(seed=1)
    fit(teacher, x, y)
    teacher = form(teacher) if form is not quantize else form(teacher, x)
    fit(small(), x, y, epochs=1, teacher=teacher)
    assert np.isfinite(steps).all()


def test_each_network_gets_the_images_in_its_own_precision(steps):
    x, y = pictures(32)
    x = (x / 255).astype(np.float32)
    teacher = small(seed=1)
    for param in teacher.params():
        param.value = param.value.astype(np.float64)
    student = small()
    fit(student, x, y, epochs=1, teacher=teacher)
    assert np.isfinite(steps[-1])
    assert {param.value.dtype for param in student.params()} == {np.dtype(np.float32)}


def test_a_teacher_whose_weights_are_not_finite_is_named():
    x, y = pictures(8)
    teacher = small(seed=1)
    next(teacher.params()).value[...] = np.nan
    with pytest.raises(ValueError, match="teacher's answers are not finite"):
        fit(small(), x, y, teacher=teacher)
