"""Root credentials come from the environment or from a private file, and keep to their rules."""

import stat
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.credentials import (
    PASSWORD_VARIABLE,
    USER_VARIABLE,
    Credentials,
    Previous,
    RootCredentials,
    from_environment,
)
from appliance.errors import ConfigurationError, OperatorError

PAIR = 'access_key = "desk"\nsecret_key = "long-enough"\n'
GIVEN = {USER_VARIABLE: "desk", PASSWORD_VARIABLE: "correct-horse"}


def test_made_at_first_start_and_kept_for_the_owner_only(tmp_path: Path) -> None:
    first = RootCredentials(tmp_path, {})
    assert first.made
    assert stat.S_IMODE(first.file.stat().st_mode) == 0o600
    second = RootCredentials(tmp_path, {})
    assert not second.made
    assert second.current == first.current


def test_the_environment_stands_above_the_file(tmp_path: Path) -> None:
    kept = RootCredentials(tmp_path, {}).current
    assert RootCredentials(tmp_path, GIVEN).current == Credentials("desk", "correct-horse")
    assert RootCredentials(tmp_path, {}).current == kept


def test_the_environment_alone_leaves_no_file(tmp_path: Path) -> None:
    assert not RootCredentials(tmp_path, GIVEN).made
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
    assert RootCredentials(data, {}).rotate(wanted) == wanted
    assert RootCredentials(data, {}).current == wanted
    RootCredentials(data, {}).rotate(Credentials("other", secret_key), retire=True)
    RootCredentials(data, {}).rotate()
    previous = RootCredentials(data, {}).previous
    assert previous is not None
    assert previous.credentials.secret_key == secret_key


def test_rotation_replaces_the_file(tmp_path: Path) -> None:
    root = RootCredentials(tmp_path, {})
    before = root.current
    after = root.rotate()
    assert after == root.current == RootCredentials(tmp_path, {}).current
    assert after != before
    assert stat.S_IMODE(root.file.stat().st_mode) == 0o600


def test_rotation_of_what_the_environment_sets_is_refused(tmp_path: Path) -> None:
    root = RootCredentials(tmp_path, GIVEN)
    with pytest.raises(OperatorError, match="change them there"):
        root.rotate()
    assert root.current == Credentials("desk", "correct-horse")


def test_what_was_replaced_is_accepted_until_it_is_retired(tmp_path: Path) -> None:
    root = RootCredentials(tmp_path, {})
    before = root.current
    assert root.previous is None
    after = root.rotate()
    for kept in (root, RootCredentials(tmp_path, {})):
        assert (kept.current, kept.previous) == (after, Previous(before))
    assert root.retire() == before
    for kept in (root, RootCredentials(tmp_path, {})):
        assert (kept.current, kept.previous) == (after, None)
    with pytest.raises(OperatorError, match="nothing to retire"):
        root.retire()


def test_what_was_replaced_ends_at_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = RootCredentials(tmp_path, {})
    before, until = root.current, int(time.time()) + 60
    root.rotate(until=until)
    assert RootCredentials(tmp_path, {}).previous == Previous(before, until)
    monkeypatch.setattr(time, "time", lambda: float(until))
    assert root.previous is None
    assert RootCredentials(tmp_path, {}).previous is None
    root.rotate()


def test_two_are_accepted_at_most(tmp_path: Path) -> None:
    root = RootCredentials(tmp_path, {})
    root.rotate()
    current, previous = root.current, root.previous
    with pytest.raises(OperatorError, match="packstone root retire"):
        root.rotate()
    assert (root.current, root.previous) == (current, previous)
    root.rotate(retire=True)
    assert root.previous is None
    assert RootCredentials(tmp_path, {}).previous is None


def test_one_access_key_has_one_secret(tmp_path: Path) -> None:
    root = RootCredentials(tmp_path, {})
    wanted = Credentials(root.current.access_key, "another-secret")
    with pytest.raises(OperatorError, match="--retire"):
        root.rotate(wanted)
    assert root.rotate(wanted, retire=True) == RootCredentials(tmp_path, {}).current == wanted


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
def test_a_spoilt_file_is_told(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "root-credentials").write_text(text)
    with pytest.raises(ConfigurationError, match=reason):
        RootCredentials(tmp_path, {})
