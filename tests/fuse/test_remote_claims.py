"""What whoever has credentials may say on a connection of their own: uids, sessions, owners, numbers, and bytes."""

import errno
import os
import random
import socket
import stat
import struct
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fuse.elsewhere import PATH, ROOT, Wire, files_of, greeting, protocol_version, session_id
from tests.fuse.test_remote import ALICE, BOB, BUCKET, Desk
from tests.iam.conftest import Key, allow, deny, give, make_key
from tests.served import Node

NOBODY = 65534
REGULAR, READ_WRITE = stat.S_IFREG, (True, True, False)
INODE, MODE, UID, GID, SIZE = 0, 1, 3, 4, 5
ASKED = f"GET {PATH} HTTP/1.1\r\nHost: h\r\nUpgrade: packstone-files\r\nConnection: Upgrade\r\n"
SIGNED = (
    "Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=00\r\n"
    "X-Amz-Date: 20260101T000000Z\r\n"
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The node of all these tests."""
    with Desk(tmp_path_factory.mktemp("claims")).serving() as desk:
        desk.iam.create_user(UserName="eve")
        give(desk.iam, "eve", *desk.all_of("fx"))
        yield desk


@pytest.fixture
def desk(shared: Desk) -> Iterator[Desk]:
    """The same, with what everybody has at first."""
    yield shared
    shared.settle()


@contextmanager
def fails(number: int) -> Iterator[None]:
    with pytest.raises(OSError, match=os.strerror(number)) as fault:
        yield
    assert fault.value.errno == number, fault.value


class Client:
    """A client that names files by their paths, in the name of whatever uid."""

    def __init__(self, desk: Desk, key: Key, uid: int = 0) -> None:
        self.files = files_of(desk.node, desk.authority, key)
        self.uid = uid

    def folder(self, name: str) -> int:
        inode = self.files.lookup(self.uid, ROOT, BUCKET.encode()).wait()[INODE]
        return self.files.lookup(self.uid, inode, name.encode()).wait()[INODE]

    def inode(self, folder: str, name: str) -> int:
        return self.files.lookup(self.uid, self.folder(folder), name.encode()).wait()[INODE]

    def create(
        self, folder: str, name: str, mode: int = REGULAR | 0o644, uid: int = 0, gid: int = 0, device: int = 0
    ) -> tuple[tuple[int, ...], int]:
        how = (True, False, True, False)
        made = (mode, uid, gid, device)
        told, handle, _ = self.files.create(self.uid, self.folder(folder), name.encode(), made, how).wait()
        return told, handle


@pytest.mark.parametrize("uid", [0, ALICE, BOB, 4711])
def test_a_uid_that_is_claimed_counts_for_nothing(desk: Desk, uid: int) -> None:
    desk.s3.put_object(Bucket=BUCKET, Key="rates/ois", Body=b"2.2")
    inode = Client(desk, desk.root).inode("rates", "ois")
    alice = Client(desk, desk.alice, uid)
    with fails(errno.EACCES):
        alice.inode("rates", "ois")
    with fails(errno.EACCES):
        alice.files.open(uid, inode, READ_WRITE).wait()
    with fails(errno.EACCES):
        alice.files.unlink(uid, alice.folder("rates"), b"ois").wait()
    with fails(errno.EACCES):
        alice.create("rates", f"mine-{uid}")
    with fails(errno.EACCES):
        alice.files.extended(uid, inode, b"user.s3.version-id").wait()
    alice.files.list(uid, alice.folder("fx"), b"", 100).wait()
    with fails(errno.EACCES):
        alice.files.list(uid, alice.folder("rates"), b"", 100).wait()


def test_a_greeting_names_nobody_else(desk: Desk) -> None:
    for user in (b"bob", b"alice", b"root"):
        with Wire(desk.node, desk.authority) as wire:
            assert wire.upgrade(desk.alice).startswith(b"HTTP/1.1 101 ")
            assert wire.greet(session_id(), user) == errno.EACCES
            assert wire.is_ended()


def test_another_session_is_not_joined(desk: Desk) -> None:
    session = session_id()
    bob, other = make_key(desk.iam, "bob"), make_key(desk.iam, "alice")
    with Wire(desk.node, desk.authority) as wire:
        wire.upgrade(desk.alice)
        assert wire.greet(session) == 0
        for key in (bob, desk.root, other):
            with Wire(desk.node, desk.authority) as stranger:
                stranger.upgrade(key)
                assert stranger.greet(session) == errno.EACCES
        with Wire(desk.node, desk.authority) as again:
            again.upgrade(desk.alice)
            assert again.greet(session) == 0
        # Nor by the socket of the machine, or the other way round.
        with socket.socket(socket.AF_UNIX) as local:
            local.connect(str(desk.node.data / "files.sock"))
            hello = greeting(session)
            local.sendall(struct.pack("<I", len(hello)) + hello)
            assert struct.unpack("<II", local.recv(8)) == (4, errno.EACCES)
    own = session_id()
    with socket.socket(socket.AF_UNIX) as local, Wire(desk.node, desk.authority) as wire:
        local.connect(str(desk.node.data / "files.sock"))
        hello = greeting(own)
        local.sendall(struct.pack("<I", len(hello)) + hello)
        assert struct.unpack("<II", local.recv(8)) == (4, 0)
        wire.upgrade(desk.root)
        assert wire.greet(own) == errno.EACCES


def test_nobody_elsewhere_has_the_node_for_himself(desk: Desk) -> None:
    for key in (desk.alice, desk.root):
        with Wire(desk.node, desk.authority) as wire:
            wire.upgrade(key)
            wire.frame(greeting(session_id(), exclusive=True))
            assert wire.answer()[0] == errno.EPERM
    Client(desk, desk.alice).folder("fx")


def test_files_are_made_in_ones_own_name(desk: Desk) -> None:
    alice = Client(desk, desk.alice)
    for claimed in (0, BOB, ALICE, 4711):
        told, handle = alice.create("fx", f"own-{claimed}", uid=claimed, gid=0)
        alice.files.release(handle).wait()
        assert told[UID] == ALICE
    made = alice.files.make_directory(0, alice.folder("fx"), b"folder", (0o4755, 0, 0, 0)).wait()
    assert (made[UID], made[MODE] & 0o7777) == (ALICE, 0o755)
    linked = alice.files.link(0, alice.folder("fx"), b"link", b"own-0", (0o777, 0, 0, 0)).wait()
    assert linked[UID] == ALICE
    # Who has no uid may claim one that is nobody's.
    eve = Client(desk, make_key(desk.iam, "eve"))
    for claimed, uid in ((0, NOBODY), (BOB, NOBODY), (4711, 4711)):
        told, handle = eve.create("fx", f"eves-{claimed}", uid=claimed, gid=0)
        eve.files.release(handle).wait()
        assert (told[UID], told[GID]) == (uid, NOBODY)
    root = Client(desk, desk.root)
    told, handle = root.create("fx", "roots", uid=BOB, gid=7)
    root.files.release(handle).wait()
    assert (told[UID], told[GID]) == (BOB, 7)


def test_files_are_given_to_nobody_else(desk: Desk) -> None:
    alice, eve = Client(desk, desk.alice), Client(desk, make_key(desk.iam, "eve"))
    told, handle = alice.create("fx", "given")
    alice.files.release(handle).wait()
    inode = told[INODE]
    for client, uids in ((alice, (0, BOB, 4711)), (eve, (0, BOB, ALICE))):
        for uid in uids:
            with fails(errno.EPERM):
                client.files.change(0, inode, uid=uid).wait()
        with fails(errno.EPERM):
            client.files.change(0, inode, gid=0).wait()
    assert alice.files.change(0, inode, uid=ALICE).wait()[UID] == ALICE
    assert Client(desk, desk.root).files.change(0, inode, uid=0).wait()[UID] == 0


def test_no_program_runs_as_its_owner(desk: Desk) -> None:
    alice, root = Client(desk, desk.alice), Client(desk, desk.root)
    told, handle = alice.create("fx", "program", REGULAR | 0o6755)
    assert told[MODE] & 0o7777 == 0o755
    for mode in (0o4755, 0o2755):
        with fails(errno.EPERM):
            alice.files.change(0, told[INODE], mode=mode).wait()
    alice.files.release(handle).wait()
    for kind in (stat.S_IFBLK, stat.S_IFCHR):
        with fails(errno.EPERM):
            alice.create("fx", "device", kind | 0o666, device=0x800)
    # What root made such is so no more once she may write it.
    ways = (
        lambda inode: alice.files.release(alice.files.open(0, inode, READ_WRITE).wait()[1]).wait(),
        lambda inode: alice.files.change(0, inode, size=0).wait(),
        lambda _: alice.files.release(
            alice.files.create(0, alice.folder("fx"), b"sudo", (0o644, 0, 0, 0), (True, False, False, False)).wait()[1]
        ).wait(),
    )
    for way in ways:
        told, handle = root.create("fx", "sudo", REGULAR | 0o755)
        root.files.release(handle).wait()
        assert root.files.change(0, told[INODE], mode=0o6755).wait()[MODE] & 0o7777 == 0o6755
        opened, handle, _ = alice.files.open(0, told[INODE], (True, False, False)).wait()
        alice.files.release(handle).wait()
        assert opened[MODE] & 0o7777 == 0o6755
        way(told[INODE])
        assert root.files.attributes(told[INODE]).wait()[MODE] & 0o7777 == 0o755
    folder = alice.files.make_directory(0, alice.folder("fx"), b"shared", (0o755, 0, 0, 0)).wait()
    assert alice.files.change(0, folder[INODE], mode=0o2775).wait()[MODE] & 0o7777 == 0o2775


def test_a_number_alone_tells_nothing(desk: Desk) -> None:
    desk.s3.put_object(Bucket=BUCKET, Key="rates/secret", Body=b"secret")
    root, alice = Client(desk, desk.root), Client(desk, desk.alice)
    inode = root.inode("rates", "secret")
    assert root.files.attributes(inode).wait()[SIZE] == 6
    with fails(errno.EACCES):
        alice.files.attributes(inode).wait()
    for change in ({"mode": 0o777}, {"size": 0}, {"mtime": 0}, {"uid": ALICE}):
        with fails(errno.EACCES):
            alice.files.change(0, inode, **change).wait()


def test_what_has_no_name_is_for_who_has_it_open(desk: Desk) -> None:
    root, alice = Client(desk, desk.root), Client(desk, desk.alice)
    told, handle = root.create("fx", "unlinked")
    root.files.write(handle, 0, b"content").wait()
    own = alice.files.open(0, told[INODE], (True, False, False)).wait()[1]
    root.files.unlink(0, root.folder("fx"), b"unlinked").wait()
    assert root.files.change(0, told[INODE], mode=0o600).wait()[MODE] & 0o7777 == 0o600
    assert alice.files.attributes(told[INODE]).wait()[SIZE] == 7
    for change in ({"size": 0}, {"mode": 0o777}):
        with fails(errno.ESTALE):
            alice.files.change(0, told[INODE], **change).wait()
    alice.files.release(own).wait()
    with fails(errno.ESTALE):
        alice.files.attributes(told[INODE]).wait()
    assert root.files.read(handle, 0, 100).wait() == b"content"
    root.files.release(handle).wait()


def test_what_the_first_request_says_besides_counts_for_nothing(desk: Desk) -> None:
    give(
        desk.iam,
        "alice",
        *desk.all_of("fx"),
        allow("s3:ListBucket", f"arn:aws:s3:::{BUCKET}"),
        deny(
            "s3:PutObject",
            f"arn:aws:s3:::{BUCKET}/*",
            Condition={"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
        ),
    )
    with Wire(desk.node, desk.authority) as wire:
        head = wire.upgrade(desk.alice, **{"x-amz-server-side-encryption": "aws:kms"})
        assert head.startswith(b"HTTP/1.1 101 ")
        assert wire.greet(session_id()) == 0
        folder = Client(desk, desk.root).folder("fx")
        maker = struct.pack("<IIII", REGULAR | 0o644, 0, 0, 0)
        wire.frame(struct.pack("<IBQH", 0, 12, folder, 6) + b"forged" + maker + b"\x01\x00\x01\x00")
        assert wire.answer()[0] == errno.EACCES
    with Wire(desk.node, desk.authority) as wire:
        assert wire.upgrade(desk.alice, f"{PATH}?prefix=fx/").startswith(b"HTTP/1.1 400 ")


def test_who_did_not_sign_this_is_refused(desk: Desk) -> None:
    key = desk.alice
    scope = f"{key.access}/20260101/us-east-1/packstone/aws4_request"
    for signed in ("", SIGNED.format(scope=scope)):
        with Wire(desk.node, desk.authority) as wire:
            wire.send(f"{ASKED}{signed}\r\n".encode())
            assert wire.head().startswith(b"HTTP/1.1 403 ")
    with Wire(desk.node, desk.authority) as wire:
        assert wire.upgrade(Key(key.access, "wrong")).startswith(b"HTTP/1.1 403 ")
    with Wire(desk.node, desk.authority) as wire:
        # A signature for S3 is none for files.
        assert wire.upgrade(key, service="s3").startswith(b"HTTP/1.1 400 ")


def test_a_bucket_of_that_name_can_not_be(desk: Desk) -> None:
    with pytest.raises(desk.s3.exceptions.ClientError):
        desk.s3.create_bucket(Bucket=PATH.split("/")[1])


def test_another_release_is_told(desk: Desk) -> None:
    with Wire(desk.node, desk.authority) as wire:
        wire.upgrade(desk.alice)
        assert wire.greet(session_id(), version=protocol_version() + 1) == errno.EPROTONOSUPPORT


def test_bytes_that_are_no_frames_end_the_connection(desk: Desk) -> None:
    chance = random.Random(1)
    for data in (
        b"",
        b"\xff" * 4,
        struct.pack("<I", 1 << 30),
        struct.pack("<I", 5) + b"hello",
        struct.pack("<I", 0),
        b"GET / HTTP/1.1\r\n\r\n" * 200_000,
        chance.randbytes(1 << 20),
    ):
        with Wire(desk.node, desk.authority) as wire:
            wire.upgrade(desk.alice)
            with_faults(wire, data)
        with Wire(desk.node, desk.authority) as wire:
            wire.upgrade(desk.alice)
            assert wire.greet(session_id()) == 0
            with_faults(wire, data)
    with Wire(desk.node, desk.authority) as wire:
        wire.upgrade(desk.alice)
        assert wire.greet(session_id()) == 0
        for _ in range(2000):
            wire.frame(chance.randbytes(4) + bytes([chance.randrange(26)]) + chance.randbytes(chance.randrange(60)))
            wire.answer()
    assert Client(desk, desk.alice).folder("fx")


def with_faults(wire: Wire, data: bytes) -> None:
    """Send what the node may stop to read in the middle of, and say no more."""
    try:
        wire.send(data)
    except OSError:
        return


def test_connections_are_counted_and_end(desk: Desk) -> None:
    clients = [Client(desk, desk.alice) for _ in range(3)]
    assert remote_connections(desk.node) >= len(clients)
    clients.clear()


def remote_connections(node: Node) -> int:
    """What the metric says."""
    with urllib.request.urlopen(f"http://{node.control.partition('://')[2] or node.control}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return int(float(next(line for line in lines if line.startswith("packstone_mount_remote_connections ")).split()[1]))


def test_the_log_of_requests_has_each_mount(tmp_path: Path) -> None:
    desk = Desk(tmp_path, PACKSTONE_S3__ACCESS_LOG=str(tmp_path / "access.log"))
    try:
        desk.start()
        Client(desk, desk.alice)
    finally:
        desk.node.close()
    lines = [line for line in (tmp_path / "access.log").read_text("utf-8").splitlines() if "REST.GET.FILES" in line]
    assert len(lines) == 1
    assert f'"GET {PATH} HTTP/1.1" 101 ' in lines[0]
    assert "user/alice" in lines[0]
