"""The life of a mount and of its node: clean ends, and others."""

import mmap
import os
import subprocess
import threading
from pathlib import Path

import pytest

from tests.fuse.conftest import BUCKET
from tests.fuse.mounted import Mount
from tests.served import PACKSTONE


def stored(mount: Mount, key: str) -> bytes:
    return mount.node.client().get_object(Bucket=BUCKET, Key=key)["Body"].read()


def test_a_mount_that_was_killed_is_replaced(own_mount: Mount) -> None:
    folder = own_mount.path / BUCKET
    (folder / "closed").write_bytes(b"closed")
    inode = (folder / "closed").stat().st_ino
    descriptor = os.open(folder / "open", os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, b"reached the node")
    own_mount.kill()
    with pytest.raises(OSError, match="not connected"):
        os.close(descriptor)
    with pytest.raises(OSError, match="not connected"):
        list(own_mount.path.iterdir())
    own_mount.start()
    assert (folder / "closed").read_bytes() == b"closed"
    assert (folder / "closed").stat().st_ino == inode
    assert (folder / "open").read_bytes() == b"reached the node"


def test_a_killed_mount_is_replaced_however_fresh_its_names_are(own_mount: Mount) -> None:
    assert own_mount.path.is_dir()
    own_mount.kill()
    own_mount.start()
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    assert mounts.count(str(own_mount.path)) == 1


def test_a_node_that_was_killed_has_what_was_synced_and_the_mount_goes_on(own_mount: Mount) -> None:
    folder, node = own_mount.path / BUCKET, own_mount.node
    (folder / "closed").write_bytes(b"closed")
    inodes = {name: (folder / name).stat().st_ino for name in ["closed"]}
    descriptor = os.open(folder / "synced", os.O_RDWR | os.O_CREAT)
    os.write(descriptor, b"synced")
    os.fsync(descriptor)
    os.pwrite(descriptor, b"not synced", 100)
    node.kill()
    node.start()
    with pytest.raises(OSError, match="Stale file handle"):
        os.pwrite(descriptor, b"x", 0)
    with pytest.raises(OSError, match="Stale file handle"):
        os.close(descriptor)
    # The kernel knew other bytes of it.
    assert (folder / "synced").read_bytes() == b"synced"
    assert {name: (folder / name).stat().st_ino for name in inodes} == inodes
    (folder / "after").write_bytes(b"after")
    assert stored(own_mount, "after") == b"after"


def test_unmounting_is_clean_under_load(own_mount: Mount) -> None:
    folder = own_mount.path / BUCKET
    stop, written = threading.Event(), dict[str, bytes]()

    def work(number: int) -> None:
        for round_ in range(10_000):
            name, content = f"{number}-{round_}", os.urandom(5000)
            try:
                (folder / name).write_bytes(content)
            except OSError:
                return
            written[name] = content
            if stop.is_set():
                return

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while len(written) < 40:
        stop.wait(0.01)
    try:
        assert own_mount.stop() == 0, own_mount.log()
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=60)
    assert not own_mount.path.is_mount()
    kept = {name: content for name, content in written.items() if not (folder / name).exists()}
    assert len(kept) >= 40
    assert all(stored(own_mount, name) == content for name, content in kept.items())


def test_what_a_map_was_told_is_there_after_the_end(own_mount: Mount) -> None:
    path = own_mount.path / BUCKET / "file"
    path.write_bytes(bytes(100_000))
    descriptor = os.open(path, os.O_RDWR)
    mapped = mmap.mmap(descriptor, 0)
    mapped[50_000:50_005] = b"mmap!"
    assert own_mount.stop() == 0
    assert stored(own_mount, "file")[50_000:50_005] == b"mmap!"
    mapped.close()
    with pytest.raises(OSError, match="not connected"):
        os.close(descriptor)


def test_an_end_by_umount_is_one(own_mount: Mount) -> None:
    subprocess.run(["umount", own_mount.path], check=True)
    assert own_mount.process is not None
    assert own_mount.process.wait(timeout=30) == 0
    own_mount.process = None
    own_mount.start()
    assert (own_mount.path / BUCKET).is_dir()


def test_an_operator_is_told_what_is_wrong(own_mount: Mount, tmp_path: Path) -> None:
    node = own_mount.node

    def told(mountpoint: Path, data: Path) -> str:
        done = subprocess.run(
            [PACKSTONE, "mount", mountpoint, "--data", data],
            capture_output=True,
            text=True,
            check=False,
            env=node.environment(),
            timeout=60,
        )
        assert done.returncode == 1
        return done.stderr

    (tmp_path / "file").touch()
    (tmp_path / "nowhere").mkdir()
    assert "make the directory first" in told(tmp_path / "none", node.data)
    assert "is not a directory" in told(tmp_path / "file", node.data)
    assert "start `packstone serve` first" in told(tmp_path / "nowhere", tmp_path / "nowhere")


def test_many_readers_that_end_leave_the_mount_answering(mount: Mount, folder: Path) -> None:
    for number in range(900):
        (folder / str(number)).write_bytes(b"tick")
    opened = [os.open(folder / str(number), os.O_RDONLY) for number in range(900)]
    for file in opened:
        os.close(file)
    # Nobody waits for closing; who asks next waits behind it.
    assert (folder / "0").read_bytes() == b"tick"
    assert len(list(folder.iterdir())) == 900
