"""What is written for people and for JSON, in numpycnn.files."""

import pytest

from numpycnn import files


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 second"), (40, "40 seconds"), (300, "5 minutes"), (9000, "2.5 hours")],
)
def test_duration(seconds, text):
    assert files.duration(seconds) == text
