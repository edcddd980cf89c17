"""Mounts over a network: two machines, which are network namespaces with a wire between them."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import packstone_engine
import pytest

from tests.certificate import certify_by_authority
from tests.fuse.conftest import SETTINGS
from tests.nfs.network import refusal
from tests.served import Node, environment

SERVER, CLIENT = "10.78.1.1", "10.78.1.2"
pytestmark = pytest.mark.skipif(os.geteuid() != 0 or refusal() is not None, reason="takes network namespaces")
# Makes a file, and leaves it open.
WRITER = """
import sys, time, packstone_engine
endpoint, key, secret, authority = sys.argv[1:]
files = packstone_engine.Files.connect_remote(endpoint, key, secret, authorities=authority)
bucket = files.lookup(0, 1, b"desk")[0]
told, handle = files.create(0, bucket, b"gone", (0o100644, 0, 0, 0), (True, False, True))
files.write(handle, 0, b"written, and not closed")
print("written", flush=True)
sys.stdin.readline()
"""
# Asks for the upgrade without TLS.
ASKER = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=30) as stream:
    stream.sendall(b"GET /.packstone/files HTTP/1.1\\r\\nHost: node\\r\\nUpgrade: packstone-files\\r\\n"
                   b"Connection: Upgrade\\r\\n\\r\\n")
    answer = b""
    while b"</Error>" not in answer:
        answer += stream.recv(4096)
print(answer.decode())
"""


class Wire:
    """Two machines."""

    def __init__(self) -> None:
        self.server, self.client = (f"packstone-{os.getpid()}-{name}" for name in ("far", "near"))
        for name in (self.server, self.client):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("link", "add", "wire", "netns", self.server, "type", "veth", "peer", "name", "wire", "netns", self.client)
        for name, address in ((self.server, SERVER), (self.client, CLIENT)):
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", "wire")
            _ip("-n", name, "link", "set", "wire", "up")

    def cut(self) -> None:
        """The client has no address any more: nothing reaches it, and nobody is told."""
        _ip("-n", self.client, "addr", "flush", "dev", "wire")

    def close(self) -> None:
        for name in (self.server, self.client):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    try:
        yield made
    finally:
        made.close()


def served(wire: Wire, node: Node) -> Node:
    node.within, node.host = ["ip", "netns", "exec", wire.server], SERVER
    node.start()
    return node


def at_node(node: Node, deed: str) -> str:
    """Make the bucket, or read the object, on the node's machine."""
    made = (
        "import boto3, sys; endpoint, verify, key, secret, deed = sys.argv[1:]; s3 = boto3.client('s3', "
        "endpoint_url=endpoint, verify=verify, aws_access_key_id=key, aws_secret_access_key=secret, "
        "region_name='us-east-1'); print(s3.create_bucket(Bucket='desk') if deed == 'mb' else "
        "s3.get_object(Bucket='desk', Key='gone')['Body'].read().decode(), end='')"
    )
    authority = node.settings["PACKSTONE_S3__TLS_CERTIFICATE"]
    arguments = [node.endpoint, authority, node.user, node.password, deed]
    done = subprocess.run(
        [*node.within, sys.executable, "-c", made, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    return done.stdout


def at_client(wire: Wire, script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["ip", "netns", "exec", wire.client, sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def test_nobody_is_served_in_the_clear(wire: Wire, tmp_path: Path) -> None:
    node = served(wire, Node(tmp_path / "data", SETTINGS))
    try:
        asker = at_client(wire, ASKER, *(str(part) for part in node.address()))
        told, _ = asker.communicate(timeout=60)
        assert "403 Forbidden" in told
        assert "this endpoint has none" in told
        # Nor would a mount ask.
        with pytest.raises(OSError, match="use https://"):
            packstone_engine.Files.connect_remote(node.endpoint, node.user, node.password)
    finally:
        node.close()


@pytest.mark.soak
def test_a_machine_that_is_gone_without_a_word_is_found_out(wire: Wire, tmp_path: Path) -> None:
    made, authority = certify_by_authority(tmp_path, SERVER)
    node = served(wire, Node(tmp_path / "data", SETTINGS | made))
    try:
        at_node(node, "mb")
        writer = at_client(wire, WRITER, node.endpoint, node.user, node.password, str(authority))
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        wire.cut()
        deadline = time.monotonic() + 300
        while "what it had open is published" not in node.log():
            assert time.monotonic() < deadline, "the session never ended"
            time.sleep(0.5)
        assert at_node(node, "get") == "written, and not closed"
        writer.kill()
        writer.communicate()
    finally:
        node.close()
