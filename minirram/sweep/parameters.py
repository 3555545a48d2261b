"""Parameters of a study by name: every field that a configuration holds can be varied, and set on it."""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple, Union, get_args, get_origin, get_type_hints

from ..chip.dead_lines import ChipLines
from ..crossbar.conditions import Conditions
from ..crossbar.wires import Wires
from ..device.presets import load_cell_model
from ..errors import ConfigError, DataError, did_you_mean
from ..json_codec import built, field_docs
from ..nn.layers.widths import widths, with_widths
from ..nn.network import requantised
from ..runs.chip_files import DRAWN, ChipFiles
from ..runs.config import RunConfig

Value = Union[bool, int, float, str, None]
"""of a parameter"""


@dataclass(frozen=True)
class Look:
    """What is looked at."""

    split: str = "validation"
    """"validation" or "test\""""
    draws: int = 1
    """repetitions of the read noise"""
    samples: Optional[int] = None
    """how many of the split are answered, the first ones; None: all"""
    analytic: bool = False
    """accuracy and its error bar from propagated noise covariances; nothing is drawn"""


@dataclass(frozen=True)
class Setup:
    """All that decides what a point gives."""

    config: RunConfig
    """of the run, as it would be or as it is to be trained"""
    conditions: Conditions = Conditions()
    """of use"""
    look: Look = Look()
    """what is looked at"""
    files: ChipFiles = DRAWN
    """of its chip"""


@dataclass(frozen=True)
class Parameter:
    """Something that can be varied."""

    name: str
    """HOME.FIELD"""
    kind: Any
    """bool, int, float or str, or Optional of them"""
    meaning: str
    """one line"""

    def read(self, value: Any) -> Value:
        """`value` with the type of the parameter; ConfigError when it is of another."""
        inner = [kind for kind in get_args(self.kind) if kind is not type(None)] or [self.kind]
        if isinstance(value, int) and not isinstance(value, bool) and inner == [float]:
            value = float(value)
        try:
            return built(self.kind, value)
        except DataError as error:
            raise ConfigError(f"{self.name}: {error}") from None


_PLAIN = (bool, int, float, str)
_CHOSEN = (
    Parameter("technology", str, "preset of the cells, or the path of a fitted .json"),
    Parameter("width", float, "factor of all widths of the network"),
    Parameter("input_bits", int, "bits of all input codes; the ranges they cover stay"),
    Parameter("wire_ohm", float, "resistance of rows and columns per cell"),
    Parameter("faults", str, "file of stuck cells"),
)
"""parameters that are no field, or stand for several"""
_HOMES = ("recipe", "config", "cell_model", "conditions", "wires", "lines", "look")
"""where a field is looked for when its home is not named, in this order"""


def parameters(setup: Setup) -> Dict[str, Parameter]:
    """{name: Parameter} of all that a setup lets vary; a field has its short name, too, and the first home keeps it."""
    found = {one.name: one for one in _CHOSEN}
    for name in widths(setup.config.network):
        full = f"widths.{name}"
        found[full] = Parameter(full, int, f"channels of layer {name}")
    for home in _HOMES:
        for one in _fields(home, _part(setup, home)):
            found[one.name] = one
            found.setdefault(one.name.split(".")[1], one)
    return found


def _part(setup: Setup, home: str) -> Any:
    """The dataclass of a home as it is now."""
    config = setup.config
    if home in ("recipe", "cell_model"):
        return getattr(config, home)
    if home == "wires":
        return setup.conditions.wires or config.wires or Wires()
    if home == "lines":
        return config.lines or ChipLines()
    return getattr(setup, home)


def _fields(home: str, part: Any) -> Iterator[Parameter]:
    """The fields of a home that hold plain values."""
    if not is_dataclass(part):
        return
    types, docs = get_type_hints(type(part)), field_docs(type(part))
    for field in fields(part):
        kind = types[field.name]
        inner = [one for one in get_args(kind) if one is not type(None)] if get_origin(kind) is Union else [kind]
        own = home == "config" and not field.name.startswith("adc_")  # its other texts are not choices
        if len(inner) == 1 and inner[0] in _PLAIN and not own and field.name != "name":
            yield Parameter(f"{home}.{field.name}", kind, docs.get(field.name, ""))


def find(name: str, known: Mapping[str, Parameter]) -> Parameter:
    """The parameter called `name`; ConfigError with the nearest name."""
    if name in known:
        return known[name]
    close = did_you_mean(name, known) or "; docs/scaling.md names what can be varied"
    raise ConfigError(f"nothing that can be varied is called {name!r}{close}")


def with_values(setup: Setup, values: Mapping[str, Value]) -> Setup:
    """The setup with parameters changed; ConfigError for a name or a value that cannot be.

    The technology comes first, then the network; the fields of one home are changed together.
    """
    values = dict(values)
    if "technology" in values:
        cell = load_cell_model(str(values.pop("technology")))
        setup = replace(setup, config=replace(setup.config, cell_model=cell))
    known = parameters(setup)
    changes: Dict[str, Dict[str, Value]] = {}
    for name, value in values.items():
        one = find(name, known)
        home, _, field = one.name.rpartition(".")
        changes.setdefault(home, {})[field] = one.read(value)
    setup = _with_network(setup, changes.pop("", {}), changes.pop("widths", {}))
    for home in _HOMES:
        if home in changes:
            setup = _with_part(setup, home, _changed(_part(setup, home), changes[home]))
    return setup


def _changed(part: Any, values: Mapping[str, Value]) -> Any:
    return replace(part, **values)


def _with_part(setup: Setup, home: str, part: Any) -> Setup:
    """The setup with another dataclass in a home."""
    if home in ("recipe", "cell_model", "lines"):
        return replace(setup, config=replace(setup.config, **{home: part}))
    if home == "wires":
        return _wired(setup, part)
    return replace(setup, **{home: part})


def _wired(setup: Setup, wires: Wires) -> Setup:
    """Wires in use, and in training where there is one."""
    config, conditions = setup.config, setup.conditions
    return replace(setup, config=replace(config, wires=wires), conditions=replace(conditions, wires=wires))


def _with_network(setup: Setup, chosen: Mapping[str, Any], own: Mapping[str, Any]) -> Setup:
    """The parameters that are no field of one home."""
    network = setup.config.network
    wanted: Dict[str, int] = {}
    if "width" in chosen:
        if not chosen["width"] > 0:
            raise ConfigError(f"width is {chosen['width']}; it must be above 0")
        wanted = {name: max(1, round(chosen["width"] * width)) for name, width in widths(network).items()}
    wanted.update(own)
    if wanted:
        network = with_widths(network, wanted)
    if "input_bits" in chosen:
        network = requantised(network, chosen["input_bits"])
    setup = replace(setup, config=replace(setup.config, network=network))
    if "wire_ohm" in chosen:
        setup = _wired(setup, Wires(chosen["wire_ohm"], chosen["wire_ohm"]))
    if "faults" in chosen:
        files = replace(setup.files, faults=chosen["faults"])
        setup = replace(setup, files=files, config=replace(setup.config, **files.names()))
    return setup


def names_of(setup: Setup) -> List[Tuple[str, str]]:
    """(name as it is usually written, meaning) of every parameter."""
    known = parameters(setup)
    short = {one.name: name for name, one in sorted(known.items(), key=lambda entry: -len(entry[0]))}
    return [(short[one.name], one.meaning) for one in dict.fromkeys(known.values())]
