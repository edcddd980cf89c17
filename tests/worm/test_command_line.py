"""Routes through the command line, on a node whose owner may do everything."""

import csv
import datetime as dt
import io
import json
from pathlib import Path
from typing import Final

import pytest

from tests.served import Node
from tests.worm import record as records
from tests.worm.clauses import Clause, protects
from tests.worm.record import Record

DRIVES: Final = 4
PASSPHRASE: Final = {"PACKSTONE_BACKUP_PASSPHRASE": "correct horse battery"}
FOREVER: Final = dt.datetime.max.replace(tzinfo=dt.UTC)


def kept(node: Node) -> Record:
    """A locked record on the node."""
    s3 = node.client()
    return records.store(s3, records.lock_bucket(s3, "records"))


def drives(node: Node) -> list[Path]:
    return [node.data.with_name(f"drive{number}") for number in range(DRIVES)]


def initialise(node: Node, data: str, *, code: int) -> str:
    """`packstone init` of another data directory over the node's drives, which must end with `code`."""
    other = Node(node.data.with_name(data))
    named = [part for drive in drives(node) for part in ("--drive", drive)]
    return other.command("init", "--confirm-time", "--profile", "3+1", *named, code=code)


@protects(Clause.WORM, Clause.PRESERVE)
def test_rm(node: Node) -> None:
    """`packstone rm` of the key, and of everything in the bucket: delete markers, below which the record stays."""
    record = kept(node)
    node.command("rm", f"s3://{record.bucket}/{record.key}")
    node.command("rm", "-r", f"s3://{record.bucket}")
    record.assert_locked(node.client())


@protects(Clause.WORM)
def test_bucket_rm(node: Node) -> None:
    """`packstone bucket rm`, before and after everything that a listing shows was removed."""
    record = kept(node)
    assert "BucketNotEmpty" in node.command("bucket", "rm", record.bucket, code=1)
    node.command("rm", "-r", f"s3://{record.bucket}")
    assert "BucketNotEmpty" in node.command("bucket", "rm", record.bucket, code=1)
    record.assert_locked(node.client())


@protects(Clause.WORM)
def test_cp_over_it(node: Node, tmp_path: Path) -> None:
    """`packstone cp` of a file over the key."""
    record = kept(node)
    (tmp_path / "forged").write_bytes(b"forged")
    node.command("cp", tmp_path / "forged", f"s3://{record.bucket}/{record.key}")
    record.assert_locked(node.client())


@protects(Clause.AUTHENTIC)
def test_root_rotate(node: Node) -> None:
    """New root credentials, and what they may do: no more than the old ones."""
    record = kept(node)
    node.stop()
    node.user, node.password = "another-root", "another-secret-of-the-tests"
    node.start()
    record.assert_locked(node.client())


@protects(Clause.WORM, Clause.AUTHENTIC)
def test_restore_config(node: Node, tmp_path: Path) -> None:
    """`packstone restore config` on the node, of a backup in which no bucket was locked: refused."""
    lenient = Node(tmp_path / "lenient", PASSPHRASE)
    lenient.start()
    lenient.client().create_bucket(Bucket="records")
    file = tmp_path / "lenient.backup"
    lenient.command("backup", "config", file)
    lenient.stop()
    node.settings.update(PASSPHRASE)
    record = kept(node)
    assert "restored on an empty node only" in node.command("restore", "config", file, code=1)
    record.assert_locked(node.client())
    node.client().create_bucket(Bucket="another")
    assert "restored on an empty node only" in node.command("restore", "config", file, code=1)
    record.assert_locked(node.client())


@protects(Clause.WORM)
def test_restore_config_keeps_what_was_locked(node: Node, tmp_path: Path) -> None:
    """A bucket restored on an empty node has the lock and the default retention that it had; what it gets is locked."""
    node.settings.update(PASSPHRASE)
    s3 = node.client()
    default = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}}}
    s3.put_object_lock_configuration(
        Bucket=records.lock_bucket(s3, "records"),
        ObjectLockConfiguration=default,  # type: ignore[arg-type]
    )
    file = tmp_path / "node.backup"
    node.command("backup", "config", file)
    fresh = Node(tmp_path / "fresh", PASSPHRASE)
    fresh.start()
    try:
        fresh.command("restore", "config", file)
        s3 = fresh.client()
        version = s3.put_object(Bucket="records", Key="fills/7731", Body=records.BODY)["VersionId"]
        until = s3.get_object_retention(Bucket="records", Key="fills/7731", VersionId=version)
        record = Record("records", "fills/7731", version, until["Retention"]["RetainUntilDate"])
        record.assert_locked(s3)
        assert until["Retention"]["RetainUntilDate"] > records.later(days=29)
        assert "records" in fresh.command("worm", "report")
    finally:
        fresh.close()


@protects(Clause.WORM)
def test_init_again(node: Node) -> None:
    """`packstone init` on the node's own directory, while it runs and while it is down."""
    record = kept(node)
    node.command("init", "--confirm-time", code=1)
    node.stop()
    assert "locked until" in node.command("init", "--confirm-time", code=1)
    node.start()
    record.assert_locked(node.client())


@protects(Clause.WORM, Clause.TIME)
def test_init_over_its_drives(node: Node) -> None:
    """`packstone init` of another appliance over the drives, which say until when they must be kept."""
    record = kept(node)
    node.stop()
    assert "holds records that are locked until 20" in initialise(node, "other", code=1)
    node.start()
    record.assert_locked(node.client())


@protects(Clause.WORM)
def test_init_over_a_hold(node: Node) -> None:
    """`packstone init` over drives that hold a version under legal hold, which has no end."""
    s3 = node.client()
    record = records.hold(s3, records.lock_bucket(s3, "records"))
    node.stop()
    assert "under legal hold" in initialise(node, "other", code=1)
    node.start()
    record.assert_locked(node.client())


@protects(Clause.WORM)
def test_init_after_emptying_directories(node: Node) -> None:
    """Journals and segments of every drive removed by hand, then `packstone init`: still refused, for what was lost."""
    kept(node)
    node.kill()
    for drive in drives(node):
        for file in drive.rglob("*/*"):
            file.unlink()
    assert "locked until" in initialise(node, "other", code=1)


@protects(Clause.AVAILABLE)
def test_rebuild_index(node: Node) -> None:
    """`packstone rebuild-index`, and `packstone seal` before it."""
    record = kept(node)
    node.command("seal")
    node.stop()
    node.command("rebuild-index")
    node.start()
    record.assert_locked(node.client())


@protects(Clause.INVENTORY, Clause.DOWNLOAD, Clause.VERIFY)
def test_worm_report(node: Node) -> None:
    """A lock left out of the report: it lists each locked version once, and nothing else, in three formats."""
    s3 = node.client()
    bucket = records.lock_bucket(s3, "records")
    locked = [records.store(s3, bucket, f"fills/{number}", days=number + 1) for number in range(3)]
    held = records.hold(s3, bucket)
    s3.put_object(Bucket=bucket, Key="loose", Body=b"")
    s3.delete_object(**locked[0].here)
    s3.put_object(**locked[1].here, Body=b"newer")

    rows = list(csv.DictReader(io.StringIO(node.command("worm", "report", "--csv"))))
    told = {(row["key"], row["version"]): row for row in rows}
    assert len(rows) == len(told) == 4
    for record in locked:
        assert record.until is not None
        row = told[record.key, record.version]
        assert (row["mode"], row["legal_hold"]) == ("COMPLIANCE", "False")
        assert row["retain_until"] == f"{record.until:%Y-%m-%dT%H:%M:%SZ}"
    row = told[held.key, held.version]
    assert (row["mode"], row["retain_until"], row["legal_hold"]) == ("", "", "True")

    (document,) = json.loads(node.command("worm", "report", "--json"))
    assert document["name"] == bucket
    assert {(version["key"], version["version"]) for version in document["versions"]} == set(told)
    shown = node.command("worm", "report")
    assert [line.split()[:4] for line in shown.splitlines()][1] == ["records", "none", "3", "1"]


@protects(Clause.INVENTORY)
def test_worm_report_of_many(node: Node) -> None:
    """A lock lost between the pages of a report: more versions than one page looks at, few of them locked."""
    s3 = node.client()
    bucket = records.lock_bucket(s3, "records")
    records.lock_bucket(s3, "without")
    for number in range(1200):
        s3.put_object(Bucket=bucket, Key=f"k/{number:04}", Body=b"")
    expected = [records.store(s3, bucket, f"k/{number:04}").version for number in (0, 999, 1000, 1199)]
    first, second = json.loads(node.command("worm", "report", "--json"))
    assert [version["version"] for version in first["versions"]] == expected
    assert (second["name"], second["versions"]) == ("without", [])


@protects(Clause.INVENTORY, Clause.DOWNLOAD)
@pytest.mark.parametrize("end", [FOREVER, dt.datetime(2700, 1, 1, tzinfo=dt.UTC)])
def test_worm_report_of_a_far_end(node: Node, end: dt.datetime) -> None:
    """Retention until the last moment of the year 9999: an end without a text would blind whoever reads it."""
    s3 = node.client()
    bucket = records.lock_bucket(s3, "records")
    record = records.store(s3, bucket).extended(s3, end.replace(microsecond=0))
    s3.put_object_retention(**record.named, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": end})
    record.assert_locked(s3)
    (row,) = csv.DictReader(io.StringIO(node.command("worm", "report", "--csv")))
    assert row["retain_until"] == f"{end:%Y-%m-%dT%H:%M:%SZ}"
