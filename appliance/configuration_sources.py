"""Where configuration comes from: the command line, before the environment, before the file, before the defaults."""

import difflib
import itertools
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource, SettingsError

from appliance.configuration import Configuration, PoolSection
from appliance.errors import ConfigurationError

FILE_NAME: Final = "packstone.toml"
_PREFIX: Final = "PACKSTONE_"

Values = dict[str, Any]


class _Source(NamedTuple):
    name: str
    values: Values


def load(
    data: Path | None = None, file: Path | None = None, command_line: Mapping[str, Any] | None = None
) -> Configuration:
    """Put the node's configuration together.

    `data` is the data directory and `file` the configuration file named on the command line; without `file`,
    `packstone.toml` in the data directory is read where it exists. `command_line` holds further values by key, nested
    as in the file, which stand above everything else.

    Raises ConfigurationError on the first unknown key or bad value.
    """
    chosen = dict(command_line or {})
    if data is not None:
        chosen["data"] = data
    environment = _environment()
    if file is None:
        folder = Path(chosen.get("data") or environment.get("data") or Configuration.model_fields["data"].default)
        default = folder / FILE_NAME
        written = _read(default) if default.exists() else {}
        if "data" in written:
            raise ConfigurationError(
                f"{default}: data: this file was found in the data directory, so it can't name one"
            )
        file = default
    else:
        written = _read(file)
    sources = (_Source("command line", chosen), _Source("environment", environment), _Source(str(file), written))
    merged: Values = {}
    for source in reversed(sources):
        _merge(merged, source.values)
    try:
        # `model_validate` and not the constructor, which would read the environment a second time.
        return Configuration.model_validate(merged)
    except ValidationError as fault:
        raise ConfigurationError(_explain(fault.errors()[0], sources)) from None


def _read(file: Path) -> Values:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as fault:
        raise ConfigurationError(f"{file}: can't be read: {fault.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ConfigurationError(f"{file}: not TOML: {fault}") from None


def _environment() -> Values:
    """The values set by PACKSTONE_… variables.

    A variable without `__` that is no key is left alone: a Kubernetes service named `packstone`, for example, sets
    PACKSTONE_PORT and the like.
    """
    for name in os.environ:
        section, nested, _ = name.upper().removeprefix(_PREFIX).partition("__")
        if name.upper().startswith(_PREFIX) and nested and section.lower() not in Configuration.model_fields:
            raise ConfigurationError(f"{name}: unknown key{_suggestion((section.lower(),))}")
    try:
        return EnvSettingsSource(Configuration)()
    except SettingsError as fault:
        raise ConfigurationError(f"environment: {fault}; lists and tables are written as JSON") from None


def _merge(below: Values, above: Mapping[str, Any]) -> None:
    for key, value in above.items():
        if isinstance(value, Mapping):
            nested = below.get(key)
            below[key] = dict(nested) if isinstance(nested, Mapping) else {}
            _merge(below[key], value)
        else:
            below[key] = value


def _explain(fault: ErrorDetails, sources: tuple[_Source, ...]) -> str:
    location = fault["loc"]
    # The source that knows the longest part of the key set it; the earlier one, where two know as much.
    source = max(sources, key=lambda source: _depth(source.values, location))
    where = source.name
    if where == "environment":
        # A list is one variable, whichever of its items is at fault.
        names = itertools.takewhile(lambda part: isinstance(part, str), location[: _depth(source.values, location)])
        where = _PREFIX + "__".join(map(str, names)).upper()
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    if fault["type"] == "extra_forbidden":
        return f"{where}: {key}: unknown key{_suggestion(location)}"
    message = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {key}: {message[:1].lower()}{message[1:]}"


def _depth(values: Any, location: tuple[int | str, ...]) -> int:
    depth = 0
    for part in location:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            break
        depth += 1
    return depth


def _suggestion(location: tuple[int | str, ...]) -> str:
    written = ".".join(part for part in location if isinstance(part, str))
    close = difflib.get_close_matches(written, list(keys()), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def keys(model: type[BaseModel] = Configuration, prefix: str = "") -> Iterator[str]:
    """Every key's name, sections before their own keys: `data`, `s3`, `s3.address`, …, `pools.name`."""
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        yield key
        kind = PoolSection if key == "pools" else field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from keys(kind, key + ".")
