"""The words of a page in a sentence each: those that stand on it."""

import re
from dataclasses import replace

from ..report.page import Facts, Page, Section

WORDS = {
    "kept": "A connection whose mask bit is 1: its cell stays on.",
    "pruned": "A connection whose mask bit is 0: its cell is off.",
    "masked off": "Cells that are off: pruned ones, and the partners of all.",
    "partner": "Two cells make a pair, G+ and G\u2212. The weight sits in one of them; the other, its partner, is off.",
    "macro": "An array of cells, 512 \u00d7 512 unless the run says otherwise, with its drivers and ADCs.",
    "not formed": "FORM did not make the cell conduct: it stays open.",
    "stuck": "The cell answers to no pulse.",
    "read noise": "Spread of one cell's conductance from read to read, relative to its value.",
    "ideal reads": "The same examination without read noise and without other conditions of use.",
    "draw": "One pass over all samples, with read noise of its own.",
    "ADC": "Converter of a column's current into an integer; its bits say how finely.",
    "saturated": "The sum of a column lay beyond the range of its ADC and was cut.",
    "clipped": "An activation lay beyond the range of its code and was cut.",
    "FORM": "The first pulse of a cell, which gives it its random conductance.",
    "SET": "A pulse that turns a cell on.",
    "RESET": "A pulse that turns a cell off.",
    "tile": "A rectangle of cells that holds a part of one matrix.",
    "wear": "Writes of a cell; after as many as its endurance it may fail.",
    "unpruned random chip": "The same chip with every connection kept and nothing learned but digital statistics.",
    "linear classifier": "One matrix of real numbers from the inputs to the classes, trained on the same data.",
    "chance level": "Accuracy of the answer that is always the most frequent class.",
    "Pareto front": "Points that no other beats in both figure and energy.",
    "standard error": "Of a mean: how far it is off by the spread of what it is the mean of.",
    "sampling error": "Of an accuracy: how far it is off because the samples are so few.",
    "pristine": "A cell before FORM.",
    "log-normal": "The logarithm of the values is spread as a bell curve.",
}
"""word -> what it means here"""


def with_words(page: Page) -> Page:
    """The page with a last section that explains those of its words that need it."""
    text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", page.html(), flags=re.S)
    told = [(word, said) for word, said in WORDS.items() if re.search(rf"\b{re.escape(word)}s?\b", text)]
    return replace(page, sections=(*page.sections, Section("Words", (Facts(tuple(told)),)))) if told else page
