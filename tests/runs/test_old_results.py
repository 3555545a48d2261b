"""results.json of format 1 in the names of today: each figure it held is kept, under its name."""

from minirram.runs.old_results import renamed

OLD = {
    "images_per_second": 20.0,
    "primary": "accuracy",
    "val_accuracy": 0.75,
    "weights": 12,
    "validation": {
        "accuracy": 0.75,
        "confusion": [[3, 1], [0, 0]],
        "ideal": {"accuracy": 0.8},
        "by_draw": [0.7, 0.8],
        "saturated": {"fc": [1, 2]},
        "conversions": {"fc": 9},
        "images": 4,
        "images_per_second": 40.0,
    },
}


def test_each_figure_is_kept_under_its_name():
    found = renamed(OLD)
    assert found["samples_per_second"] == 20.0 and found["weights"] == 12 and "val_accuracy" not in found
    score = found["validation"]
    kept = {name: OLD["validation"][name] for name in ("accuracy", "confusion", "by_draw", "saturated", "conversions")}
    assert {name: score[name] for name in kept} == kept
    assert score["ideal"]["accuracy"] == 0.8 and score["samples"] == 4 and score["samples_per_second"] == 40.0


def test_what_the_first_figures_did_not_say_is_none_or_nothing():
    alone = renamed(dict(OLD, test={"accuracy": 0.5}))["test"]
    assert alone["by_draw"] == [0.5] and alone["samples"] == 0 and alone["ideal"]["accuracy"] == 0.5
    assert alone["saturated"] == alone["conversions"] == alone["clipped"] == {}


def test_newer_results_stay_as_they_are():
    assert renamed({"samples_per_second": 1.0}) == {"samples_per_second": 1.0}
