"""results.json as it was written beside run folders of format 1, in the names of today."""

from dataclasses import fields
from typing import Any, Dict

from ..inference.examine import Figures, Score

_FIGURES = [field.name for field in fields(Figures)]
OF_MASKS = {"stuck_cells": 0, "moved": []}
"""what the first runs of masks did not say"""
NEWER: Dict[str, Any] = {
    "driver": None,
    "clipped_conductances": 0,
    "maps": [],
    "readings": [],
    "dead_pairs": 0,
    "unformed_lines": [],
    "signs_given": 0,
    "data_report": None,
    "warnings": [],
    "maps_left_out": 0,
}
"""what earlier runs of masks did not say"""
OF_TRANSFERS: Dict[str, Any] = {
    **{name: NEWER[name] for name in ("clipped_conductances", "maps", "readings", "dead_pairs", "signs_given")},
    **{name: NEWER[name] for name in ("warnings", "maps_left_out", "unformed_lines")},
    "unformed_pairs": 0,
    "writes": None,
    "moved": [],
}
"""what earlier transfers did not say"""
_GONE = ("primary", "val_accuracy", "test_accuracy", "ideal_accuracy")
"""figures that were said twice"""


def renamed(value: Dict[str, Any]) -> Dict[str, Any]:
    """A results file of format 1 with the keys of `TrainingResults` or `WeightResults`; a newer one as it is."""
    if "images_per_second" not in value:
        return value
    found: Dict[str, Any] = dict(OF_MASKS)
    found.update({name: entry for name, entry in value.items() if name not in _GONE and name != "images_per_second"})
    found["samples_per_second"] = value["images_per_second"]
    for split in ("validation", "test"):
        if split in value:
            found[split] = _score(value[split], value["primary"])
    return found


def _score(old: Dict[str, Any], primary: str) -> Dict[str, Any]:
    """A score; that of free weights, which no chip answered, held figures alone."""
    figures = {name: old.get(name) for name in _FIGURES}
    ideal = {name: old.get("ideal", figures).get(name) for name in _FIGURES}
    found = dict(figures, primary=primary, ideal=ideal, by_draw=[old[primary]], samples=old.get("images", 0))
    found.update(saturated={}, conversions={}, clipped={}, samples_per_second=old.get("images_per_second", 0.0))
    found.update(
        {field.name: old[field.name] for field in fields(Score) if field.name in old and field.name != "ideal"}
    )
    return found
