"""What clients go by that no client here shows."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.nfs.conftest import BUCKET
from tests.nfs.exported import Nfs
from tests.nfs.network import CLIENT, SERVER
from tests.nfs.wire import Nfs3, Nfs41, StatusError, mounted

NOT_PERMITTED, NOT_ALLOWED = 1, 13


def test_a_client_is_told_that_what_it_wrote_may_be_lost(nfs: Nfs) -> None:
    """The verifier of writes is another one after each restart, and the same in between."""
    nfs.node.client().put_object(Bucket=BUCKET, Key="file", Body=b"")
    where = nfs.network.clients[0], SERVER[0]
    root = mounted(*where, f"/{BUCKET}")
    verifiers = []
    for _ in range(2):
        with Nfs3(*where, 2049) as wire:
            file = wire.lookup(root, "file")
            written = wire.write(file, 0, b"content")
            assert wire.commit(file) == written
            verifiers.append(written)
        nfs.kill_child("ganesha.nfsd")
    assert len(set(verifiers)) == 2


def test_handles_of_a_session_are_good_in_the_next_one(nfs: Nfs) -> None:
    s3 = nfs.node.client()
    s3.put_object(Bucket=BUCKET, Key="folder/file", Body=b"content")
    where = nfs.network.clients[0], SERVER[0], 2049
    with Nfs41(*where) as session:
        file = session.walk(BUCKET, "folder", "file")
        assert session.read(file) == b"content"
    for process in ("ganesha.nfsd", "gateway.cli"):
        nfs.kill_child(process)
        with Nfs41(*where) as session:
            assert session.read(file) == b"content"
            assert session.walk(BUCKET, "folder", "file") == file


def test_what_is_locked_is_not_removed_by_nfs_4_1(nfs: Nfs) -> None:
    s3 = nfs.node.client()
    s3.create_bucket(Bucket="worm41", ObjectLockEnabledForBucket=True)
    s3.put_object(
        Bucket="worm41",
        Key="record",
        Body=b"kept",
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=datetime.now(UTC) + timedelta(minutes=30),
        ChecksumAlgorithm="SHA256",
    )
    nfs.node.command("nfs", "export", "add", "worm41", "--client", CLIENT[0], "--squash", "none")
    with Nfs41(nfs.network.clients[0], SERVER[0], 2049) as session:
        bucket, record = session.walk("worm41"), session.walk("worm41", "record")
        with pytest.raises(StatusError) as refused:
            session.remove(bucket, "record")
        assert refused.value.errno in {NOT_PERMITTED, NOT_ALLOWED}
        assert session.read(record) == b"kept"


def test_a_session_of_a_host_that_is_not_named_gets_nowhere(nfs: Nfs) -> None:
    with Nfs41(nfs.network.clients[1], SERVER[1], 2049) as session, pytest.raises(StatusError):
        session.walk(BUCKET)
    with pytest.raises(StatusError):
        mounted(nfs.network.clients[1], SERVER[1], f"/{BUCKET}")
