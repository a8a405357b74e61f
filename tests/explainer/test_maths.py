"""The page's mathematics, run by node: every number it explains, and every fault in it."""

import pytest

from . import pages

pytestmark = pytest.mark.skipif(not pages.NODE, reason="node is not installed")


def test_every_number_of_a_hard_network_is_the_sum_that_the_page_shows(tmp_path):
    with pages.Page(pages.write(tmp_path / "page.html", pages.hard(), label=2)) as page:
        found = page("verify(runs, 40)")
    assert found["checked"] > 3000
    assert found["bad"] == 0, found
    assert 0 < found["worst"] < 1
