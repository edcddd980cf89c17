"""Mounts by the S3 endpoint: TLS, somebody's credentials, and what becomes of them when either end goes."""

import errno
import mmap
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.certificate import certify, certify_by_authority
from tests.fuse.conftest import SETTINGS
from tests.fuse.elsewhere import Relay, RemoteMount, files_of
from tests.fuse.people import do_as
from tests.iam.conftest import Key, allow, give, key_of, make_key
from tests.served import PACKSTONE, Node, environment

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

BUCKET = "desk"
ALICE, BOB = 1001, 1002
# In a process of its own: one that starts others would close the file, and wait for the node.
WRITER = """
import os, sys
file = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
os.write(file, b"published by the end of the node")
print("written", flush=True)
sys.stdin.readline()
for deed in (lambda: os.write(file, b"more"), lambda: os.close(file)):
    try:
        deed()
    except OSError as fault:
        print(fault.errno)
"""
HELPER = [sys.executable, "-c", "from gateway.cli.mount_type import main; main()"]


class Desk:
    """A node that is reached by TLS, and Alice, who has all of `fx/` there."""

    def __init__(self, scratch: Path, **settings: str) -> None:
        made, self.authority = certify_by_authority(scratch)
        self.scratch = scratch
        self.node = Node(scratch / "data", SETTINGS | made | settings)
        self.root = Key(self.node.user, self.node.password)

    def start(self) -> None:
        self.node.start()
        self.s3 = self.node.client()
        self.iam: IAMClient = self.root.client(self.node, "iam")
        self.s3.create_bucket(Bucket=BUCKET)
        for name, uid in (("alice", ALICE), ("bob", BOB)):
            self.iam.create_user(UserName=name, Tags=[{"Key": "packstone:uid", "Value": str(uid)}])
        self.settle()
        self.alice = make_key(self.iam, "alice")
        for folder in ("fx/", "rates/"):
            self.s3.put_object(Bucket=BUCKET, Key=folder)

    @contextmanager
    def serving(self) -> Iterator["Desk"]:
        """Itself, with the node at work for as long as the context lasts."""
        try:
            self.start()
            yield self
        finally:
            self.node.close()
        assert "panicked" not in self.node.log()
        assert "Traceback" not in self.node.log()

    def settle(self) -> None:
        """Give both what they have unless a test says otherwise."""
        for name, folder in (("alice", "fx"), ("bob", "rates")):
            give(self.iam, name, *self.all_of(folder))

    @staticmethod
    def all_of(folder: str, **more: Any) -> tuple[dict[str, Any], ...]:
        listed = {"StringLike": {"s3:prefix": ["", f"{folder}/*"]}}
        bucket = f"arn:aws:s3:::{BUCKET}"
        return allow("s3:*", f"{bucket}/{folder}/*", **more), allow("s3:ListBucket", bucket, Condition=listed)

    def mount(self, name: str, key: Key | None = None, *options: str, endpoint: str | None = None) -> RemoteMount:
        return RemoteMount(
            self.node, self.authority, key or self.root, self.scratch / name, *options, endpoint=endpoint
        )


@contextmanager
def mounted(mount: RemoteMount) -> Iterator[Path]:
    """The bucket in a mount, for as long as the context lasts."""
    try:
        mount.start()
        yield mount.path / BUCKET
    finally:
        mount.close()
        assert "Traceback" not in mount.log()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The node of all these tests."""
    with Desk(tmp_path_factory.mktemp("remote")).serving() as desk:
        yield desk


@pytest.fixture
def desk(shared: Desk) -> Iterator[Desk]:
    """The same, with what Alice and Bob have at first."""
    yield shared
    shared.settle()


@pytest.fixture
def own_desk(tmp_path: Path) -> Iterator[Desk]:
    """A node that the test may stop."""
    with Desk(tmp_path).serving() as desk:
        yield desk


def test_files_are_those_of_the_node(desk: Desk) -> None:
    mount = desk.mount("plain")
    with mounted(mount) as bucket:
        assert f"{desk.node.endpoint} {mount.path} fuse.packstone" in Path("/proc/mounts").read_text("utf-8")
        content = os.urandom(5 << 20)
        (bucket / "written").write_bytes(content)
        assert desk.s3.get_object(Bucket=BUCKET, Key="written")["Body"].read() == content
        desk.s3.put_object(Bucket=BUCKET, Key="put", Body=content[::-1])
        assert (bucket / "put").read_bytes() == content[::-1]
        (bucket / "written").rename(bucket / "renamed")
        os.setxattr(bucket / "renamed", "user.desk", b"fx")
        assert os.getxattr(bucket / "renamed", "user.desk") == b"fx"
        assert {"put", "renamed", "fx", "rates"} <= {entry.name for entry in bucket.iterdir()}
        assert os.statvfs(bucket).f_blocks > 0


def test_maps_are_read_and_written(desk: Desk) -> None:
    with mounted(desk.mount("maps")) as bucket:
        (bucket / "map").write_bytes(b"a" * 100_000)
        with (bucket / "map").open("r+b") as file, mmap.mmap(file.fileno(), 0) as pages:
            pages[50_000:50_003] = b"fxo"
            pages.flush()
        assert desk.s3.get_object(Bucket=BUCKET, Key="map")["Body"].read()[49_999:50_004] == b"afxoa"


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to be others")
def test_credentials_count_and_no_uid(desk: Desk) -> None:
    desk.s3.put_object(Bucket=BUCKET, Key="fx/eur", Body=b"1.1")
    desk.s3.put_object(Bucket=BUCKET, Key="rates/ois", Body=b"2.2")
    with mounted(desk.mount("everybody")) as bucket:
        for name in ("fx", "rates"):
            (bucket / name).chmod(0o777)
        for name in ("fx/eur", "rates/ois"):
            (bucket / name).chmod(0o666)
    mount = desk.mount("alices", desk.alice, "--allow-other")
    with mounted(mount):
        for uid in (0, ALICE, BOB, 4711):
            assert do_as(mount.path, uid, Path(f"{BUCKET}/fx/eur").read_bytes) == b"1.1"
            with pytest.raises(PermissionError):
                do_as(mount.path, uid, Path(f"{BUCKET}/rates/ois").read_bytes)
            with pytest.raises(PermissionError):
                do_as(mount.path, uid, Path(f"{BUCKET}/rates/mine").write_bytes, b"")
    mount = desk.mount("roots", None, "--allow-other")
    with mounted(mount):
        # Bob has nothing in fx by the policies that are his, but here nobody is Bob.
        assert do_as(mount.path, BOB, Path(f"{BUCKET}/fx/eur").read_bytes) == b"1.1"


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to be others")
def test_mode_bits_are_of_the_uid(desk: Desk) -> None:
    mount = desk.mount("modes", desk.alice, "--allow-other")
    with mounted(mount) as bucket:
        private = Path(f"{BUCKET}/fx/private")
        do_as(mount.path, ALICE, private.write_bytes, b"alices")
        do_as(mount.path, ALICE, private.chmod, 0o600)
        assert (bucket / "fx/private").stat().st_uid == ALICE
        with pytest.raises(PermissionError):
            do_as(mount.path, BOB, private.read_bytes)
        assert do_as(mount.path, ALICE, private.read_bytes) == b"alices"


def test_a_key_that_is_withdrawn_opens_nothing_more(desk: Desk) -> None:
    key = make_key(desk.iam, "alice")
    mount = desk.mount("withdrawn", key)
    with mounted(mount) as bucket, (bucket / "fx/open").open("w+b", buffering=0) as file:
        desk.iam.update_access_key(UserName="alice", AccessKeyId=key.access, Status="Inactive")
        # What is open goes on.
        file.write(b"after")
        os.fsync(file.fileno())
        assert desk.s3.get_object(Bucket=BUCKET, Key="fx/open")["Body"].read() == b"after"
        file.seek(0)
        assert file.read() == b"after"
        for deed in ((bucket / "fx/open").read_bytes, (bucket / "fx/new").touch, (bucket / "fx/open").unlink):
            with pytest.raises(PermissionError):
                deed()
        desk.iam.update_access_key(UserName="alice", AccessKeyId=key.access, Status="Active")
        assert (bucket / "fx/open").read_bytes() == b"after"
        desk.iam.delete_access_key(UserName="alice", AccessKeyId=key.access)
        with pytest.raises(PermissionError):
            (bucket / "fx/open").read_bytes()
    assert "InvalidAccessKeyId" in refusal(desk, key)


def test_temporary_credentials_are_taken_with_their_token_alone(desk: Desk) -> None:
    key = key_of(desk.alice.client(desk.node, "sts").get_session_token()["Credentials"])
    with mounted(desk.mount("temporary", key)) as bucket:
        (bucket / "fx/temporary").write_bytes(b"t")
        with pytest.raises(PermissionError):
            (bucket / "rates/temporary").write_bytes(b"t")
    assert "InvalidToken" in refusal(desk, Key(key.access, key.secret))
    assert "InvalidToken" in refusal(desk, Key(key.access, key.secret, "forged"))


def test_conditions_see_where_a_mount_is(desk: Desk) -> None:
    near = {"IpAddress": {"aws:SourceIp": "127.0.0.1/32"}, "Bool": {"aws:SecureTransport": "true"}}
    give(desk.iam, "alice", *desk.all_of("fx", Condition=near))
    with mounted(desk.mount("near", desk.alice)) as bucket:
        (bucket / "fx/near").write_bytes(b"n")
        far = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
        give(desk.iam, "alice", *desk.all_of("fx", Condition=far))
        with pytest.raises(PermissionError):
            (bucket / "fx/near").write_bytes(b"n")


def refusal(desk: Desk, key: Key, *options: str | Path, endpoint: str | None = None) -> str:
    """The one line that a mount ends with."""
    named = {"AWS_ACCESS_KEY_ID": key.access, "AWS_SECRET_ACCESS_KEY": key.secret}
    trusted: tuple[str | Path, ...] = ("--ca", desk.authority)
    done = subprocess.run(
        [PACKSTONE, "mount", desk.scratch, "--endpoint", endpoint or desk.node.endpoint, *(options or trusted)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment(named | ({"AWS_SESSION_TOKEN": key.token} if key.token else {})),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.startswith("packstone: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_an_operators_mistake_is_one_line(desk: Desk, tmp_path: Path) -> None:
    host, port = desk.node.address()
    assert "SignatureDoesNotMatch" in refusal(desk, Key(desk.root.access, "wrong"))
    assert "InvalidAccessKeyId" in refusal(desk, Key("AKIANOBODY", "wrong"))
    assert "--ca" in refusal(desk, desk.root, "--profile", "default", "--credentials", credentials(tmp_path, desk.root))
    certify(tmp_path)
    assert "--ca" in refusal(desk, desk.root, "--ca", tmp_path / "chain.pem")
    assert "no certificate" in refusal(desk, desk.root, "--ca", tmp_path / "credentials")
    relay = Relay((host, port), "127.0.0.2")
    try:
        # The certificate names another host.
        assert "isn't trusted" in refusal(desk, desk.root, endpoint=f"https://127.0.0.2:{relay.port}")
    finally:
        relay.close()
    assert "can't be reached" in refusal(desk, desk.root, endpoint="https://host.invalid:9000")
    assert "can't be reached" in refusal(desk, desk.root, endpoint=f"https://{host}:1")
    assert "no URL" in refusal(desk, desk.root, endpoint=f"{host}:{port}")
    assert "no URL" in refusal(desk, desk.root, endpoint=f"{desk.node.endpoint}/bucket")
    assert "use https://" in refusal(desk, desk.root, endpoint="http://192.0.2.1:9000")
    control = desk.node.control.partition("://")[2] or desk.node.control
    assert "serves no files" in refusal(desk, desk.root, endpoint=f"http://{control}")
    assert "serves no files" in refusal(desk, desk.root, endpoint=f"https://{control}")


def credentials(folder: Path, key: Key, mode: int = 0o600) -> Path:
    """A file with somebody's credentials."""
    made = folder / "credentials"
    made.write_text(f"[default]\naws_access_key_id = {key.access}\naws_secret_access_key = {key.secret}\n", "utf-8")
    made.chmod(mode)
    return made


def test_credentials_come_from_a_file(desk: Desk, tmp_path: Path) -> None:
    file = credentials(tmp_path, desk.alice)
    mount = desk.mount("file", Key("wrong", "wrong"), "--credentials", str(file))
    with mounted(mount) as bucket:
        (bucket / "fx/file").write_bytes(b"f")
    wrong = Key("wrong", "wrong")
    assert "[other]" in refusal(desk, wrong, "--credentials", file, "--profile", "other")
    assert "chmod 600" in refusal(desk, wrong, "--credentials", credentials(tmp_path, desk.alice, 0o640))
    assert "No such file" in refusal(desk, wrong, "--credentials", tmp_path / "missing")


def test_a_connection_that_is_cut_costs_nothing_that_is_open(desk: Desk) -> None:
    relay = Relay(desk.node.address())
    mount = desk.mount("cut", endpoint=f"https://127.0.0.1:{relay.port}")
    try:
        with mounted(mount) as bucket, (bucket / "cut").open("w+b", buffering=0) as file:
            for part in (b"before ", b"between ", b"after"):
                file.write(part)
                assert relay.cut() > 0
            os.fsync(file.fileno())
            assert desk.s3.get_object(Bucket=BUCKET, Key="cut")["Body"].read() == b"before between after"
            relay.held = True
            relay.cut()
            # What wasn't sent waits. Not in a process of its own, which would close the file first.
            waiting = threading.Thread(target=(bucket / "late").touch)
            waiting.start()
            time.sleep(1)
            assert waiting.is_alive()
            relay.held = False
            waiting.join(timeout=60)
            assert (bucket / "late").exists()
            file.write(b", and then")
        assert desk.s3.get_object(Bucket=BUCKET, Key="cut")["Body"].read() == b"before between after, and then"
    finally:
        relay.close()


def test_a_mount_that_is_gone_leaves_what_reached_the_node(desk: Desk) -> None:
    mount = desk.mount("gone")
    with mounted(mount) as bucket:
        file = os.open(bucket / "gone", os.O_CREAT | os.O_WRONLY)
        os.write(file, b"written, and not closed")
        mount.kill()
        with suppress(OSError):
            os.close(file)
        deadline = time.monotonic() + 120
        while desk.s3.get_object(Bucket=BUCKET, Key="gone")["Body"].read() != b"written, and not closed":
            assert time.monotonic() < deadline, "the session never ended"
            time.sleep(0.5)
    assert "what it had open is published" in desk.node.log()


def test_a_node_that_comes_again_is_found(own_desk: Desk) -> None:
    node = own_desk.node
    relay = Relay(node.address())
    mount = own_desk.mount("again", endpoint=f"https://127.0.0.1:{relay.port}")
    try:
        with mounted(mount) as bucket:
            writer = subprocess.Popen(
                [sys.executable, "-c", WRITER, bucket / "open"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert writer.stdout is not None
            assert writer.stdout.readline() == "written\n"
            assert node.stop() == 0
            node.start()
            relay.target = node.address()
            assert (bucket / "open").read_bytes() == b"published by the end of the node"
            told, _ = writer.communicate("go on\n", timeout=60)
            assert told.split() == [str(errno.ESTALE)] * 2
    finally:
        relay.close()


def test_connections_are_bounded(tmp_path: Path) -> None:
    with Desk(tmp_path, PACKSTONE_FILES__REMOTE_CONNECTIONS="2").serving() as desk:
        one = files_of(desk.node, desk.authority, desk.root)
        # Half of them are for one key.
        with pytest.raises(OSError, match="SlowDown"):
            files_of(desk.node, desk.authority, desk.root)
        other = files_of(desk.node, desk.authority, desk.alice)
        bob = make_key(desk.iam, "bob")
        with pytest.raises(OSError, match="SlowDown"):
            files_of(desk.node, desk.authority, bob)
        del other
        deadline = time.monotonic() + 30
        while True:
            try:
                assert files_of(desk.node, desk.authority, bob).space().wait()
                break
            except OSError as fault:
                assert "SlowDown" in str(fault)
                assert time.monotonic() < deadline
        assert one.space().wait()


def test_a_node_may_serve_none(tmp_path: Path) -> None:
    with (
        Desk(tmp_path, PACKSTONE_FILES__REMOTE_CONNECTIONS="0").serving() as desk,
        pytest.raises(OSError, match="SlowDown"),
    ):
        files_of(desk.node, desk.authority, desk.root)


def helper(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HELPER, *arguments], capture_output=True, text=True, check=False, timeout=60, env=environment()
    )


def test_mount_packstone_mounts_in_the_background(desk: Desk, tmp_path: Path) -> None:
    file, point = credentials(tmp_path, desk.root), tmp_path / "mount"
    point.mkdir()
    options = f"rw,_netdev,nofail,x-systemd.automount,credentials={file},ca={desk.authority}"
    done = helper(desk.node.endpoint, point, "-o", options)
    try:
        # The pipes of who mounted are closed, or this would wait for the mount's end.
        assert (done.returncode, done.stderr) == (0, "")
        (point / BUCKET / "background").write_bytes(b"b")
    finally:
        subprocess.run(["umount", point], check=True)
    assert desk.s3.get_object(Bucket=BUCKET, Key="background")["Body"].read() == b"b"
    done = helper(desk.node.endpoint, point, "-o", f"{options},ro")
    try:
        assert (point / BUCKET / "background").read_bytes() == b"b"
        with pytest.raises(OSError, match="Read-only"):
            (point / BUCKET / "background").write_bytes(b"c")
    finally:
        subprocess.run(["umount", point], check=True)
    done = helper(desk.node.data, point)
    try:
        assert (done.returncode, done.stderr) == (0, "")
        assert (point / BUCKET / "background").read_bytes() == b"b"
    finally:
        subprocess.run(["umount", point], check=True)


def test_mount_packstone_says_what_is_wrong(desk: Desk, tmp_path: Path) -> None:
    file, point = credentials(tmp_path, desk.root), tmp_path / "mount"
    point.mkdir()
    for options, told in (
        (f"credentials={file}", "isn't trusted"),
        (f"ca={desk.authority},credentials={file},wsize=3", "no option wsize=3"),
        (f"ca={desk.authority},credentials={file},device=x", "device=x"),
        (f"ca={desk.authority},credentials={file},user=alice", "no option user=alice"),
        (f"ca={desk.authority},credentials={tmp_path / 'missing'}", "No such file"),
    ):
        done = helper(desk.node.endpoint, point, "-o", options)
        assert done.returncode == 32
        assert done.stderr.startswith("mount.packstone: ")
        assert told in done.stderr
        assert done.stderr.count("\n") == 1
    assert helper(desk.node.endpoint, point, "-f", "-o", f"ca={desk.authority},credentials={file}").returncode == 0
    assert not os.path.ismount(point)


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to mount")
@pytest.mark.parametrize("of_type", ["packstone", "fuse.packstone"])
def test_a_line_of_fstab_mounts(desk: Desk, tmp_path: Path, of_type: str) -> None:
    file, point, programs = credentials(tmp_path, desk.root), tmp_path / "mount", tmp_path / "sbin"
    for folder in (point, programs):
        folder.mkdir()
    program = programs / f"mount.{of_type}"
    paths = os.environ.get("PYTHONPATH", "")
    program.write_text(f"#!/bin/sh\nPYTHONPATH={paths} exec {HELPER[0]} -c '{HELPER[2]}' \"$@\"\n", "utf-8")
    program.chmod(0o755)
    table = tmp_path / "fstab"
    options = f"_netdev,credentials={file},ca={desk.authority}"
    table.write_text(f"{desk.node.endpoint} {point} {of_type} {options} 0 0\n", "utf-8")
    # In a place of its own, where programs that mount(8) looks for are these, too.
    script = f"""
        mount -t overlay overlay -o lowerdir={programs}:/usr/sbin /usr/sbin || exit 77
        mount -T {table} {point} && echo fstab > {point}/{BUCKET}/fstab && mount -T {table} -a && umount {point}
    """
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False, timeout=90
    )
    if done.returncode == 77:
        pytest.skip("this machine has no overlays")
    assert (done.returncode, done.stderr) == (0, "")
    assert desk.s3.get_object(Bucket=BUCKET, Key="fstab")["Body"].read() == b"fstab\n"
