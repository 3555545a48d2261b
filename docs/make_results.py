"""Write docs/results.md: python docs/make_results.py, from the source tree."""

import json
import pathlib
import sys
from typing import Dict, List

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from minirram.study.paper import AGREES, DIFFERS, OUT, markdown, table  # noqa: E402

PAGE = """# The paper's claims and ours

Li et al., "Pruning random resistive memory for optimizing analog AI" (arXiv 2311.07164; Nature Communications 17:1190,
2026). Each claim of its abstract and figures stands beside what this project finds: {agrees} agree, {differs} differ,
{out} are out of scope. A row's status is computed from the two numbers; what counts as equal stands under "why".

```sh
minirram paper --out paper                    # this table, paper.json and paper.md; --json for `claims`
```

<!-- small: minutes for quick, hours for full -->
```sh
minirram paper --out paper --run quick        # results anew first; full with --data data
```

Figures come from `docs/results/*.json`, each written by the run that made it, with its command, commit and time. A
result that `--run` does not make is the kept one; `--only NAME` makes one alone.

{table}

## Speed

From `benchmarks/results.json`, which `sh benchmarks/all.sh` writes, at commit {commit} on
{machine}. Ratios are to the bare float32
products of the same size on as many threads. What is asked and not reached has its limit, with what was tried, in
[speed](decisions/speed.md), [examination](decisions/examination-speed.md) and
[a noisy product](decisions/noisy-product-speed.md).

{speed}

More:

- [Measurements](measurements.md): every table below the command that printed it, speed and memory too
- [Masks beside weights](comparison.md): what the gaps are made of, writes over accuracy, what was not run
- [Energy, latency and area](energy.md): what is counted, constants and their sources, a peer's figures
- [Scoreboard](scoreboard.md): other simulators under the laws of the product
"""


SPEED = (
    ("a product of 512 x 512 cells", "crossbar.py", "ideal_512", "times its products", ""),
    ("the same with read noise", "crossbar.py", "noise_512", "times its products", "2.3"),
    ("one noisy sample", "examine.py", "batch1_ms", "ms", "0.3"),
    ("a U-Net's image of 584 x 565 with noise", "examine.py", "unet_gemm", "times its products", "2.0"),
    ("the same", "examine.py", "unet_s_per_megapixel", "s per megapixel", ""),
    ("the CNN with noise", "examine.py", "cnn_images_per_s", "images per second", ""),
    ("a step of the CNN", "training.py", "cnn_gemm", "times its products", ""),
    ("a step of the CRNN", "training.py", "crnn_gemm", "times its products", "2.5"),
    ("a step of the U-Net", "training.py", "unet_gemm", "times its products", ""),
    ("steps of CNN, CRNN, U-Net beside PyTorch", "training.py", "cnn crnn unet", "times as fast", "1.7, -, 1.3"),
    ("time over batch", "crossbar.py", "exponent_batch", "exponent", "0.9 to 1.1"),
    ("time over tiles", "crossbar.py", "exponent_tiles", "exponent", "0.9 to 1.1"),
    ("time over bit planes", "crossbar.py", "exponent_planes", "exponent", "0.9 to 1.1"),
    ("time over macros", "growth.py", "exponent_macros", "exponent", "0.9 to 1.1"),
    ("time over width", "growth.py", "exponent_width", "exponent", "0.9 to 1.1"),
    ("time over images", "growth.py", "exponent_images", "exponent", "0.9 to 1.1"),
    ("a macro in use, an image of the CNN", "growth.py", "macro_used_MB image_MB", "MB", ""),
    ("ResNet-50, 181 macros, one noisy image of 224 x 224", "resnet50.py", "noisy_s", "s", ""),
    ("the same, peak of memory", "resnet50.py", "noisy_peak_MB", "MB", ""),
    ("IR drop of 512 x 512 cells, solved", "wires.py", "seconds_512", "s", ""),
    ("programs, written and read", "program.py", "encode_mb_s decode_mb_s", "MB/s", ""),
)
"""(what, benchmark, its fields, unit, what is asked)"""


def speed() -> Dict[str, str]:
    """What the page says of benchmarks/results.json."""
    runs = json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    rows: List[str] = ["| what | figure | asked | command |", "|---|---|---|---|"]
    for what, script, names, unit, asked in SPEED:
        has = (key for key in runs if key.split()[0] == script and set(names.split()) <= runs[key]["found"].keys())
        command = next(has, None)
        if command is None:
            raise SystemExit(f"no {names} of {script} in benchmarks/results.json: TORCH=PYTHON sh benchmarks/all.sh")
        values = [runs[command]["found"][name] for name in names.split()]
        figures = ", ".join(f"{value:,.0f}" if value >= 100 else f"{value:#.3g}" for value in values)
        rows.append(f"| {what} | {figures} {unit} | {asked} | `python benchmarks/{command} --json`: `{names}` |")
    machine = runs["crossbar.py"]["found"]["machine"]
    of = "{cores} cores of an {processor}, NumPy {numpy}".format(**machine)
    return {"speed": "\n".join(rows), "commit": machine["commit"], "machine": of}


def page() -> str:
    """The text of docs/results.md."""
    whole = table([ROOT / "docs" / "results"])
    counts = {status: sum(row.status == status for row in whole.claims) for status in (AGREES, DIFFERS, OUT)}
    return PAGE.format(
        agrees=counts[AGREES], differs=counts[DIFFERS], out=counts[OUT], table="\n".join(markdown(whole)), **speed()
    )


if __name__ == "__main__":
    (ROOT / "docs" / "results.md").write_text(page(), encoding="utf-8")
