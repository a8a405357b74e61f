"""How a thread hands work to others without Python's lock, which takes as long as a small kernel.

`describe` writes into `job` what a kernel needs, `start` puts the job into the boxes of those that
shall help, does the first share itself and waits for them, and `serve` is what they do. Whoever
waits looks at its box for a while, and then sleeps by a lock of Python's. It says so in the box
before, by an exchange: of two that exchange, one finds what the other has left, and acts on it.

    posted, done     numbers of the last share that was put into the box, and of the last one done
    asleep           1: its thread sleeps, and whoever finds that must wake it
    awaited          1: the caller sleeps until the share is done, and must be woken
    run, share       the function that does a share, and the share's number
    failed           1: the kernel raised an error
    wake             1: the caller found the thread asleep when it put this share in

LLVM keeps atomic instructions in their order: what belongs to a share is there before its number.
"""

import hashlib
import os
import platform

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj

from .jit import kernel

POSTED, DONE, ASLEEP, AWAITED, RUN, SHARE, FAILED, WAKE = range(8)
BOX = 16  # int64 in a box: two cache lines, as the processor fetches them in pairs
ADDRESS, ITEMS, SHARES, SCRATCH, ROOM, FUNCTION, FIRST_FAILED, ARGUMENTS = range(8)
JOB = 1024  # int64 in a job; from ARGUMENTS on it holds the kernel's
EAGER, LOOKS = 2000, 100_000  # looks before others are let in now and then, and before sleep
FINISHED, FAILURE, SLEEPERS = -1, -2, -3  # what start and finish return

_INT = ir.IntType(64)
_RUN = ir.FunctionType(_INT, [_INT.as_pointer(), _INT])  # (job, share) -> whether it failed


def _data(context, builder, kind, array):
    return arrayobj.make_array(kind)(context, builder, array).data


def _place(builder, pointer, index):
    return builder.gep(pointer, [index if isinstance(index, ir.Value) else _INT(index)])


def number(arguments):
    """Of the types of a kernel's arguments: a whole number that only they have."""
    digest = hashlib.blake2b(str(tuple(arguments)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


@intrinsic
def _describe(typing, job, arguments):
    """Writes arguments, and the function that runs a share of them, into job -> their number."""

    def emit(context, builder, signature, values):
        array, content = values
        data = _data(context, builder, job, array)
        size = context.get_abi_sizeof(content.type)
        if size > 8 * (JOB - ARGUMENTS):
            raise AssertionError(f"the arguments of a kernel take {size} bytes")
        target = builder.bitcast(_place(builder, data, ARGUMENTS), content.type.as_pointer())
        builder.store(_borrowed(context, builder, arguments, content), target)
        function = _share(context, builder.module, arguments, content.type)
        builder.store(builder.ptrtoint(function, _INT), _place(builder, data, FUNCTION))
        return _INT(number(arguments))

    return types.int64(job, arguments), emit


def _borrowed(context, builder, kind, value):
    """The arguments without numba's references, which end with this call: Python's go on."""
    if isinstance(kind, types.Array):
        array = arrayobj.make_array(kind)(context, builder, value)
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        array.parent = cgutils.get_null_value(array.parent.type)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        for i, inner in enumerate(kind):
            part = _borrowed(context, builder, inner, builder.extract_value(value, i))
            value = builder.insert_value(value, part, i)
    return value


def _share(context, module, kinds, layout):
    """The function that calls the kernel of a job for one share; it has the type _RUN."""
    function = ir.Function(module, _RUN, module.get_unique_name("numpycnn_share"))
    function.linkage = "internal"
    builder = ir.IRBuilder(function.append_basic_block())
    job, share = function.args
    address, shares, items, scratch, room = (
        builder.load(_place(builder, job, field))
        for field in (ADDRESS, SHARES, ITEMS, SCRATCH, ROOM)
    )
    cuts = (
        builder.sdiv(builder.mul(items, end), shares)
        for end in (share, builder.add(share, _INT(1)))
    )
    content = builder.bitcast(_place(builder, job, ARGUMENTS), layout.as_pointer())
    arguments = cgutils.unpack_tuple(builder, builder.load(content), len(kinds))
    if isinstance(kinds[-1], types.Array) and kinds[-1].ndim == 1:
        begin = builder.mul(share, room)
        arguments[-1] = _part(context, builder, kinds[-1], arguments[-1], begin, scratch)
    signature = types.none, (*kinds, types.int64, types.int64)
    convention = context.call_conv
    kind = convention.get_function_type(*signature)
    kernel = builder.inttoptr(address, kind.as_pointer())
    result, error = (cgutils.alloca_once(builder, part.pointee) for part in kind.args[:2])
    flat = convention._get_arg_packer(signature[1]).as_arguments(builder, [*arguments, *cuts])
    code = builder.call(kernel, [result, error, *flat])
    status = convention._get_return_status(builder, code, builder.load(error))
    builder.ret(builder.zext(status.is_error, _INT))
    return function


def _part(context, builder, kind, array, begin, size):
    """array[begin : begin + size]; with a size of 0 the array as it is."""
    whole, part = (arrayobj.make_array(kind)(context, builder, array) for _ in range(2))
    some = builder.icmp_signed(">", size, _INT(0))
    (length,) = cgutils.unpack_tuple(builder, whole.shape)
    part.data = _place(builder, whole.data, builder.select(some, begin, _INT(0)))
    part.nitems = builder.select(some, size, length)
    part.shape = cgutils.pack_array(builder, [part.nitems])
    return part._getvalue()


@intrinsic
def _run(typing, function, job, share):
    def emit(context, builder, signature, values):
        run = builder.inttoptr(values[0], _RUN.as_pointer())
        return builder.call(run, [_data(context, builder, job, values[1]), values[2]])

    return types.int64(types.int64, job, types.int64), emit


@intrinsic
def _load(typing, box, field):
    def emit(context, builder, signature, values):
        place = _place(builder, _data(context, builder, box, values[0]), values[1])
        return builder.load_atomic(place, "seq_cst", 8)

    return types.int64(box, types.int64), emit


@intrinsic
def _exchange(typing, box, field, value):
    """box[field] = value -> what was there"""

    def emit(context, builder, signature, values):
        place = _place(builder, _data(context, builder, box, values[0]), values[1])
        return builder.atomic_rmw("xchg", place, values[2], "seq_cst")

    return types.int64(box, types.int64, types.int64), emit


def _call(name):
    """A numba function that calls a function of the system, or LLVM's, without arguments."""

    @intrinsic
    def call(typing):
        def emit(context, builder, signature, values):
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [])
            return context.get_dummy_value()

        return types.void(), emit

    return call


@intrinsic
def _nothing(typing):
    return types.void(), lambda context, *_: context.get_dummy_value()


_pause = _call("llvm.x86.sse2.pause") if platform.machine() in ("x86_64", "AMD64") else _nothing
_yield = _call("sched_yield") if hasattr(os, "sched_yield") else _pause


@kernel
def _wait(turn):
    """What a thread does between two looks; after a while it lets others have the processor."""
    if turn > EAGER and turn % 64 == 0:
        _yield()
    else:
        _pause()


@kernel
def describe(job, arguments):
    """Writes the job of a kernel with these arguments -> their number."""
    return _describe(job, arguments)


@kernel
def serve(box, job):
    """Does the shares that come -> True: wake the caller, it sleeps; False: none comes, sleep."""
    while True:
        waited = 0
        while _load(box, POSTED) == box[DONE]:
            waited += 1
            if waited == LOOKS:
                _exchange(box, ASLEEP, 1)
                if _load(box, POSTED) == box[DONE] or _exchange(box, ASLEEP, 0) == 0:
                    return False
            _wait(waited)
        box[FAILED] = _run(box[RUN], job, box[SHARE])
        _exchange(box, DONE, box[POSTED])
        if _exchange(box, AWAITED, 0) == 1:
            return True


@kernel
def start(boxes, job, address, items, shares, scratch, room):
    """The job of the kernel at that address, from beginning to end -> as finish.

    But SLEEPERS where threads must be woken first: they have box[WAKE] = 1. Then finish goes on.
    scratch, room: each share's memory, and how far one begins from the next.
    """
    job[ADDRESS], job[ITEMS], job[SHARES] = address, items, shares
    job[SCRATCH], job[ROOM] = scratch, room
    sleepers = 0
    for i in range(shares - 1):
        box = boxes[i]
        box[RUN], box[SHARE] = job[FUNCTION], i + 1
        _exchange(box, POSTED, box[DONE] + 1)
        box[WAKE] = _exchange(box, ASLEEP, 0)
        sleepers += box[WAKE]
    return SLEEPERS if sleepers else finish(boxes, job, True)


@kernel
def repeat(jobs):
    """The jobs one after the other, each in one share -> FINISHED, or FAILURE."""
    for i in range(len(jobs)):
        if _run(jobs[i, FUNCTION], jobs[i], 0):
            return FAILURE
    return FINISHED


@kernel
def finish(boxes, job, own):
    """With `own` does the first share; then waits for the others -> FINISHED, or FAILURE.

    Or the number of a box whose thread will wake the caller, which then calls again without `own`.
    """
    if own:
        job[FIRST_FAILED] = _run(job[FUNCTION], job, 0)
    for i in range(job[SHARES] - 1):
        box = boxes[i]
        waited = 0
        while _load(box, DONE) != box[POSTED]:
            waited += 1
            if waited == LOOKS:
                _exchange(box, AWAITED, 1)
                if _load(box, DONE) != box[POSTED] or _exchange(box, AWAITED, 0) == 0:
                    return i
            _wait(waited)
    failed = job[FIRST_FAILED]
    for i in range(job[SHARES] - 1):
        failed += boxes[i, FAILED]
    return FAILURE if failed else FINISHED
