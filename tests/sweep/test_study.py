"""Points of a study, parameters by name, the table: laws on random cases beside slow oracles."""

import errno
import os
from types import SimpleNamespace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from minirram.crossbar.wires import Wires
from minirram.device.presets import PCM, TAOX_40NM
from minirram.engines.running import Running
from minirram.errors import ConfigError, DataError
from minirram.files import write_json
from minirram.json_codec import built, plain
from minirram.learn.recipe import Recipe
from minirram.nn.network import input_bits, matrices
from minirram.pages.outcome import sampling_interval
from minirram.runs.config import RunConfig
from minirram.sweep import driver
from minirram.sweep import table as tables
from minirram.sweep.findings import study_in
from minirram.sweep.parameters import Setup, find, names_of, parameters, with_values
from minirram.sweep.points import _sampling_error
from minirram.sweep.study import Point, Samples, Study, value_of, values_of
from minirram.sweep.table import Table, alone, read_rows

from ..support.tiny import tiny_network

SETUP = Setup(RunConfig("fashion-mnist", "synthetic", tiny_network(), Recipe(), TAOX_40NM))
COLUMNS = ("point", "a", "b", "error")


def test_every_plain_field_of_every_configuration_can_be_varied():
    known = parameters(SETUP)
    for name in ("density", "level", "chip_seed", "seed", "formed_share", "adc_bits", "adc_arrangement"):
        assert name in known
    for name in (
        "read_noise",
        "write_noise",
        "stuck_lrs",
        "drift_exponent",
        "age_s",
        "temperature_K",
        "adc_offset_lsb",
    ):
        assert name in known
    assert {"wires.row_ohm", "lines.rows", "widths.fc1", "width", "technology", "draws", "conditions.seed"} <= set(
        known
    )
    assert known["seed"].name == "recipe.seed" and all(one.meaning for one in known.values())
    assert len({name for name, _ in names_of(SETUP)}) == len(set(known.values()))


def test_values_arrive_where_they_belong():
    changed = with_values(
        SETUP,
        {
            "technology": "pcm",
            "read_noise": 0,
            "hysteresis": 0.002,
            "hysteresis_end": 0.002,
            "adc_bits": 6,
            "age_s": 10.0,
            "temperature_K": 350,
            "compensated": True,
            "wire_ohm": 0.5,
            "widths.fc1": 5,
            "input_bits": 3,
            "lines.rows": 64,
            "draws": 3,
            "conditions.seed": 4,
            "recipe.seed": 9,
        },
    )
    config, use = changed.config, changed.conditions
    assert config.cell_model == PCM.changed(read_noise=0.0)
    assert (config.recipe.hysteresis, config.recipe.hysteresis_end, config.recipe.seed) == (0.002, 0.002, 9)
    assert (config.adc_bits, config.lines.rows, config.wires) == (6, 64, Wires(0.5, 0.5))
    assert (use.age_s, use.temperature_K, use.compensated, use.seed, use.wires) == (10.0, 350, True, 4, Wires(0.5, 0.5))
    assert dict(matrices(config.network))["fc1"][1] == 5 and set(input_bits(config.network).values()) == {3}
    assert changed.look.draws == 3
    halved = dict(matrices(with_values(SETUP, {"width": 0.5}).config.network))
    assert halved["conv"][1] == 4 and halved["fc1"][1] == 6 and halved["fc2"][1] == 3


def test_wrong_names_and_values_are_told():
    with pytest.raises(ConfigError, match="did you mean read_noise"):
        find("read_nose", parameters(SETUP))
    for values, said in (
        ({"adc_bits": 4.5}, "adc_bits"),
        ({"adc_bits": 99}, "ADC"),
        ({"widths.none": 3}, "widths.none"),
        ({"width": 0}, "width"),
        ({"technology": "x"}, "technology"),
        ({"level": 3}, "level"),
    ):
        with pytest.raises(ConfigError, match=said):
            with_values(SETUP, values)


def test_points_of_a_grid_a_list_and_samples():
    study = Study(
        run=("r", "s"),
        fixed={"draws": 2},
        grid={"a": (1, 2), "b": (0.5,)},
        points=({"c": 1}, {"c": 2}, {"c": 3}),
    )
    points = list(study.each())
    assert len(points) == study.count == 12 == len({point.key for point in points})
    assert study.names == ("run", "draws", "a", "b", "c") == tuple(name for name, _ in points[0].values)
    assert [dict(point.values)["run"] for point in points[:6:3]] == ["r", "s"]
    assert built(Study, plain(study)) == study
    assert list(built(Study, plain(study)).each()) == points


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lhs", "sobol"])
def test_samples_fill_their_ranges_once_per_stratum(method):
    pytest.importorskip("scipy", reason="samples come from scipy.stats.qmc")
    ranges = {"x": (0.0, 8.0), "y": (1e-3, 1.0), "k": (4.0, 12.0)}
    samples = Samples(method, 8, ranges, logarithmic=("y",), whole=("k",), seed=3)
    values = samples.values()
    assert values == samples.values() and len(values) == 8
    assert sorted(int(value["x"]) for value in values) == list(range(8))
    assert all(1e-3 <= value["y"] <= 1 for value in values) and sum(value["y"] < 0.0316 for value in values) == 4
    assert all(isinstance(value["k"], int) for value in values)


def test_studies_that_cannot_be():
    for wrong in (
        dict(),
        dict(run=("r",), task="t"),
        dict(task="t", grid={"a": ()}),
        dict(task="t", grid={"a": (1,)}, fixed={"a": 2}),
        dict(task="t", points=({"a": 1}, {"b": 1})),
        dict(task="t", grid={"a": tuple(range(4000)), "b": tuple(range(4000))}),
    ):
        with pytest.raises(ConfigError):
            Study(**wrong)
    for wrong in (dict(method="x"), dict(points=0), dict(ranges={"a": (1, 1)}), dict(logarithmic=("a",))):
        with pytest.raises(ConfigError):
            Samples(**dict(dict(method="lhs", points=3, ranges={"a": (0.0, 1.0)}), **wrong))


def test_values_of_the_command_line():
    assert values_of("0,0.0065,pcm,true,none") == (0, 0.0065, "pcm", True, None)
    assert values_of("4:14") == tuple(range(4, 14)) and values_of("4:15:5") == (4, 9, 14)
    assert value_of("1e-3") == 1e-3 and value_of(" a:b ") == "a:b"
    with pytest.raises(ConfigError):
        values_of("4:4")
    with pytest.raises(ConfigError, match="0:0.1:0.05: a range has whole numbers; list other values"):
        values_of("0:0.1:0.05")
    assert values_of("C:data") == ("C:data",)


def test_an_accuracy_of_all_or_none_has_a_sampling_error():
    assert _sampling_error(0.8, 400) == pytest.approx(0.02)
    for samples in (1, 10, 1000):
        low, high = sampling_interval(1.0, samples, z=1.0)
        assert _sampling_error(1.0, samples) == _sampling_error(0.0, samples) == pytest.approx((high - low) / 2)


TEXTS = ["", "a", 'b,"c', "d\n\re", "\u00b5\u2028"]
cells = st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), st.booleans(), st.sampled_from(TEXTS))


@given(st.lists(st.tuples(cells, cells, st.sampled_from([None, 'it failed,\n"so"'])), max_size=6), st.data())
def test_a_table_cut_anywhere_keeps_its_whole_rows(tmp_path_factory, rows, data):
    folder = tmp_path_factory.mktemp("table")
    with Table(folder, COLUMNS) as table:
        for number, (a, b, error) in enumerate(rows):
            table.add({"point": f"{number:012x}", "a": a, "b": b, "error": error})
        assert table.failed == {f"{k:012x}" for k, row in enumerate(rows) if row[2]}
        assert {table.error_of(key) for key in table.failed} <= {'it failed,\\n"so"'}
        lines = list(table.lines.values())
    whole = (folder / "sweep.csv").read_bytes()
    assert whole.count(b"\n") == len(rows) + 1
    cut = data.draw(st.integers(0, len(whole)))
    with open(folder / "sweep.csv", "r+b") as handle:
        handle.truncate(cut)
    with Table(folder, COLUMNS) as table:
        kept = whole[:cut].count(b"\n") - 1
        assert list(table.lines.values()) == lines[: max(0, kept)]
        for number, (a, b, error) in enumerate(rows):
            if f"{number:012x}" not in table.lines:
                table.add({"point": f"{number:012x}", "a": a, "b": b, "error": error})
        table.sort(f"{k:012x}" for k in range(len(rows)))
    assert (folder / "sweep.csv").read_bytes() == whole


def test_rows_are_sorted_dropped_and_refused(tmp_path):
    with Table(tmp_path, COLUMNS) as table:
        for key in "cab":
            table.add({"point": key * 12, "a": key, "error": "no" if key == "a" else None})
        table.sort(key * 12 for key in "bc")
        assert [line[:1] for line in table.lines.values()] == [b"b", b"c", b"a"]
        table.drop(["a" * 12])
        table.add({"point": "d" * 12})
        assert table.failed == set()
    columns, rows = read_rows(tmp_path)
    assert columns == COLUMNS and [row["point"][0] for row in rows] == ["b", "c", "d"]
    with pytest.raises(ConfigError, match="other columns"):
        Table(tmp_path, ("point", "z", "error"))
    (tmp_path / "sweep.csv").write_text("point,a,b,error\nx,1\n")
    with pytest.raises(DataError, match="line 2"):
        read_rows(tmp_path)


def test_a_full_disk_leaves_whole_rows(tmp_path, monkeypatch):
    write, room = os.write, [60]

    def full(handle, data):
        """A disk with room for a few bytes more."""
        written = write(handle, data[: room[0]])
        room[0] -= written
        if written == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return written

    with Table(tmp_path, COLUMNS) as table:
        monkeypatch.setattr(tables.os, "write", full)
        table.add({"point": "a" * 12, "a": 1})
        with pytest.raises(ConfigError, match="1 rows of points that ended are kept"):
            table.add({"point": "b" * 12, "a": "x" * 80})
    assert (tmp_path / "sweep.csv").read_text() == "point,a,b,error\naaaaaaaaaaaa,1,,\n"


def test_a_folder_has_one_driver(tmp_path):
    with alone(tmp_path):
        with pytest.raises(ConfigError, match=f"process {os.getpid()}"):
            with alone(tmp_path):
                pass
    with alone(tmp_path):
        pass


def test_a_key_depends_on_names_and_values_alone():
    one, other = Point((("a", 1), ("b", 0.5))), Point((("b", 0.5), ("a", 1)))
    assert one.key == other.key and len({one.key, Point((("a", 1), ("b", 0.25))).key, Point((("a", "1"),)).key}) == 3


def test_the_clock_tells_how_far_a_sweep_is():
    plan, table = SimpleNamespace(keys=["a", "b", "c"]), SimpleNamespace(lines={"a": ""}, failed=set())
    told = []
    clock = driver._Clock(plan, table, told.append)
    for _ in range(2):
        clock.tell(Running())
        table.failed.add("b")
    assert [(one.done, one.points, one.failed) for one in told] == [(1, 3, 0), (2, 3, 1)]
    assert told[0].left_s is None and told[1].left_s >= 0
    assert [one.dashboard for one in told] == [None, None]


def test_a_study_read_back_has_the_order_of_its_table(tmp_path):
    """JSON sorts the names of an object; the table keeps those of the command."""
    study = Study(
        run=("there",),
        fixed={"split": "test", "draws": 2},
        grid={"read_noise": (0.0, 0.02), "adc_bits": (6, 8)},
        points=({"b": 1, "a": 2},),
        samples=Samples("lhs", 2, {"z": (0.0, 1.0), "y": (0.0, 1.0)}),
    )
    write_json(str(tmp_path / "study.json"), {"base": study.base(), "study": plain(study)})
    there = study_in(tmp_path)
    assert there.names == study.names == ("run", "split", "draws", "read_noise", "adc_bits", "b", "a", "z", "y")
    assert there == study
