"""The paper's number of parameters, by mirrored filters in the place of flipped images.

    python examples/record_mirror.py            # hours: several for each seed
    python examples/record_mirror.py --val      # on held-out images
    python examples/record_mirror.py --quick    # to see that it works

The recipe is that of record_accuracy.py, without flips; crops and erased parts are larger, for
twice as many maps learn longer before they know the images by heart.
"""

import functools

from common import arguments, facts, images, report

import numpycnn as nc
from numpycnn.data.augment import compose, random_crop, random_erasing
from numpycnn.optim import Muon
from numpycnn.schedule import triangular

FILTERS = (24, 44, 64)  # pairs: each has its mirror image
EPOCHS = 140
BATCH_SIZE = 128
AUGMENT = compose(
    functools.partial(random_crop, pad=4), functools.partial(random_erasing, area=(0.02, 0.4))
)

args = arguments(__doc__, out="record-mirror")
dataset, train, held = images(args)
net = nc.models.build(
    "mirror_vgg", seed=args.seed, filters=FILTERS, mean=dataset.mean, std=dataset.std
)
print(net.summary((28, 28, 1)))

history = nc.fit(
    net,
    *train,
    epochs=args.epochs or EPOCHS,
    batch_size=BATCH_SIZE,
    optimizer=Muon(net.params(), lr=0.015, rest=8.0, weight_decay=5e-4),
    schedule=triangular(peak=0.2),
    augment=AUGMENT,
    label_smoothing=0.1,
    ema=0.998,
    validation=held if args.val else None,
    seed=args.seed,
    out=args.out,
    resume=args.resume,
    metadata=facts(dataset, args),
)
report(net, history, held, dataset, args)
