"""What other faces change is seen by NFS, within what is cached."""

import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.nfs.conftest import BUCKET
from tests.nfs.exported import Nfs

VERSIONS = pytest.mark.parametrize("version", [3, 4])


def await_seen(seen: Callable[[], bool]) -> None:
    """Until the mount's kernel looks for it again, a name leads to the file that was there: `ESTALE`, to a client."""
    deadline = time.monotonic() + 30
    while True:
        with suppress(OSError):
            if seen():
                return
        assert time.monotonic() < deadline, "it is never seen"
        time.sleep(0.05)


@VERSIONS
def test_names_that_s3_changes(nfs: Nfs, version: int) -> None:
    s3, folder = nfs.node.client(), f"names{version}"
    s3.put_object(Bucket=BUCKET, Key=f"{folder}/deep/first", Body=b"first")
    with nfs.mount(BUCKET, version) as client:
        assert client.list(f"/{folder}/deep") == ["first"]
        with pytest.raises(FileNotFoundError):
            client.stat(f"/{folder}/deep/second")
        s3.put_object(Bucket=BUCKET, Key=f"{folder}/deep/second", Body=b"second")
        await_seen(lambda: sorted(client.list(f"/{folder}/deep")) == ["first", "second"])
        assert client.read(f"/{folder}/deep/second") == b"second"
        s3.put_object(Bucket=BUCKET, Key=f"{folder}/deep/first", Body=b"another first")
        await_seen(lambda: client.read(f"/{folder}/deep/first") == b"another first")
        s3.delete_object(Bucket=BUCKET, Key=f"{folder}/deep/first")
        await_seen(lambda: client.list(f"/{folder}/deep") == ["second"])
        s3.put_object(Bucket=BUCKET, Key=f"{folder}/deep/marked/", Body=b"")
        await_seen(lambda: sorted(client.list(f"/{folder}/deep")) == ["marked", "second"])
        s3.delete_object(Bucket=BUCKET, Key=f"{folder}/deep/marked/")
        await_seen(lambda: client.list(f"/{folder}/deep") == ["second"])


def test_a_directory_tells_clients_that_keep_its_names_to_look_again(nfs: Nfs) -> None:
    """They go by its change time, in nanoseconds."""
    s3 = nfs.node.client()
    s3.put_object(Bucket=BUCKET, Key="kept/deep/first", Body=b"")
    with nfs.mount(BUCKET) as client:

        def changed(path: str) -> int:
            held = client.stat(path)
            return held["ctime"] * 10**9 + held["ctime_nsec"]

        for change in (
            lambda: s3.put_object(Bucket=BUCKET, Key="kept/deep/second", Body=b""),
            lambda: s3.put_object(Bucket=BUCKET, Key="kept/deep/second", Body=b"another"),
            lambda: s3.delete_object(Bucket=BUCKET, Key="kept/deep/first"),
        ):
            before = {path: changed(path) for path in ("/kept/deep", "/kept")}
            change()
            await_seen(lambda before=before: all(changed(path) > then for path, then in before.items()))  # type: ignore[misc]
