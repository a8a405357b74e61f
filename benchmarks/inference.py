"""10,000 test images forward, against PyTorch: python -m benchmarks.inference

Ours is numpycnn.predict, fusing and softmax included; PyTorch runs in eval() and inference_mode().
Each contender uses its best of three batch sizes. PyTorch with batch norm folded by hand is shown
beside.
"""

from .common import TIME_COLUMNS, Report, arguments
from .contenders import Job, numpycnn_with
from .drawing import time_bars
from .opponents import torch_folded, torch_forms
from .step import same_network


def main():
    args = arguments(__doc__.splitlines()[0])
    report = Report("inference", args)
    job = Job(work="infer", images=1000 if args.quick else 10_000, threads=args.threads)
    contenders = [numpycnn_with(job), *torch_forms(job), torch_folded(job)]
    results = report.race(f"forward only, {job.images:,} images", contenders)
    same_network(results)
    folded = results.pop("torch channels_last, BN folded")
    report.ratio("forward only, against the best of PyTorch", results, "torch", 0.8, 0.5)
    pair = {r.name: r for r in (results["numpycnn"], folded)}
    report.ratio("the same against PyTorch with batch norm folded by hand", pair, "torch")
    report.finish(TIME_COLUMNS, time_bars)


if __name__ == "__main__":
    main()
