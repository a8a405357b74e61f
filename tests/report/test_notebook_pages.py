"""A page that was written opens in a notebook's cell."""

import html
import json

import numpycnn as nc
from numpycnn.report.html import PageFacts, PagePath
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
