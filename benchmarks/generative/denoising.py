"""PSNR of finished denoising runs, beside the best median and the best Wiener filter on the same
noisy images.

python -m benchmarks.generative.denoising runs/denoising-fashion-mnist ...
"""

import numpy as np

from numpycnn import metrics
from numpycnn.generative import latent

from .baselines import median, wiener
from .common import arguments, finished, header, write

COLUMNS = ("data", "seed", "noisy_db", "network_db", "gain_db", "median_db", "wiener_db", "minutes")
NOISE_SEED, SIZES = 0, (3, 5, 7)


def measure(folder):
    """Name and numbers of one run.

    The filters have their best form, chosen on these very images.
    """
    result, net, images = finished(folder, "denoising")
    deviation = result["constants"]["DEVIATION"]
    clean = latent.unit(images.x_test)
    noisy = latent.add_noise(clean, deviation, np.random.default_rng(NOISE_SEED))
    before, after = (metrics.psnr(x, clean) for x in (noisy, latent.outputs(net, noisy)))
    medians = [metrics.psnr(median(noisy, size), clean) for size in SIZES]
    wieners = [
        metrics.psnr(wiener(noisy, size, v), clean) for size in SIZES for v in (None, deviation**2)
    ]
    best, minutes = (max(medians), max(wieners)), result["seconds"] / 60
    numbers = (images.name, result["seed"], before, after, after - before, *best, minutes)
    return f"psnr-{result['run']}", dict(zip(COLUMNS, numbers, strict=True))


if __name__ == "__main__":
    args = arguments(__doc__)
    header(COLUMNS)
    for folder in args.runs:
        write(args.out, *measure(folder))
