"""Cut prepared data to what the studies of this folder take: python docs/studies/cut.py DATA OUT.

Fashion-MNIST: the first 20,000 training, 2,500 validation and 2,500 test images. Retina: all training images; of the
validation and the first three test images the 96 x 96 pixels in the middle. Spoken digits stay whole.
"""

import argparse
import os

import numpy as np

from minirram.tasks import datasets, fashion_mnist, retina, spoken_digits

IMAGES = {"train": 20_000, "validation": 2_500, "test": 2_500}
SIDE = 96


def middle(images):
    """The middle SIDE x SIDE pixels of images (n, height, width)."""
    top, left = ((size - SIDE) // 2 for size in images.shape[1:3])
    return images[:, top : top + SIDE, left : left + SIDE]


def first_images(part, name, array):
    """The first images of a part of Fashion-MNIST."""
    return array[: IMAGES[part]]


def cut_fundus(part, name, array):
    """Training images whole; the middle of three others."""
    return array if part == "train" else middle(array[:3])


def whole(part, name, array):
    """All of it."""
    return array


CUTS = ((fashion_mnist.LAYOUT, first_images), (retina.TASK.layout, cut_fundus), (spoken_digits.TASK.layout, whole))


def main():
    """Parse the command line, cut what is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder that the data scripts wrote to")
    parser.add_argument("out", help="folder for the cut data")
    options = parser.parse_args()
    for layout, cut in CUTS:
        path = os.path.join(options.data, layout.data_set + ".npz")
        if os.path.exists(path):
            with np.load(path) as held:
                origin = f"{held['origin']}; cut by docs/studies/cut.py"
                parts = {
                    part: {name: cut(part, name, held[f"{part}_{name}"]) for name in layout.members}
                    for part in datasets.PARTS
                }
            datasets.save(options.out, layout, parts=parts, origin=origin)


if __name__ == "__main__":
    main()
