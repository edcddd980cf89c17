"""The master key: what secrets of access keys are sealed under, and session tokens are made with.

It comes from a `MasterKeySource`; the one there is keeps it in a file of the data directory, made at first start and
readable by its owner only.
"""

import secrets
from pathlib import Path
from typing import Final, Protocol

from appliance.errors import ConfigurationError, OperatorError
from appliance.private_file import write_private

FILE_NAME: Final = "master-key"
LENGTH: Final = 32


class MasterKeySource(Protocol):
    """Where a node's master key comes from."""

    def key(self) -> bytes:
        """The key's 32 bytes, the same at every start. Raises OperatorError."""


class MasterKeyFile:
    """A file in the data directory: 64 hexadecimal digits."""

    def __init__(self, data: Path) -> None:
        """Name the file; it is made when it is first asked for."""
        self.file = data / FILE_NAME

    def key(self) -> bytes:
        """The key, which is made if there is none.

        Raises ConfigurationError when the file holds something else, OperatorError when it can't be read or written.
        """
        try:
            if not self.file.exists():
                write_private(self.file, secrets.token_bytes(LENGTH).hex() + "\n")
            if self.file.stat().st_mode & 0o077:
                raise OperatorError(f"{self.file}: others may read it: chmod 600 {self.file}")
            text = self.file.read_text("ascii").strip()
        except OSError as fault:
            raise OperatorError(f"{self.file}: can't be read or written: {fault.strerror}") from None
        except UnicodeDecodeError:
            text = ""
        try:
            key = bytes.fromhex(text)
        except ValueError:
            key = b""
        if len(key) != LENGTH:
            raise ConfigurationError(f"{self.file}: is no master key: put the right file back from a backup")
        return key
