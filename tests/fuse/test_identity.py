"""Policies and mode bits, both, for users by their uids: what IAM denies, the mount denies."""

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from tests.fuse.conftest import SETTINGS
from tests.fuse.mounted import Mount
from tests.fuse.people import do_as
from tests.iam.conftest import Key, allow, deny, give, make_key
from tests.refusal import refused
from tests.served import Node

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="takes root to be others")
BUCKET = "desk"
ALICE, BOB, NOBODY = 1001, 1002, 4711
_T = TypeVar("_T")


def arn(path: str = "") -> str:
    return f"arn:aws:s3:::{BUCKET}{path}"


def lists(*prefixes: str) -> dict[str, Any]:
    """Leave to list what is below these."""
    return allow("s3:ListBucket", arn(), Condition={"StringLike": {"s3:prefix": list(prefixes)}})


ALICES = (allow("s3:*", arn("/fx/*")), lists("", "fx/*"))
BOBS = (allow("s3:*", arn("/rates/*")), allow("s3:GetObject", arn("/fx/*")), lists("", "fx/*", "rates/*"))


class Desk:
    """A mount that lets others in, and two users who have uids."""

    def __init__(self, mount: Mount) -> None:
        self.mount = mount
        self.node = mount.node
        self.iam: IAMClient = Key(self.node.user, self.node.password).client(self.node, "iam")
        self.s3 = self.node.client()
        for name, uid in (("alice", ALICE), ("bob", BOB)):
            tags = [{"Key": "packstone:uid", "Value": str(uid)}, {"Key": "packstone:gids", "Value": str(uid)}]
            self.iam.create_user(UserName=name, Tags=tags)
        self.settle()

    def settle(self) -> None:
        """Give both what they have unless a test says otherwise."""
        give(self.iam, "alice", *ALICES)
        give(self.iam, "bob", *BOBS)

    @property
    def bucket(self) -> Path:
        return self.mount.path / BUCKET

    def put(self, key: str, content: bytes = b"content", mode: int = 0o666) -> str:
        """An object that mode bits keep nobody from; its path from the mount."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        (self.bucket / key).chmod(mode)
        return f"{BUCKET}/{key}"

    def alice(self, deed: Callable[..., _T], *arguments: Any) -> _T:
        return do_as(self.mount.path, ALICE, deed, *arguments)

    def bob(self, deed: Callable[..., _T], *arguments: Any) -> _T:
        return do_as(self.mount.path, BOB, deed, *arguments)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The node of all these tests."""
    scratch = tmp_path_factory.mktemp("identity")
    node = Node(scratch / "data", SETTINGS)
    node.start()
    mount = Mount(node, scratch / "mount", "--allow-other")
    try:
        node.client().create_bucket(Bucket=BUCKET)
        mount.start()
        made = Desk(mount)
        for folder in ("fx", "rates"):
            (made.bucket / folder).mkdir()
            (made.bucket / folder).chmod(0o777)
        yield made
    finally:
        mount.close()
        node.close()
    for log in (node.log(), mount.log()):
        assert "Traceback" not in log
        assert "panicked" not in log


@pytest.fixture
def desk(shared: Desk) -> Iterator[Desk]:
    """The same, with what Alice and Bob have at first."""
    yield shared
    shared.settle()


@contextmanager
def denied() -> Iterator[None]:
    with pytest.raises(PermissionError) as fault:
        yield
    assert fault.value.errno == errno.EACCES


def test_reading_takes_both_policy_and_mode(desk: Desk) -> None:
    allowed, elsewhere = Path(desk.put("fx/read", b"fx")), Path(desk.put("rates/read", b"rates"))
    private = Path(desk.put("fx/private", b"roots", mode=0o600))
    assert desk.alice(allowed.read_bytes) == b"fx"
    with denied():
        desk.alice(elsewhere.read_bytes)
    with denied():
        desk.alice(private.read_bytes)
    assert desk.bob(elsewhere.read_bytes) == b"rates"
    assert desk.bob(allowed.read_bytes) == b"fx"


def test_what_the_kernel_keeps_is_read_by_who_may_open_it(desk: Desk) -> None:
    path = Path(desk.put("rates/kept", b"kept" * 5000))
    assert desk.bob(path.read_bytes) == b"kept" * 5000
    for _ in range(3):
        # The name is known to the kernel by now, and the pages are there.
        with denied():
            desk.alice(path.read_bytes)
        assert desk.bob(path.read_bytes) == b"kept" * 5000


def test_writing_takes_both(desk: Desk) -> None:
    shared, theirs = Path(desk.put("fx/write", b"0")), Path(desk.put("rates/write", b"0"))
    read_only = Path(desk.put("fx/write-not", b"0", mode=0o444))
    desk.alice(shared.write_bytes, b"alices")
    assert desk.s3.get_object(Bucket=BUCKET, Key="fx/write")["Body"].read() == b"alices"
    ways: list[Callable[[Path], object]] = [
        lambda path: path.write_bytes(b"over"),
        lambda path: path.open("ab"),
        lambda path: path.open("r+b"),
        lambda path: os.truncate(path, 0),
    ]
    for way in ways:
        for path in (theirs, read_only):
            with denied():
                desk.alice(way, path)
        with denied():
            desk.bob(way, shared)
    made = Path(f"{BUCKET}/fx/made")
    desk.alice(made.write_bytes, b"made")
    told = (desk.mount.path / made).stat()
    assert (told.st_uid, told.st_gid) == (ALICE, ALICE)
    makes: list[Callable[[Path], object]] = [Path.touch, Path.mkdir, lambda path: path.symlink_to("fx")]
    for way in makes:
        with denied():
            desk.alice(way, Path(f"{BUCKET}/rates/new"))
    assert not (desk.bucket / "rates" / "new").exists()


def test_what_s3_makes_is_the_users_own(desk: Desk) -> None:
    make_key(desk.iam, "alice").s3(desk.node).put_object(Bucket=BUCKET, Key="fx/by-s3", Body=b"alices")
    path = Path(f"{BUCKET}/fx/by-s3")
    told = (desk.mount.path / path).stat()
    assert (told.st_uid, told.st_gid, told.st_mode & 0o7777) == (ALICE, ALICE, 0o640)
    assert desk.alice(path.read_bytes) == b"alices"
    desk.alice(path.write_bytes, b"again")
    with denied():
        # A policy lets Bob, and the mode doesn't.
        desk.bob(path.read_bytes)
    assert do_as(desk.mount.path, BOB, path.read_bytes, groups=[ALICE]) == b"again"


def test_deleting_is_asked_for(desk: Desk) -> None:
    path = Path(desk.put("fx/keep"))
    give(desk.iam, "alice", *ALICES, deny("s3:DeleteObject", arn("/fx/keep*")))
    with denied():
        desk.alice(path.unlink)
    with denied():
        desk.alice(path.rename, path.with_name("away"))
    desk.alice(path.write_bytes, b"may be written")
    (desk.bucket / "fx" / "keep-folder").mkdir(mode=0o777)
    with denied():
        desk.alice(path.with_name("keep-folder").rmdir)
    assert (desk.bucket / "fx" / "keep-folder").is_dir()
    desk.settle()
    desk.alice(path.unlink)
    desk.alice(path.with_name("keep-folder").rmdir)


def test_a_rename_is_asked_for_at_both_ends_and_below(desk: Desk) -> None:
    path = Path(desk.put("fx/one", b"one"))
    desk.alice(path.rename, path.with_name("two"))
    with denied():
        desk.alice(path.with_name("two").rename, Path(BUCKET, "rates", "two"))
    secret = Path(desk.put("rates/secret"))
    with denied():
        # To read by a rename what may not be read.
        desk.alice(secret.rename, Path(BUCKET, "fx", "secret"))
    desk.put("fx/tree/a", b"a")
    desk.put("fx/tree/closed/b", b"b")
    (desk.bucket / "fx" / "tree").chmod(0o777)
    give(desk.iam, "alice", *ALICES, deny("s3:DeleteObject", arn("/fx/tree/closed/*")))
    tree = Path(f"{BUCKET}/fx/tree")
    with denied():
        desk.alice(tree.rename, tree.with_name("moved"))
    give(desk.iam, "alice", *ALICES, deny("s3:PutObject", arn("/fx/moved/closed/*")))
    with denied():
        desk.alice(tree.rename, tree.with_name("moved"))
    assert (desk.bucket / "fx" / "tree" / "closed" / "b").read_bytes() == b"b"
    desk.settle()
    desk.alice(tree.rename, tree.with_name("moved"))
    assert (desk.bucket / "fx" / "moved" / "closed" / "b").read_bytes() == b"b"


def names(path: Path) -> set[str]:
    return {entry.name for entry in path.iterdir()}


def test_listing_is_asked_for(desk: Desk) -> None:
    desk.put("fx/listed")
    desk.put("rates/listed")
    assert "listed" in desk.alice(names, Path(BUCKET, "fx"))
    assert {"fx", "rates"} <= desk.alice(names, Path(BUCKET))
    for path in (Path(BUCKET, "rates"), Path()):
        with denied():
            desk.alice(names, path)
    give(desk.iam, "alice", *ALICES, allow("s3:ListAllMyBuckets", "*"))
    assert BUCKET in desk.alice(names, Path())


def test_a_name_that_one_may_do_nothing_with_is_not_told(desk: Desk) -> None:
    desk.put("rates/there")
    # Longer than the kernel believes in names that somebody else looked up.
    time.sleep(1.1)
    for name in ("there", "absent"):
        with denied():
            desk.alice(Path(BUCKET, "rates", name).stat)
    with pytest.raises(FileNotFoundError):
        desk.bob(Path(BUCKET, "rates", "absent").stat)


def test_policies_count_as_they_are_when_a_file_is_opened(desk: Desk) -> None:
    path = Path(desk.put("fx/changing", b"first"))
    assert desk.alice(path.read_bytes) == b"first"
    give(desk.iam, "alice", *ALICES, deny("s3:GetObject", arn("/fx/changing")))
    with denied():
        desk.alice(path.read_bytes)
    desk.settle()
    assert desk.alice(path.read_bytes) == b"first"

    def over_a_change() -> bytes:
        with path.open("r+b") as held:
            Path(f"{BUCKET}/fx/opened").touch()
            _wait(lambda: Path(f"{BUCKET}/fx/revoked").exists())
            held.write(b"FIRST")
            held.flush()
            os.ftruncate(held.fileno(), 4)
            held.seek(0)
            os.fsync(held.fileno())
            return held.read()

    def revoke() -> None:
        _wait((desk.bucket / "fx" / "opened").exists)
        give(desk.iam, "alice", lists("fx/*"), allow("s3:GetObject", arn("/fx/revoked")))
        (desk.bucket / "fx" / "revoked").touch(mode=0o644)

    child = os.fork()
    if child == 0:
        try:
            revoke()
        finally:
            os._exit(0)
    assert desk.alice(over_a_change) == b"FIRS"
    os.waitpid(child, 0)
    with denied():
        desk.alice(path.read_bytes)
    assert desk.s3.get_object(Bucket=BUCKET, Key="fx/changing")["Body"].read() == b"FIRS"


def _wait(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_attributes_are_changed_and_read_by_who_may(desk: Desk) -> None:
    make_key(desk.iam, "bob").s3(desk.node).put_object(Bucket=BUCKET, Key="rates/own", Body=b"", Tagging="desk=rates")
    path = Path(f"{BUCKET}/rates/own")
    desk.bob(path.chmod, 0o666)
    desk.bob(os.utime, path, (1, 1))
    desk.bob(os.setxattr, path, "user.x", b"1")
    assert desk.bob(os.getxattr, path, "user.s3.tag.desk") == b"rates"
    readable = [allow("s3:GetObject", arn("/rates/own"))]
    give(desk.iam, "bob", *readable)
    ways: list[Callable[[], object]] = [
        lambda: path.chmod(0o600),
        lambda: os.utime(path, (2, 2)),
        lambda: os.setxattr(path, "user.x", b"2"),
        lambda: os.removexattr(path, "user.x"),
        lambda: os.getxattr(path, "user.s3.tag.desk"),
    ]
    for way in ways:
        with denied():
            desk.bob(way)
    assert desk.bob(os.listxattr, path) == ["user.x"]
    with denied():
        desk.alice(os.listxattr, path)


def test_conditions_see_tags_and_bucket_policies_count(desk: Desk) -> None:
    secret, plain = Path(desk.put("fx/tagged")), Path(desk.put("fx/plain"))
    tags: Any = {"TagSet": [{"Key": "level", "Value": "secret"}]}
    desk.s3.put_object_tagging(Bucket=BUCKET, Key="fx/tagged", Tagging=tags)
    is_secret = {"StringEquals": {"s3:ExistingObjectTag/level": "secret"}}
    give(desk.iam, "alice", *ALICES, deny("s3:GetObject", "*", Condition=is_secret))
    assert desk.alice(plain.read_bytes) == b"content"
    with denied():
        desk.alice(secret.read_bytes)
    desk.settle()
    assert desk.alice(secret.read_bytes) == b"content"
    statement = deny("s3:GetObject", arn("/fx/plain"), Principal={"AWS": "arn:aws:iam::000000000000:user/alice"})
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    desk.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    with denied():
        desk.alice(plain.read_bytes)
    assert (desk.mount.path / plain).read_bytes() == b"content"
    statement["Principal"] = "*"
    desk.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    with denied():
        # As S3 answers root's own credentials.
        (desk.mount.path / plain).read_bytes()
    desk.s3.delete_bucket_policy(Bucket=BUCKET)
    assert desk.alice(plain.read_bytes) == b"content"


def test_a_key_of_the_kms_takes_leave_of_its_own(desk: Desk) -> None:
    desk.node.command("kms", "make", "quotes")
    desk.s3.create_bucket(Bucket="sealed")
    rule: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "quotes"}}
    desk.s3.put_bucket_encryption(Bucket="sealed", ServerSideEncryptionConfiguration={"Rules": [rule]})
    desk.s3.put_object(Bucket="sealed", Key="fx/quotes", Body=b"sealed")
    (desk.mount.path / "sealed" / "fx" / "quotes").chmod(0o666)
    path, all_of_s3 = Path("sealed", "fx", "quotes"), allow("s3:*", "*")
    key = "arn:aws:kms:us-east-1:000000000000:key/quotes"
    give(desk.iam, "alice", all_of_s3)
    for way in (path.read_bytes, lambda: path.write_bytes(b"over")):
        with denied():
            desk.alice(way)
    give(desk.iam, "alice", all_of_s3, allow("kms:Decrypt", key))
    assert desk.alice(path.read_bytes) == b"sealed"
    with denied():
        desk.alice(path.write_bytes, b"over")
    give(desk.iam, "alice", all_of_s3, allow("kms:GenerateDataKey", key))
    desk.alice(path.write_bytes, b"over")
    with denied():
        desk.alice(path.read_bytes)
    assert desk.s3.get_object(Bucket="sealed", Key="fx/quotes")["Body"].read() == b"over"


def test_locks_hold_for_whoever_may_do_everything(desk: Desk) -> None:
    desk.s3.create_bucket(Bucket="worm", ObjectLockEnabledForBucket=True)
    desk.s3.put_object(
        Bucket="worm",
        Key="record",
        Body=b"kept",
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=datetime.now(UTC) + timedelta(minutes=30),
        ChecksumAlgorithm="SHA256",
    )
    give(desk.iam, "alice", allow("s3:*", "*"))
    ways: list[Callable[[Path], object]] = [
        Path.unlink,
        lambda path: path.rename("worm/away"),
        lambda path: path.write_bytes(b""),
    ]
    for way in ways:
        with pytest.raises(PermissionError):
            desk.alice(way, Path("worm/record"))
    assert desk.s3.get_object(Bucket="worm", Key="record")["Body"].read() == b"kept"


def test_buckets_are_made_by_who_may(desk: Desk) -> None:
    give(desk.iam, "alice", allow(["s3:CreateBucket", "s3:DeleteBucket"], "arn:aws:s3:::alices-*"))
    # The top is root's: mode bits let nobody else make a bucket there, whatever policies say.
    with denied():
        desk.alice(Path("alices-own").mkdir)


def test_a_uid_that_is_nobodys_is_the_mounts_own(desk: Desk, tmp_path: Path) -> None:
    path = Path(desk.put("rates/nobodys", b"read"))
    assert do_as(desk.mount.path, NOBODY, path.read_bytes) == b"read"
    desk.iam.create_user(UserName="guest")
    give(desk.iam, "guest", allow("s3:GetObject", arn("/fx/*")))
    desk.put("fx/guests", b"for guests")
    guests = Mount(desk.node, tmp_path / "guests", "--allow-other", "--user", "guest")
    try:
        guests.start()
        root, other = guests.path / BUCKET, Path(f"{BUCKET}/fx/guests")
        assert (root / "fx" / "guests").read_bytes() == b"for guests"
        assert do_as(guests.path, NOBODY, other.read_bytes) == b"for guests"
        for uid in (0, NOBODY):
            with denied():
                do_as(guests.path, uid, path.read_bytes)
            with denied():
                do_as(guests.path, uid, other.write_bytes, b"over")
        # Users are themselves on every mount.
        assert do_as(guests.path, BOB, path.read_bytes) == b"read"
        desk.iam.delete_user_policy(UserName="guest", PolicyName="inline")
        desk.iam.delete_user(UserName="guest")
        for uid in (0, NOBODY):
            with denied():
                do_as(guests.path, uid, other.read_bytes)
    finally:
        guests.close()


def test_a_mount_for_nobody_is_refused_in_one_line(desk: Desk, tmp_path: Path) -> None:
    told = desk.node.command("mount", tmp_path, "--user", "no-such-user", code=1)
    assert "there is no user no-such-user: `packstone user ls` shows who there is" in told
    assert "Traceback" not in told


def test_a_uid_is_one_users(desk: Desk) -> None:
    path = Path(desk.put("fx/whose"))
    tag: Any = [{"Key": "packstone:uid", "Value": str(ALICE)}]
    with refused("EntityAlreadyExists", 409):
        desk.iam.create_user(UserName="mallory", Tags=tag)
    desk.iam.create_user(UserName="mallory")
    with refused("EntityAlreadyExists", 409):
        desk.iam.tag_user(UserName="mallory", Tags=tag)
    desk.iam.tag_user(UserName="alice", Tags=tag)
    desk.iam.untag_user(UserName="alice", TagKeys=["packstone:uid"])
    desk.iam.tag_user(UserName="mallory", Tags=tag)
    try:
        with denied():
            desk.alice(path.read_bytes)
    finally:
        desk.iam.delete_user(UserName="mallory")
        desk.iam.tag_user(UserName="alice", Tags=tag)
    assert desk.alice(path.read_bytes) == b"content"
