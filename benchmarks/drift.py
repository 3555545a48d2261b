"""Accuracy of runs over time, with drift as it comes and compensated: `python benchmarks/drift.py RUN ... [--json]`.

One row per age: validation accuracy without compensation / with one calibration read, as `minirram evaluate --age`
gives them. A technology without drift or relaxation keeps the figure of age 0.
"""

import argparse
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import minirram as mr  # noqa: E402

AGES_s = {
    "0": 0.0,
    "1 s": 1.0,
    "1 hour": 3600.0,
    "1 day": 86400.0,
    "30 days": 30 * 86400.0,
    "1 year": 365.25 * 86400.0,
    "10 years": 3652.5 * 86400.0,
}


def over_time(folder, ages_s, data, threads):
    """(technology, {age: (accuracy, accuracy compensated)}) of a run."""
    run = mr.Run(folder)

    def accuracy(**use):
        return run.evaluate(data=data, conditions=mr.Conditions(**use), threads=threads).value

    rows = {}
    for name, age_s in ages_s.items():
        if not (age_s and run.config.cell_model.ages):
            rows[name] = (rows["0"][0] if rows else accuracy(),) * 2
        else:
            rows[name] = accuracy(age_s=age_s), accuracy(age_s=age_s, compensated=True)
    return run.config.cell_model.name, rows


def table(found):
    """The figures as a table in Markdown."""
    lines = ["| age | " + " | ".join(found) + " |", "|---" * (len(found) + 1) + "|"]
    for age in next(iter(found.values())):
        cells = [f"{plain:.1%} / {compensated:.1%}" for plain, compensated in (rows[age] for rows in found.values())]
        lines.append(f"| {age} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="finished run folders, one per technology")
    parser.add_argument("--data", help="folder of the data set instead of the runs'")
    parser.add_argument("--ages", nargs="+", metavar="AGE", choices=[*AGES_s], default=[*AGES_s], help="which rows")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args()
    ages_s = {name: AGES_s[name] for name in {"0": None, **dict.fromkeys(options.ages)}}
    import machine

    on = machine.tell(options.threads)
    found = dict(over_time(folder, ages_s, options.data, options.threads) for folder in options.runs)
    print(json.dumps(dict(found, machine=on)) if options.json else table(found))


if __name__ == "__main__":
    main()
