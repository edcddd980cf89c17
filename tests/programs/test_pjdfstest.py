"""pjdfstest, as root on a mount that lets others in: what fails is known to, with its reason, and nothing else."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.fuse.mounted import Mount
from tests.programs.conftest import BUCKET, SETTINGS, program
from tests.served import Node

_NO_ACCESS_TIME: Final = "times of access are not kept: that of the last change stands for them"
_TYPES: Final = ("regular", "dir", "fifo", "socket", "block", "char")
EXCEPTIONS: Final = {
    "rename::updates_link_parent": "links of a directory are not counted: it would be a count of all that is in it",
    "utimensat::subsecond": _NO_ACCESS_TIME,
    "utimensat::follow_symlink": _NO_ACCESS_TIME,
    "utimensat::utime_omit": _NO_ACCESS_TIME,
    "utimensat::y2038": _NO_ACCESS_TIME,
    **{f"utimensat::changes_timestamps::{kind}": _NO_ACCESS_TIME for kind in _TYPES},
}
MOST_EXCEPTIONS: Final = 0.03
# Users that Debian always has. Left out are posix_fallocate, which the kernel refuses for FUSE, and that a rename
# changes the time of change, which POSIX leaves open.
CONFIGURATION: Final = """
[features]
utime_now = {}
utimensat = {}

[settings]
naptime = 0.01

[dummy_auth]
entries = [["nobody", "nogroup"], ["daemon", "daemon"]]
"""
_OUTCOME: Final = re.compile(r"^([a-z_0-9:]+)\s+(ok|FAILED|skipped)$", re.MULTILINE)


@pytest.fixture
def open_mount() -> Iterator[Mount]:
    """In a directory that others reach, where pytest's are root's alone."""
    with tempfile.TemporaryDirectory(prefix="packstone-") as scratch:
        Path(scratch).chmod(0o755)
        node = Node(Path(scratch) / "data", SETTINGS)
        node.start()
        mount = Mount(node, Path(scratch) / "mount")
        try:
            node.client().create_bucket(Bucket=BUCKET)
            mount.start("--allow-other")
            yield mount
        finally:
            mount.close()
            node.close()


@pytest.mark.soak
def test_what_fails_is_known_to(open_mount: Mount, tmp_path: Path) -> None:
    command = program("pjdfstest", "cargo install pjdfstest --version 0.2.2")
    if os.geteuid() != 0:
        pytest.skip("pjdfstest takes root")
    (tmp_path / "pjdfstest.toml").write_text(CONFIGURATION)
    folder = open_mount.path / BUCKET / "folder"
    folder.mkdir(mode=0o755)
    # Errors between file systems: the other one is where pytest's directories are.
    arguments: list[str | Path] = ["-c", tmp_path / "pjdfstest.toml", "-p", folder, "-s", tmp_path]
    done = subprocess.run(
        [command, *arguments], capture_output=True, text=True, check=False, env=os.environ | {"NO_COLOR": "1"}
    )
    outcomes = dict(_OUTCOME.findall(done.stdout))
    failed = {name for name, outcome in outcomes.items() if outcome == "FAILED"}
    ran = [name for name, outcome in outcomes.items() if outcome != "skipped"]
    assert len(ran) > 300, done.stdout[-3000:] + done.stderr
    assert failed == EXCEPTIONS.keys(), done.stdout
    assert len(failed) <= MOST_EXCEPTIONS * len(ran)
