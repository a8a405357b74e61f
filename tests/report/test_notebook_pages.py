"""A page that was written opens in a notebook's cell."""

import html
import json

import numpycnn as nc
from numpycnn.report.html import PageFacts, PagePath, figure, write
from numpycnn.tables import as_data_url
from tests.explainer import pages


def test_explain_gives_its_facts_and_shows_the_page(tmp_path):
    path = tmp_path / "page.html"
    facts = nc.explain(pages.hard(), pages.image(), path, label=2)
    assert json.loads(json.dumps(facts))["out"] == str(path)
    shown = facts._repr_html_()
    assert shown.startswith('<iframe srcdoc="')
    inside = shown.removeprefix('<iframe srcdoc="').partition('"')[0]
    assert html.unescape(inside) == path.read_text(encoding="utf-8")


def test_without_its_file_there_is_nothing_to_show(tmp_path):
    assert PagePath(tmp_path / "gone.html")._repr_html_() is None
    assert PageFacts({"a": 1}, tmp_path / "gone.html") == {"a": 1}


def test_a_report_shows_its_pictures_in_the_cell(tmp_path):
    """They are files beside it, which a frame in a notebook would not find."""
    content = b"\x89PNG\r\n\x1a\n" + 8 * b"\0" + (160).to_bytes(4, "big")
    (tmp_path / "curves.png").write_bytes(content)
    sections = [figure("Curves", "", name) for name in ("curves.png", "gone.png")]
    path = write(
        tmp_path / "report.html", title="", heading="", score="", detail="", facts={},
        sections=sections,
    )  # fmt: skip
    inside = html.unescape(path._repr_html_().partition('srcdoc="')[2].partition('"')[0])
    assert f'srcset="{as_data_url(content)} 1.6x"' in inside
    assert "curves.png" not in inside
    assert 'src="gone.png"' in inside
    assert 'src="curves.png"' in path.read_text(encoding="utf-8")
