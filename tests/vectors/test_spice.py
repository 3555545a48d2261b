"""The netlist of an array with its lines: ngspice and the solver of `wires` agree."""

import runpy
import shutil
import subprocess

import numpy as np
import pytest

from minirram.crossbar.wires import Wires, column_currents_A
from minirram.device.presets import TAOX_40NM
from minirram.errors import ShapeError
from minirram.vectors import formats
from minirram.vectors.spice import CURRENTS, netlist, read_currents
from minirram.vectors.vectors import answer, draw

from ..support.places import ROOT

ngspice = pytest.mark.skipif(not shutil.which("ngspice"), reason="ngspice is not installed")


def solved(folder, columns, file="tile.cir"):
    """Currents that ngspice writes for a netlist in a folder."""
    subprocess.run(["ngspice", "-b", file], cwd=str(folder), check=True, stdout=subprocess.PIPE)
    return read_currents((folder / CURRENTS).read_text(), columns)


@pytest.mark.slow
@ngspice
@pytest.mark.parametrize(
    "shape, row_ohm, col_ohm",
    [((1, 2), 3.0, 3.0), ((5, 4), 0.0, 20.0), ((7, 6), 50.0, 0.0), ((32, 32), 1.0, 3.0), ((32, 32), 1e3, 1e3)],
)
def test_ngspice_agrees_with_the_solver(tmp_path, shape, row_ohm, col_ohm):
    random = np.random.default_rng(sum(shape))
    cells_S = random.uniform(1e-7, 32e-6, shape) * (random.random(shape) < 0.8)
    cells_S[0, 0] = 0
    inputs_V = np.concatenate([0.2 * (random.random((3, shape[0])) < 0.6), random.uniform(0, 0.2, (2, shape[0]))])
    wires = Wires(row_ohm, col_ohm)
    (tmp_path / "tile.cir").write_text(netlist(cells_S, inputs_V, wires))
    wanted_A = column_currents_A(cells_S, inputs_V, wires=wires, tolerance=1e-12)
    assert np.abs(solved(tmp_path, shape[1]) - wanted_A).max() <= 1e-6 * np.abs(wanted_A).max()


@pytest.mark.slow
@ngspice
def test_the_files_of_the_command_are_run_as_they_are(tmp_path):
    stimulus = draw(TAOX_40NM, (16, 4), samples=12, input_bits=2)
    formats.write(str(tmp_path / "v"), "spice", stimulus, answer(stimulus), wires=Wires(5.0, 5.0), about="")
    wanted_A = np.loadtxt(str(tmp_path / "v" / "expected_A.txt"))
    assert wanted_A.shape == (24, 8) and wanted_A.max() > 0
    assert np.allclose(solved(tmp_path / "v", 8), wanted_A, rtol=1e-6, atol=1e-6 * wanted_A.max())


@pytest.mark.slow
@ngspice
def test_a_real_cell_and_a_broken_row_change_their_columns():
    plain_A, ours_A, real_A, broken_A = runpy.run_path(str(ROOT / "docs/examples/spice/real_cell.py"))["main"]()
    assert np.abs(plain_A / ours_A - 1).max() < 1e-6
    real, broken = real_A[0] / plain_A[0] - 1, broken_A[0] / plain_A[0] - 1
    assert np.argmax(real) == 2 and real[2] > 0.01 and np.abs(np.delete(real, 2)).max() < 1e-3
    assert (broken[3:] < -0.02).all() and np.abs(broken[:3]).max() < 1e-3


def test_a_netlist_has_one_line_per_element():
    text = netlist(np.array([[1e-5, 0.0]]), np.array([[0.2]]), Wires(2.0, 0.0))
    lines = text.splitlines()
    assert {"Vr0 r0 0 0", "Rr0_0 r0 r0_0 2.0", "Rr0_1 r0_0 r0_1 2.0", "Vs0 s0 0 0", "alter vr0 dc = 0.2"} <= set(lines)
    cells = [line.split() for line in lines if line.startswith("Rg")]
    assert [cell[:3] for cell in cells] == [["Rg0_0", "r0_0", "s0"]] and float(cells[0][3]) == pytest.approx(1e5)
    assert not [line for line in lines if line.startswith("Rc")]
    lines = netlist(np.ones((2, 2)), np.zeros((1, 2)), Wires(0.0, 3.0)).splitlines()
    columns = {"Vs1 s1 0 0", "Rc0_1 c0_1 c1_1 3.0", "Rc1_1 c1_1 s1 3.0", "Rg0_1 r0 c0_1 1.0", "Rg1_1 r1 c1_1 1.0"}
    assert columns <= set(lines) and not [line for line in lines if line.startswith("Rr")]


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="rows"):
        netlist(np.ones((2, 2)), np.ones((1, 3)), Wires())
    with pytest.raises(ShapeError, match="currents"):
        read_currents("i(vs0) = 1e-6\n", 2)
