"""Accuracy over writes per weight as SVG, from kept results: python benchmarks/writes_figure.py FOLDER --out FILE.

Plain weight optimisation from `plain_baseline.py`, masks and the tuned baseline from `writes-TASK.json`, which
`minirram paper --run full` makes. Needs matplotlib.
"""

import argparse
import json
import os
from collections import defaultdict
from statistics import mean

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

TASKS = {"fashion-mnist": "Fashion-MNIST, %", "spoken-digits": "spoken digits, %", "retina": "HRF, ROC-AUC in %"}
OTHER_RATES = ("-constant.json", "-five.json")
"""files of trainings whose rate falls otherwise than over the authors' epochs"""
STYLES = {"tuned": ("D", "0.6"), "cell": ("s", "black"), "pair": ("o", "tab:red")}
"""{kind: (mark, colour)}; what comes later lies above"""
COLOURS = {
    "wo-plain-budget-0.15": "tab:blue",
    "wo-plain-one-budget-6": "tab:orange",
    "wo-plain-free-0.15": "tab:green",
    "wo-plain-one-free-6": "tab:purple",
}
"""of the plain arms, the same on each task"""


def plain_curves(folder, task):
    """{arm: [(updates, mean validation in %)]} of the kept runs of a task."""
    found = defaultdict(lambda: defaultdict(dict))  # a seed that two files hold counts once
    for name in sorted(os.listdir(folder)):
        if name.startswith("plain-" + task) and not name.endswith(OTHER_RATES):
            with open(os.path.join(folder, name), encoding="utf-8") as handle:
                for row in json.load(handle)["found"]["rows"]:
                    found[row["arm"]][row["updates"]][row["seed"]] = 100 * row["validation"]
    return {
        arm: [(updates, mean(scores.values())) for updates, scores in sorted(by.items())] for arm, by in found.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    import machine

    machine.tell()
    matplotlib.rcParams["svg.hashsalt"] = "minirram"  # the same bytes each time
    figure, axes = plt.subplots(1, 3, figsize=(12, 5))
    for axis, (task, label) in zip(axes, TASKS.items()):
        for arm, curve in plain_curves(options.folder, task).items():
            axis.plot(*zip(*curve), ".-", label=arm, color=COLOURS.get(arm))
        with open(os.path.join(options.folder, f"writes-{task}.json"), encoding="utf-8") as handle:
            points = json.load(handle)["found"]["rows"]
        for kind, (mark, colour) in STYLES.items():
            own = [row for row in points if row["kind"] == kind]
            places = [row["writes_per_weight"] for row in own], [row["score"] for row in own]
            axis.plot(*places, mark, label=kind if own else None, color=colour)
        axis.set_xscale("log")
        axis.set_xlabel("writes per weight")
        axis.set_ylabel(label)
        axis.legend(fontsize=7, ncol=2, loc="upper center", bbox_to_anchor=(0.5, -0.14))  # covers no point
    figure.tight_layout()
    figure.savefig(options.out, metadata={"Date": None})


if __name__ == "__main__":
    main()
