"""What `numpycnn train` has reached: for result.json, and in the last lines for people."""

from ..training import loop


def result(net, recipe, dataset, validation, history, logits):
    """What result.json and --json say of the trained network; logits: of the test images."""
    measured = loop.measure(logits, dataset.y_test, list(dataset.classes))
    recall = measured["per_class"]["recall"].tolist()
    return {
        "model": recipe.model,
        "data": dataset.name,
        "parameters": net.summary(dataset.x_train.shape[1:]).total,
        "epochs": history.epochs,
        "test_accuracy": measured["accuracy"],
        "test_loss": measured["loss"],
        "train_seconds": sum(history["seconds"]),
        "files": reached(history, measured["accuracy"], validation, len(dataset.y_test)),
        "per_class": dict(zip(dataset.classes, recall, strict=True)),
    }


def reached(history, test_accuracy, validation, test):
    """{file: {"epoch", its accuracies or loss, and on how many images}}"""
    best, last = history.best(), history.epochs - 1
    val = 0 if validation is None else len(validation[1])

    def epoch(i):
        facts = {"epoch": i + 1, "train_loss": history["loss"][i]}
        return facts | ({"val_accuracy": history["val_accuracy"][i], "val": val} if val else {})

    tested = {"test_accuracy": test_accuracy, "test": test}
    found = {"last.npz": epoch(last) | tested}
    found["best.npz"] = found["last.npz"] if best == last else epoch(best)
    return found


def closing_lines(result):
    """The last lines for people: the report, and which file has which accuracy."""
    lines = [f"Report: {result['report']}"] if result["report"] else []
    last, best = result["files"].values()
    files_of = {"last.npz": last, "best.npz": best}
    if last == best:
        files_of = {"last.npz and best.npz": last}
    parts = []
    for name, facts in files_of.items():
        shares = [
            f"{facts[f'{kind}_accuracy']:.2%} of {facts[kind]:,} {title} images"
            for kind, title in (("test", "test"), ("val", "validation"))
            if kind in facts
        ]
        shares = shares or [f"the lowest training loss, {facts['train_loss']:.4f}"]
        parts.append(f"{name} (epoch {facts['epoch']}): {', '.join(shares)}")
    return [*lines, f"In {result['out']}: {'; '.join(parts)}"]
