"""Random sequences through every public door of a chip and its macros: nothing that is read is ever stale."""

import dataclasses

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from minirram.chip.chip import Chip
from minirram.chip.dead_lines import ChipLines
from minirram.chip.levels import draw_signs, mask_shape
from minirram.crossbar.converters import Adc
from minirram.crossbar.macro import Macro
from minirram.crossbar.region import Reading
from minirram.crossbar.wires import Wires, attenuated_S, transfer_S
from minirram.device.presets import TAOX_40NM

AGEING = dataclasses.replace(
    TAOX_40NM, drift_exponent=0.05, drift_exponent_std=0.02, relaxation_std_S=1e-6, endurance_cycles=60, stuck_lrs=0.02
)
REDRAWN = dataclasses.replace(AGEING, re_set="redraw", read_noise_floor_S=50e-9)
MODELS = ("ageing", "redrawn")
LINES = ChipLines(((0, 2),), ((1, 3),), "skip", 6, 3)
SHAPES = (("a", (7, 2)), ("b", (3, 2)))
ADC = Adc(24, 1.0)
WIRES = (Wires(30.0, 20.0), Wires(5.0, 5.0, "reduced"))
DOORS_PER_STEP = 60


def present_grid(macro):
    """What each cell conducts, grid units, from the arrays that the macro saves: by definition, nothing kept."""
    state, model = macro.state(), macro.model
    held = np.where(state["on"], state["on_grid"], state["off_grid"])
    if "age_s" in state:
        numbers = {name: state[name] for name in model.ageing_numbers}
        aged_S = model.aged_S(held.astype(np.float64) * model.grid_S, state["age_s"], **numbers)
        held = np.rint(aged_S / model.grid_S).astype(np.float32)
    return np.where(state["formed"], held, np.float32(np.rint(model.pristine_S / model.grid_S)))


def behind_wires(macro, grid, wires):
    """The same as rows and columns see it through the lines of the physical array, rounded to the grid."""
    array_S = np.zeros(macro.physical_shape)
    array_S[np.ix_(*macro.line_maps)] = grid.astype(np.float64) * macro.model.grid_S
    seen_S = (
        transfer_S(array_S, wires, tolerance=1e-5, rows=slice(None), cols=slice(None), threads=1)
        if wires.model == "solve"
        else attenuated_S(array_S, wires)
    )
    return np.rint(seen_S[np.ix_(*macro.line_maps)] / macro.model.grid_S).astype(np.float32)


class Doors(RuleBasedStateMachine):
    """A chip of two small macros with dead lines, and dense arithmetic beside it."""

    macro_class = Macro
    operations = 0

    @initialize(model=st.sampled_from(MODELS), level=st.sampled_from(["pair", "cell"]), seed=st.integers(0, 99))
    def begin(self, model, level, seed):
        model = {"ageing": AGEING, "redrawn": REDRAWN}[model]
        drawn = Chip.sample(model, SHAPES, level=level, seed=seed, lines=LINES)
        macros = [self.macro_class.from_state(model, macro.state()) for macro in drawn.macros]
        self.chip = Chip(macros, drawn.placement, level=level)
        self.signs = draw_signs(seed, self.chip.placement)
        self.save(None)
        self.share = None

    # -- every public door --------------------------------------------------------------------

    def form(self, draw):
        self.chip.form(draw.uniform(3.2, 3.7))

    def program(self, draw):
        masks = {name: draw.random(mask_shape(self.chip.level, shape)) < 0.5 for name, shape in SHAPES}
        self.chip.program(masks, self.signs)

    def reset_partners(self, draw):
        if self.chip.level == "pair":
            self.chip.reset_partners(self.signs)

    def tune(self, draw):
        cells = draw.random(self.chip.used.shape) < 0.1
        self.chip.tune(cells, draw.uniform(1e-6, 20e-6, cells.shape), relative_error=draw.choice([None, 0.02]))

    def probe(self, draw):
        self.chip.read_out_when_off(draw)

    def age(self, draw):
        self.chip.age(draw.uniform(0, 1e5), draw.choice([None, 350.0]))

    def stick(self, draw):
        row, col = draw.integers(0, 6), draw.integers(0, 6)
        self.chip.stick([(int(draw.integers(0, 2)), int(row), int(col), bool(draw.random() < 0.5))])

    def replace(self, draw):
        shape = (len(self.chip.macros),) + self.chip.macros[0].physical_shape
        self.chip.replace_conductances(draw.uniform(0.5e-6, 15e-6, shape) * (draw.random(shape) < 0.9))

    def save(self, draw):
        self.saved = {name: np.array(array) for name, array in self.chip.state().items()}

    def restore(self, draw):
        self.chip.restore(self.saved)

    def update_ir_drop(self, draw):
        wires = WIRES[0]
        self.chip.update_ir_drop(wires)
        self.share = [macro.voltage_share(wires) for macro in self.chip.macros]

    def some_cells(self, draw):
        macro = self.chip.macros[draw.integers(0, len(self.chip.macros))]
        cells = draw.random(macro.on.shape) < 0.3
        return macro, cells if draw.random() < 0.5 else np.flatnonzero(cells)

    def macro_form(self, draw):
        macro, cells = self.some_cells(draw)
        macro.form(draw.uniform(3.2, 3.7), cells)

    def macro_set(self, draw):
        macro, cells = self.some_cells(draw)
        macro.set(cells)

    def macro_reset(self, draw):
        macro, cells = self.some_cells(draw)
        macro.reset(cells)

    def macro_tune(self, draw):
        macro, cells = self.some_cells(draw)
        macro.tune(cells, 7e-6)

    def macro_age(self, draw):
        macro, _ = self.some_cells(draw)
        macro.age(draw.uniform(0, 1e5))

    def macro_stick(self, draw):
        macro, _ = self.some_cells(draw)
        lrs = draw.random(macro.on.shape) < 0.02
        macro.stick(lrs, ~lrs & (draw.random(macro.on.shape) < 0.02))

    def macro_replace(self, draw):
        macro, _ = self.some_cells(draw)
        macro.replace_conductances(draw.uniform(0.5e-6, 15e-6, macro.physical_shape))

    def macro_restore(self, draw):
        macro, _ = self.some_cells(draw)
        start = f"macro{macro.index}/"
        macro.restore({name[len(start) :]: a for name, a in self.saved.items() if name.startswith(start)})

    NAMES = (
        "form program reset_partners tune probe age stick replace save restore update_ir_drop macro_form macro_set "
        "macro_reset macro_tune macro_age macro_stick macro_replace macro_restore"
    ).split()

    @rule(door=st.sampled_from(NAMES), seed=st.integers(0, 2**32 - 1))
    def one(self, door, seed):
        """One door and a look at everything: what a failing sequence shrinks to."""
        self.step(door, np.random.default_rng(seed))

    @rule(seed=st.integers(0, 2**32 - 1))
    def several(self, seed):
        """Many doors with a look after each."""
        draw = np.random.default_rng(seed)
        for _ in range(DOORS_PER_STEP):
            self.step(str(draw.choice(self.NAMES)), draw)

    def step(self, door, draw):
        getattr(self, door)(draw)
        type(self).operations += 1
        self.look(draw)

    # -- what can be read ---------------------------------------------------------------------

    def look(self, draw):
        """Some of what can be read, against dense arithmetic."""
        grids = [present_grid(macro) for macro in self.chip.macros]
        name = SHAPES[draw.integers(0, len(SHAPES))][0]
        self.look_at_weights(name, grids)
        kind = draw.integers(0, 20)
        if kind < 3:
            self.look_at_noise(grids, draw)
        elif kind == 3:
            self.look_at_products(name, grids, draw, WIRES[draw.integers(0, len(WIRES))])
        elif kind < 10:
            self.look_at_products(name, grids, draw, None)

    def look_at_weights(self, name, grids):
        """Conductances, pairs with the IR drop that was asked for, one noisy read of the weights."""
        chip, grid_S = self.chip, self.chip.cell_model.grid_S
        for macro, grid in zip(chip.macros, grids):
            assert np.array_equal(macro.conductance_grid(), grid)
        shared = grids if self.share is None else [grid * share for grid, share in zip(grids, self.share)]
        plus, minus = chip.placement.gather(name, np.stack(shared))
        assert all(map(np.array_equal, chip.pair_grid(name), (plus, minus)))
        std = np.hypot(*(chip.cell_model.read_std(cells, grid_S) for cells in (plus, minus)))
        drawn = np.random.default_rng(1).standard_normal(plus.shape, dtype=np.float32)
        found = chip.read_weights(name, 1e-6, generator=np.random.default_rng(1)) * (1e-6 / grid_S)
        assert np.abs(found - (plus - minus + std * drawn)).max() < 0.1

    def look_at_products(self, name, grids, draw, wires):
        """A product without noise, and the sums that a zero point adds, from one and the same conductances."""
        chip = self.chip
        if wires is not None:
            grids = [behind_wires(macro, grid, wires) for macro, grid in zip(chip.macros, grids)]
            for tile in chip.placement.tiles_of(name):
                own = chip.macros[tile.macro].effective_grid(tile.region, wires)
                seen = grids[tile.macro][tile.region.rows, tile.region.cols]
                assert np.abs(own - seen).max() <= 1  # an iteration may end on either side of half a step
                seen[...] = own
        plus, minus = (part.astype(np.int64) for part in chip.placement.gather(name, np.stack(grids)))
        assert np.array_equal(chip.column_sums_lsb(name, ADC, wires=wires), (plus - minus).sum(axis=0))
        codes = draw.integers(0, 4, (2, len(plus))).astype(np.uint8)
        total = np.zeros((2, plus.shape[1]), np.int64)
        for tile in chip.placement.tiles_of(name):
            chip.macros[tile.macro].multiply(
                codes[:, tile.matrix_rows],
                tile.region,
                input_bits=2,
                adc=ADC,
                reading=Reading(wires=wires),
                onto=total[:, tile.matrix_cols],
            )
        assert np.array_equal(total, codes.astype(np.int64) @ (plus - minus))

    def look_at_noise(self, grids, draw):
        """The variances of a noisy product are those of the present conductances."""
        index = draw.integers(0, len(grids))
        macro = self.chip.macros[index]
        std = macro.model.read_std(grids[index], macro.model.grid_S).astype(np.float64)
        variance = macro.operand(macro.whole, Reading(macro.read_noise(1, macro.whole))).variance
        assert np.allclose(variance, std**2, rtol=1e-3, atol=(std**2).max() / 2**14)

    @invariant()
    def arrays_cannot_be_written_to(self):
        if hasattr(self, "chip"):
            assert not any(macro.on.flags.writeable for macro in self.chip.macros)


def run(machine, examples, steps, shrinks=True):
    phases = [phase for phase in hypothesis.Phase if shrinks or phase is not hypothesis.Phase.shrink]
    settings = hypothesis.settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[phase for phase in phases if phase is not hypothesis.Phase.explain],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    run_state_machine_as_test(machine, settings=settings)


def test_nothing_is_stale_after_hundreds_of_operations():
    Doors.operations = 0
    run(Doors, 1, 30)  # hypothesis draws fewer steps than it may, older ones fewer still
    assert Doors.operations >= 200


@pytest.mark.slow
def test_nothing_is_stale_after_ten_thousand_operations():
    Doors.operations = 0
    run(Doors, 20, 40)
    assert Doors.operations >= 10_000


COUNTING_DOORS = ("form", "set", "reset", "tune", "stick", "age", "replace_conductances", "restore")


@pytest.mark.parametrize("door", COUNTING_DOORS)
def test_a_door_that_does_not_count_is_caught(door):
    """The same test bites: a macro one of whose doors leaves its count of changes as it was."""

    def silent(self, *arguments, **options):
        before = self.changes
        try:
            return getattr(Macro, door)(self, *arguments, **options)
        finally:
            self.changes = before

    forgetful = type("Forgetful", (Macro,), {door: silent})
    with pytest.raises(AssertionError):
        run(type("ForgetfulDoors", (Doors,), {"macro_class": forgetful}), 5, 10, shrinks=False)
