"""Command-line clients copy a real tree in, list it and bring it back."""

import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import content, copy_library, debian
from tests.served import Node


def run(environment: dict[str, str], *command: str | Path) -> str:
    """Run a client, which must succeed; return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=3600)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def sync(node: Node, environment: dict[str, str], tree: Path, back: Path, bucket: str) -> None:
    """There and back by `aws s3 sync`."""
    aws = (debian("aws"), "--endpoint-url", node.endpoint)
    run(environment, *aws, "s3", "mb", f"s3://{bucket}")
    run(environment, *aws, "s3", "sync", "--no-progress", tree, f"s3://{bucket}/tree")
    listed = run(environment, *aws, "s3", "ls", "--recursive", f"s3://{bucket}/tree/").splitlines()
    expected = content(tree)
    assert len(listed) == len(expected)
    # Nothing changed, so nothing is copied again.
    assert run(environment, *aws, "s3", "sync", "--no-progress", tree, f"s3://{bucket}/tree") == ""
    run(environment, *aws, "s3", "sync", "--no-progress", f"s3://{bucket}/tree", back)
    assert content(back) == expected
    run(environment, *aws, "s3", "rb", "--force", f"s3://{bucket}")


def test_aws(clients_node: Node, client_environment: dict[str, str], tree: Path, tmp_path: Path) -> None:
    sync(clients_node, client_environment, tree, tmp_path / "back", "by-aws")


@pytest.mark.soak
def test_aws_with_many(clients_node: Node, client_environment: dict[str, str], tmp_path: Path) -> None:
    files = 20_000
    tree = tmp_path / "tree"
    found = copy_library(tree, files)
    for number in range(files - found):
        (tree / f"{number % 100}.d").mkdir(exist_ok=True)
        (tree / f"{number % 100}.d" / f"{number}.bin").write_bytes(f"{number};".encode() * (number % 5000))
    sync(clients_node, client_environment, tree, tmp_path / "back", "by-aws-many")


def test_aws_with_a_large_file(clients_node: Node, client_environment: dict[str, str], tmp_path: Path) -> None:
    aws = (debian("aws"), "--endpoint-url", clients_node.endpoint, "s3")
    body = b"".join(bytes([number]) * (1 << 20) for number in range(40))
    (tmp_path / "large").write_bytes(body)
    run(client_environment, *aws, "mb", "s3://by-aws-large")
    run(client_environment, *aws, "cp", tmp_path / "large", "s3://by-aws-large/large")
    run(client_environment, *aws, "mv", "s3://by-aws-large/large", "s3://by-aws-large/moved")
    run(client_environment, *aws, "cp", "s3://by-aws-large/moved", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == body


def test_s3cmd(clients_node: Node, client_environment: dict[str, str], tree: Path, tmp_path: Path) -> None:
    address = clients_node.endpoint.removeprefix("http://")
    settings = {
        "access_key": clients_node.user,
        "secret_key": clients_node.password,
        "host_base": address,
        "host_bucket": address,
        "use_https": "False",
        "bucket_location": "us-east-1",
    }
    written = tmp_path / "s3cfg"
    written.write_text("[default]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()), "utf-8")
    s3cmd = (debian("s3cmd"), "--config", str(written), "--no-progress")
    run(client_environment, *s3cmd, "mb", "s3://by-s3cmd")
    run(client_environment, *s3cmd, "sync", f"{tree}/", "s3://by-s3cmd/tree/")
    expected = content(tree)
    assert len(run(client_environment, *s3cmd, "ls", "--recursive", "s3://by-s3cmd/tree/").splitlines()) == len(
        expected
    )
    (tmp_path / "back").mkdir()
    run(client_environment, *s3cmd, "sync", "s3://by-s3cmd/tree/", f"{tmp_path}/back/")
    assert content(tmp_path / "back") == expected
    run(client_environment, *s3cmd, "del", "--recursive", "--force", "s3://by-s3cmd/tree/")
    run(client_environment, *s3cmd, "rb", "s3://by-s3cmd")


def test_rclone(clients_node: Node, client_environment: dict[str, str], tree: Path, tmp_path: Path) -> None:
    remote = {
        "RCLONE_CONFIG": str(tmp_path / "no-rclone-config"),
        "RCLONE_CONFIG_NODE_TYPE": "s3",
        "RCLONE_CONFIG_NODE_PROVIDER": "Other",
        "RCLONE_CONFIG_NODE_ENDPOINT": clients_node.endpoint,
        "RCLONE_CONFIG_NODE_ACCESS_KEY_ID": clients_node.user,
        "RCLONE_CONFIG_NODE_SECRET_ACCESS_KEY": clients_node.password,
        "RCLONE_CONFIG_NODE_REGION": "us-east-1",
    }
    environment = client_environment | remote
    rclone = debian("rclone")
    run(environment, rclone, "mkdir", "node:by-rclone")
    run(environment, rclone, "sync", tree, "node:by-rclone/tree")
    run(environment, rclone, "check", "--download", tree, "node:by-rclone/tree")
    expected = content(tree)
    assert len(run(environment, rclone, "lsf", "-R", "--files-only", "node:by-rclone/tree").splitlines()) == len(
        expected
    )
    run(environment, rclone, "sync", "node:by-rclone/tree", tmp_path / "back")
    assert content(tmp_path / "back") == expected
    run(environment, rclone, "purge", "node:by-rclone")
