"""ops/DERIVATIONS.md: its examples are computed again, and every link to it or from it holds."""

import pathlib
import re

import pytest

import numpycnn

PACKAGE = pathlib.Path(numpycnn.__file__).parent
PAGE = (PACKAGE / "ops" / "DERIVATIONS.md").read_text(encoding="utf-8")
INTRODUCTION, *SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)
TITLES = [section.splitlines()[0] for section in SECTIONS]
LINK = re.compile(r'Steps: (\S*DERIVATIONS\.md),\s+"([^"]+)"')


def blocks(text):
    return re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def links():
    """Yields (source file, path to the page, title) for every link of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for page, title in LINK.findall(path.read_text(encoding="utf-8")):
            yield path, page, title


def anchor(title):
    """What GitHub makes of a heading: lower case, no punctuation, hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize("section", SECTIONS, ids=map(anchor, TITLES))
def test_the_examples_are_what_the_library_computes(section, each_backend):
    if "numpycnn.kernels" in section:
        pytest.importorskip("numba")
    examples = blocks(section)
    assert sum(example.count("assert ") for example in examples) >= 3
    exec("".join(blocks(INTRODUCTION) + examples), {})


def test_the_contents_name_every_section():
    wanted = [f"- [{title}](#{anchor(title)})" for title in TITLES]
    assert re.findall(r"^- \[.*$", INTRODUCTION, flags=re.MULTILINE) == wanted


def test_docstrings_link_to_sections_and_every_section_is_linked():
    found = list(links())
    for path, page, title in found:
        folder = PACKAGE if page == "ops/DERIVATIONS.md" else path.parent
        assert (folder / page).is_file(), path
        assert title in TITLES, path
    assert {title for _, _, title in found} == set(TITLES)


@pytest.mark.parametrize("section", SECTIONS, ids=map(anchor, TITLES))
def test_the_code_named_at_the_end_of_a_section_exists(section):
    """Files by their path, and names that stand in one of these files."""
    _, named = section.rsplit("In the code:", 1)
    quoted = re.findall(r"`([^`]+)`", named)
    files = [PACKAGE / name for name in quoted if name.endswith(".py")]
    assert files
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    for name in quoted:
        if name.isidentifier():
            assert re.search(rf"\b{name}\b", text), name
