"""fio and dbench: what was written is what is read, under load, and all that a file server does ends well."""

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.programs.conftest import BUCKET, program, run

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

JOBS = {
    "random": ["--rw=randwrite", "--bs=4k", "--size=64m"],
    "ranges": ["--rw=randrw", "--bsrange=1k-300k", "--bs_unaligned=1", "--size=64m"],
    "sequential": ["--rw=write", "--bs=1m", "--size=256m"],
    "mapped": ["--rw=randwrite", "--bs=4k", "--size=32m", "--ioengine=mmap", "--fsync=500"],
    "synced": ["--rw=randwrite", "--bs=16k", "--size=32m", "--fdatasync=20"],
}


@pytest.mark.soak
@pytest.mark.parametrize("job", JOBS)
def test_fio_reads_what_it_wrote(folder: Path, s3: "S3Client", job: str) -> None:
    """By four processes at once, each with a file of its own; then again after all is closed, and by S3."""
    fio = program("fio", "apt-get install fio")
    command = [fio, f"--name={job}", f"--directory={folder}", "--numjobs=4", "--verify=crc32c", "--verify_fatal=1"]
    command += [
        "--verify_state_save=0",
        "--ioengine=psync",
        "--randseed=7",
        "--fallocate=none",
        "--group_reporting",
        *JOBS[job],
    ]
    said = run(*command, "--do_verify=1")
    assert "err= 0" in said
    assert "verify: bad" not in said
    for file in sorted(folder.iterdir()):
        stored = s3.get_object(Bucket=BUCKET, Key=f"{folder.name}/{file.name}")["Body"].read()
        assert stored == file.read_bytes(), file.name


@pytest.mark.soak
def test_dbench_ends_well(folder: Path) -> None:
    dbench = program("dbench", "apt-get install dbench")
    said = run(dbench, "-D", folder, "-t", "60", "8")
    assert re.search(r"^Throughput [1-9]", said, re.MULTILINE), said
    # What it starts its clients together with is not the mount's.
    faults = [line for line in said.splitlines() if re.search("fail|error", line, re.IGNORECASE)]
    assert [line for line in faults if "barrier semaphore" not in line] == []
    for left in folder.iterdir():
        shutil.rmtree(left)
    folder.rmdir()
