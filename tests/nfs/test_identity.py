"""Whose policies are asked of what NFS clients do: the user's whose uid they claim, or those of the mount."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.iam.conftest import Key, allow, give
from tests.nfs.client import Client
from tests.nfs.exported import Nfs
from tests.nfs.network import CLIENT

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

BUCKET = "people"
ALICE = 2001
FOLDERS = ("fx", "rates")
NAMES: dict[str, Callable[[Client, str], object]] = {
    "create": lambda client, folder: client.write(f"/{folder}/new", b"new"),
    "mkdir": lambda client, folder: client.do("mkdir", f"/{folder}/folder"),
    "rename": lambda client, folder: client.do("rename", f"/{folder}/victim", f"/{folder}/renamed"),
    "unlink": lambda client, folder: client.do("unlink", f"/{folder}/renamed"),
    "rmdir": lambda client, folder: client.do("rmdir", f"/{folder}/folder"),
}


@pytest.fixture(scope="module")
def iam(nfs: Nfs) -> "IAMClient":
    """Alice, who may do all in `fx`; the bucket, whose modes let everybody, is exported."""
    nfs.node.client().create_bucket(Bucket=BUCKET)
    nfs.node.command("nfs", "export", "add", BUCKET, "--client", CLIENT[0], "--squash", "none")
    made: IAMClient = Key(nfs.node.user, nfs.node.password).client(nfs.node, "iam")
    made.create_user(UserName="alice", Tags=[{"Key": "packstone:uid", "Value": str(ALICE)}])
    give(made, "alice", allow("s3:*", f"arn:aws:s3:::{BUCKET}/fx/*"))
    with nfs.mount(BUCKET) as root:
        for folder in FOLDERS:
            root.do("mkdir", f"/{folder}")
            root.do("chmod", f"/{folder}", 0o777)
    return made


@pytest.fixture
def files(nfs: Nfs, iam: "IAMClient") -> None:
    """A file that is kept and one that goes, in each folder, for everybody by their modes."""
    with nfs.mount(BUCKET) as root:
        for folder in FOLDERS:
            for name in root.list(f"/{folder}"):
                root.do("rmdir" if name == "folder" else "unlink", f"/{folder}/{name}")
            for name in ("file", "victim"):
                root.write(f"/{folder}/{name}", folder.encode())
                root.do("chmod", f"/{folder}/{name}", 0o666)


@contextmanager
def denied() -> Iterator[None]:
    with pytest.raises(OSError, match=r"ACCES"):
        yield


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("version", [3, 4])
def test_names_are_changed_by_who_may(nfs: Nfs, version: int) -> None:
    with nfs.mount(BUCKET, version, uid=ALICE, gid=ALICE) as alice:
        for way in NAMES.values():
            way(alice, "fx")
        for name, way in NAMES.items():
            with denied():
                # What wasn't made is there for nobody to remove.
                way(alice, "rates") if name not in {"unlink", "rmdir"} else alice.do("unlink", "/rates/victim")
    listed = nfs.node.client().list_objects_v2(Bucket=BUCKET, Prefix="rates/")["Contents"]
    assert {entry["Key"] for entry in listed} == {"rates/", "rates/file", "rates/victim"}


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("version", [3, 4])
def test_who_is_squashed_is_who_they_are_squashed_to(nfs: Nfs, version: int) -> None:
    terms = ("--client", CLIENT[0], "--squash", "all", "--anonymous", f"{ALICE}:{ALICE}", "--replace")
    nfs.node.command("nfs", "export", "add", BUCKET, *terms)
    try:
        with nfs.mount(BUCKET, version) as root:
            root.write("/fx/squashed", b"alices")
            assert root.stat("/fx/squashed")["uid"] == ALICE
            with denied():
                root.write("/rates/squashed", b"alices")
    finally:
        nfs.node.command("nfs", "export", "add", BUCKET, "--client", CLIENT[0], "--squash", "none", "--replace")


@pytest.mark.usefixtures("files")
def test_what_ganesha_opens_is_asked_of_the_mounts_user(nfs: Nfs, iam: "IAMClient") -> None:
    """Content, lists and links: Ganesha asks for them as root, once it has looked at the mode."""
    ways: list[Callable[[Client, str], object]] = [
        lambda client, folder: client.read(f"/{folder}/file"),
        lambda client, folder: client.pwrite(client.open(f"/{folder}/file", 2), 0, b"over"),
        lambda client, folder: client.list(f"/{folder}"),
        lambda client, folder: client.do("link", f"/{folder}/file", f"/{folder}/linked"),
        lambda client, folder: client.do("unlink", f"/{folder}/linked"),
    ]
    with nfs.mount(BUCKET, 3, uid=ALICE, gid=ALICE) as alice:
        for way in ways[:-1]:
            way(alice, "rates")
        with denied():
            ways[-1](alice, "rates")
    iam.create_user(UserName="export")
    lists = {"StringLike": {"s3:prefix": ["", "fx/*"]}}
    give(
        iam,
        "export",
        allow("s3:*", f"arn:aws:s3:::{BUCKET}/fx/*"),
        allow("s3:ListBucket", f"arn:aws:s3:::{BUCKET}", Condition=lists),
    )
    nfs.stop()
    nfs.start("--user", "export")
    try:
        # By NFS 4 nothing new is opened for a while after a start.
        for uid in (0, ALICE):
            with nfs.mount(BUCKET, 3, uid=uid, gid=uid) as client:
                for way in ways:
                    way(client, "fx")
                    # Of a write that is refused libnfs 4.0.0 says no more than that it failed.
                    with pytest.raises(OSError, match=r"ACCES|call failed"):
                        way(client, "rates")
    finally:
        nfs.stop()
        nfs.start()
        nfs.leave_grace_period(BUCKET)
    with nfs.mount(BUCKET) as root:
        assert (root.read("/rates/file"), root.read("/fx/file")) == (b"overs", b"over")
