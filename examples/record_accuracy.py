"""The best network under 198,351 parameters: the plain VGG-like one, trained longer, with parts of
its images erased.

    python examples/record_accuracy.py            # about an hour and a half
    python examples/record_accuracy.py --val      # on held-out images, as all but EPOCHS was chosen
    python examples/record_accuracy.py --quick    # to see that it works

The recipe is that of record_speed.py with more epochs; random erasing keeps the network from
learning the images by heart, and the average reaches further back.
"""

from common import arguments, facts, images, report

import numpycnn as nc
from numpycnn.data.augment import compose, horizontal_flip, random_crop, random_erasing
from numpycnn.optim import Muon
from numpycnn.schedule import triangular

EPOCHS = 140
BATCH_SIZE = 128

args = arguments(__doc__, out="record-accuracy")
dataset, train, held = images(args)
net = nc.models.build("vgg", seed=args.seed, dropout=(0, 0, 0), mean=dataset.mean, std=dataset.std)
print(net.summary((28, 28, 1)))

history = nc.fit(
    net,
    *train,
    epochs=args.epochs or EPOCHS,
    batch_size=BATCH_SIZE,
    optimizer=Muon(net.params(), lr=0.015, rest=8.0, weight_decay=5e-4),
    schedule=triangular(peak=0.2),
    augment=compose(horizontal_flip, random_crop, random_erasing),
    label_smoothing=0.1,
    ema=0.998,
    validation=held if args.val else None,
    seed=args.seed,
    out=args.out,
    resume=args.resume,
    metadata=facts(dataset, args),
)
report(net, history, held, dataset, args)
