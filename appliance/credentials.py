"""Credentials: an access key with its secret, their rules, and those that the environment sets for root."""

import os
import secrets
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from appliance.errors import ConfigurationError

USER_VARIABLE: Final = "PACKSTONE_ROOT_USER"
PASSWORD_VARIABLE: Final = "PACKSTONE_ROOT_PASSWORD"  # noqa: S105 - the variable's name

_ACCESS_ALPHABET: Final = string.ascii_uppercase + string.digits
_SECRET_ALPHABET: Final = string.ascii_letters + string.digits
_ACCESS_LENGTHS: Final = range(3, 129)
_SECRET_LENGTHS: Final = range(8, 129)


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key of 3 to 128 and a secret key of 8 to 128 printable ASCII characters."""

    access_key: str
    secret_key: str = field(repr=False)

    def __post_init__(self) -> None:
        """Raise ValueError where a key breaks the rules of length and characters."""
        _check("access key", self.access_key, _ACCESS_LENGTHS, forbidden="/=,")
        _check("secret key", self.secret_key, _SECRET_LENGTHS)

    @classmethod
    def generate(cls) -> Self:
        """New random credentials: 20 characters of access key, 40 (238 bits) of secret key."""
        access_key = "".join(secrets.choice(_ACCESS_ALPHABET) for _ in range(20))
        return cls(access_key, "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(40)))


@dataclass(frozen=True, slots=True)
class Previous:
    """Credentials that a rotation replaced: accepted until they are retired, and until `until`, seconds since 1970."""

    credentials: Credentials
    until: int | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether they are accepted now."""
        return self.until is None or time.time() < self.until


def _check(what: str, key: str, lengths: range, forbidden: str = "") -> None:
    if len(key) not in lengths:
        raise ValueError(f"the {what} has {len(key)} characters, but takes {lengths.start} to {lengths.stop - 1}")
    # SigV4 puts the access key between slashes, commas and equals signs.
    if any(not "!" <= letter <= "~" or letter in forbidden for letter in key):
        unless = f" and none of {forbidden}" if forbidden else ""
        raise ValueError(f"the {what} takes printable ASCII characters without spaces{unless}")


def from_environment(environment: Mapping[str, str] = os.environ) -> Credentials | None:
    """The credentials the environment sets, or None where it sets none.

    Raises ConfigurationError when only one variable is set or a value breaks the rules.
    """
    access_key = environment.get(USER_VARIABLE)
    secret_key = environment.get(PASSWORD_VARIABLE)
    if access_key is None and secret_key is None:
        return None
    if access_key is None or secret_key is None:
        raise ConfigurationError(f"{USER_VARIABLE} and {PASSWORD_VARIABLE} must be set together")
    try:
        return Credentials(access_key, secret_key)
    except ValueError as fault:
        raise ConfigurationError(f"{USER_VARIABLE}, {PASSWORD_VARIABLE}: {fault}") from None
