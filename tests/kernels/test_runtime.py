"""Kernels' runtime: vector loops against their reference, batch moments, shares, reused memory."""

import multiprocessing
import sys
import threading
import time

import numpy as np
import pytest

pytest.importorskip("numba")
import numpycnn
from numpycnn import backend
from numpycnn.kernels import winograd_points
from numpycnn.kernels.runtime import memory, moments, pcg64, rows, simd, simd_reference, threads
from numpycnn.kernels.runtime.operands import At, Out, Panel, Rows, Start


@pytest.fixture
def four_threads(monkeypatch):
    """However small the work: all four."""
    before = backend.backend(), backend.threads()
    numpycnn.use("numba", threads=4)
    monkeypatch.setattr(threads, "paying", lambda work, wake, most: most)
    monkeypatch.setattr(threads, "processors", lambda: 4)
    monkeypatch.setattr(threads, "_teams", [])
    yield
    numpycnn.use(*before)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


# ---- simd -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "count", [1, 2, 3, 4, 5, *(simd.ROWS + k for k in range(4)), 2 * simd.ROWS + 7]
)
@pytest.mark.parametrize("by_row", [0, 1])
@pytest.mark.parametrize(
    ("product", "width"), [(simd.product, simd.WIDTH), (simd.narrow_product, simd.LANES)]
)
def test_a_product_is_its_reference(count, by_row, product, width):
    """Strides, skips and places that no kernel uses together."""
    inner, outer = 5, 3
    a, b = draw(400), draw(inner * 2 * outer * width + 4, seed=1)
    starts, places = np.arange(count) * 7, (np.arange(count)[::-1] * (width + 3)).copy()
    start, c = draw(count * (width + 3) + width, seed=2), draw(count * (width + 3) + width, seed=3)
    factors, start, wanted = (
        (Rows(a, starts, 2, 11), Panel(b, 2 * width)),
        Start(start, by_row),
        c.copy(),
    )
    at = At(3, 4, 1, 2)
    product(count, inner, outer, *factors, start, Out(c, places), at)
    simd_reference.tile(count, width)(0, inner, outer, *factors, start, Out(wanted, places), at)
    np.testing.assert_allclose(c, wanted, rtol=0, atol=1e-5)
    assert (c != draw(len(c), seed=3)).sum() == count * width  # and nothing else was written


@simd.kernel
def apply(x, out, channels):
    winograd_points.inputs(x, 3, channels + 1, out, 2, channels + 2, channels)


def test_a_linear_map_is_its_reference():
    channels = 3 * simd.LANES
    x, out = draw(6 * (channels + 1) + 3), draw(6 * (channels + 2) + 2, seed=1)
    wanted = out.copy()
    apply(x, out, channels)
    simd_reference.linear(winograd_points.B_T)(
        x, 3, channels + 1, wanted, 2, channels + 2, channels
    )
    np.testing.assert_allclose(out, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("r", [3, 5])
def test_winograds_matrices_convolve(r):
    """A^T [(G w) * (B^T d)] is the correlation of d with w, but for rounding: in float64."""
    d, w = np.random.default_rng(0).standard_normal(6), np.random.default_rng(1).standard_normal(r)
    m = 7 - r
    y = np.array(winograd_points.a_t(m)) @ (
        (np.array(winograd_points.g(r)) @ w) * (np.array(winograd_points.B_T) @ d)
    )
    np.testing.assert_allclose(y, np.correlate(d, w, "valid"), atol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 7, 1000, 100_003])
def test_random_numbers_are_those_of_numpys_generator(four_threads, count):
    ours, numpys = np.random.default_rng(5), np.random.default_rng(5)
    for _ in range(3):
        given, wanted = (
            pcg64.raw(ours.bit_generator, count),
            numpys.bit_generator.random_raw(count),
        )
        np.testing.assert_array_equal(given, np.atleast_1d(wanted))
    assert ours.bit_generator.state == numpys.bit_generator.state
    assert pcg64.fits(ours.bit_generator)
    ours.integers(2, dtype=np.uint32)
    assert not pcg64.fits(ours.bit_generator)  # half a number waits
    assert not pcg64.fits(np.random.MT19937(0))


# ---- moments and rows ---------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0, 1e3])
def test_moments_of_blocks_of_any_size(shift):
    blocks = [draw(n, 5 * 3, seed=n) + np.float32(shift) for n in (1, 2, 7, 40)]
    out = np.empty((len(blocks), 2, 3), np.float32)
    for block, one in zip(blocks, out, strict=True):
        moments.block_moments(block, one)
    mean, var = moments.combine(out, [5 * len(block) for block in blocks])
    values = np.concatenate(blocks).astype(np.float64).reshape(-1, 3)
    np.testing.assert_allclose(mean, values.mean(axis=0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(var, values.var(axis=0), rtol=1e-4)


def test_rows():
    row = np.arange(12, dtype=np.float32)  # six pixels of two channels
    total, side = np.empty(2, np.float32), np.empty(4, np.float32)
    rows.fold(row, total)
    assert total.tolist() == [30, 36]
    assert rows.gather(row, 1, 2, 3, side).tolist() == [2, 3, 8, 9]
    back = np.zeros(12, np.float32)
    rows.scatter(side, back, 1, 2, 3)
    assert back.tolist() == [0, 0, 2, 3, 0, 0, 0, 0, 8, 9, 0, 0]
    assert rows.repeated(2, np.array([1, 2]), np.array([3, 4])).tolist() == [
        [1, 2, 1, 2],
        [3, 4, 3, 4],
    ]


# ---- shares --------------------------------------------------------------------------------------


@threads.kernel
def mark(times, ends, lo, hi):
    """How often each item was in a share; at its first one, where a share ends."""
    times[lo:hi] += 1
    ends[lo] = hi


@threads.kernel
def slow(long, times, lo, hi):
    """Busy for a share that is not the first, or not at all."""
    for i in range(lo, hi):
        x = 1.0
        for _ in range(long * 20_000_000 * (lo > 0)):
            x = 1.0 / (x + 1e-9)
        times[i] += x > 0


@threads.kernel
def own(ok, scratch, lo, hi):
    """Fills the scratch, waits until all others have done so, and finds it as it was."""
    for _ in range(200):
        scratch[:] = np.float32(lo)
        for k in range(len(scratch)):
            if scratch[k] != lo:
                return
    ok[lo] = len(scratch)


@threads.kernel
def fail(wrong, lo, hi):
    if lo <= wrong < hi:
        raise ValueError("this share is wrong")


@threads.kernel
def fail_once(failed, lo, hi):
    """In the last share, as a kernel does that found no memory, and later would."""
    if hi == len(failed) and not failed[lo]:
        failed[lo] = 1
        raise MemoryError("no memory")


@threads.kernel
def add(a, b, lo, hi):
    for i in range(lo, hi):
        a[i] += b


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 17])
@pytest.mark.parametrize("work", [mark, mark.py_func])
def test_every_item_is_in_one_share(four_threads, n, work):
    for _ in range(5):
        times, ends = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
        threads.parallel(work, n, times, ends)
        assert list(times) == [1] * n + [0]
        assert np.count_nonzero(ends) == min(4, n)


def test_the_threads_that_pay_take_least_time():
    """Against the model itself, work / T + wake * (T - 1), at every T."""
    wake = 20e-6
    for work in (0, 1e-6, 30e-6, 1e-4, 1e-3, 1e-2, 1.0):
        times = [work / t + wake * (t - 1) for t in range(1, 65)]
        taken = threads.paying(work, wake, 64)
        assert times[taken - 1] <= 1.03 * min(times) + 1e-12
        assert threads.paying(work, wake, 3) == min(taken, 3)


def test_a_region_asks_as_many_threads_as_its_own_work_pays_for(four_threads, monkeypatch):
    """Alone at first; then by what that took, and by the least that was seen."""
    asked, shares = [], []
    monkeypatch.setattr(threads, "paying", lambda *a: asked.append(a) or min(2, len(asked)))

    def work(array, lo, hi):
        shares.append((lo, hi))
        threading.Event().wait(0.002 * (hi - lo) / 4)

    for _ in range(3):
        threads.parallel(work, 4, np.empty((7, 3)))
    assert sorted(shares) == [(0, 2), (0, 2), (0, 4), (2, 4), (2, 4)]
    assert [most for _, _, most in asked] == [4, 4, 4]
    (first, wake, _), (second, _, _), (third, _, _) = asked
    assert first == 0
    assert 0.002 <= third <= second < 0.1
    assert 0 < wake < 0.01
    threads.parallel(work, 4, np.empty((8, 3)))  # another shape is another region
    assert asked[-1][0] == 0


def test_a_forked_child_has_a_team_of_its_own(four_threads):
    a = np.zeros(1000, np.float32)
    for _ in range(3):
        threads.parallel(add, 1000, a, 1)
    context = multiprocessing.get_context("fork")
    child = context.Process(target=in_child, args=(a,))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    threads.parallel(add, 1000, a, 1)
    assert (a == 4).all()


def in_child(a):
    assert not threads._teams
    for _ in range(3):
        threads.parallel(add, 1000, a, 1)
    assert len(threads._teams[0].workers) == 3
    assert (a == 6).all()


def test_no_more_threads_than_processors(four_threads, monkeypatch):
    monkeypatch.setattr(threads, "processors", lambda: 2)
    monkeypatch.setattr(threads, "_teams", [])
    times, ends = np.zeros(9, np.int64), np.zeros(9, np.int64)
    threads.parallel(mark, 9, times, ends)
    assert np.count_nonzero(ends) == 2


def test_one_team_grows_as_it_is_needed(four_threads):
    for count in (3, 2, 4, 2):
        numpycnn.use("numba", threads=count)
        threads.parallel(add, 9, np.zeros(9, np.float32), 1)
    (team,) = threads._teams
    assert len(team.workers) == 3


def test_each_share_has_its_own_scratch(four_threads):
    ok = np.zeros(4, np.int64)
    threads.parallel(own, 4, ok, scratch=10_001)
    assert list(ok) == [10_001] * 4


@pytest.mark.parametrize("wrong", range(4))
def test_an_error_in_any_share_is_raised_and_the_team_works_on(four_threads, wrong):
    with pytest.raises(ValueError, match="this share"):
        threads.parallel(fail, 4, wrong)
    test_every_item_is_in_one_share(None, 17, mark)


def test_an_error_that_does_not_come_again_is_no_success(four_threads):
    with pytest.raises(RuntimeError, match="fail_once failed in a thread"):
        threads.parallel(fail_once, 4, np.zeros(4, np.int64))
    test_every_item_is_in_one_share(None, 17, mark)


def test_a_share_may_ask_for_shares(four_threads):
    """The team is taken: whoever asks works alone, and waits for nobody."""
    seen = []
    threads.parallel(lambda lo, hi: threads.parallel(lambda a, b: seen.append(b - a), 10), 4)
    assert seen == [10] * 4


def test_callers_in_several_threads_do_not_disturb_each_other(four_threads):
    """The first gets the team, the others work alone."""
    arrays = [np.zeros(1000, np.int64) for _ in range(4)]

    def call(array):
        for _ in range(500):
            threads.parallel(add, len(array), array, 1)

    callers = [threading.Thread(target=call, args=(array,)) for array in arrays]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all((array == 500).all() for array in arrays)


def test_who_sleeps_is_woken(four_threads):
    """Helpers that had nothing to do for long, and a caller whose helpers take long."""
    times = np.zeros(4, np.int64)
    for pause in (0, 0.0005, 0.005, 0.05):
        for _ in range(5):
            time.sleep(pause)
            threads.parallel(slow, 4, 0, times)
    assert list(times) == [20] * 4
    threads.parallel(slow, 4, 1, times)
    assert list(times) == [21] * 4


def test_arrays_of_one_shape_and_other_types_are_other_work(four_threads):
    """Where the kernel is in memory is found by the types of its arguments."""
    for dtype in (np.float32, np.float64, np.int64, np.float32, np.uint8):
        for value in (2, np.float32(3)):
            a = np.zeros(1000, dtype)
            threads.parallel(add, 1000, a, value)
            assert (a == value).all()


def test_numbas_references_to_arrays_are_not_kept(four_threads):
    a = np.zeros(1000, np.float32)
    for _ in range(10):
        threads.parallel(add, 1000, a, 1)
    assert sys.getrefcount(a) == 2


def test_after_an_interrupt_there_is_a_new_team(four_threads, monkeypatch):
    """The old one may still write: it keeps its arrays."""
    monkeypatch.setattr(threads, "_abandoned", [])
    before, a = threads._team(), np.zeros(1000, np.float32)
    threads.parallel(add, 1000, a, 1)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threads, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            threads.parallel(add, 1000, a, 1)
    ((team, (kept, _)),) = threads._abandoned
    assert team is before
    assert kept is a
    threads.parallel(add, 1000, a, 1)
    assert threads._team() is not before
    assert (a == 2).all()


# ---- memory --------------------------------------------------------------------------------------


@pytest.fixture
def no_blocks(monkeypatch):
    """As if nothing had been kept yet."""
    monkeypatch.setattr(memory, "_local", threading.local())


@pytest.mark.parametrize("shape", [(), 7, (0, 3), (5, 3), (200, 200)])
@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.float64])
def test_an_empty_array_begins_at_a_cache_line_unless_it_is_small(shape, dtype):
    a = memory.empty(shape, dtype)
    assert a.shape == np.empty(shape).shape
    assert a.dtype == dtype
    assert a.nbytes < memory.SMALL or a.ctypes.data % memory.LINE == 0
    assert a.flags.c_contiguous
    assert a.flags.writeable


def test_memory_is_taken_again_when_nobody_looks_at_it(no_blocks):
    n = memory.SMALL  # float32: four times the least that is kept
    a = memory.empty(n)
    place, view = a.ctypes.data, a[5:].reshape(-1, 1)
    del a
    b = memory.empty(n)
    assert b.ctypes.data != place  # a view is left
    del view
    assert memory.empty(n).ctypes.data == place
    assert memory.empty(n // 3).ctypes.data not in (
        place,
        b.ctypes.data,
    )  # too small for such a block


def test_memory_that_is_not_needed_goes_back(no_blocks):
    n = 5 * memory.SMALL
    memory.empty(n)
    assert 4 * n in memory._local.blocks
    kept = [memory.empty(memory.SMALL)]
    for _ in range(memory.KEEP):
        memory.empty(memory.SMALL)
    kept += [memory.empty(memory.SMALL), memory.empty(memory.SMALL)]  # a new block: time to look
    assert 4 * n not in memory._local.blocks
    assert len({a.ctypes.data for a in kept}) == 3


def test_threads_do_not_share_it(no_blocks):
    places = []

    def work():
        for _ in range(3):
            places.append(memory.empty(memory.SMALL).ctypes.data)

    own = memory.empty(memory.SMALL)
    del own
    thread = threading.Thread(target=work)
    mine = memory.empty(memory.SMALL)
    thread.start()
    thread.join()
    assert mine.ctypes.data not in places
    assert len(set(places)) == 1
