"""A picture of a fit: conductances with their states, the first map, forming voltages, the pulse response."""

from typing import Any, List, Optional, Sequence

import numpy as np

from ..device.fit import Fit
from ..device.fit_pulses import response_S
from ..errors import ConfigError, how_to_install
from ..files import atomic_writer

_COLOURS = {"pristine": "0.55", "off": "tab:blue", "on": "tab:orange", "short": "tab:red"}


def draw(
    path: str,
    fit: Fit,
    maps_S: Sequence[np.ndarray],
    *,
    forming_V: Optional[np.ndarray] = None,
    pulses: Optional[np.ndarray] = None,
) -> None:
    """Write the picture; ConfigError without matplotlib or for a kind of file that it does not write."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError(f"--plot draws with matplotlib: {how_to_install('report')}") from None
    panels: List[Any] = [_histogram, _first_map]
    panels += [] if forming_V is None else [_forming]
    panels += [] if pulses is None else [_pulses]
    figure = Figure(figsize=(5.0 * len(panels), 4.0), constrained_layout=True)
    canvas = FigureCanvasAgg(figure)
    for panel, axes in zip(panels, figure.subplots(1, len(panels))):
        panel(axes, fit, maps_S=maps_S, forming_V=forming_V, pulses=pulses)
    figure.suptitle(f"{fit.model.name}: {fit.verdict}")
    kinds, kind = canvas.get_supported_filetypes(), path.rpartition(".")[2].lower()
    if kind not in kinds:
        raise ConfigError(f"--plot {path}: the ending must be one of {', '.join(sorted(kinds))}")
    with atomic_writer(path) as handle:
        figure.savefig(handle, format=kind)


def _histogram(axes: Any, fit: Fit, *, maps_S: Sequence[np.ndarray], **_: Any) -> None:
    """Conductances on a logarithmic axis, with the fitted states."""
    values_S = np.concatenate([np.ravel(map_S) for map_S in maps_S])
    values_uS = 1e6 * values_S[np.isfinite(values_S) & (values_S > 0)]
    edges = np.linspace(np.log(values_uS.min()), np.log(values_uS.max()), 81)
    axes.hist(values_uS, np.exp(edges), color="0.85")
    at = np.linspace(edges[0], edges[-1], 800)
    for state in fit.states:
        z = (at - np.log(1e6 * state.median_S)) / state.sigma_ln
        share = state.share * values_uS.size * (edges[1] - edges[0]) / (np.sqrt(2 * np.pi) * state.sigma_ln)
        label = f"{state.name}, KS {state.ks:.3f}"
        axes.plot(np.exp(at), share * np.exp(-0.5 * z * z), color=_COLOURS[state.name], label=label)
    if fit.formed_min_S:
        axes.axvline(1e6 * fit.formed_min_S, color="0.3", linestyle="--", label="formed from here")
    axes.set(xscale="log", xlabel="conductance (uS)", ylabel="cells")
    axes.legend()


def _first_map(axes: Any, fit: Fit, *, maps_S: Sequence[np.ndarray], **_: Any) -> None:
    """The first map, with its bad lines."""
    first = np.asarray(maps_S[0])
    first = np.atleast_2d(first[0] if first.ndim == 3 else first)
    shown = np.where(np.isfinite(first) & (first > 0), first, np.nan) * 1e6
    image = axes.imshow(shown, aspect="auto", interpolation="nearest")
    axes.figure.colorbar(image, ax=axes, label="conductance (uS)")
    for map_index, row in fit.bad_rows:
        axes.plot([-1], [row], "r>", clip_on=False) if map_index == 0 else None
    for map_index, col in fit.bad_cols:
        axes.plot([col], [-1], "rv", clip_on=False) if map_index == 0 else None
    axes.set(title="map 0", xlabel="column", ylabel="row")


def _forming(axes: Any, fit: Fit, *, forming_V: np.ndarray, **_: Any) -> None:
    """Forming voltages with the fitted normal distribution."""
    counts, edges, _bars = axes.hist(np.ravel(forming_V), 30, color="0.85")
    axes.set(xlabel="forming voltage (V)", ylabel="cells")
    if fit.forming is None:
        return
    mean_V, std_V = fit.forming.mean_V, fit.forming.std_V
    at = np.linspace(edges[0], edges[-1], 400)
    scale = counts.sum() * (edges[1] - edges[0]) / (np.sqrt(2 * np.pi) * std_V)
    axes.plot(at, scale * np.exp(-0.5 * ((at - mean_V) / std_V) ** 2), color="tab:orange")
    axes.set(title=f"{mean_V:.3f} +- {std_V:.3f} V, KS {fit.forming.ks:.3f}")


def _pulses(axes: Any, fit: Fit, *, pulses: np.ndarray, **_: Any) -> None:
    """Conductance against pulse number, with the fitted branches one after the other."""
    curves_S = pulses if pulses.shape[1] == 1 else pulses[:, 1:]
    axes.plot(1e6 * curves_S, color="0.8")
    for branch in fit.pulses:
        rows = branch.first_row + np.arange(branch.readings)
        n = rows if pulses.shape[1] == 1 else pulses[rows, 0]
        axes.plot(rows, 1e6 * response_S(branch, n - n[0]), color="tab:orange")
    axes.set(xlabel="reading", ylabel="conductance (uS)")
