"""Write docs/results.md: python docs/make_results.py, from the source tree."""

import pathlib
import sys

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

Figures come from `docs/results/*.json`, each written by the run that made it, with its command, commit and time. Two
files were typed from tables of [measurements](measurements.md); the command beside their figures is the table's. A
result that `--run` does not make is the kept one.

{table}

More:

- [Measurements](measurements.md): every table below the command that printed it, speed and memory too
- [Masks beside weights](comparison.md): what the gaps are made of, writes over accuracy, what was not run
- [Energy, latency and area](energy.md): what is counted, constants and their sources, a peer's figures
- [Scoreboard](scoreboard.md): other simulators under the laws of the product
"""


def page() -> str:
    """The text of docs/results.md."""
    whole = table([ROOT / "docs" / "results"])
    counts = {status: sum(row.status == status for row in whole.claims) for status in (AGREES, DIFFERS, OUT)}
    return PAGE.format(
        agrees=counts[AGREES], differs=counts[DIFFERS], out=counts[OUT], table="\n".join(markdown(whole))
    )


if __name__ == "__main__":
    (ROOT / "docs" / "results.md").write_text(page(), encoding="utf-8")
