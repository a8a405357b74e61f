"""The fastest training to the paper's 94.05 %: a plain VGG-like network, Muon, averaged weights.

    python examples/record_speed.py            # some minutes on 2 cores
    python examples/record_speed.py --val      # what its settings were chosen by
    python examples/record_speed.py --quick    # to see that it works

Against the paper's recipe (100 epochs): convolutions are stepped by orthogonalised momentum (Muon)
instead of Adam, batches are four times as large, the learning rate is a triangle, the weights are
averaged, labels smoothed, and there is no dropout, for a network that sees each image a few times
only has no time to learn it by heart.
"""

from common import arguments, facts, images, report

import numpycnn as nc
from numpycnn.data.augment import compose, horizontal_flip, random_crop
from numpycnn.optim import Muon
from numpycnn.schedule import triangular

EPOCHS = 14
BATCH_SIZE = 128

args = arguments(__doc__, out="record-speed")
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
    augment=compose(horizontal_flip, random_crop),
    label_smoothing=0.1,
    ema=0.99,
    validation=held if args.val else None,
    seed=args.seed,
    out=args.out,
    resume=args.resume,
    metadata=facts(dataset, args),
)
report(net, history, held, dataset, args)
