"""The file `root-credentials`: root's credentials, sealed under the node's master key.

`docs/format.md` draws the bytes. It is replaced whole, so that a crash leaves what was before or what is after. Files
of the first releases held the same as plain TOML; such a file is read, and sealed at once.
"""

import json
import secrets
import struct
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from appliance.credentials import Credentials, Previous
from appliance.errors import ConfigurationError, OperatorError
from appliance.master_key import MasterKeySource
from appliance.private_file import write_private

FILE_NAME: Final = "root-credentials"
MAGIC: Final = b"PSROOTCR"
VERSION: Final = 1

_NONCE: Final = 12
_HEADER: Final = struct.Struct(f"<8sH{_NONCE}s")
_PURPOSE: Final = b"packstone root credentials"
_PREVIOUS: Final = "previous_"
_LARGEST: Final = 1 << 16
"""Bytes; credentials of the greatest length take a hundredth of it."""


class RootFile:
    """The root credentials that a data directory keeps."""

    def __init__(self, data: Path, master_key: MasterKeySource) -> None:
        """Name the file."""
        self.file = data / FILE_NAME
        self._master_key = master_key

    def exists(self) -> bool:
        """Whether credentials are kept."""
        return self.file.exists()

    def is_sealed(self) -> bool:
        """Whether what is kept hangs on the master key. Raises OperatorError when the file can't be read."""
        return self.exists() and self._content().startswith(MAGIC)

    def read(self) -> tuple[Credentials, Previous | None]:
        """The credentials that are kept, and those that they replaced.

        Raises OperatorError when the file can't be read or was sealed under another master key, ConfigurationError when
        it holds something else.
        """
        content = self._content()
        try:
            if content.startswith(MAGIC):
                return _kept(json.loads(self._unsealed(content)))
            kept = _kept(tomllib.loads(content.decode()))
        except KeyError as fault:
            raise ConfigurationError(f"{self.file}: {fault.args[0]} is missing") from None
        except ValueError as fault:
            raise ConfigurationError(f"{self.file}: {fault}") from None
        self.write(*kept)
        return kept

    def write(self, credentials: Credentials, previous: Previous | None) -> None:
        """Keep these, and nothing else. Raises OperatorError when they can't be written."""
        header = _HEADER.pack(MAGIC, VERSION, secrets.token_bytes(_NONCE))
        sealed = self._cipher().encrypt(header[-_NONCE:], json.dumps(_document(credentials, previous)).encode(), header)
        try:
            write_private(self.file, header + sealed)
        except OSError as fault:
            raise OperatorError(f"{self.file}: can't be written: {fault.strerror}") from None

    def _content(self) -> bytes:
        try:
            with self.file.open("rb") as file:
                return file.read(_LARGEST)
        except OSError as fault:
            raise OperatorError(f"{self.file}: can't be read: {fault.strerror}") from None

    def _unsealed(self, content: bytes) -> bytes:
        if len(content) < _HEADER.size:
            raise ValueError("is cut short: put it back from a backup")
        header, sealed = content[: _HEADER.size], content[_HEADER.size :]
        _, version, nonce = _HEADER.unpack(header)
        if version > VERSION:
            raise OperatorError(
                f"{self.file}: was written by a newer release, in version {version}: this one reads up to {VERSION}"
            )
        try:
            return self._cipher().decrypt(nonce, sealed, header)
        except InvalidTag:
            raise OperatorError(
                f"{self.file}: is damaged, or sealed under another master key: put the right one of both back from a "
                "backup; without any, remove this file, and the next start makes new root credentials"
            ) from None

    def _cipher(self) -> AESGCM:
        return AESGCM(HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(self._master_key.key()))


def _document(credentials: Credentials, previous: Previous | None) -> dict[str, Any]:
    document: dict[str, Any] = {"access_key": credentials.access_key, "secret_key": credentials.secret_key}
    if previous is not None:
        replaced = _document(previous.credentials, None) | {"until": previous.until}
        document |= {f"{_PREVIOUS}{name}": value for name, value in replaced.items()}
    return document


def _kept(document: Mapping[str, Any]) -> tuple[Credentials, Previous | None]:
    def credentials(prefix: str) -> Credentials:
        return Credentials(str(document[f"{prefix}access_key"]), str(document[f"{prefix}secret_key"]))

    current = credentials("")
    if f"{_PREVIOUS}access_key" not in document:
        return current, None
    until = document.get(f"{_PREVIOUS}until")
    if not isinstance(until, int | None):
        raise ValueError(f"{_PREVIOUS}until takes seconds since 1970")  # noqa: TRY004 - a fault of the file's
    return current, Previous(credentials(_PREVIOUS), until)
