"""Prediction against onnxruntime's on the exported file: python -m benchmarks.exchange

The same weights: numpycnn.predict (softmax included) on what numpycnn.compile makes of the network,
onnxruntime on what `numpycnn export --to onnx --softmax` writes. Both are made once, before the
clock runs. 250 images, one by one and in one batch, on 1 and 2 threads.
"""

from .common import TIME_COLUMNS, Report, arguments
from .contenders import OUR_IMPORTS, Job, data, our_network
from .drawing import time_bars
from .race import Contender

CASES = [(1, 1), (1, 2), (250, 1), (250, 2)]  # (batch, threads)


def ours(job):
    """numpycnn.predict of a batch."""
    import numpycnn

    numpycnn.use("numba", threads=job.threads)
    net, (x, _) = numpycnn.compile(our_network(job)), data(job)
    run, first = _repeated(lambda: numpycnn.predict(net, x), job)
    return run, {"first": first}


def onnxruntime(job):
    """A session of the same network, exported."""
    import numpy as np
    import onnxruntime

    from numpycnn.exchange import onnx

    net, (x, _) = our_network(job), data(job)
    content = onnx.encode(net, (job.side, job.side, 1), input="uint8", softmax=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = job.threads, 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    fed = {"images": np.ascontiguousarray(x.transpose(0, 3, 1, 2))}
    run, first = _repeated(lambda: session.run(None, fed)[0], job)
    return run, {"first": first}


def _repeated(predict, job):
    """run() of enough batches to be timed, and the first answer."""
    count = max(1, 250 // job.images)

    def run():
        for _ in range(count):
            y = predict()
        return float(y[0, 0])

    return run, predict()[0].tolist()


def main():
    args = arguments(__doc__.splitlines()[0])
    report = Report("exchange", args)
    for batch, threads in CASES:
        job = Job(work="infer", images=batch, threads=threads, pixels="uint8")
        contenders = [
            Contender("numpycnn", ours, job, OUR_IMPORTS),
            Contender("onnxruntime", onnxruntime, job, ("onnxruntime", "numpycnn.exchange.onnx")),
        ]
        report.args.threads = threads  # of the race
        words = f"250 images by {batch}, {threads} thread{'s' * (threads > 1)}"
        results = report.race(words, contenders)
        firsts = [one.info.get("first") for one in results.values() if not one.missing]
        for other in firsts[1:]:
            off = max(abs(a - b) for a, b in zip(firsts[0], other, strict=True))
            report.check(f"{words}: largest difference", off, required=1e-5)
        report.ratio(f"{words}: ours over onnxruntime's", results, "onnxruntime")
    for row in report.rows:
        row.pop("first", None)
    report.finish(TIME_COLUMNS, time_bars)


if __name__ == "__main__":
    main()
