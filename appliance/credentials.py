"""The root credentials: who root is on every face.

They come from PACKSTONE_ROOT_USER and PACKSTONE_ROOT_PASSWORD, or else from `root-credentials` in the data directory,
which is made at first start and readable by its owner only. Those that a rotation replaces may be accepted beside the
new ones, so that clients are moved to these one by one: both stand in the file, which is written at once.
"""

import os
import secrets
import string
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from appliance.errors import ConfigurationError, OperatorError
from appliance.private_file import write_private

USER_VARIABLE: Final = "PACKSTONE_ROOT_USER"
PASSWORD_VARIABLE: Final = "PACKSTONE_ROOT_PASSWORD"  # noqa: S105 - the variable's name
FILE_NAME: Final = "root-credentials"

_ACCESS_ALPHABET: Final = string.ascii_uppercase + string.digits
_SECRET_ALPHABET: Final = string.ascii_letters + string.digits
_ACCESS_LENGTHS: Final = range(3, 129)
_SECRET_LENGTHS: Final = range(8, 129)
# Every key of the file stands on a line of its own name: scripts read it by `sed`.
_PREVIOUS: Final = "previous_"


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


class RootCredentials:
    """The root credentials of one data directory: `current`, and whether they were `made` just now, to be shown once.

    Touched by the process that holds the directory's lock only; `rotate` and `retire` by one thread at a time.
    """

    def __init__(self, data: Path, environment: Mapping[str, str] = os.environ) -> None:
        """Take the credentials from `environment`, from the file in `data`, or make and keep new ones.

        Raises ConfigurationError when the environment or the file holds something else, OperatorError when the file
        can't be read or written.
        """
        self.file = data / FILE_NAME
        self.made = False
        self._environment = environment
        self._previous: Previous | None = None
        given = from_environment(environment)
        if given is not None:
            self.current = given
        elif self.file.exists():
            self.current, self._previous = self._read()
        else:
            self.current = Credentials.generate()
            self._write(self.current, None)
            self.made = True

    @property
    def previous(self) -> Previous | None:
        """The credentials that are accepted beside the current ones, if there are any."""
        return self._previous if self._previous is not None and self._previous.is_accepted else None

    def rotate(
        self, wanted: Credentials | None = None, *, retire: bool = False, until: int | None = None
    ) -> Credentials:
        """Replace the kept credentials by `wanted` or by new random ones, and return them.

        The replaced ones are accepted until they are retired, `until` a time in seconds since 1970, or, with `retire`,
        no more. Raises OperatorError when the environment sets the credentials, since it would undo this at the next
        start; when earlier ones are accepted still; or when `wanted` has the access key of those that it replaces,
        which would have two secrets then.
        """
        if from_environment(self._environment) is not None:
            raise OperatorError(
                f"{USER_VARIABLE} and {PASSWORD_VARIABLE} set the root credentials: change them there, then restart"
            )
        credentials = wanted or Credentials.generate()
        previous = None if retire else Previous(self.current, until)
        if previous is not None:
            if self.previous is not None:
                raise OperatorError(
                    f"{self.previous.credentials.access_key} is accepted still: `packstone root retire` first, or "
                    "rotate with --retire, which refuses all but the new credentials"
                )
            if credentials.access_key == self.current.access_key:
                raise OperatorError(
                    "the access key stays, so the old secret key can't be accepted beside the new one: add --retire, "
                    "or choose another access key"
                )
        self._write(credentials, previous)
        self.current, self._previous = credentials, previous
        return credentials

    def retire(self) -> Credentials:
        """Accept the replaced credentials no more, and return them. Raises OperatorError where there are none."""
        previous = self.previous
        if previous is None:
            raise OperatorError("no replaced root credentials are accepted: there is nothing to retire")
        self._write(self.current, None)
        self._previous = None
        return previous.credentials

    def _read(self) -> tuple[Credentials, Previous | None]:
        try:
            written = tomllib.loads(self.file.read_text("utf-8"))
            return _credentials(written), _previous(written)
        except OSError as fault:
            raise OperatorError(f"{self.file}: can't be read: {fault.strerror}") from None
        except KeyError as fault:
            raise ConfigurationError(f"{self.file}: {fault.args[0]} is missing") from None
        except ValueError as fault:
            raise ConfigurationError(f"{self.file}: {fault}") from None

    def _write(self, credentials: Credentials, previous: Previous | None) -> None:
        text = _written(credentials)
        if previous is not None:
            text += _written(previous.credentials, _PREVIOUS)
            text += "" if previous.until is None else f"{_PREVIOUS}until = {previous.until}\n"
        try:
            write_private(self.file, text)
        except OSError as fault:
            raise OperatorError(f"{self.file}: can't be written: {fault.strerror}") from None


def _written(credentials: Credentials, prefix: str = "") -> str:
    def line(name: str, key: str) -> str:
        quoted = key.replace("\\", "\\\\").replace('"', '\\"')
        return f'{prefix}{name} = "{quoted}"\n'

    return line("access_key", credentials.access_key) + line("secret_key", credentials.secret_key)


def _credentials(written: Mapping[str, object], prefix: str = "") -> Credentials:
    return Credentials(str(written[f"{prefix}access_key"]), str(written[f"{prefix}secret_key"]))


def _previous(written: Mapping[str, object]) -> Previous | None:
    if f"{_PREVIOUS}access_key" not in written:
        return None
    until = written.get(f"{_PREVIOUS}until")
    if not isinstance(until, int | None):
        raise ValueError(f"{_PREVIOUS}until takes seconds since 1970")  # noqa: TRY004 - a fault of the file's
    return Previous(_credentials(written, _PREVIOUS), until)
