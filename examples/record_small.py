"""The smallest network: a seventh of the paper's parameters, by mirrored filters.

    python examples/record_small.py            # an hour on one core
    python examples/record_small.py --val      # on held-out images
    python examples/record_small.py --quick    # to see that it works

Every filter is used twice, as it is and mirrored left to right, so an image and its mirror image
get the same answer: images are not flipped. For the rest the recipe is that of record_speed.py, for
many more epochs.
"""

from common import arguments, facts, images, report

import numpycnn as nc
from numpycnn.data.augment import random_crop
from numpycnn.optim import Muon
from numpycnn.schedule import triangular

FILTERS = (10, 18, 24)  # pairs: each has its mirror image
EPOCHS = 120
BATCH_SIZE = 128

args = arguments(__doc__, out="record-small")
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
    augment=random_crop,
    label_smoothing=0.1,
    ema=0.998,
    validation=held if args.val else None,
    seed=args.seed,
    out=args.out,
    resume=args.resume,
    metadata=facts(dataset, args),
)
report(net, history, held, dataset, args)
