"""Starting, ending and starting again: torn journals, draining, second servers, taken ports, new credentials."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.socket_client import head, read, status
from tests.refusal import refused
from tests.served import PACKSTONE, Node


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path / "data")
    made.start()
    made.client().create_bucket(Bucket="life")
    yield made
    made.close()


def journals(node: Node) -> list[Path]:
    return sorted(path for path in (node.data / "drives").glob("*/journal/**/*") if path.is_file())


def tear(path: Path, size: int = 700) -> None:
    """Zero the last bytes that were written."""
    content = path.read_bytes()
    end = len(content.rstrip(b"\0"))
    with path.open("r+b") as file:
        file.seek(max(end - size, 0))
        file.write(bytes(min(size, end)))


def serve(node: Node, s3: str = "127.0.0.1:0", control: str = "127.0.0.1:0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PACKSTONE, "serve", "--data", node.data, "--s3", s3, "--control", control],
        capture_output=True,
        text=True,
        check=False,
        env=node.environment(),
        timeout=60,
    )


def test_one_torn_journal_copy_loses_nothing(node: Node) -> None:
    client = node.client()
    for number in range(50):
        client.put_object(Bucket="life", Key=f"{number}", Body=b"%d" % number)
    node.kill()
    newest = max(journals(node), key=lambda path: len(path.read_bytes().rstrip(b"\0")))
    tear(newest)
    node.start()
    client = node.client()
    for number in range(50):
        assert client.get_object(Bucket="life", Key=f"{number}")["Body"].read() == b"%d" % number


def test_torn_in_every_copy_only_the_last_write_may_go(node: Node, tmp_path: Path) -> None:
    client = node.client()
    for number in range(50):
        client.put_object(Bucket="life", Key=f"{number}", Body=b"%d" % number)
    node.kill()
    for path in journals(node):
        if path.read_bytes().rstrip(b"\0"):
            tear(path, 20)
    (node.data / "index").rename(tmp_path / "index of before")
    node.start()
    client = node.client()
    found = {entry["Key"] for entry in client.list_objects_v2(Bucket="life")["Contents"]}
    assert found >= {f"{number}" for number in range(49)}
    for key in found:
        assert client.get_object(Bucket="life", Key=key)["Body"].read() == key.encode()


@pytest.mark.parametrize("size", [200_000, 6 << 20])
def test_sigterm_lets_an_upload_end(node: Node, size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    with socket.create_connection(node.address(), timeout=30) as connection:
        connection.sendall(head(node, "/life/slow", {}, {"content-length": str(size), "connection": "close"}))
        connection.sendall(body[: size // 2])
        time.sleep(0.3)
        codes: list[int] = []
        stopping = threading.Thread(target=lambda: codes.append(node.stop()))
        stopping.start()
        time.sleep(0.7)
        with pytest.raises(OSError), socket.create_connection(node.address(), timeout=2) as late:  # noqa: PT011, PT012
            late.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            if not late.recv(10):
                raise ConnectionResetError
        connection.sendall(body[size // 2 : size])
        assert status(read(connection)) == 200
    stopping.join(60)
    assert codes == [0]
    node.start()
    assert node.client().get_object(Bucket="life", Key="slow")["Body"].read() == body[:size]


def test_a_second_server_is_refused(node: Node) -> None:
    done = serve(node)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("packstone: ")
    assert "Traceback" not in done.stderr
    node.client().put_object(Bucket="life", Key="k", Body=b"1")


@pytest.mark.parametrize("which", ["s3", "control"])
def test_a_taken_port_is_one_line(tmp_path: Path, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = serve(Node(tmp_path / "data"), **{which: address})
    assert done.returncode == 1
    faults = [line for line in done.stderr.splitlines() if line.startswith("packstone: ")]
    assert len(faults) == 1
    assert address in faults[0]
    assert "Traceback" not in done.stderr
    # The port is free now, and the data whole.
    again = Node(tmp_path / "data")
    again.start()
    assert again.stop() == 0


def test_new_credentials_read_old_data(node: Node) -> None:
    node.client().put_object(Bucket="life", Key="k", Body=b"kept")
    node.stop()
    old = node.user, node.password
    node.user, node.password = "another", "another-secret"
    node.start()
    assert node.client().get_object(Bucket="life", Key="k")["Body"].read() == b"kept"
    with refused("InvalidAccessKeyId", 403):
        node.client(*old).list_buckets()


def test_a_seal_under_load_and_a_kill(node: Node) -> None:
    client = node.client()
    bodies = {f"{number}": bytes([number]) * 3000 * number for number in range(100)}
    ended = threading.Event()

    def seal() -> None:
        while not ended.is_set():
            node.command("seal")

    sealing = threading.Thread(target=seal)
    sealing.start()
    try:
        for key, body in bodies.items():
            client.put_object(Bucket="life", Key=key, Body=body)
    finally:
        ended.set()
        sealing.join()
    node.kill()
    node.start()
    client = node.client()
    for key, body in bodies.items():
        assert client.get_object(Bucket="life", Key=key)["Body"].read() == body
    assert "0 faults" in node.command("verify")
