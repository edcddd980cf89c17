"""Root credentials come from the environment or from a private file, and keep to their rules."""

import stat
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.credentials import PASSWORD_VARIABLE, USER_VARIABLE, Credentials, Previous, from_environment
from appliance.errors import ConfigurationError, OperatorError
from appliance.root_credentials import RootCredentials
from appliance.root_file import FILE_NAME, MAGIC, VERSION, RootFile

PAIR = 'access_key = "desk"\nsecret_key = "long-enough"\n'
GIVEN = {USER_VARIABLE: "desk", PASSWORD_VARIABLE: "correct-horse"}


class FixedKey:
    """A master key of a test's own."""

    def __init__(self, byte: int = 7) -> None:
        self._key = bytes([byte]) * 32

    def key(self) -> bytes:
        return self._key


def kept(data: Path, master_key: int = 7) -> RootFile:
    return RootFile(data, FixedKey(master_key))


def test_made_at_first_start_and_kept_for_the_owner_only(tmp_path: Path) -> None:
    first = RootCredentials(kept(tmp_path), {})
    assert first.made
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    second = RootCredentials(kept(tmp_path), {})
    assert not second.made
    assert second.current == first.current


def test_the_environment_stands_above_the_file(tmp_path: Path) -> None:
    made = RootCredentials(kept(tmp_path), {}).current
    assert RootCredentials(kept(tmp_path), GIVEN).current == Credentials("desk", "correct-horse")
    assert RootCredentials(kept(tmp_path), {}).current == made


def test_the_environment_alone_leaves_no_file(tmp_path: Path) -> None:
    assert not RootCredentials(kept(tmp_path), GIVEN).made
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", [USER_VARIABLE, PASSWORD_VARIABLE])
def test_one_variable_alone_is_refused(missing: str) -> None:
    with pytest.raises(ConfigurationError, match="set together"):
        from_environment({name: value for name, value in GIVEN.items() if name != missing})


@pytest.mark.parametrize(
    ("access_key", "secret_key", "reason"),
    [
        ("ab", "long-enough", "access key has 2 characters"),
        ("a" * 129, "long-enough", "access key has 129 characters"),
        ("desk", "short77", "secret key has 7 characters"),
        ("desk", "s" * 129, "secret key has 129 characters"),
        ("de/sk", "long-enough", "access key takes printable ASCII"),
        ("de sk", "long-enough", "access key takes printable ASCII"),
        ("desk", "pässword", "secret key takes printable ASCII"),
    ],
)
def test_rules(access_key: str, secret_key: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        from_environment({USER_VARIABLE: access_key, PASSWORD_VARIABLE: secret_key})


def test_secrets_stay_out_of_logs() -> None:
    assert "correct-horse" not in repr(Credentials("desk", "correct-horse"))


PRINTABLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)


@given(st.text(PRINTABLE, min_size=8, max_size=128))
def test_every_allowed_secret_is_kept_as_it_is(tmp_path_factory: pytest.TempPathFactory, secret_key: str) -> None:
    data = tmp_path_factory.mktemp("data")
    wanted = Credentials("desk", secret_key)
    assert RootCredentials(kept(data), {}).rotate(wanted) == wanted
    assert RootCredentials(kept(data), {}).current == wanted
    RootCredentials(kept(data), {}).rotate(Credentials("other", secret_key), retire=True)
    RootCredentials(kept(data), {}).rotate()
    previous = RootCredentials(kept(data), {}).previous
    assert previous is not None
    assert previous.credentials.secret_key == secret_key


def test_rotation_replaces_the_file(tmp_path: Path) -> None:
    root = RootCredentials(kept(tmp_path), {})
    before = root.current
    after = root.rotate()
    assert after == root.current == RootCredentials(kept(tmp_path), {}).current
    assert after != before
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_rotation_of_what_the_environment_sets_is_refused(tmp_path: Path) -> None:
    root = RootCredentials(kept(tmp_path), GIVEN)
    with pytest.raises(OperatorError, match="change them there"):
        root.rotate()
    assert root.current == Credentials("desk", "correct-horse")


def test_what_was_replaced_is_accepted_until_it_is_retired(tmp_path: Path) -> None:
    root = RootCredentials(kept(tmp_path), {})
    before = root.current
    assert root.previous is None
    after = root.rotate()
    for found in (root, RootCredentials(kept(tmp_path), {})):
        assert (found.current, found.previous) == (after, Previous(before))
    assert root.retire() == before
    for found in (root, RootCredentials(kept(tmp_path), {})):
        assert (found.current, found.previous) == (after, None)
    with pytest.raises(OperatorError, match="nothing to retire"):
        root.retire()


def test_what_was_replaced_ends_at_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = RootCredentials(kept(tmp_path), {})
    before, until = root.current, int(time.time()) + 60
    root.rotate(until=until)
    assert RootCredentials(kept(tmp_path), {}).previous == Previous(before, until)
    monkeypatch.setattr(time, "time", lambda: float(until))
    assert root.previous is None
    assert RootCredentials(kept(tmp_path), {}).previous is None
    root.rotate()


def test_two_are_accepted_at_most(tmp_path: Path) -> None:
    root = RootCredentials(kept(tmp_path), {})
    root.rotate()
    current, previous = root.current, root.previous
    with pytest.raises(OperatorError, match="packstone root retire"):
        root.rotate()
    assert (root.current, root.previous) == (current, previous)
    root.rotate(retire=True)
    assert root.previous is None
    assert RootCredentials(kept(tmp_path), {}).previous is None


def test_one_access_key_has_one_secret(tmp_path: Path) -> None:
    root = RootCredentials(kept(tmp_path), {})
    wanted = Credentials(root.current.access_key, "another-secret")
    with pytest.raises(OperatorError, match="--retire"):
        root.rotate(wanted)
    assert root.rotate(wanted, retire=True) == RootCredentials(kept(tmp_path), {}).current == wanted


def test_nothing_of_them_is_readable_on_the_disk(tmp_path: Path) -> None:
    root = RootCredentials(kept(tmp_path), {})
    before = root.current
    after = root.rotate()
    written = (tmp_path / FILE_NAME).read_bytes()
    for pair in (before, after):
        assert pair.access_key.encode() not in written
        assert pair.secret_key.encode() not in written


def test_another_master_key_opens_nothing_and_replaces_nothing(tmp_path: Path) -> None:
    made = RootCredentials(kept(tmp_path), {}).current
    with pytest.raises(OperatorError, match="another master key"):
        RootCredentials(kept(tmp_path, master_key=8), {})
    assert RootCredentials(kept(tmp_path, master_key=8), GIVEN).current == Credentials("desk", "correct-horse")
    assert RootCredentials(kept(tmp_path), {}).current == made


def test_a_plain_file_of_the_first_releases_is_sealed(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(PAIR + 'previous_access_key = "old"\nprevious_secret_key = "long-enough"\n')
    assert not kept(tmp_path).is_sealed()
    root = RootCredentials(kept(tmp_path), {})
    assert not root.made
    assert kept(tmp_path).is_sealed()
    assert b"long-enough" not in (tmp_path / FILE_NAME).read_bytes()
    for found in (root, RootCredentials(kept(tmp_path), {})):
        assert found.current == Credentials("desk", "long-enough")
        assert found.previous == Previous(Credentials("old", "long-enough"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "access_key is missing"),
        ('access_key = "desk"', "secret_key is missing"),
        ("?", "root-credentials: "),
        (PAIR + 'previous_access_key = "old"', "previous_secret_key is missing"),
        (PAIR + 'previous_access_key = "old"\nprevious_secret_key = "short"', "secret key has 5 characters"),
        (PAIR + 'previous_access_key = "old"\nprevious_secret_key = "long-enough"\nprevious_until = ""', "seconds"),
    ],
)
def test_a_spoilt_plain_file_is_told(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(ConfigurationError, match=reason):
        RootCredentials(kept(tmp_path), {})


def test_a_file_that_is_damaged_anywhere_is_told(tmp_path: Path) -> None:
    RootCredentials(kept(tmp_path), {})
    file = tmp_path / FILE_NAME
    written = file.read_bytes()
    for at in range(len(written)):
        file.write_bytes(written[:at] + bytes([written[at] ^ 1]) + written[at + 1 :])
        with pytest.raises((ConfigurationError, OperatorError), match="root-credentials: "):
            RootCredentials(kept(tmp_path), {})
        file.write_bytes(written[:at])
        with pytest.raises((ConfigurationError, OperatorError), match="root-credentials: "):
            RootCredentials(kept(tmp_path), {})
    file.write_bytes(MAGIC + (VERSION + 1).to_bytes(2, "little") + bytes(100))
    with pytest.raises(OperatorError, match="newer release"):
        RootCredentials(kept(tmp_path), {})
