"""Tasks: inputs become codes, data become batches and examinations, ADC ranges see all of the training set."""

import json
from dataclasses import replace

import numpy as np
import pytest

from minirram.chip.placement import place
from minirram.errors import ConfigError, DataError
from minirram.learn.recipe import Recipe
from minirram.nn.network import affine_parameters, fitting_size, initial_state, matrices
from minirram.rng import stream
from minirram.tasks import datasets, drawn_vessels, metrics
from minirram.tasks.datasets import Dataset
from minirram.tasks.examinations import TILE_PX, LabelExamination, PixelExamination
from minirram.tasks.registry import TASKS, load_test, load_training, task
from minirram.tasks.retina import retina_unet
from minirram.tasks.task import Task
from minirram.tasks.training_data import CropData, SampleData

from ..support.tiny import save_garments


def pixels(images, bits=6):
    """Codes of grey images, as the retina's."""
    return TASKS["retina"].layout.codes.codes(images, retina_unet(bits, width=1))


def test_a_task_that_is_not_known_lists_the_tasks():
    with pytest.raises(
        ConfigError,
        match="no task 'mnist'; choose one of fashion-mnist, fashion-mnist-affine, fashion-mnist-macro, fashion",
    ):
        task("mnist")
    with pytest.raises(ConfigError, match="task retina has no recipe 'slow'; choose one of full, quick"):
        task("retina").recipe("slow")


def test_a_file_of_data_in_place_of_a_task_is_told_what_drafts_one(tmp_path):
    (tmp_path / "mine.csv").write_text("1,2\n")
    with pytest.raises(ConfigError, match=r"mine.csv is no task: .*minirram task --data \S*mine.csv --out FILE.json"):
        task(str(tmp_path / "mine.csv"))


# -- one label per sample ----------------------------------------------------------------------------------------------


def sorted_set(n=1000, classes=10):
    """Samples sorted by class, as the prepared spoken digits are; each holds its number in two pixels."""
    labels = np.arange(n, dtype=np.int64) * classes // n
    codes = np.stack([np.arange(n) // 256, np.arange(n) % 256], axis=1).astype(np.uint8)[:, :, None, None]
    held_back = LabelExamination(codes[::7], labels[::7], classes)
    return SampleData(codes, labels, validation=held_back, origin="made up"), labels


def number_of(codes):
    return codes[:, 0, 0, 0].astype(int) * 256 + codes[:, 1, 0, 0]


def test_ranges_are_calibrated_on_every_class_of_a_sorted_set():
    data, labels = sorted_set()
    chosen = number_of(data.calibration_codes())
    assert len(chosen) == len(set(chosen)) == 200
    np.testing.assert_array_equal(np.bincount(labels[chosen].astype(np.intp)), np.full(10, 20))
    np.testing.assert_array_equal(number_of(data.calibration_codes(3000)), np.arange(1000))


@pytest.mark.slow
def test_prepared_spoken_digits_are_calibrated_on_all_digits(tmp_path):
    """The whole way from a file whose digits lie sorted."""
    digits = TASKS["spoken-digits"]
    digits = replace(digits, drawn=replace(digits.drawn, training=240))
    training, validation = digits.draw_training()
    parts = {}
    for name, part in zip(datasets.PARTS, (training, validation, validation)):
        order = np.argsort(part.labels, kind="stable")
        parts[name] = {"inputs": part.inputs[order], "labels": part.labels[order]}
    datasets.save(str(tmp_path), digits.layout, parts=parts, origin="sorted")
    data = load_training(digits.name, digits.layout, source=str(tmp_path), network=digits.network)
    calibrated = {codes.tobytes() for codes in data.calibration_codes(100)}
    found = {int(label) for codes, label in zip(data.codes, data.labels) if codes.tobytes() in calibrated}
    assert found == set(range(10)) and (np.diff(data.labels) >= 0).all()


def test_an_epoch_of_labelled_samples_is_one_pass_in_whole_batches():
    data, labels = sorted_set()
    recipe = Recipe(batch_size=300)
    seen = list(data.batches(stream(0, "b"), recipe))
    assert data.steps_per_epoch(recipe) == len(seen) == 3 and all(weight is None for _, _, weight in seen)
    numbers = np.concatenate([number_of(codes) for codes, _, _ in seen])
    assert len(set(numbers)) == 900
    np.testing.assert_array_equal(np.concatenate([found for _, found, _ in seen]), labels[numbers])
    again = [number_of(codes) for codes, _, _ in data.batches(stream(0, "b"), recipe)]
    np.testing.assert_array_equal(numbers, np.concatenate(again))
    assert not np.array_equal(numbers, np.sort(numbers))
    with pytest.raises(ConfigError, match="batch size 1001: the training set has 1000 samples"):
        data.steps_per_epoch(Recipe(batch_size=1001))
    with pytest.raises(ConfigError, match="samples_per_epoch applies to tasks that train on crops"):
        data.steps_per_epoch(Recipe(samples_per_epoch=100))


def test_answers_to_labels_are_counted():
    codes = np.zeros((4, 1, 1, 1), np.uint8)
    examination = LabelExamination(codes, np.array([0, 1, 2, 2]), 3)
    answers = np.eye(3)[[0, 2, 2, 1]]
    figures = examination.figures(lambda _: answers)
    assert figures == {"accuracy": 0.5, "confusion": [[1, 0, 0], [0, 0, 1], [0, 1, 1]]}
    assert len(examination) == 4 and len(examination.first(3)) == 3
    assert examination.first(3).figures(lambda part: answers[: len(part)])["accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("what", ["codes", "labels"])
def test_the_checksum_sees_a_changed_sample_and_a_changed_label(what):
    data, _ = sorted_set()
    other, _ = sorted_set()
    assert data.crc == other.crc
    getattr(other, what).flat[-1] ^= 1
    assert data.crc != other.crc


# -- one label per pixel -----------------------------------------------------------------------------------------------


def eyes(n=2, height=130, width=110):
    """The left part of `n` drawn eyes as a Dataset: neither square nor a multiple of a tile."""
    grey, vessels, region = (
        stack[:, 12 : 12 + height, :width] for stack in drawn_vessels.vessel_images(stream(3, "eyes"), n)
    )
    return Dataset(grey, vessels, ("background", "vessel"), "made up", region)


def examined(data):
    return PixelExamination(pixels(data.inputs), data.labels, data.region)


def dark_is_vessel(codes):
    """Logits (..., 2) whose difference depends on each pixel alone, so that tiles blend into the same map."""
    darkness = 0.2 * (31.5 - codes[..., 0].astype(np.float64))
    return np.stack([-darkness / 2, darkness / 2], axis=-1)


def test_pixels_are_judged_inside_the_field_of_view():
    data = eyes()
    figures = examined(data).figures(dark_is_vessel)
    darkness = 0.2 * (31.5 - pixels(data.inputs)[..., 0])
    inside = darkness[data.region], data.labels[data.region]
    # Blending equal answers rounds, and so breaks ties.
    assert figures["roc_auc"] == pytest.approx(metrics.roc_auc(*inside), abs=1e-3)
    assert figures["accuracy"] == pytest.approx(np.mean((inside[0] >= 0) == inside[1]), abs=1e-4)
    assert 0.5 < figures["roc_auc"] < 1 and not data.region.all()
    outside = PixelExamination(pixels(data.inputs), np.where(data.region, data.labels, 1), data.region)
    assert outside.figures(dark_is_vessel) == figures
    upside_down = examined(data).figures(lambda codes: dark_is_vessel(codes)[..., ::-1])
    assert upside_down["roc_auc"] == pytest.approx(1 - figures["roc_auc"], abs=1e-3)


def test_logits_of_any_size_give_probabilities():
    data = eyes(1)
    sure = examined(data).figures(lambda codes: 1e4 * dark_is_vessel(codes).astype(np.float32))
    assert sure["accuracy"] == pytest.approx(examined(data).figures(dark_is_vessel)["accuracy"], abs=1e-4)


def test_a_network_is_asked_in_tiles_of_codes():
    data, shapes = eyes(2), set()

    def predict(codes):
        shapes.add(codes.shape[1:] + (codes.dtype.name,))
        return dark_is_vessel(codes)

    examination = examined(data)
    examination.figures(predict)
    assert shapes == {(TILE_PX, TILE_PX, 1, "uint8")}
    first = examination.first(1)
    assert (len(examination), len(first)) == (2, 1) and np.array_equal(first.region, data.region[:1])


@pytest.mark.parametrize("size", [(584, 565), (449, 449), (450, 1000), (481, 897), (130, 110)])
def test_an_examination_computes_few_pixels_twice(size):
    codes, seen = np.zeros((1, *size, 1), np.uint8), []
    asked = PixelExamination(codes, codes[..., 0], codes[..., 0] == 0)

    def predict(windows):
        seen.append(windows[..., 0].size)
        return np.zeros(windows.shape[:3] + (2,), np.float32)

    answer = asked.answer(0, predict, fits=lambda size: fitting_size(retina_unet(width=1), size))
    assert answer.shape == size and (answer == 0.5).all()
    assert sum(seen) <= 1.3 * codes.size and max(seen) <= 464**2


def crop_data(size=48):
    data = eyes()
    return CropData(pixels(data.inputs), data, validation=examined(data), size=size), data


def test_an_epoch_of_crops_has_the_samples_of_the_recipe():
    data, images = crop_data()
    recipe = Recipe(batch_size=8, samples_per_epoch=30)
    drawn = list(data.batches(stream(0, "b"), recipe))
    assert data.steps_per_epoch(recipe) == len(drawn) == 3
    for codes, labels, weight in drawn:
        assert codes.shape == (8, 48, 48, 1) and labels.shape == weight.shape == (8, 48, 48)
        assert (codes.dtype, labels.dtype, weight.dtype) == (np.uint8, np.int64, np.float32)
    codes, labels, weight = (np.concatenate(arrays) for arrays in zip(*drawn))
    beyond = weight == 0
    assert 0 < beyond.mean() < 0.5 and (weight[~beyond] == 1).all()
    assert not codes[beyond].any() and not labels[beyond].any()  # black, and without vessels
    vessels, others = codes[labels == 1].astype(float), codes[~beyond & (labels == 0)].astype(float)
    assert vessels.mean() < others.mean() - 3  # labels belong to their pixels
    again = next(data.batches(stream(0, "b"), recipe))
    np.testing.assert_array_equal(again[0], drawn[0][0])
    other = next(data.batches(stream(1, "b"), recipe))
    assert not np.array_equal(other[0], drawn[0][0])


def test_crops_for_the_ranges_are_always_the_same():
    data, _ = crop_data()
    codes = data.calibration_codes(7)
    assert codes.shape == (7, 48, 48, 1) and codes.dtype == np.uint8
    list(data.batches(stream(0, "b"), Recipe(batch_size=8, samples_per_epoch=8)))
    np.testing.assert_array_equal(codes, data.calibration_codes(7))


def test_crops_that_cannot_be_had_are_refused():
    data, _ = crop_data()
    for n in (None, 7):
        with pytest.raises(ConfigError, match=f"samples_per_epoch is {n}; .* at least the batch size, 8"):
            data.steps_per_epoch(Recipe(batch_size=8, samples_per_epoch=n))
    with pytest.raises(ConfigError, match="crops of 112 pixels: the images are 130 x 110"):
        crop_data(112)


def test_the_checksum_of_images_sees_pixels_and_labels():
    data, images = crop_data()
    codes = pixels(images.inputs)
    for array in (codes, images.labels):
        array.flat[-1] ^= 1
        assert CropData(codes, images, validation=None, size=48).crc != data.crc
        array.flat[-1] ^= 1
    assert CropData(codes, images, validation=None, size=48).crc == data.crc


def test_the_figure_that_chooses_the_best_epoch_is_the_primary_one():
    data, _ = crop_data()
    assert data.validation_score(dark_is_vessel) == data.validation.figures(dark_is_vessel)["roc_auc"]
    labelled, labels = sorted_set()
    assert labelled.validation_score(lambda codes: np.eye(10)[labels[number_of(codes)]]) == 1.0


def test_mirrored_images_are_as_they_are_or_swapped():
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 16, (60, 5, 4, 1)).astype(np.uint8)
    data = SampleData(codes, np.arange(60), validation=None, origin="drawn", mirrored=True)
    recipe = Recipe(batch_size=20)
    swapped = 0
    for batch, labels, _ in data.batches(stream(1, "b"), recipe):
        for image, label in zip(batch, labels):
            as_it_is = np.array_equal(image, codes[label])
            assert as_it_is or np.array_equal(image, codes[label][:, ::-1])
            swapped += not as_it_is
    assert 15 <= swapped <= 45
    again = [batch for batch, _, _ in data.batches(stream(1, "b"), recipe)]
    assert all(np.array_equal(one, other[0]) for one, other in zip(again, data.batches(stream(1, "b"), recipe)))


def test_the_macro_network_with_a_digital_side_that_learns_has_the_same_cells():
    plain, affine = TASKS["fashion-mnist-macro"], TASKS["fashion-mnist-macro-affine"]
    assert matrices(affine.network) == matrices(plain.network) and affine.layout == plain.layout
    assert affine.recipes == plain.recipes and affine.drawn == plain.drawn
    learned = affine_parameters(affine.network)
    assert affine_parameters(plain.network) == () and "bn5.gamma" in learned
    assert sum(initial_state(affine.network)[name].size for name in learned) == 2 * 280


def test_the_macro_network_fills_one_macro_with_the_garments_of_its_namesake(tmp_path):
    save_garments(tmp_path, train=30, validation=20, test=10)
    chosen = task("fashion-mnist-macro")
    network = chosen.network
    placement = place(matrices(network))
    assert placement.n_macros == 1 and sum(rows * cols for _, (rows, cols) in matrices(network)) == 125264
    data = load_training(chosen.name, chosen.layout, source=str(tmp_path), network=network)
    assert data.codes.shape == (30, 28, 28, 1) and data.codes.max() <= 63 and data.mirrored
    assert len(load_test(chosen.name, chosen.layout, source=str(tmp_path), network=network)) == 10


# -- a task as data ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(TASKS))
def test_a_task_without_its_drawing_comes_back_from_json(name):
    text = json.dumps(TASKS[name].to_json())
    assert Task.from_json(json.loads(text)) == replace(TASKS[name], drawn=None)


def test_what_is_wrong_with_a_task_in_json_is_named():
    value = TASKS["retina"].to_json()
    for change, message in (
        (dict(layout=dict(value["layout"], class_names="vessel")), "layout.class_names is 'vessel', not a list"),
        (dict(recipes={}), "needs a name and at least one recipe"),
        (dict(recipes={"full": {"epochs": 0}}), "recipes.full: epochs is 0"),
        (dict(drawn={"training": 3}), "drawn is no data"),
        (dict(layers=[]), "layers is not known; a Task has the fields"),
    ):
        with pytest.raises(DataError, match=message):
            Task.from_json(dict(value, **change))


FASHION = {
    "full": Recipe(epochs=40, weight_decay=1e-3, hysteresis=0.001, hysteresis_end=0.0007),
    "quick": Recipe(epochs=8, batch_size=120),
}
MACRO = dict(level="cell", score_step=0.03, hysteresis=0.001, hysteresis_end=0.0007)
DIGITS = dict(batch_size=60, hysteresis=0.0009, hysteresis_end=0.0007, hysteresis_steps=10)
RETINA = dict(batch_size=8, score_step=0.1, hysteresis=0.001, hysteresis_end=0.001)
RECIPES = {
    "fashion-mnist": FASHION,
    "fashion-mnist-macro": {"full": Recipe(epochs=20, **MACRO), "quick": Recipe(epochs=2, **MACRO)},
    "spoken-digits": {"full": Recipe(epochs=60, **DIGITS), "quick": Recipe(epochs=15, **DIGITS)},
    "retina": {
        "full": Recipe(epochs=8, samples_per_epoch=960, **RETINA),
        "quick": Recipe(epochs=3, samples_per_epoch=480, **RETINA),
    },
}


@pytest.mark.parametrize("name", list(RECIPES))
def test_the_figures_of_the_pages_were_measured_with_these_recipes(name):
    assert TASKS[name].recipes == RECIPES[name]
