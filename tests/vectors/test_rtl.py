"""The Verilog tile of docs/examples/rtl passes vectors and kit under Icarus Verilog; faults in it are caught."""

import runpy
import shutil
import subprocess

import pytest

from minirram.conformance import Spec, cases, check, exact_laws
from minirram.crossbar.wires import Wires
from minirram.device.presets import TAOX_40NM
from minirram.vectors import formats
from minirram.vectors.vectors import Stimulus, answer, draw

from ..support.places import ROOT

RTL = ROOT / "docs" / "examples" / "rtl"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("iverilog") and shutil.which("vvp")), reason="Icarus Verilog is not installed"
    ),
]
SMALL = Spec(tile_rows=4, tile_pairs=2, max_rows=10, max_pairs=5, max_batch=4, input_bits=(1, 3), adc_bits=(5, 12, 24))
FAULTS = {
    "ties round away from zero": ("twice == numerator && quotient[0]", "twice == numerator"),
    "the converter truncates": ("quotient + up;", "quotient;"),
    "planes are added without their weight": (" <<< plane);", ");"),
    "sums do not begin at zero": ("sum[j] <= 0;", "sum[j] <= sum[j];"),
}
"""what is wrong: (line of tile.v, the broken one)"""


def simulated(tmp_path, tile=RTL / "tile.v", arrangement="pair", shape=(12, 3)):
    """What the bench says of the vectors of a drawn matrix."""
    stimulus = draw(TAOX_40NM, shape, samples=20, input_bits=5, adc_bits=6, arrangement=arrangement)
    if arrangement == "pair":  # ties come up
        cells = (stimulus.cells_grid // 1024 * 1024).astype("float32")
        adc = type(stimulus.adc)(6, 8192.0, "pair")
        stimulus = Stimulus(cells, stimulus.codes, 5, adc, stimulus.tiles, stimulus.grid_S, 0.2)
    folder = tmp_path / "vectors"
    formats.write(str(folder), "readmemh", stimulus, answer(stimulus), wires=Wires(0.0, 0.0), about="")
    program = str(tmp_path / "tile.vvp")
    files = [str(tile), str(RTL / "vectors_tb.v")]
    subprocess.run(["iverilog", "-g2005", "-I", str(folder), "-o", program, *files], check=True)
    done = subprocess.run(["vvp", "-n", program], cwd=str(folder), check=True, stdout=subprocess.PIPE)
    return done.stdout.decode()


@pytest.mark.parametrize("arrangement", ["pair", "polarity"])
def test_the_tile_passes_the_vectors(tmp_path, arrangement):
    assert simulated(tmp_path, arrangement=arrangement).startswith("PASSED 20 samples")


def test_a_matrix_of_two_tiles_passes(tmp_path):
    assert simulated(tmp_path, shape=(520, 1), arrangement="polarity").startswith("PASSED")


@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_are_caught(tmp_path, name):
    good, broken = FAULTS[name]
    text = (RTL / "tile.v").read_text()
    assert text.count(good) == 1
    tile = tmp_path / "tile.v"
    tile.write_text(text.replace(good, broken))
    assert simulated(tmp_path, tile).startswith("FAILED")


def test_the_kit_passes_the_tile_behind_a_pipe_and_breaks_one_that_truncates(tmp_path):
    example = runpy.run_path(str(RTL / "device.py"))
    report = check(example["factory_of"](example["compiled"](str(tmp_path), SMALL), SMALL), SMALL, effort="quick")
    assert report.passed, str(report)
    tile = tmp_path / "tile.v"
    tile.write_text((RTL / "tile.v").read_text().replace(*FAULTS["the converter truncates"]))
    broken = example["factory_of"](example["compiled"](str(tmp_path), SMALL, tile), SMALL)
    with pytest.raises(cases.Violation, match="expected"):
        exact_laws.conversion(broken, SMALL, cases.Problem(7, 3, 3, 3, 6, 2, 1))
