"""Options that stand for a field of a configuration: type and help come from there, so they are said once."""

import argparse
import math
import re
from typing import Any, Tuple, Union, get_args, get_origin

METAVARS = {"_s": "SECONDS", "_V": "VOLTS", "_K": "KELVIN", "_ohm": "OHM", "_lsb": "LSB"}
"""end of a field's name -> what stands for its value in the help: its unit"""


def finite(text: str) -> float:
    """argparse type: a finite number."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is no finite number")
    return value


def field_option(
    parser: "argparse._ActionsContainer", flag: str, kind: type, name: str, *, more: str = "", **how: Any
) -> None:
    """One option for the field `name` of a dataclass. more: behind its docstring. how: as `add_argument` takes it.

    Its value is None when it was not given, unless `how` states a default. TypeError for a type without a text form.
    """
    from typing import get_type_hints

    from ..json_codec import field_docs

    text = _as_option(field_docs(kind)[name] + (f"; {more}" if more else ""))
    wanted = _without_none(get_type_hints(kind)[name])
    if wanted is bool:
        parser.add_argument(flag, **dict({"action": "store_true", "help": text}, **how))
        return
    if wanted == Tuple[str, ...]:
        how = dict({"nargs": "+", "metavar": "NAME"}, **how)
    elif "type" not in how and "choices" not in how:
        if wanted not in (int, float, str):
            raise TypeError(
                f"{kind.__name__}.{name} is a {wanted}: the command line takes int, float, str, bool, names"
            )
        how = dict(how, type=finite if wanted is float else wanted)
    unit = next((shown for end, shown in METAVARS.items() if name.endswith(end)), None)
    if unit is not None and "choices" not in how:
        how.setdefault("metavar", unit)
    parser.add_argument(flag, help=text, **how)


def field_options(parser: "argparse._ActionsContainer", kind: type, *, defaults: bool = False) -> None:
    """One option per field of a dataclass, named as the field; None when it was not given.

    defaults: whether the help states those of the fields.
    """
    from dataclasses import fields
    from typing import get_type_hints

    types = get_type_hints(kind)
    for field in fields(kind):  # type: ignore[arg-type]
        flag = field.name.replace("_", "-")
        if _without_none(types[field.name]) is not bool:
            more = f"default {_shown(field.default)}" if defaults and field.default != () else ""
            field_option(parser, "--" + flag, kind, field.name, more=more)
            continue
        field_option(parser, "--" + flag, kind, field.name, default=None)
        parser.add_argument(
            "--no-" + flag, action="store_false", default=None, dest=field.name, help=f"the opposite of --{flag}"
        )


def _shown(default: Any) -> str:
    """A default as one would write it."""
    return '""' if default == "" else str(default)


def _as_option(text: str) -> str:
    """The docstring of a field as the help of an option."""
    return re.sub(r"\bNone\b", "left out", re.sub("^True: ", "", text)).replace("`", "").replace("%", "%%")


def _without_none(kind: Any) -> Any:
    """X of Optional[X]."""
    inner = [one for one in get_args(kind) if one is not type(None)]
    return inner[0] if get_origin(kind) is Union and len(inner) == 1 else kind
