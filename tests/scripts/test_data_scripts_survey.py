"""The script that makes a technology file of the ADC survey: a small spreadsheet by hand, and the real one."""

import zipfile

import numpy as np
import pytest

from minirram.accounting.costs import load_costs

from ..scripts.test_data_scripts import run_script, script_module
from ..support.places import data_folder

HEADER = ["YEAR", "ARCHITECTURE", "TECHNOLOGY", "SNDR_plot [dB]", "P/fsnyq [pJ]", "fsnyq [Hz]", "AREA [mm^2]"]
SPACES = (
    'xmlns:o="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:t="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:x="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
)


def converter(bits, f_fJ=10.0, kind="SAR", node="0.04", rate_Hz=1e6, area_mm2="0.01"):
    """A row of the survey on the law with that F."""
    energy_pJ = f_fJ * 1e-3 * 2**bits * (1 + 2.0 ** (bits - 13))
    return ["2020", kind, node, 6.02 * bits + 1.76, energy_pJ, rate_Hz, area_mm2]


def spreadsheet(path, rows, names=("ISSCC", "VLSI")):
    """Write an .ods: text cells and value cells, and one that repeats."""
    sheets = ""
    for name in names:
        lines = ""
        for row in [HEADER] + rows:
            cells = "".join(
                f"<t:table-cell><x:p>{cell}</x:p></t:table-cell>"
                if isinstance(cell, str)
                else f'<t:table-cell o:value="{float(cell)!r}"/>'
                for cell in row
            )
            lines += f"<t:table-row>{cells}<t:table-cell t:number-columns-repeated='999'/></t:table-row>"
        sheets += f'<t:table t:name="{name}">{lines}</t:table>'
    with zipfile.ZipFile(str(path), "w") as archive:
        archive.writestr("content.xml", f"<o:document {SPACES}>{sheets}</o:document>")


def test_a_survey_on_the_law_gives_the_law(tmp_path):
    rows = [converter(bits, f) for bits in range(5, 17) for f in (5.0, 10.0, 20.0)]
    rows += [converter(8, 1e6, kind) for kind in ("Flash", "SAR, TI", "SDSC", "Pipe, SAR TI")]
    rows += [converter(8, 1e6, node=node) for node in ("0.18", "0.005", "")] + [["", "SAR", "0.04"]]
    source, out = tmp_path / "survey.ods", tmp_path / "mine.json"
    spreadsheet(source, rows)
    answer = run_script("adc_survey", "--source", source, "--out", out)
    assert answer.returncode == 0, answer.stderr
    assert "72 converters" in answer.stdout  # twice, in two sheets
    mine, macro = load_costs(str(out)), load_costs()
    assert mine.adc(8, "J") == pytest.approx(np.array([5, 10, 20]) * 1e-15 * 2**8 * (1 + 2.0**-5), rel=1e-3)
    assert mine.adc(16, "J")[1] == pytest.approx(10e-15 * 2**16 * 9, rel=1e-3)
    assert list(mine.adc(12, "s")) == [1e-6] * 3 and list(mine.adc(4, "um2")) == [1e4] * 3
    assert mine.name == "mine" and np.array_equal(mine["row_drive_J"], macro["row_drive_J"])
    assert "72 single-channel SARs" in mine.sources["adc_9b_J"][0]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"<not xml", "not a spreadsheet"),
        (None, "no sheet 'ISSCC'; it has Other"),
        ([], "only 0 usable SARs"),
        ([converter(8)] * 6, "fewer than 3 converters within 1 bit of 4 bits"),
    ],
)
def test_what_is_no_survey_is_told(tmp_path, content, message):
    source = tmp_path / "survey.ods"
    if isinstance(content, bytes):
        with zipfile.ZipFile(str(source), "w") as archive:
            archive.writestr("content.xml", content)
    else:
        spreadsheet(source, content or [], ("Other",) if content is None else ("ISSCC", "VLSI"))
    answer = run_script("adc_survey", "--source", source, "--out", tmp_path / "out.json")
    assert answer.returncode == 3 and message in answer.stderr and len(answer.stderr.splitlines()) == 1
    assert not (tmp_path / "out.json").exists()


def test_a_missing_file_and_a_zip_of_something_else(tmp_path):
    answer = run_script("adc_survey", "--source", tmp_path / "none.ods", "--out", tmp_path / "out.json")
    assert answer.returncode == 3 and "none.ods" in answer.stderr
    with zipfile.ZipFile(str(tmp_path / "other.zip"), "w") as archive:
        archive.writestr("readme", "x")
    answer = run_script("adc_survey", "--source", tmp_path / "other.zip", "--out", tmp_path / "out.json")
    assert answer.returncode == 3 and "content.xml: there is no such file" in answer.stderr


def test_the_real_survey_gives_the_packages_numbers(monkeypatch):
    path = data_folder("adc-survey", "ADCsurvey_latest.ods")
    script = script_module("adc_survey", monkeypatch)
    found = script.costs(script.converters(script.sheets(script.Source(str(path)).read("content.xml"))))
    packaged = load_costs("adc-survey")
    for name, entry in found.items():
        assert [entry[case][0] for case in script.CASES] == pytest.approx(list(packaged[name]), rel=0.01), name
