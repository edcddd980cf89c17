"""The file systems that are measured: ours, one that does nothing, the disk itself, and what else is installed."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import boto3

from perf.server import READY_SECONDS, NotMeasurableError, Packstone

PEER_BUCKET = "peer"


@dataclass
class Mount:
    """A directory on one of them, and how it goes."""

    name: str
    root: Path
    stop: Callable[[], None]


def _wait(root: Path, process: subprocess.Popen[bytes], command: str, log: Path) -> None:
    began = time.monotonic()
    while not os.path.ismount(root):
        if process.poll() is not None or time.monotonic() - began > READY_SECONDS:
            process.kill()
            said = log.read_text(errors="replace").strip().splitlines()
            raise NotMeasurableError(f"{root.name} was not mounted: {said[-1] if said else command}")
        time.sleep(0.02)


def _mounted(name: str, root: Path, command: Sequence[str], extra: Mapping[str, str] | None = None) -> Mount:
    """Start what serves a mount in the foreground."""
    root.mkdir()
    log = root.with_suffix(".log")
    # What is configured for AWS here is not for these.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=kept | dict(extra or {}))
    _wait(root, process, command[0], log)

    def stop() -> None:
        subprocess.run(["umount", root], check=False, capture_output=True)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    measured = root / name
    measured.mkdir(exist_ok=True)
    return Mount(name, measured, stop)


def ours(program: Path, node: Packstone, scratch: Path) -> Mount:
    """`packstone mount` on the node's data directory."""
    root = scratch / "packstone-mount"
    return _mounted("packstone", root, [str(program), "mount", str(root), "--data", str(node.data)])


def ours_from_elsewhere(program: Path, node: Packstone, scratch: Path) -> Mount:
    """`packstone mount` by the S3 endpoint, as from another machine, though without TLS; as the peers are."""
    root = scratch / "remote-mount"
    keys = {"AWS_ACCESS_KEY_ID": node.server.access_key, "AWS_SECRET_ACCESS_KEY": node.server.secret_key}
    return _mounted("remote", root, [str(program), "mount", str(root), "--endpoint", node.server.url], keys)


def nothing(scratch: Path) -> Mount:
    """The file system that answers at once."""
    root = scratch / "nothing-mount"
    return _mounted("nothing", root, [sys.executable, "-m", "perf.nothing_mount", str(root)])


def disk(scratch: Path) -> Mount:
    """The scratch directory's own file system."""
    root = scratch / "disk"
    root.mkdir()
    return Mount("disk", root, lambda: None)


def peers(node: Packstone, scratch: Path) -> list[Mount]:
    """Other mounts of S3 that are installed, each over the same node."""
    server = node.server
    s3 = boto3.client(
        "s3",
        endpoint_url=server.url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
    )
    found = []
    if rclone := shutil.which("rclone"):
        bucket = f"{PEER_BUCKET}-rclone"
        s3.create_bucket(Bucket=bucket)
        root = scratch / "rclone-mount"
        settings = {
            "RCLONE_CONFIG_NODE_TYPE": "s3",
            "RCLONE_CONFIG_NODE_PROVIDER": "Other",
            "RCLONE_CONFIG_NODE_ENDPOINT": server.url,
            "RCLONE_CONFIG_NODE_ACCESS_KEY_ID": server.access_key,
            "RCLONE_CONFIG_NODE_SECRET_ACCESS_KEY": server.secret_key,
            "RCLONE_CONFIG_NODE_REGION": "us-east-1",
        }
        cache = ["--vfs-cache-mode", "writes", "--cache-dir", str(scratch / "rclone-cache")]
        command = [rclone, "mount", f"node:{bucket}", str(root), *cache, "--config", os.devnull]
        found.append(_mounted("rclone", root, command, settings))
    if s3fs := shutil.which("s3fs"):
        bucket = f"{PEER_BUCKET}-s3fs"
        s3.create_bucket(Bucket=bucket)
        root = scratch / "s3fs-mount"
        options = f"url={server.url},use_path_request_style,endpoint=us-east-1"
        keys = {"AWSACCESSKEYID": server.access_key, "AWSSECRETACCESSKEY": server.secret_key}
        found.append(_mounted("s3fs", root, [s3fs, bucket, str(root), "-f", "-o", options], keys))
    return found
