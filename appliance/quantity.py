"""Sizes, durations, addresses and profiles as people write them in a configuration."""

import ipaddress
import re
from typing import Annotated, Final, NamedTuple

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

KIB: Final = 1 << 10
MIB: Final = 1 << 20
GIB: Final = 1 << 30

_SIZE_UNITS: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": KIB,
    "mib": MIB,
    "gib": GIB,
    "tib": 1 << 40,
}
_BINARY_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_DURATION_UNITS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_QUANTITY: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")
_PROFILE: Final = re.compile(r"\s*(\d{1,2})\s*\+\s*(\d)\s*")


def parse_size(value: object) -> int:
    """Bytes, from a whole number of bytes or from text such as `128 MiB` or `1.5 GB`.

    Raises ValueError on anything else, and on a size that is no whole number of bytes.
    """
    amount, factor = _split(value, _SIZE_UNITS, "a size such as '128 MiB'")
    size = amount * factor
    if size != int(size):
        raise ValueError(f"{value!r} is no whole number of bytes")
    return int(size)


def parse_duration(value: object) -> float:
    """Seconds, from a number of seconds or from text such as `10 s`, `250 ms` or `2 min`.

    Raises ValueError on anything else.
    """
    amount, factor = _split(value, _DURATION_UNITS, "a duration such as '10 s'")
    return amount * factor


def parse_age(value: object) -> float:
    """Seconds, from what `parse_duration` takes or from `never`, which is 0 as 0 is. Raises ValueError otherwise."""
    return 0.0 if value == "never" else parse_duration(value)


def _split(value: object, units: dict[str, int] | dict[str, float], wanted: str) -> tuple[float, float]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value >= 0:
            return value, 1
    elif isinstance(value, str) and (match := _QUANTITY.fullmatch(value)):
        factor = units.get(match[2].lower())
        if factor is not None:
            number = match[1]
            return float(number) if "." in number else int(number), factor
    raise ValueError(f"{value!r} is not {wanted}")


def format_size(size: int) -> str:
    """A size for people, in binary units with at most one decimal place: `128 MiB`, `1.4 GiB`."""
    power = min(max(size.bit_length() - 1, 0) // 10, len(_BINARY_UNITS) - 1)
    amount = size / KIB**power
    unit = _BINARY_UNITS[power]
    return f"{amount:.0f} {unit}" if amount == int(amount) else f"{amount:.1f} {unit}"


class Address(NamedTuple):
    """Where a server listens: an IP address or a host name, and a port (0: the system chooses one)."""

    host: str
    port: int

    def __str__(self) -> str:
        """HOST:PORT, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect; a host name other than `localhost` counts as reachable."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def reachable_host(self) -> "Address":
        """The address a client on this machine connects to: loopback where the server listens everywhere."""
        local = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not bound
        return self._replace(host=local.get(self.host, self.host))


def parse_address(value: object) -> Address:
    """An `Address` from HOST:PORT, with an IPv6 host in brackets. Raises ValueError on anything else."""
    if isinstance(value, Address):
        return value
    if isinstance(value, str):
        host, colon, port = value.strip().rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        host = host[1:-1] if bracketed else host
        plain = bool(host) and (bracketed or ":" not in host)
        if colon and plain and port.isascii() and port.isdigit() and int(port) < 1 << 16:
            return Address(host, int(port))
    raise ValueError(f"{value!r} is not HOST:PORT, such as '127.0.0.1:9000' or '[::1]:9000'")


class Profile(NamedTuple):
    """An erasure profile: `data` shards hold the payload, any `parity` drives may be lost."""

    data: int
    parity: int

    def __str__(self) -> str:
        """The profile as it is written: `4+2`."""
        return f"{self.data}+{self.parity}"


def parse_profile(value: object) -> Profile:
    """A `Profile` from text such as `4+2`: 1 to 16 data and 0 to 8 parity shards. Raises ValueError otherwise."""
    if isinstance(value, Profile):
        return value
    if isinstance(value, str) and (match := _PROFILE.fullmatch(value)):
        profile = Profile(int(match[1]), int(match[2]))
        if 1 <= profile.data <= 16 and profile.parity <= 8:
            return profile
    raise ValueError(f"{value!r} is not an erasure profile such as '4+2' (1 to 16 data, 0 to 8 parity shards)")


Size = Annotated[int, BeforeValidator(parse_size)]
Duration = Annotated[float, BeforeValidator(parse_duration), Field(gt=0)]
Age = Annotated[float, BeforeValidator(parse_age)]
ListenAddress = Annotated[Address, BeforeValidator(parse_address), NoDecode]
ErasureProfile = Annotated[Profile, BeforeValidator(parse_profile), NoDecode]
