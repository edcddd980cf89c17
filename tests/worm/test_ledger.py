"""What loosens a lock that GOVERNANCE or a legal hold makes is on record for ever, for an auditor to read."""

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from tests.iam.conftest import Key, allow, document
from tests.served import Node
from tests.worm import record as records
from tests.worm.clauses import Clause, protects
from tests.worm.record import later

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def governed(s3: "S3Client", bucket: str, key: str) -> Any:
    """A version under GOVERNANCE for a day, as boto3 names it."""
    lock: Any = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": later(days=1)}
    version = s3.put_object(Bucket=bucket, Key=key, Body=b"fill", **lock)["VersionId"]
    return {"Bucket": bucket, "Key": key, "VersionId": version}


@protects(Clause.INVENTORY, Clause.AUTHENTIC)
def test_a_bypass_is_on_record(node: Node) -> None:
    """GOVERNANCE bypassed to delete, to shorten and to end retention, a hold taken off, then every trace removed."""
    root = node.client()
    bucket = records.lock_bucket(root, "records")
    iam = Key(node.user, node.password).client(node, "iam")
    iam.create_user(UserName="gerda")
    iam.put_user_policy(UserName="gerda", PolicyName="all", PolicyDocument=document(allow("s3:*", "*")))
    key = iam.create_access_key(UserName="gerda")["AccessKey"]
    gerda = Key(key["AccessKeyId"], key["SecretAccessKey"]).s3(node)

    deleted, shortened, freed, held = (governed(root, bucket, name) for name in ("a", "b", "c", "d"))
    gerda.delete_object(**deleted, BypassGovernanceRetention=True)
    sooner: Any = {"Mode": "GOVERNANCE", "RetainUntilDate": later(hours=1)}
    gerda.put_object_retention(**shortened, Retention=sooner, BypassGovernanceRetention=True)
    empty: Any = {}
    gerda.put_object_retention(**freed, Retention=empty, BypassGovernanceRetention=True)
    root.put_object_legal_hold(**held, LegalHold={"Status": "ON"})
    root.put_object_legal_hold(**held, LegalHold={"Status": "OFF"})

    iam.delete_access_key(UserName="gerda", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="gerda", PolicyName="all")
    iam.delete_user(UserName="gerda")
    for version in (shortened, freed, held):
        root.delete_object(**version, BypassGovernanceRetention=True)
    root.delete_bucket(Bucket=bucket)
    node.command("seal")
    node.stop()
    node.command("rebuild-index")
    node.start()

    events = json.loads(node.command("worm", "ledger", "--json"))
    told = [(event["actor"].rpartition("/")[2], event["deed"], event["key"]) for event in events]
    assert told == [
        ("gerda", "ended", "a"),
        ("gerda", "loosened", "b"),
        ("gerda", "loosened", "c"),
        ("root", "released", "d"),
        ("root", "ended", "b"),
        ("root", "ended", "d"),
    ]
    assert (events[1]["new_mode"], events[2]["new_mode"]) == ("GOVERNANCE", None)
    assert events[0]["version"] == deleted["VersionId"]
    rows = list(csv.DictReader(io.StringIO(node.command("worm", "ledger", "--csv"))))
    assert [row["lsn"] for row in rows] == [str(event["lsn"]) for event in events]
    shown = node.command("worm", "ledger")
    assert "gerda" in shown
    assert "loosened" in shown
