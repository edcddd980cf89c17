"""Backup files: a node's configuration, sealed under a passphrase.

A passphrase and not the master key: who restores has another node before them, with a master key of its own, and the
file must be enough. `docs/format.md` draws the bytes.

    header      magic, version, scrypt's parameters and salt, nonce, length of what is sealed
    sealed      JSON, AES-256-GCM; the header is its associated data
    digest      SHA-256 of all before it, so that a damaged file isn't taken for a wrong passphrase
"""

import hashlib
import json
import os
import secrets
import struct
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, ConfigDict, ValidationError

from appliance.errors import OperatorError
from appliance.private_file import write_private

MAGIC: Final = b"PSBACKUP"
VERSION: Final = 1
SHORTEST_PASSPHRASE: Final = 12
"""Characters; what scrypt makes of fewer is guessed in less time than backups are kept."""

_HEADER: Final = struct.Struct("<8sHBBI16s12sQ")
_DIGEST: Final = 32
_LOG_N, _R, _P = 17, 8, 1  # 128 MiB and about half a second
_MOST_LOG_N, _MOST_R, _MOST_P = 20, 8, 4
_LARGEST: Final = 1 << 30


class BackupContents(BaseModel):
    """What a backup file holds.

    `settings` is the text of the configuration file, empty where there was none, and `node` what the engine told:
    buckets and identities, to be given back as it is. Secrets stand in both.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal["config"] = "config"
    appliance: str
    release: str
    taken: float
    settings: str
    node: str


def write_backup(file: Path, contents: BackupContents, passphrase: str) -> None:
    """Seal `contents` into `file`, mode 0600, whole or not at all.

    Raises OperatorError when the passphrase is too short, the file exists, or it can't be written.
    """
    if file.exists():
        raise OperatorError(f"{file}: exists already: name another file, or remove it")
    sealed = seal(contents, passphrase)
    try:
        write_private(file, sealed)
    except OSError as fault:
        raise OperatorError(f"{file}: can't be written: {fault.strerror or fault}") from None


def read_backup(file: Path, passphrase: str) -> BackupContents:
    """Open `file`. Raises OperatorError when it can't be read, is newer or damaged, or the passphrase isn't its own."""
    try:
        if file.stat().st_size > _LARGEST:
            raise OperatorError(f"{file}: is no backup file")
        sealed = file.read_bytes()
    except OSError as fault:
        raise OperatorError(f"{file}: can't be read: {fault.strerror or fault}") from None
    try:
        return unseal(sealed, passphrase)
    except OperatorError as fault:
        raise OperatorError(f"{file}: {fault}") from None


def seal(contents: BackupContents, passphrase: str) -> bytes:
    """The bytes of a backup file. Raises OperatorError when the passphrase is too short."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise OperatorError(f"the passphrase must have {SHORTEST_PASSPHRASE} characters or more")
    plain = contents.model_dump_json().encode()
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    header = _HEADER.pack(MAGIC, VERSION, _LOG_N, _R, _P, salt, nonce, len(plain) + 16)
    sealed = header + AESGCM(_key(passphrase, salt, _LOG_N, _R, _P)).encrypt(nonce, plain, header)
    return sealed + hashlib.sha256(sealed).digest()


def unseal(sealed: bytes, passphrase: str) -> BackupContents:
    """What `seal` was given. Raises OperatorError when that isn't what the bytes hold."""
    if len(sealed) < _HEADER.size or not sealed.startswith(MAGIC):
        raise OperatorError("is no backup file")
    _, version, log_n, r, p, salt, nonce, length = _HEADER.unpack_from(sealed)
    if version > VERSION:
        raise OperatorError(f"was written by a newer release, in version {version}: this one reads up to {VERSION}")
    body, digest = sealed[:-_DIGEST], sealed[-_DIGEST:]
    if len(body) != _HEADER.size + length or hashlib.sha256(body).digest() != digest:
        raise OperatorError("is damaged: its digest doesn't fit")
    # Of a file that was made to fit, parameters could ask for all memory.
    if not (1 <= log_n <= _MOST_LOG_N and 1 <= r <= _MOST_R and 1 <= p <= _MOST_P):
        raise OperatorError("is damaged: its parameters are out of bounds")
    header = sealed[: _HEADER.size]
    try:
        plain = AESGCM(_key(passphrase, salt, log_n, r, p)).decrypt(nonce, body[_HEADER.size :], header)
        return BackupContents.model_validate(json.loads(plain))
    except InvalidTag:
        raise OperatorError("the passphrase isn't the one that it was written with") from None
    except (ValueError, ValidationError):
        raise OperatorError("holds something else than a node's configuration") from None


def _key(passphrase: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    memory = 128 * r * (2**log_n + p + 2)
    return hashlib.scrypt(passphrase.encode(), salt=salt, n=2**log_n, r=r, p=p, maxmem=memory + (1 << 20), dklen=32)


def passphrase_of(file: Path | None) -> str | None:
    """The passphrase in `file`, or in PACKSTONE_BACKUP_PASSPHRASE; None where neither is given.

    Raises OperatorError when the file can't be read, or others may read it.
    """
    if file is None:
        return os.environ.get("PACKSTONE_BACKUP_PASSPHRASE")
    try:
        if file.stat().st_mode & 0o077:
            raise OperatorError(f"{file}: others may read it: chmod 600 {file}")
        return file.read_text("utf-8").rstrip("\r\n")
    except OSError as fault:
        raise OperatorError(f"{file}: can't be read: {fault.strerror or fault}") from None
    except UnicodeDecodeError:
        raise OperatorError(f"{file}: is no text") from None
