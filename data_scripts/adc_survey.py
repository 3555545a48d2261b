#!/usr/bin/env python3
"""Costs of converters from Murmann's ADC Performance Survey, as a technology file for `minirram energy`.

    python data_scripts/adc_survey.py --source ADCsurvey_latest.ods --out adc-survey.json

The survey is at https://github.com/bmurmann/ADC-survey, in xls/. All costs but those of the converters are taken from
`macro-40nm`. Used are single-channel SARs of 20 to 70 nm. Energy: percentiles of F in energy = F 2^bits (1 +
2^(bits - 13)), over all of them; that form and its corner at 13 bits are assumed. Time and area: percentiles within
1 bit; a typical conversion is one at the median sampling rate. The package's `adc-survey` was made so from the survey
of June 2025.
"""

import argparse
import os
import xml.etree.ElementTree

import numpy as np
from _common import Source, run

from minirram.accounting.costs import CASES, load_costs
from minirram.errors import DataError
from minirram.files import write_json

PERCENTILES = (10, 50, 90)
NAMES = ("10th percentile", "median", "90th percentile")
COLUMNS = ("TECHNOLOGY", "SNDR_plot [dB]", "P/fsnyq [pJ]", "fsnyq [Hz]", "AREA [mm^2]")
BITS = range(4, 17)
SMALLEST_um, LARGEST_um = 0.02, 0.07
EXCLUDED = ("TI", "SDSC", "SDCT")  # time-interleaved, sigma-delta
NOISE_BITS = 13  # assumed: above these, noise decides and energy goes as 4^bits
LAW = "energy = F 2^bits (1 + 2^(bits - 13)); the form of this law and its corner at 13 bits are assumed"

_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_WIDTH = 60  # columns of a sheet that are looked at


def sheets(content):
    """Spreadsheet XML -> dict sheet name -> list of rows of text."""
    try:
        root = xml.etree.ElementTree.fromstring(content)
    except xml.etree.ElementTree.ParseError as error:
        raise DataError(f"content.xml: not a spreadsheet ({error})") from None
    return {
        table.get(_TABLE + "name", ""): [_cells(row) for row in table.iter(_TABLE + "table-row")]
        for table in root.iter(_TABLE + "table")
    }


def _cells(row):
    cells: list = []
    for cell in row:
        text = cell.get(_OFFICE + "value") or "".join(part.text or "" for part in cell.iter(_TEXT + "p"))
        repeated = int(cell.get(_TABLE + "number-columns-repeated", "1"))
        cells += [text] * min(repeated, _WIDTH - len(cells))
    return cells


def converters(tables):
    """The SARs that are used: float64 (n, 4) of effective bits, energy (J), samples per second, area (um^2 or NaN)."""
    found = []
    for name in ("ISSCC", "VLSI"):
        if name not in tables or not tables[name]:
            raise DataError(f"the survey has no sheet {name!r}; it has {', '.join(tables)}")
        header = tables[name][0]
        for row in tables[name][1:]:
            entry = dict(zip(header, row))
            kinds = [kind for part in entry.get("ARCHITECTURE", "").split(",") for kind in part.split()]
            node_um, sndr_dB, energy_pJ, rate_Hz, area_mm2 = (_number(entry.get(key, "")) for key in COLUMNS)
            known = not np.isnan([node_um, sndr_dB, energy_pJ, rate_Hz]).any()
            if known and "SAR" in kinds and not set(kinds) & set(EXCLUDED) and SMALLEST_um <= node_um <= LARGEST_um:
                found.append(((sndr_dB - 1.76) / 6.02, energy_pJ * 1e-12, rate_Hz, area_mm2 * 1e6))
    if len(found) < 10:
        raise DataError(f"only {len(found)} usable SARs in the survey; is it the right file?")
    return np.array(found)


def _number(text):
    try:
        return float(text)
    except ValueError:
        return float("nan")


def costs(found):
    """dict cost name -> {low, typical, high: [number, source]} of converters of 4 to 16 bits."""
    bits, joules, rates_Hz, areas_um2 = found.T
    survey = f"Murmann, ADC Performance Survey, {len(found)} single-channel SARs of 20-70 nm"
    law_J = np.percentile(joules / _growth(bits), PERCENTILES)
    table = {}
    for n in BITS:
        near = np.abs(bits - max(n, 5)) <= 1
        areas = areas_um2[near & ~np.isnan(areas_um2)]
        if near.sum() < 3 or len(areas) < 3:
            raise DataError(f"fewer than 3 converters within 1 bit of {n} bits")
        energy = [f"{survey}: {name} of F in {LAW}" for name in NAMES]
        time = [f"{survey}: one over the {name} of the sampling rate within 1 bit" for name in NAMES[::-1]]
        area = [f"{survey}: {name} of area within 1 bit" for name in NAMES]
        table[f"adc_{n}b_J"] = _entry(law_J * _growth(n), energy)
        table[f"adc_{n}b_J"]["typical"].append(float(f"{np.median(rates_Hz[near]):.4g}"))
        table[f"adc_{n}b_s"] = _entry(1.0 / np.percentile(rates_Hz[near], PERCENTILES)[::-1], time)
        table[f"adc_{n}b_um2"] = _entry(np.percentile(areas, PERCENTILES), area)
    return table


def _growth(bits):
    return 2.0**bits * (1.0 + 2.0 ** (bits - NOISE_BITS))


def _entry(values, sources):
    return {case: [float(f"{value:.4g}"), source] for case, value, source in zip(CASES, values, sources)}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, metavar="FILE.ods", help="the survey as a spreadsheet")
    parser.add_argument("--out", required=True, metavar="FILE.json", help="technology file to write")
    options = parser.parse_args(arguments)
    found = converters(sheets(Source(options.source).read("content.xml")))
    macro = load_costs("macro-40nm")
    table = {
        name: {case: [float(v), source] for case, v, source in zip(CASES, macro.values[name], macro.sources[name])}
        for name in macro.values
    }
    table.update(costs(found))
    name = os.path.splitext(os.path.basename(options.out))[0]
    about = "The 40 nm macro with converters as published: Murmann's ADC survey, scaled by bits"
    write_json(options.out, {"format": "minirram-costs", "version": 1, "name": name, "about": about, "costs": table})
    print(f"{options.out}: {len(found)} converters")


if __name__ == "__main__":
    run(main)
