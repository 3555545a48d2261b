"""A map of 512 x 512 formed cells drawn from measured ones: `python benchmarks/drawn_map.py CELLS.csv MAP.npy`.

CELLS.csv: conductances in uS, such as `random_conductance_50x50.csv` of the authors. Cells below 1 uS did not form.
"""

import argparse

import numpy as np

from minirram.labfiles.maps import read_map

FORMED_S = 1e-6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells")
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=13)
    options = parser.parse_args()
    import machine

    machine.tell()
    cells_S = read_map(options.cells, "uS").conductances_S
    formed_S = cells_S[cells_S > FORMED_S]
    np.save(options.out, np.random.default_rng(options.seed).choice(formed_S, (512, 512)))
    print(f"{formed_S.size} formed cells, median {np.median(formed_S) * 1e6:.2f} uS; {options.out} in siemens")


if __name__ == "__main__":
    main()
