"""README, docs and the pages of export: short sentences, the field's words, links that lead somewhere."""

import re

import pytest

from .support.pages import pages
from .support.places import ROOT

PAGES = [*pages(), "CONTRIBUTING.md", "export/README.md", "export/SPEC.md"]
LONGEST_MEAN = 20
"""words of a sentence, in the mean over a page"""
BANNED = (
    *("luck", "fate", "lame", "feel", "feels", "simply", "just", "obviously", "basically", "easily", "really"),
    *(
        "seamless",
        "seamlessly",
        "powerful",
        "robust",
        "leverage",
        "utilize",
        "blazing",
        "cutting-edge",
        "state-of-the-art",
    ),
)
"""images where the field has a word, and words that say nothing"""


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def without_code(text):
    """A page without blocks, comments and code in a line."""
    text = re.sub(r"^```.*?^```\s*$|<!--.*?-->", "", text, flags=re.M | re.S)
    return re.sub(r"`[^`]*`", "code", text)


def sentences(page_text):
    """The sentences of paragraphs and lists. Headings, tables and pictures are none."""
    for paragraph in re.split(r"\n\s*\n", without_code(page_text)):
        kept = [line for line in paragraph.splitlines() if not line.lstrip().startswith(("|", "#", "!["))]
        for item in re.split(r"^\s*(?:[-*]|\d+\.)\s+", "\n".join(kept), flags=re.M):
            words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(item.split())).replace("et al.", "et al")
            for sentence in re.split(r"(?<=[.!?])[\"*)]*\s+", words):
                if re.search(r"[A-Za-z]", sentence):
                    yield sentence


def slug(heading):
    """The anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def anchors(text):
    """All anchors of a page."""
    return {
        slug(heading) for heading in re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    }


@pytest.mark.parametrize("page", PAGES)
def test_sentences_are_short_and_words_are_those_of_the_field(page):
    lengths = {sentence: len(sentence.split()) for sentence in sentences(text_of(page))}
    mean = sum(lengths.values()) / max(1, len(lengths))
    assert mean <= LONGEST_MEAN, f"mean {mean:.1f}; the longest: {max(lengths, key=lengths.get)}"
    plain = without_code(text_of(page)).lower()
    found = [word for word in BANNED if re.search(rf"(?<![\w-]){word}(?![\w-])", plain)]
    assert not found, f"{page}: {found}"


def test_a_long_sentence_and_its_parts_are_counted():
    text = (
        "# No sentence\n\nOne two `a b c` four. Five six.\n\n- a list\n  goes on\n\n| a | table |\n\n```sh\nls .\n```\n"
    )
    assert [len(sentence.split()) for sentence in sentences(text)] == [4, 2, 4]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_a_file_and_a_heading(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text_of(page))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), f"{page}: {target} leads to no file"
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), f"{page}: {target}: no such heading"


def test_the_readme_is_one_screen_long():
    assert len(text_of("README.md").splitlines()) < 100


def test_each_section_of_the_results_has_a_command_for_its_tables():
    _, *parts = re.split(r"^## ", text_of("docs/measurements.md"), flags=re.M)
    assert len(parts) > 15
    for part in parts:
        heading = part.splitlines()[0]
        assert part.index("```sh") < part.index("\n|") if "\n|" in part else True, heading
        assert "```sh" in part, heading
