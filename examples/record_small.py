"""The smallest network: a seventh of the paper's parameters, by mirrored filters and a teacher.

    python examples/record_small.py            # two hours on one core
    python examples/record_small.py --val      # on held-out images
    python examples/record_small.py --quick    # to see that it works

Every filter is used twice, as it is and mirrored left to right, so an image and its mirror image
get the same answer: images are not flipped. Labels say too little to so small a network: it learns
what a wider one, trained for a few epochs, makes of each image (distillation). The teacher is
trained first, for all seeds once, into the folder record-small-teacher beside the run's.
"""

import pathlib

from common import arguments, facts, images, report

import numpycnn as nc
from numpycnn.data.augment import compose, random_crop, random_erasing
from numpycnn.optim import Muon
from numpycnn.schedule import triangular

FILTERS = (10, 18, 24)  # pairs: each has its mirror image
EPOCHS = 40
BATCH_SIZE = 128
TEMPERATURE = 4
WIDER, FEW_EPOCHS = (16, 32, 46), 12  # the teacher

args = arguments(__doc__, out="record-small")
dataset, train, held = images(args)


def network(filters, seed):
    return nc.models.build(
        "mirror_vgg", seed=seed, filters=filters, mean=dataset.mean, std=dataset.std
    )


def fit(net, epochs, out, **settings):
    return nc.fit(
        net,
        *train,
        epochs=args.epochs or epochs,
        batch_size=BATCH_SIZE,
        optimizer=Muon(net.params(), lr=0.015, rest=8.0, weight_decay=5e-4),
        schedule=triangular(peak=0.2),
        validation=held if args.val else None,
        out=out,
        metadata=facts(dataset, args),
        **settings,
    )


kinds = [kind for kind in ("quick", "val") if getattr(args, kind)]
beside = pathlib.Path(args.out).parent / "-".join(["record-small-teacher", *kinds])
teacher = network(WIDER, seed=0)
fit(
    teacher,
    FEW_EPOCHS,
    beside,
    augment=compose(random_crop, random_erasing),
    ema=0.99,
    seed=0,
    resume=(beside / "last.npz").exists(),
)

net = network(FILTERS, args.seed)
print(net.summary((28, 28, 1)))
history = fit(
    net,
    EPOCHS,
    args.out,
    augment=random_crop,
    teacher=teacher,
    temperature=TEMPERATURE,
    ema=0.998,
    seed=args.seed,
    resume=args.resume,
)
report(net, history, held, dataset, args)
