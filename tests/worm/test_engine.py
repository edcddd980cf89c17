"""Routes through the engine's Python API, by whoever may start a process on the machine."""

from pathlib import Path
from typing import Final

import packstone_engine
import pytest

from appliance.configuration_sources import load
from appliance.engine import engine_settings
from tests.served import Node
from tests.worm import record as records
from tests.worm.clauses import Clause, protects
from tests.worm.record import Record

READS: Final = {
    "bucket_quota",
    "configuration",
    "explain",
    "exports",
    "has_node_documents",
    "kms_keys",
    "lockable_buckets",
    "locked",
    "lost_objects",
    "metrics",
    "posix",
    "status",
    "user_quota",
    "verify",
    "worm_ledger",
}
# They refuse what would come, and end nothing that is there.
LIMITS: Final = {"set_bucket_quota", "set_user_quota"}
# What is exported to whom: who uses it meets the mount's routes.
FACES: Final = {"set_export"}
# A key where there is none of that name; a configuration where there is neither a bucket nor a user.
ADDS: Final = {"create_kms_key", "restore_configuration"}
# They move shards and records, or take drives that hold none.
DRIVES: Final = {"add_drive", "replace_drive", "drain_drive", "remove_drive", "create_pool", "place", "placement"}
RUNS: Final = {"open", "close", "drain", "serve_s3", "serve_files", "set_root", "reload_tls", "seal", "checkpoint"}


@pytest.fixture
def record(node: Node) -> Record:
    """A locked record on a node that is down."""
    s3 = node.client()
    kept = records.store(s3, records.lock_bucket(s3, "records"))
    node.stop()
    return kept


@pytest.fixture
def settings(node: Node) -> packstone_engine.EngineSettings:
    return engine_settings(load(node.data))


@protects(Clause.WORM)
def test_initialise(node: Node, record: Record, settings: packstone_engine.EngineSettings) -> None:
    """`initialise` over the drives."""
    with pytest.raises(packstone_engine.OperatorError, match="locked until"):
        packstone_engine.initialise(settings)
    node.start()
    record.assert_locked(node.client())


@protects(Clause.WORM)
def test_there_is_no_verb_that_ends_a_version() -> None:
    """Any other call of the API: there is none that removes or changes what is stored."""
    verbs = {name for name in dir(packstone_engine.Node) if not name.startswith("_")}
    functions = {name for name in dir(packstone_engine) if name[0].islower() and not name.startswith("_")}
    assert verbs - READS - LIMITS - FACES - ADDS - DRIVES - RUNS == set()
    assert functions == {"initialise", "is_initialised", "rebuild_index", "replace_drive"}


@protects(Clause.AVAILABLE, Clause.WORM)
def test_rebuild_and_open(node: Node, record: Record, settings: packstone_engine.EngineSettings) -> None:
    """`rebuild_index`, then `Node.open` and `seal`, with no `serve` around them."""
    packstone_engine.rebuild_index(settings)
    opened = packstone_engine.Node.open(settings)
    opened.seal()
    assert [version.version for version in opened.locked("records").versions] == [record.version]
    opened.close()
    del opened
    node.start()
    record.assert_locked(node.client())


@protects(Clause.WORM)
def test_open_beside_the_server(node: Node, tmp_path: Path) -> None:
    """`Node.open` and `rebuild_index` while the server runs."""
    settings = engine_settings(load(node.data))
    for opening in (packstone_engine.Node.open, packstone_engine.rebuild_index):
        with pytest.raises(packstone_engine.OperatorError, match="another packstone process"):
            opening(settings)
