"""Renders docs/configuration.md from the configuration's model: `python scripts/document_configuration.py`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from appliance.configuration import Configuration, EnclosureSection, PoolSection
from appliance.quantity import Address, Profile, format_size

DOCUMENT: Final = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"
_LISTS: Final[dict[str, type[BaseModel]]] = {"pools": PoolSection, "enclosures": EnclosureSection}
_SIZES: Final = ("_size", "_limit", "_reserve")
_DURATIONS: Final = {"_timeout": (1, "s"), "_interval": (60, "min"), "_after": (86400, "d"), "grace_period": (1, "s")}

_HEAD: Final = """\
# Configuration

A node reads one TOML file: `packstone.toml` in its data directory, or the file that `--config` names. Every key can
also be set in the environment: `PACKSTONE_` and the key in upper case, with two underscores between section and key.
What the command line sets stands above the environment, the environment above the file, and the file above the
defaults.

A size is a number of bytes or text such as `"128 MiB"` or `"1.5 GB"`; a duration is a number of seconds or text such as
`"10 s"`, `"250 ms"` or `"2 min"`. A relative path, but for `data` itself, starts at the data directory. In the
environment, lists and tables are written as JSON. An unknown key or a bad value ends the command with one line that
names the place and the key, and exit code 2. A variable that has no double underscore and is no key is left alone.

```toml
[s3]
address = "0.0.0.0:9000"
tls_certificate = "tls/chain.pem"
tls_key = "tls/key.pem"

[[pools]]
name = "main"
class = "ssd"
profile = "4+2"
drives = ["/mnt/a", "/mnt/b", "/mnt/c", "/mnt/d", "/mnt/e", "/mnt/f"]
```
"""

_TAIL: Final = """
## Outside the file

| variable | meaning |
|---|---|
| `PACKSTONE_ROOT_USER`, `PACKSTONE_ROOT_PASSWORD` | The root credentials, set together: an access key of 3 to 128 and \
a secret key of 8 to 128 printable ASCII characters. Without them they are made at first start, printed once, and kept \
in `root-credentials` in the data directory, sealed under the master key; `packstone root rotate` replaces them \
([iam.md](iam.md#roots-credentials)). |
| `PACKSTONE_BACKUP_PASSPHRASE` | The passphrase for `packstone backup` and `packstone restore`. |
| `PACKSTONE_NEW_SECRET_KEY` | The secret key for `packstone root rotate --access-key`. |

This page is rendered from `appliance/configuration.py` by `scripts/document_configuration.py`.
"""


class _Row(NamedTuple):
    key: str
    default: str
    variable: str
    meaning: str


def render() -> str:
    """The whole page."""
    top = [_row("", name, field) for name, field in Configuration.model_fields.items() if not _section(field)]
    parts = [_HEAD, "\n## The node\n\n", *_table(top)]
    for name, field in Configuration.model_fields.items():
        model = _LISTS.get(name) or _section(field)
        if model is None:
            continue
        described = (model.__doc__ or "").strip().splitlines()[0]
        rows = [_row(name, field_name, inner) for field_name, inner in model.model_fields.items()]
        heading = f"[[{name}]]" if name in _LISTS else f"[{name}]"
        parts += [f"\n## `{heading}`\n\n{described}\n\n", *_table(rows)]
    return "".join([*parts, _TAIL])


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _row(section: str, name: str, field: FieldInfo) -> _Row:
    key = ".".join(filter(None, (section, field.alias or name)))
    own = key.replace(".", "__").upper()
    variable = f"in `PACKSTONE_{section.upper()}`" if section in _LISTS else f"`PACKSTONE_{own}`"
    return _Row(f"`{key}`", _default(name, field), variable, " ".join((field.description or "").split()))


def _default(name: str, field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, str | Path | Address | Profile):
        return f'`"{value}"`'
    if name.endswith(_SIZES):
        return f'`"{format_size(value)}"`'
    for ending, (seconds, unit) in _DURATIONS.items():
        if name.endswith(ending):
            return f'`"{value / seconds:g} {unit}"`'
    return f"`{json.dumps(value) if isinstance(value, list) else value}`"


def _table(rows: list[_Row]) -> Iterator[str]:
    yield "| key | default | environment | meaning |\n|---|---|---|---|\n"
    for row in rows:
        yield f"| {' | '.join(row)} |\n"


if __name__ == "__main__":
    DOCUMENT.write_text(render(), "utf-8")
