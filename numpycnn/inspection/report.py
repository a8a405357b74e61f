"""The page of an inspection, inspection.html, with its plots inside; they are files too."""

import json
from dataclasses import asdict
from html import escape
from pathlib import Path

import numpy as np

from .. import files, metrics
from ..files import plain
from ..layers.traverse import walk
from ..models import thaw
from ..report import html, plots
from ..training import loop
from . import pictures
from .diagnosis import diagnose
from .finding import SOUND
from .measure import examine
from .saliency import grad_cam, saliency, stages
from .source import RESULT
from .table import HEADS, cells

IMAGES = 1000  # training images that the layers are measured with
# the classes of Fashion-MNIST that are confused with each other
CLOSE = ("T-shirt/top", "Pullover", "Coat", "Shirt")
READING = {
    "layers": (
        "The layers at a glance",
        "From the image at the top to the logits. Where the deviations shrink or grow by orders of "
        "magnitude, activations or gradients vanish or explode. The blue band holds the update "
        "ratios of networks that train.",
    ),
    "learning_curves": (
        "Learning curves",
        "Where the validation loss rises and the training loss goes on falling, the network "
        "over-fits: it memorises the training images.",
    ),
    "filters": (
        "First-layer filters",
        "What the first convolution responds to. Filters with a stripe, or with two opposite "
        "sides, detect edges; pale or noisy ones have learnt little.",
    ),
    "feature_maps": (
        "Feature maps of one image",
        "Early stages keep the outline; later ones respond to parts, and stay dark where their "
        "part is missing. Small numbers: the channels.",
    ),
    "look": (
        "Where it looks",
        "Saliency: the pixels at which a small change changes the class's score most. Grad-CAM: "
        "the regions of the last convolution that are evidence for a class, each map on its own "
        "scale.",
    ),
    "confusions": (
        "Confused classes, side by side",
        "Rows are true classes, columns predicted classes; the diagonal is correct. Per cent: the "
        "predicted probability. The glow over each image is the evidence for the predicted class.",
    ),
}  # fmt: skip


def write(
    out, net, dataset, subject, *, trained_on=None, steps=None, lr=None, history=None, image=None
):
    """Inspect a classifier, and write inspection.html, inspection.json and the plots into `out`.

    dataset: a data.Dataset; subject: what to call the network; trained_on: the images and labels
    (x, y) that it was trained on, if fewer than the data set's; steps: an inspection.Steps;
    history: fit's; image: the one to look at, uint8 (H, W, C), by default the first test image.
    -> the result, a dict that inspection.json holds; a notebook shows the page. Raises what
    `examine` raises, and OSError.
    """
    out, history, net = Path(out), history or {}, thaw(net)
    x, y = trained_on or (dataset.x_train, dataset.y_train)
    shuffled = np.random.default_rng(0).permutation(len(y))[:IMAGES]
    examined = examine(net, x[shuffled], y[shuffled], steps=steps, lr=lr)
    probabilities = loop.predict(net, dataset.x_test)  # (N, K)
    accuracy = metrics.accuracy(dataset.y_test, probabilities)
    confusion = metrics.confusion_matrix(dataset.y_test, probabilities, len(dataset.classes))
    held_out = accuracy, len(dataset.y_test)
    findings = diagnose(examined, history, held_out, confusion, dataset.classes)
    out.mkdir(parents=True, exist_ok=True)
    # So that the folder is known for what it is, even if this is interrupted.
    files.write(out / RESULT, json.dumps({"checkpoint": subject}).encode())
    drawn, notes = _draw(out, net, dataset, probabilities, examined, history, image)
    result = {
        "checkpoint": subject,
        "data": dataset.name,
        "test_accuracy": accuracy,
        "train_accuracy": examined.accuracy,
        "train_loss": examined.loss,
        "images": examined.images,
        "gradient_images": examined.gradient_images,
        "batch_size": examined.batch_size,
        "lr": examined.lr,
        "update_rule": examined.rule,
        "layers": [asdict(row) for row in examined.layers],
        "diagnoses": [asdict(finding) for finding in findings],
        "notes": notes,
        "pictures": [f"{name}.png" for name in drawn],
        "out": str(out),
    }
    kinds = ", ".join(dict.fromkeys(finding.kind for finding in findings))
    plots_html = [_picture(out, name) for name in drawn]
    html.write(
        out / "inspection.html",
        title=f"Inside {subject}",
        heading="Test accuracy",
        score=html.percent(accuracy),
        detail=f"Found: {kinds}" if findings else "Nothing wrong found",
        facts=_facts(result),
        sections=[_findings(result), _table(result), *plots_html, _next(subject, dataset)],
    )
    files.write(out / RESULT, json.dumps(plain(result), indent=2).encode())
    return html.PageFacts(result, out / "inspection.html")


def _draw(out, net, dataset, probabilities, examined, history, image):
    """Draws what can be drawn -> the pictures' names, and notes about the others."""
    x, classes, drawn, notes = dataset.x_test, dataset.classes, ["layers"], []
    pictures.layers(examined.layers, out / "layers.png")
    if image is None:
        image = x[0]
        title = f"true: {classes[dataset.y_test[0]]}"
        predicted = probabilities[0]  # (K,)
    else:
        title = "the image"
        predicted = loop.predict(net, image[None])[0]
    if any(history.get("loss", ())):
        plots.learning_curves(history, out / "learning_curves.png")
        drawn.append("learning_curves")
    filters, paths = first_filters(net), convolutions(net, x[:1])
    if paths:
        plots.filters(filters, out / "filters.png")
        pictures.feature_maps(net, image, paths, out / "feature_maps.png")
        drawn += ["filters", "feature_maps"]
    else:
        notes.append(
            "The network has no convolution: no filters, no feature maps, and saliency instead of "
            "Grad-CAM."
        )
    pictures.look(net, image, title, predicted, classes, out / "look.png", paths and paths[-1])
    heat = grad_cam if paths else saliency
    group = close_classes(dataset, probabilities)
    pictures.confusions(
        net, x, dataset.y_test, probabilities, classes, group, out / "confusions.png", heat
    )
    return [*drawn, "look", "confusions"], notes


def convolutions(net, x):
    """saliency.stages, or None for a network without convolution."""
    return stages(net, x) if first_filters(net) is not None else None


def first_filters(net):
    """The first weights (kh, kw, C, F), trained or frozen, or None."""
    for _, layer in walk(net):
        for array in [*(p.value for p in layer.params()), *(b for _, b in layer.buffers())]:
            if array.ndim == 4:
                return array
    return None


def close_classes(dataset, probabilities, most=4):
    """The indices of the classes that are confused most, in order.

    Of Fashion-MNIST those of its upper garments, whatever the network.
    """
    if set(CLOSE) <= set(dataset.classes):
        return [dataset.classes.index(name) for name in CLOSE]
    matrix = metrics.confusion_matrix(dataset.y_test, probabilities, len(dataset.classes))
    np.fill_diagonal(matrix, 0)
    errors = matrix.sum(axis=0) + matrix.sum(axis=1)  # (K,)
    return sorted(np.argsort(-errors, kind="stable")[:most].tolist())


def _facts(result):
    accuracy = f"{result['train_accuracy']:.1%} of {result['images']:,} correct"
    batches = f"in batches of {result['batch_size']}, as in training"
    return {
        "Network": result["checkpoint"],
        "Data": result["data"],
        "Training images": f"{accuracy}, loss {result['train_loss']:.3f}",
        "Gradients": f"over {result['gradient_images']} of them, {batches}",
        "Update ratio": f"at lr {result['lr']:g}: {result['update_rule']}",
    }


def _findings(result):
    lines = [
        f'<p class="finding"><b>{escape(finding["kind"])}</b>: {escape(finding["text"])}.</p>'
        for finding in result["diagnoses"]
    ]
    lines = lines or [f'<p class="finding sound">{SOUND}</p>']
    notes = [f"<p>Note: {escape(note)}</p>" for note in result["notes"]]
    return "\n".join(["<h2>Diagnosis</h2>", *lines, *notes])


def _table(result):
    marked = {finding["where"] for finding in result["diagnoses"]}
    rows = [
        ("low" if row["path"] in marked else None, map(escape, cells(row)))
        for row in result["layers"]
    ]
    return (
        "<h2>Every layer</h2>\n"
        f'<p class="soft">Outputs over {result["images"]:,} training images, in inference mode. '
        "Gradients of each image's loss with respect to these outputs. Dead: channels that were 0 "
        "everywhere, of all. Update/weight: ||dw|| / ||w|| of one step; about 1e-3 is usual.</p>\n"
        + html.table(HEADS, rows, "classes numbers")
    )


def _picture(out, name):
    return html.figure(
        *READING[name], **html.embedded(out / f"{name}.png"), narrow=name == "filters"
    )


def _next(subject, dataset):
    subject, data = files.quoted(subject), files.quoted(dataset.name)
    return html.commands(
        (
            (
                "Look at an image of your own:",
                f"numpycnn inspect {subject} --data {data} --image IMAGE",
            ),
            ("Evaluate it class by class:", f"numpycnn evaluate {subject} --data {data}"),
        )
    )
