"""The pages in Markdown: links lead somewhere, and tables are tables."""

import pathlib
import re
import urllib.parse

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted(
    path
    for folder in ("", ".github", "benchmarks", "examples", "numpycnn", "tests")
    for path in ROOT.joinpath(folder).glob("**/*.md" if folder else "*.md")
)
LINK = re.compile(r"\]\(([^)\s]+)\)|<(?:img|a) [^>]*(?:src|href)=\"([^\"]+)\"")


def prose(page):
    """Its lines, without blocks of code and pieces of it."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "code", text).splitlines()


def anchors(page):
    """The names of its headings, as a link gives them."""
    text = page.read_text("utf-8")
    titles = [
        re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", t) for t in re.findall(r"^#+ +(.*)$", text, re.M)
    ]
    named = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    return named | set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))


def tables(lines):
    """Yields runs of lines that begin with a bar."""
    table = []
    for line in [*lines, ""]:
        if line.lstrip().startswith("|"):
            table.append(line.strip())
        elif table:
            yield table
            table = []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_leads_to_a_file_and_to_a_heading_in_it(page):
    for line in prose(page):
        for link in map("".join, LINK.findall(line)):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = urllib.parse.unquote(link).partition("#")
            target = page.parent / path if path else page
            assert target.exists(), link
            if anchor and target.suffix == ".md":
                assert anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_table_has_a_head_and_rows_of_as_many_cells(page):
    for table in tables(prose(page)):
        assert re.fullmatch(r"\|( *:?-+:? *\|)+", table[1] if len(table) > 1 else ""), table[0]
        for row in table:
            assert row.replace(r"\|", "").count("|") == table[0].replace(r"\|", "").count("|"), row
