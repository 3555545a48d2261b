"""What a study found: of each pair of parameters the map of the figure, and the point that is best."""

from minirram.sweep.analysis import two_way
from minirram.sweep.findings import findings


def test_a_map_is_that_of_its_pair_and_of_the_figure(monkeypatch):
    rows = [
        {"point": f"{a}{b}", "a": str(a), "b": str(b), "value": 0.1 * a + 0.01 * b, "energy_J": 1e-6 * b}
        for a in range(3)
        for b in range(2)
    ]
    monkeypatch.setattr("minirram.sweep.findings.rows_in", lambda folder: (["a", "b"], rows))
    for figure in ("value", "energy_J"):
        found = findings("study", figure=figure)
        pairs = [tuple(effect.parameter for effect in found.effects)]
        assert found.maps == tuple(two_way(rows, one, other, figure=figure) for one, other in pairs)
        assert found.best["point"] == ("21" if figure == "value" else "01")
        assert found.equals == (1 if figure == "value" else 3)
