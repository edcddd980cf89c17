"""The master key: what secrets of access keys are sealed under, and session tokens are made with.

It comes from a `MasterKeySource`; the one there is keeps it in a file of the data directory, made with the appliance
and readable by its owner only. One that is missing later is not made anew: a copy of the data directory would take it
for the right one.
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
        """Name the file."""
        self.file = data / FILE_NAME

    def make(self) -> None:
        """Make the key of a new appliance, unless there is one. Raises OperatorError when it can't be written."""
        try:
            if not self.file.exists():
                write_private(self.file, secrets.token_bytes(LENGTH).hex() + "\n")
        except OSError as fault:
            raise OperatorError(f"{self.file}: can't be written: {fault.strerror}") from None

    def key(self) -> bytes:
        """The key.

        Raises ConfigurationError when the file holds something else, OperatorError when it is missing or can't be read.
        """
        try:
            if not self.file.exists():
                raise OperatorError(
                    f"{self.file}: is missing: put it back from a backup; where it is lost for good, write 64 random "
                    "hexadecimal digits there, and what was encrypted under the lost key stays unreadable"
                )
            if self.file.stat().st_mode & 0o077:
                raise OperatorError(f"{self.file}: others may read it: chmod 600 {self.file}")
            text = self.file.read_text("ascii").strip()
        except OSError as fault:
            raise OperatorError(f"{self.file}: can't be read: {fault.strerror}") from None
        except UnicodeDecodeError:
            text = ""
        try:
            key = bytes.fromhex(text)
        except ValueError:
            key = b""
        if len(key) != LENGTH:
            raise ConfigurationError(f"{self.file}: is no master key: put the right file back from a backup")
        return key
