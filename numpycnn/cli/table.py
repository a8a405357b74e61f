"""The table of `numpycnn predict --csv`: a row for each picture."""

import csv
import io

MOST = 100  # classes with a column each; of more the three likeliest have columns
BEST = 3


def as_csv(paths, results, errors, doubt):
    """The bytes of the table: file, class, probability, then a column for each class, and a note.

    results: facts of prediction.described; errors: {path: error}, whose rows have nothing but the
    note, which also says `doubt` of a strange picture. Letters that are no UTF-8 are escaped.
    """
    found = {one["image"]: one for one in results}
    classes = list(results[0]["probabilities"]) if results else []
    columns = [f"p({name})" for name in classes]
    if len(classes) > MOST:
        columns = [f"{name} {i}" for i in range(2, BEST + 1) for name in ("class", "probability")]
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["file", "class", "probability", *columns, "note"])
    for path in paths:
        if path in errors:
            table.writerow([path, "", "", *[""] * len(columns), errors[path]])
            continue
        of = found[path]["probabilities"]
        best = sorted(of, key=of.get, reverse=True)[:BEST]
        values = of.values()
        if len(classes) > MOST:
            values = [part for name in best[1:] for part in (name, of[name])]
        note = doubt if found[path]["familiar"] is False else ""
        table.writerow([path, found[path]["class"], of[best[0]], *values, note])
    return text.getvalue().encode("utf-8", "backslashreplace")
