"""The paper's own recipe, in full: the VGG-like network, 100 epochs of Adam (94.05 % in the paper).

    python examples/paper_vgg.py             # 60,000 images, about an hour on 2 cores, into runs/paper
    python examples/paper_vgg.py --resume    # continue it where it was stopped
    python examples/paper_vgg.py --quick     # 3,000 images and two epochs, to see that it works

From the paper: Adam, batches of 32, horizontal flips and crops, He initialisation, dropout of 0.1 to 0.3, 100
epochs. Where it is silent: Adam's published learning rate of 1e-3, kept constant, and crops by 2 pixels.
"""

import argparse

import numpycnn as nc

BATCH_SIZE = 32
LEARNING_RATE = 1e-3

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", default="runs/paper")
parser.add_argument("--epochs", type=int, default=100)
parser.add_argument("--threads", type=int)
parser.add_argument("--resume", action="store_true")
parser.add_argument("--quick", action="store_true")
args = parser.parse_args()
nc.use("numba", args.threads)

clothes = nc.data.load_default()
if args.quick:
    clothes, args.epochs = clothes.limit(3000), 2


def augment(x, rng):
    """A T-shirt stays a T-shirt in the mirror, and two pixels to the side."""
    return nc.data.augment.random_crop(nc.data.augment.horizontal_flip(x, rng), rng, pad=2)


net = nc.models.build("vgg", seed=args.seed, mean=clothes.mean, std=clothes.std)
print(net.summary((28, 28, 1)))
nc.fit(
    net, clothes.x_train, clothes.y_train, epochs=args.epochs, batch_size=BATCH_SIZE, lr=LEARNING_RATE,
    augment=augment, seed=args.seed, out=args.out, resume=args.resume,
    metadata={"classes": list(clothes.classes), "data": clothes.name, "data_sha256": clothes.sha256},
)  # fmt: skip

# The last epoch, whatever it gives: the test set chooses nothing.
measured = nc.evaluate(net, clothes.x_test, clothes.y_test)
print(f"test loss {measured['loss']:.4f}, test accuracy {measured['accuracy']:.2%}")
