"""Compare ways to normalise contrast: python data_scripts/retina_contrast.py --source FOLDER_OR_ZIP.

How well the bare normalised image tells vessels, the darker the surer, without any network: areas under the ROC and
the precision-recall curve inside the field of view, per colour channel and smoothing radius. All images for training
and validation are pooled; those of the test part are never opened. `retina.py` stores the green channel, smoothed
over `fundus.SMOOTHING_PX`, because of this table. Sources as for `retina.py`.
"""

import argparse

import numpy as np
from _common import Source, run
from retina import find_set, read_eye

from minirram.tasks import fundus, metrics

RADII_PX = (4, 6, 8, 12, 16, 24)
CHANNELS = {"green": lambda colours: colours[:, :, 1], "mean": lambda colours: colours.mean(axis=2)}


def vessel_areas(eyes, channel, radius_px):
    """(ROC-AUC, PR-AUC) of 255 - grey as the score of a vessel.

    eyes: list of (colours, vessels, region), see `retina.read_eye`; channel: colours -> (height, width).
    """
    scores, truth = [], []
    for colours, vessels, region in eyes:
        flat = fundus.normalise_contrast(channel(colours), region, radius_px=radius_px, smooth=None)
        scores.append(255 - flat[region])
        truth.append(vessels[region])
    pooled = np.concatenate(scores), np.concatenate(truth)
    return metrics.roc_auc(*pooled), metrics.pr_auc(*pooled)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, metavar="PATH", help="HRF's zip or folder, or DRIVE's folder")
    options = parser.parse_args(arguments)
    source = Source(options.source)
    origin, root, files, _ = find_set(source)
    names = files(source, root)
    eyes = [read_eye(source, names_of_one) for part in ("train", "validation") for names_of_one in names[part]]
    print(f"{origin}: {len(eyes)} images for training and validation")
    print("channel  radius   ROC-AUC  PR-AUC")
    for name, channel in CHANNELS.items():
        for radius_px in RADII_PX:
            areas = vessel_areas(eyes, channel, radius_px)
            print("{:7s}  {:3d} px   {:.4f}   {:.4f}".format(name, radius_px, *areas), flush=True)


if __name__ == "__main__":
    run(main)
