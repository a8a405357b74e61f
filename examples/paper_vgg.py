"""The paper's own recipe, in full: the VGG-like network, 100 epochs of Adam (94.05 % in the paper).

    python examples/paper_vgg.py             # about an hour on 2 cores
    python examples/paper_vgg.py --resume    # continue it where it was stopped
    python examples/paper_vgg.py --quick     # to see that it works

From the paper: Adam, batches of 32, horizontal flips and crops, He initialisation, dropout of 0.1
to 0.3, 100 epochs. Where it is silent: Adam's published learning rate of 1e-3, kept constant, and
crops by 2 pixels.
"""

from common import arguments, facts, images, report

import numpycnn as nc
from numpycnn.data.augment import compose, horizontal_flip, random_crop

EPOCHS = 100
BATCH_SIZE = 32
LEARNING_RATE = 1e-3

args = arguments(__doc__, out="paper-vgg")
dataset, train, held = images(args)
net = nc.models.build("vgg", seed=args.seed, mean=dataset.mean, std=dataset.std)
print(net.summary((28, 28, 1)))

history = nc.fit(
    net,
    *train,
    epochs=args.epochs or EPOCHS,
    batch_size=BATCH_SIZE,
    lr=LEARNING_RATE,
    augment=compose(horizontal_flip, random_crop),
    validation=held if args.val else None,
    seed=args.seed,
    out=args.out,
    resume=args.resume,
    metadata=facts(dataset, args),
)
report(net, history, held, dataset, args)
