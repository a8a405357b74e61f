"""What a file is, by its first bytes: for messages about files that are not what was expected."""

SAVE = "np.savez('data.npz', x_train=..., y_train=..., x_test=..., y_test=...)"
# first bytes, what such a file is, what to do with it
STARTS = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", f"read it with h5py and write {SAVE}"),
    (b"MATLAB 7.3", "a MATLAB 7.3 file", f"read it with h5py and write {SAVE}"),
    (b"MATLAB", "a MATLAB file", f"read it with scipy.io.loadmat and write {SAVE}"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "run git lfs pull"),
    (b"\x1f\x8b", "a gzip file", "unpack it with gunzip"),
    (b"BZh", "a bzip2 file", "unpack it"),
    (b"\xfd7zXZ", "an xz file", "unpack it"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it"),
    (b"Rar!", "a RAR archive", "unpack it"),
    (b"PK\x03\x04", "a zip file", "unpack it"),
    (b"PAR1", "a Parquet file", "read it with pandas.read_parquet"),
    (b"\x93NUMPY", "a NumPy array", "give the folder of x_train.npy, y_train.npy and the test's"),
    (b"%PDF", "a PDF file", "export its pages as PNG"),
    (b"8BPS", "a Photoshop file", "export it as PNG"),
    (b"<svg", "an SVG drawing", "export it as PNG"),
    (b"SQLite format 3", "an SQLite database", f"export the images and write {SAVE}"),
)
PICKLE = (
    "a pickle, which runs code when it is opened and is never opened here",
    f"where you trust it, read it with pickle.load and write {SAVE}",
)
HEIC = ("a HEIC or AVIF picture", "convert it to JPEG: heif-convert FILE.heic FILE.jpg")


def kind(start):
    """-> what a file is that begins with these 256 bytes, what to do; None, None if unknown."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "an HTML page", "get it again: a login or error page may have answered"
    if not start:
        return "empty", "get it again"
    if start[4:8] == b"ftyp" and start[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"avif"):
        return HEIC
    if start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return PICKLE
    for first, what, advice in STARTS:
        if start.startswith(first):
            return what, advice
    return None, None
