"""minirram report: one page on a run, a comparison, a sweep or a fit."""

import argparse
from dataclasses import dataclass
from typing import Optional, Tuple

from ..json_codec import Result
from ..pages.report import default_out, make_page
from ..pages.run import Wishes
from ..report.page import write_page
from .arguments import costs_option, data_option, group, threads_option
from .field_options import field_option


@dataclass(frozen=True)
class Report(Result):
    """A page that was written."""

    file: str
    """path of the page"""
    kind: str
    """what it reports on: "Run", "Comparison", "Sweep" or "Fit\""""
    lead: str
    """the result in one sentence"""
    basis: str
    """what that rests on"""
    sections: Tuple[str, ...]
    """headings, in order"""
    pictures: int
    """drawings by matplotlib; 0 without it"""
    bytes: int
    """size of the page"""
    notes: Tuple[str, ...]
    """what was left out, and why"""


RESULT = Report
EXAMPLES = (
    ("minirram report runs/fashion --open", "the page of a run, shown in the browser"),
    ("minirram report mine.fit.json --out fit.html", "the page of what minirram fit left"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minirram report` takes."""
    parser.add_argument("what", metavar="WHAT", help="folder of a run, a comparison or a sweep; .json that fit leaves")
    parser.add_argument("--out", metavar="FILE.html", help="page to write; default: report.html in the folder")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    shown = group(parser, "of a run")
    field_option(shown, "--drift", Wishes, "drift")
    data_option(shown)
    costs_option(shown)
    threads_option(parser)


def run(options: argparse.Namespace) -> Report:
    """Write the page."""
    wishes = Wishes(
        data=options.data,
        costs=options.costs,
        drift=options.drift,
        threads=options.threads,
    )
    written = write_report(options.what, options.out, wishes=wishes)
    if options.open:
        import pathlib
        import webbrowser

        webbrowser.open(pathlib.Path(written.file).absolute().as_uri())
    return written


def write_report(what: str, out: Optional[str] = None, *, wishes: Wishes) -> Report:
    """Write the page of `what` to `out`, by default beside it."""
    page = make_page(what, wishes)
    path = default_out(what) if out is None else out
    written = write_page(path, page)
    sections = tuple(section.title for section in page.sections)
    return Report(path, page.kind, page.lead, page.basis, sections, page.pictures(), written, page.notes)


def text(written: Report) -> str:
    """The result, what was left out, and where the page is."""
    lines = [written.lead, written.basis, *written.notes]
    return "\n".join([*lines, f"{written.file}: {written.bytes} bytes, {len(written.sections)} sections"])
