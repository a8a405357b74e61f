"""The last grid and the curves of finished runs, for benchmarks/generative/README.md.

# -> results/NAME.png, NAME-curves.png
python -m benchmarks.generative.pictures runs/gan-fashion-mnist ...
"""

import shutil

from numpycnn.errors import RunFolderError

from .common import arguments, result_of


def copied(folder, out):
    """The pictures of one run in `out`, under its name -> their paths.

    Raises RunFolderError where one is missing.
    """
    name, grids = result_of(folder)["run"], sorted(folder.glob("epoch-*.png"))
    if not grids or not (folder / "curves.png").exists():
        raise RunFolderError(f"there is no epoch-*.png, or no curves.png, in {folder}")
    out.mkdir(parents=True, exist_ok=True)
    return [
        shutil.copyfile(source, out / f"{name}{ending}.png")
        for source, ending in ((grids[-1], ""), (folder / "curves.png", "-curves"))
    ]


if __name__ == "__main__":
    args = arguments(__doc__)
    for folder in args.runs:
        print("\n".join(map(str, copied(folder, args.out))))
