"""What is written for people and for JSON, in numpycnn.files."""

import os
import socket
import subprocess

import pytest

from numpycnn import files
from numpycnn.errors import DatasetError, DownloadError, printable


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 second"), (40, "40 seconds"), (300, "5 minutes"), (9000, "2.5 hours")],
)
def test_duration(seconds, text):
    assert files.duration(seconds) == text


@pytest.mark.parametrize(
    "name", ["a b", "it's", "run\udcff", "x\ny", "back\\slash \x1b'", "größe\t"]
)
def test_a_quoted_path_is_what_the_shell_gets(tmp_path, name):
    text = f"printf %s {files.quoted(name)}"
    assert text.isprintable()
    assert subprocess.run(["bash", "-c", text], capture_output=True).stdout == os.fsencode(name)


@pytest.mark.parametrize("kind", ["folder", "pipe", "socket", "device", "link to a device"])
def test_only_regular_files_are_opened(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    path = "/dev/zero" if kind == "device" else "x"
    if kind == "folder":
        os.mkdir(path)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind(path)
    elif kind == "link to a device":
        os.symlink("/dev/zero", path)
    with pytest.raises(OSError, match=f"is a {kind.split()[-1]}; expected a picture"):
        files.open_regular(path, "a picture")
    (tmp_path / "file").write_bytes(b"content")
    os.symlink("file", "link")
    with files.open_regular("link") as file:
        assert file.read() == b"content"


def test_a_file_that_becomes_a_pipe_after_the_first_look(tmp_path, monkeypatch):
    (tmp_path / "x").write_bytes(b"content")
    seen = os.stat(tmp_path / "x")
    (tmp_path / "x").unlink()
    os.mkfifo(tmp_path / "x")
    monkeypatch.setattr(os, "stat", lambda path: seen)
    with pytest.raises(OSError, match="is a pipe"):
        files.open_regular(tmp_path / "x")


def test_what_a_terminal_obeys_is_escaped():
    assert printable("plain ü 漢") == "plain ü 漢"
    assert printable("\x1b[31m\x9b\u202e\udcff\r") == "\\x1b[31m\\x9b\\u202e\\udcff\\r"
    assert printable("two\nlines\x1b", keep="\n") == "two\nlines\\x1b"
    assert str(DatasetError("a\x1bb")) == "a\\x1bb"
    assert str(DownloadError("a\nb")) == "a\\nb"
