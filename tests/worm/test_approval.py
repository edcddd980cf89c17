"""Routes through the time that administrators approve for a compliance clock that lags.

Records here are locked for 30 days.
"""

import datetime as dt
import json

import pytest

from tests.iam.conftest import Key, allow, document, key_of
from tests.served import Node
from tests.worm import administrators
from tests.worm import record as records
from tests.worm.administrators import Administrator, SeasonedBackup
from tests.worm.clauses import Clause, protects
from tests.worm.record import Record
from tests.worm.wall_clock import DAY, WallClock, lag

AHEAD = 40 * DAY


@pytest.fixture(scope="session")
def backup(tmp_path_factory: pytest.TempPathFactory) -> tuple[SeasonedBackup, list[Administrator]]:
    """Two administrators whose keys are a week old, and a third who may not approve, from another node."""
    folder = tmp_path_factory.mktemp("seasoned")
    source = Node(folder / "source")
    source.start()
    people = administrators.make(source, "ann", "bob") + administrators.make(source, "carl", leave="s3:*")
    backup = SeasonedBackup.of(source, folder)
    source.close()
    return backup, people


@pytest.fixture
def seasoned(timed: Node, backup: tuple[SeasonedBackup, list[Administrator]]) -> list[Administrator]:
    """They are on `timed`."""
    held, people = backup
    held.restore(timed)
    return people


@pytest.fixture
def record(timed: Node, seasoned: list[Administrator], clock: WallClock) -> Record:
    """A locked record on `timed`, whose system clock is 40 days ahead after that."""
    s3 = timed.client()
    made = records.store(s3, records.lock_bucket(s3, "records"))
    clock.set(AHEAD)
    return made


def then(ahead: float = AHEAD - 1) -> str:
    """A time so many seconds ahead of the true one."""
    return f"{dt.datetime.now(dt.UTC) + dt.timedelta(seconds=ahead):%Y-%m-%dT%H:%M:%SZ}"


@protects(Clause.TIME, Clause.DURATION)
def test_approved_by_one_administrator(timed: Node, seasoned: list[Administrator], record: Record) -> None:
    """A time approved by one administrator alone, over and over."""
    ann, time = seasoned[0], then()
    for _ in range(3):
        code, told = ann.approve(timed, time)
        assert code == 0
        assert "another administrator has to approve the same time" in told
    timed.kill()
    timed.start()
    record.assert_locked(timed.client())
    assert lag(timed) > AHEAD - 60


@protects(Clause.TIME, Clause.DURATION)
def test_approved_by_new_administrators(timed: Node, record: Record) -> None:
    """A time approved by two administrators whom root has just made for it."""
    time = then()
    for one in administrators.make(timed, "dora", "emil"):
        code, told = one.approve(timed, time)
        assert code == 1
        assert "7 days old by the compliance clock" in told
    record.assert_locked(timed.client())


@protects(Clause.TIME, Clause.DURATION)
def test_approved_with_a_new_key(timed: Node, seasoned: list[Administrator], record: Record) -> None:
    """A time approved by an administrator, and with a key that root has just made for the other."""
    time = then()
    assert seasoned[0].approve(timed, time)[0] == 0
    iam = Key(timed.user, timed.password).client(timed, "iam")
    key = iam.create_access_key(UserName="bob")["AccessKey"]
    code, told = Administrator(Key(key["AccessKeyId"], key["SecretAccessKey"])).approve(timed, time)
    assert code == 1
    assert "7 days old" in told
    record.assert_locked(timed.client())


@protects(Clause.TIME, Clause.DURATION)
def test_approved_by_root_and_by_sessions(timed: Node, seasoned: list[Administrator], record: Record) -> None:
    """A time approved by an administrator and by root, or a session of the other administrator's."""
    ann, bob, _ = seasoned
    time = then()
    assert ann.approve(timed, time)[0] == 0
    session = bob.key.client(timed, "sts").get_session_token()["Credentials"]
    for key in (Key(timed.user, timed.password), key_of(session)):
        code, told = Administrator(key).approve(timed, time)
        assert code == 1
        assert "keys of their own" in told
    record.assert_locked(timed.client())


@protects(Clause.TIME, Clause.DURATION)
def test_approved_without_leave(timed: Node, seasoned: list[Administrator], record: Record) -> None:
    """A time approved by an administrator, and by a user with leave for everything but that."""
    ann, _, carl = seasoned
    time = then()
    assert ann.approve(timed, time)[0] == 0
    code, told = carl.approve(timed, time)
    assert code == 1
    assert "AccessDenied" in told
    record.assert_locked(timed.client())


@protects(Clause.TIME, Clause.DURATION)
def test_approved_ahead_of_the_system_clock(timed: Node, seasoned: list[Administrator], record: Record) -> None:
    """A time approved by both administrators that the system clock has not come to."""
    for one in seasoned[:2]:
        code, told = one.approve(timed, then(AHEAD + DAY))
        assert code == 1
        assert "has not come" in told
    record.assert_locked(timed.client())


@protects(Clause.TIME, Clause.DURATION)
def test_approved_times_that_differ(timed: Node, seasoned: list[Administrator], record: Record) -> None:
    """Times approved by both administrators that are a second apart."""
    ann, bob, _ = seasoned
    assert ann.approve(timed, then(AHEAD - 10))[0] == 0
    code, told = bob.approve(timed, then(AHEAD - 20))
    assert code == 0
    assert "another administrator" in told
    record.assert_locked(timed.client())


@protects(Clause.TIME, Clause.INVENTORY)
def test_approved_by_two(timed: Node, seasoned: list[Administrator], clock: WallClock, record: Record) -> None:
    """The approval itself, as a check of this file: two set a clock right that was 20 days behind, on record."""
    clock.set(20 * DAY)
    ann, bob, _ = seasoned
    time = then(20 * DAY - 1)
    assert ann.approve(timed, time)[0] == 0
    code, told = bob.approve(timed, time)
    assert code == 0
    assert told.startswith("compliance clock ")
    assert abs(lag(timed)) < 60
    record.assert_locked(timed.client())
    events = json.loads(timed.command("worm", "ledger", "--json"))
    assert [(event["actor"].rpartition("/")[2], event["deed"]) for event in events] == [
        ("ann", "approved"),
        ("bob", "agreed"),
    ]
    assert all(event["time"] == time for event in events)
    kept = json.loads(timed.command("status", "--json"))["clock"]["compliance"]
    timed.kill()
    timed.start()
    assert json.loads(timed.command("status", "--json"))["clock"]["compliance"] >= kept


@protects(Clause.TIME)
def test_approved_under_a_role(timed: Node, record: Record) -> None:
    """A time approved under a role, by whoever may assume it."""
    iam = Key(timed.user, timed.password).client(timed, "iam")
    trust = document({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})
    arn = iam.create_role(RoleName="clock", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(
        RoleName="clock", PolicyName="approves", PolicyDocument=document(allow(administrators.LEAVE, "*"))
    )
    one = administrators.make(timed, "fred", leave="sts:*")[0]
    session = one.key.client(timed, "sts").assume_role(RoleArn=arn, RoleSessionName="clock")["Credentials"]
    code, told = Administrator(key_of(session)).approve(timed, then())
    assert code == 1
    assert "keys of their own" in told
    record.assert_locked(timed.client())
