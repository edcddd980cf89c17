"""Backup files give back what they were given, to who knows the passphrase, and say in one line what is wrong."""

import hashlib
import stat
from pathlib import Path
from typing import Final

import pytest

from appliance import backup_file
from appliance.backup_file import BackupContents, passphrase_of, read_backup, seal, unseal, write_backup
from appliance.errors import OperatorError

PASSPHRASE: Final = "correct horse battery"
CONTENTS: Final = BackupContents(
    appliance="00" * 16, release="0.1.0", taken=1.5, settings='[s3]\nregion = "eu"\n', node='{"buckets": []}'
)
FIXTURE: Final = Path(__file__).parent.parent / "fixtures" / "backup-1"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_file, "_LOG_N", 4)


def wrong(sealed: bytes, passphrase: str = PASSPHRASE) -> str:
    """Why these bytes can't be opened."""
    with pytest.raises(OperatorError) as fault:
        unseal(sealed, passphrase)
    assert "\n" not in str(fault.value)
    return str(fault.value)


def resealed(body: bytes) -> bytes:
    """`body` with the digest that fits it."""
    return body + hashlib.sha256(body).digest()


def test_what_was_sealed_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "node.backup"
    write_backup(file, CONTENTS, PASSPHRASE)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_backup(file, PASSPHRASE) == CONTENTS
    assert b"region" not in file.read_bytes()
    with pytest.raises(OperatorError, match="exists already"):
        write_backup(file, CONTENTS, PASSPHRASE)


def test_the_same_contents_are_never_sealed_alike() -> None:
    assert seal(CONTENTS, PASSPHRASE)[:-32] != seal(CONTENTS, PASSPHRASE)[:-32]


def test_the_first_version_is_read_for_ever() -> None:
    assert read_backup(FIXTURE, PASSPHRASE) == CONTENTS


def test_another_passphrase_opens_nothing() -> None:
    assert "passphrase" in wrong(seal(CONTENTS, PASSPHRASE), "correct horse batterz")


def test_each_flipped_byte_is_noticed() -> None:
    sealed = seal(CONTENTS, PASSPHRASE)
    for at in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[at] ^= 1
        wrong(bytes(damaged))


def test_each_byte_that_was_forged_with_its_digest_is_noticed() -> None:
    sealed = seal(CONTENTS, PASSPHRASE)[:-32]
    for at in range(len(sealed)):
        forged = bytearray(sealed)
        forged[at] ^= 1
        wrong(resealed(bytes(forged)))


def test_each_shorter_file_is_refused() -> None:
    sealed = seal(CONTENTS, PASSPHRASE)
    for length in range(len(sealed)):
        wrong(sealed[:length])


def test_a_newer_version_is_refused_in_one_line() -> None:
    newer = bytearray(seal(CONTENTS, PASSPHRASE))
    newer[8] = 2
    assert wrong(bytes(newer)) == "was written by a newer release, in version 2: this one reads up to 1"


def test_parameters_that_ask_for_all_memory_are_refused() -> None:
    greedy = bytearray(seal(CONTENTS, PASSPHRASE)[:-32])
    greedy[10] = 40
    assert "out of bounds" in wrong(resealed(bytes(greedy)))


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(OperatorError, match="12 characters"):
        seal(CONTENTS, "hunter2")


def test_a_passphrase_comes_from_a_private_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert passphrase_of(None) is None
    monkeypatch.setenv("PACKSTONE_BACKUP_PASSPHRASE", PASSPHRASE)
    assert passphrase_of(None) == PASSPHRASE
    file = tmp_path / "passphrase"
    file.write_text("from the file\n")
    file.chmod(0o644)
    with pytest.raises(OperatorError, match="chmod 600"):
        passphrase_of(file)
    file.chmod(0o600)
    assert passphrase_of(file) == "from the file"
    with pytest.raises(OperatorError, match="can't be read"):
        passphrase_of(tmp_path / "absent")
