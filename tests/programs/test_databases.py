"""SQLite on the mount, with a rollback journal and with WAL: what it was told is committed outlives kills."""

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fuse.mounted import Mount
from tests.programs.committer import KEPT, ROWS
from tests.programs.conftest import BUCKET

COMMITTER = Path(__file__).with_name("committer.py")


def write_until(base: Path, mode: str, seed: int, count: int, mount: Mount, part: str) -> int:
    """Have transactions written, kill the node or the mount in the middle; say how many were committed."""
    with subprocess.Popen(
        [sys.executable, COMMITTER, base, mode, str(seed)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        last = 0
        for line in writer.stdout:
            last = int(line)
            if (count := count - 1) == 0:
                break
        assert count == 0, writer.stderr.read() if writer.stderr else ""
        if part == "node":
            mount.node.kill()
            time.sleep(0.1)
            mount.node.start()
        else:
            mount.kill()
        for line in writer.stdout:
            last = int(line)
            if part == "node" and (count := count + 1) > 40:
                # It may never notice, where nothing of it was open then but what it opened again.
                writer.kill()
        writer.wait(60)
    if part == "mount":
        mount.start()
    return last


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("part", ["node", "mount"])
def test_what_was_committed_outlives_kills(mount: Mount, mode: str, part: str) -> None:
    path = mount.path / BUCKET / "ticks.db"
    base = sqlite3.connect(path)
    base.execute("create table ticks(batch integer, row integer, v blob)")
    base.execute("create index by_batch on ticks(batch)")
    base.execute("create table head(batch integer)")
    with base:
        base.execute("insert into head values(0)")
    base.close()
    for seed in range(4):
        told = write_until(path, mode, seed, 10 + 7 * seed, mount, part)
        base = sqlite3.connect(path)
        assert base.execute("pragma integrity_check").fetchall() == [("ok",)]
        (head,) = base.execute("select batch from head").fetchone()
        # The last may have been committed before anybody was told.
        assert head in {told, told + 1}
        held = dict(base.execute("select batch, count(*) from ticks group by batch"))
        assert held == dict.fromkeys(range(max(1, head - KEPT + 1), head + 1), ROWS)
        base.close()
