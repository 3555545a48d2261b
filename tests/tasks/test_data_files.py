"""Files of data: tables however they are written, `.npz` by its keys, splits, values missing, and what is reported."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirram.errors import ConfigError, DataError, MissingFileError, ShapeError
from minirram.tasks.data_files import DataRules, read_data
from minirram.tasks.data_report import data_report, report_lines

from ..support import own_task
from .test_labelled_data import network_of


def parts(data):
    return data.training, data.validation, data.test


def table(tmp_path, text, name="mine.csv", encoding="utf-8"):
    (tmp_path / name).write_bytes(text.encode(encoding))
    return str(tmp_path / name)


ROWS = [(0.5 * k, -k, "ab"[k % 2]) for k in range(12)]


def written(delimiter=",", decimal=".", header=True, rows=ROWS):
    """The rows as text."""
    lines = [delimiter.join(("left", "right", "kind"))] if header else []
    return "\n".join(lines + [delimiter.join(str(cell).replace(".", decimal) for cell in row) for row in rows]) + "\n"


@pytest.mark.parametrize("delimiter, decimal", [(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ",")])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_every_way_of_writing_gives_the_same_data(tmp_path, delimiter, decimal, header, encoding):
    data = read_data(table(tmp_path, written(delimiter, decimal, header), encoding=encoding))
    found = sorted(
        (float(x), float(y), label) for part in parts(data) for (x, y), label in zip(part.inputs, part.labels)
    )
    assert found == sorted((x, y, "ab".index(kind)) for x, y, kind in ROWS)
    assert data.training.class_names == ("a", "b")
    assert data.reading.features == (("left", "right") if header else ("column 0", "column 1"))
    assert ("decimal comma" in data.reading.taken) == (decimal == ",")


def test_an_index_column_is_left_out_and_said(tmp_path):
    text = ",left,right,kind\n" + "".join(f"{k},{a},{b},{kind}\n" for k, (a, b, kind) in enumerate(ROWS))
    data = read_data(table(tmp_path, text))
    assert data.reading.features == ("left", "right") and "index column left out" in data.reading.taken


def test_columns_that_are_no_features_can_be_named(tmp_path):
    text = "id,left,right,kind\n" + "".join(f"{k},{a},{b},{kind}\n" for k, (a, b, kind) in enumerate(ROWS))
    path = table(tmp_path, text)
    assert "'id' numbers the rows but is taken for a feature" in read_data(path).reading.taken
    data = read_data(path, DataRules(leave_out=("id",)))
    assert data.reading.features == ("left", "right") and data.training.inputs.shape[1] == 2
    assert "'id' left out" in data.reading.taken and "numbers the rows" not in data.reading.taken
    with pytest.raises(DataError, match="no column 'name'; the columns are id, left"):
        read_data(path, DataRules(leave_out=("name",)))
    with pytest.raises(ConfigError, match="'kind' is the column of labels"):
        read_data(path, DataRules(leave_out=("kind",)))


def test_a_folder_of_images_is_named_with_the_command_that_makes_data_of_it(tmp_path):
    with pytest.raises(MissingFileError, match="a folder; data are one file.*own_data.py --source"):
        read_data(str(tmp_path))


def test_labels_that_are_numbers_are_classes_in_their_order(tmp_path):
    rows = [(k, k + 1, (10, 9, 2)[k % 3]) for k in range(12)]
    assert read_data(table(tmp_path, written(rows=rows))).training.class_names == ("2", "9", "10")


def test_class_names_that_are_stated_decide_the_order(tmp_path):
    path = table(tmp_path, written())
    data = read_data(path, class_names=("b", "a"))
    assert data.training.labels[0] == ("b", "a").index(ROWS[int(2 * data.training.inputs[0, 0])][2])
    with pytest.raises(DataError, match="mine.csv line 3: class 'b' is none of a, c"):
        read_data(path, class_names=("a", "c"))


def test_the_columns_of_labels_and_parts_are_found_by_name(tmp_path):
    text = "kind,x,y,split\n" + "".join(
        f"{kind},{a},{b},{('train', 'Validation', 'test')[k % 3]}\n" for k, (a, b, kind) in enumerate(ROWS)
    )
    data = read_data(table(tmp_path, text), DataRules(label="kind"))
    assert [sorted(part.inputs[:, 0] % 1.5) for part in parts(data)] == [[0] * 4, [0.5] * 4, [1.0] * 4]
    assert data.reading.split == "by 'split'"
    with pytest.raises(DataError, match="no column 'mood'; the columns are kind, x, y, split"):
        read_data(table(tmp_path, text), DataRules(label="mood"))
    with pytest.raises(DataError, match="line 4: split is 'holdout'; it must be train, validation or test"):
        read_data(table(tmp_path, text.replace("test", "holdout")), DataRules(label="kind"))


@given(st.integers(0, 2**20), st.integers(9, 30))
def test_parts_that_are_not_there_are_drawn_from_the_training_part(seed, n):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        labels, split = np.arange(2 * n) % 2, np.array(["train"] * (2 * n - 4) + ["test"] * 4)
        np.savez(folder + "/mine.npz", inputs=np.arange(2.0 * n)[:, None], labels=labels, split=split)
        data = read_data(folder + "/mine.npz", DataRules(seed=seed))
    np.testing.assert_array_equal(data.test.inputs[:, 0], np.arange(2 * n - 4, 2 * n))
    everywhere = np.concatenate([part.inputs[:, 0] for part in parts(data)])
    np.testing.assert_array_equal(np.sort(everywhere), np.arange(2 * n))
    assert (
        np.ptp(np.bincount(data.validation.labels.astype(np.intp))) == 0
        and "validation from train" in data.reading.split
    )


HOLED = [(0.5 * k if k not in (3, 8) else "NaN", -k if k != 8 else "", "ab"[k % 2]) for k in range(40)]


def test_values_missing_are_refused_left_out_or_filled(tmp_path):
    path = table(tmp_path, written(rows=HOLED))
    with pytest.raises(DataError, match='line 5, left: no number .*in 2 sample.s.; say what .*data.missing "drop"'):
        read_data(path)
    dropped = read_data(path, DataRules(missing="drop"))
    assert sum(len(part) for part in parts(dropped)) == 38 and dropped.reading.dropped == dropped.reading.missing == 2
    filled = read_data(path, DataRules(missing="mean"))
    known = [0.5 * k for k in (int(-y) for _, y in filled.training.inputs) if k not in (3, 8)]
    holes = [x for part in parts(filled) for x, y in part.inputs if y == -3]
    assert sum(len(part) for part in parts(filled)) == 40 and filled.reading.dropped == 0
    assert holes == pytest.approx([np.mean(known)], abs=0.5)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "no table"),
        ("1\n2\n", "no table; expected columns of features and one of labels"),
        ("x,y,kind\n1,2,a\n1,2\n", "line 3: 2 cells, the first line has 3"),
        ("x,y,kind\n1,two,a\n", "line 2, y: 'two' is no number"),
        ("x,2,kind\n1,2,a\n", "line 1: neither names nor numbers; column 0 is 'x'"),
        ("x,x,kind\n1,2,a\n", "two columns are called 'x'"),
        ("x,y,kind\n1,2,\n", "line 2, kind: '' is no label"),
        ("x,y,kind\n", "no samples"),
        ("x,y,kind\n1,inf,a\n1,2,b\n" + "1,2,a\n2,3,b\n" * 3, "hold NaN or infinity"),
        ("x,kind,split\n1,a,train\n2,a,train\n3,b,test\n4,b,test\n", "the train part has one class alone"),
        ("x,y,kind\n1,2,a\n1,2,b\n", "class 'a' has 1 samples; the three parts need at least 3"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_data(table(tmp_path, text))


def test_other_files_are_refused(tmp_path):
    with pytest.raises(MissingFileError, match="nothing.csv: there is no such file"):
        read_data(str(tmp_path / "nothing.csv"))
    with pytest.raises(DataError, match="data are .npz or a table"):
        read_data(table(tmp_path, "x", name="mine.doc"))
    with pytest.raises(ConfigError, match="missing is 'zero'; choose one of error, drop, mean"):
        DataRules(missing="zero")
    with pytest.raises(ConfigError, match="validation is 0.15 and test 0.9; shares lie above 0"):
        DataRules(test=0.9)


def npz(tmp_path, **arrays):
    np.savez(str(tmp_path / "mine.npz"), **arrays)
    return str(tmp_path / "mine.npz")


INPUTS, LABELS = np.arange(60.0).reshape(30, 2), np.arange(30) % 2


def test_the_keys_of_an_npz_by_part(tmp_path):
    arrays = {}
    for k, part in enumerate(("train", "validation", "test")):
        arrays.update({part + "_inputs": INPUTS[k::3], part + "_labels": LABELS[k::3]})
    data = read_data(npz(tmp_path, class_names=["no", "yes"], origin="made up", other=1, **arrays))
    for k, part in enumerate(parts(data)):
        np.testing.assert_array_equal(part.inputs, INPUTS[k::3])
    assert data.test.class_names == ("no", "yes") and data.test.origin == "made up"
    assert "not used: other" in data.reading.taken


@pytest.mark.parametrize(
    "arrays, error, message",
    [
        (dict(x=INPUTS), DataError, "lacks inputs and labels; it must hold .* It holds x"),
        (dict(inputs=INPUTS[:, 0], labels=LABELS), ShapeError, r"the inputs have the shape \(30,\)"),
        (dict(inputs=INPUTS, labels=LABELS[:9]), ShapeError, "30 inputs and 9 labels"),
        (dict(inputs=INPUTS, labels=LABELS, split=["train"] * 9), ShapeError, r"'split' has the shape \(9,\)"),
        (dict(inputs=INPUTS, labels=LABELS, split="train"), ShapeError, r"'split' has the shape \(\)"),
        (dict(inputs=INPUTS[:0], labels=LABELS[:0]), DataError, "no samples"),
        (dict(inputs=INPUTS, labels=LABELS.astype(np.int64) + 2**31), DataError, "classes are 0, 1, ... without a gap"),
        (dict(inputs=INPUTS, labels=np.where(LABELS, b"\xff", b"a")), DataError, "the labels are no UTF-8"),
        (dict(train_inputs=INPUTS, train_labels=LABELS, test_inputs=INPUTS), DataError, "labels of train alone"),
        (dict(inputs=np.zeros((4, 5, 5)), labels=np.full((4, 5, 5), 255)), DataError, "255 to 255; pixels without"),
        (dict(inputs=np.zeros((4, 5, 5)), labels=np.full((4, 5, 5), -1)), DataError, "integers 0 to 254"),
        (dict(inputs=np.zeros((4, 5, 5)), labels=np.zeros((4, 5, 6), int)), ShapeError, "one label per pixel"),
    ],
)
def test_an_npz_that_does_not_fit_says_what_must_be_there(tmp_path, arrays, error, message):
    with pytest.raises(error, match=message):
        read_data(npz(tmp_path, **arrays))


def test_images_labelled_by_pixel_are_split_as_a_whole(tmp_path):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, (10, 6, 7))
    region = generator.random(labels.shape) < 0.5
    images = generator.random((10, 6, 7, 3))
    data = read_data(npz(tmp_path, inputs=images, labels=labels, region=region))
    assert [len(part) for part in parts(data)] == [6, 2, 2]
    for part in parts(data):
        for image, label, seen in zip(part.inputs, part.labels, part.region):
            (k,) = np.flatnonzero((images.astype(np.float32) == image).all(axis=(1, 2, 3)))
            np.testing.assert_array_equal(labels[k], label)
            np.testing.assert_array_equal(region[k], seen)


# -- what is reported --------------------------------------------------------------------------------------------------


def reported(tmp_path, **arrays):
    data = read_data(npz(tmp_path, **arrays))
    network = network_of((1, 1, data.training.inputs.shape[1]), len(data.training.class_names))
    return data_report(data, data.layout(network), network=network)


def test_the_report_counts_what_is_odd(tmp_path):
    """Each of the figures beside a slow count."""
    generator = np.random.default_rng(0)
    inputs = generator.integers(0, 3, (90, 3)).astype(float)
    inputs[:, 1] = 5
    inputs[80:, 0] = 9
    labels = np.r_[np.arange(60) % 6 // 5, np.zeros(20, int), np.arange(10) % 2]
    split = np.repeat(["train", "validation", "test"], [60, 20, 10])
    report = reported(tmp_path, inputs=inputs, labels=labels, split=split)
    assert report.samples == {"train": 60, "validation": 20, "test": 10}
    assert report.classes == {"0": (50, 20, 5), "1": (10, 0, 5)} and report.imbalance == 5
    assert report.single_class == ("validation",) and report.absent == {"validation": ("1",)}
    assert report.constant == ("channel 1",) and report.cut == {"train": 0, "validation": 0, "test": 10}
    rows = [tuple(row) for row in inputs]
    assert report.duplicates["train-validation"] == sum(row in rows[:60] for row in rows[60:80]) > 0
    assert report.duplicates["train-test"] == 0
    text = "\n".join(report_lines(report))
    for line in (
        "imbalance               5.0: 50 of '0', 10 of '1'",
        "the validation part has one class alone",
        "constant features       1: channel 1",
        "values cut              10 test",
    ):
        assert line in text
    json.dumps(report.to_json(), allow_nan=False)


def test_data_that_are_as_they_should_be_are_two_lines(tmp_path):
    inputs, labels = own_task.blobs(60, 4, 2)
    report = reported(tmp_path, inputs=np.clip(inputs, -1, 1), labels=labels)
    assert [line[:7] for line in report_lines(report)] == ["data   ", "samples"]


def test_bytes_are_texts_in_utf_8(tmp_path):
    path = str(tmp_path / "own.npz")
    labels = np.array(["aé".encode(), b"b"])[np.arange(30) % 2]
    np.savez(path, inputs=INPUTS, labels=labels)
    assert read_data(path).training.class_names == ("aé", "b")
    np.savez(path, inputs=INPUTS, labels=np.arange(30) % 2, class_names=[b"low", b"high"])
    assert read_data(path).training.class_names == ("low", "high")


@pytest.mark.parametrize("other", ["²", "+-1", "9" * 5000, "1.5"])
def test_labels_that_only_look_like_integers_are_texts(tmp_path, other):
    path = tmp_path / "own.csv"
    path.write_text("x,y,kind\n" + f"1,2,1\n2,3,{other}\n" * 9, encoding="utf-8")
    assert set(read_data(str(path)).training.class_names) == {"1", other}


def test_dropping_every_sample_is_said(tmp_path):
    path = str(tmp_path / "own.npz")
    np.savez(path, inputs=np.full((30, 2), np.nan), labels=LABELS)
    with pytest.raises(DataError, match="missing in all 30 samples"):
        read_data(path, DataRules(missing="drop"))
