"""Other servers on the command line, and ratios to them."""

import os
import socket
from dataclasses import replace

import pytest

from perf import peer
from perf.generator import Measurement

MEASURED = Measurement("get", 10, 0, {}, 10, 1.0, 10.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, None, None, 1.0)


def test_an_endpoint_names_a_server() -> None:
    server = peer.parse("minio=http://127.0.0.1:9100,pid=12,pid=13,key=a,secret=b=c")
    assert (server.name, server.url, server.pids) == ("minio", "http://127.0.0.1:9100", [12, 13])
    assert (server.access_key, server.secret_key) == ("a", "b=c")


@pytest.mark.parametrize("text", ["http://x", "a=https://x", "=http://x", "a=http://x,pid=one", "a=http://x,what"])
def test_nonsense_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(peer.BadPeerError, match=r"^--endpoint .*$"):
        peer.parse(text)


def test_names_are_told_apart() -> None:
    with pytest.raises(peer.BadPeerError, match="taken"):
        peer.parse_all(["a=http://x", "a=http://y"], taken=set())
    with pytest.raises(peer.BadPeerError, match="taken"):
        peer.parse_all(["floor=http://x"], taken={"floor"})


def test_a_server_that_is_not_there_is_found_before_the_measurement() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = peer.parse(f"a=http://127.0.0.1:{listener.getsockname()[1]},pid={os.getpid()}")
        peer.require_reachable([server])
        gone = 1 << 22
        with pytest.raises(peer.BadPeerError, match=r"^--endpoint a=…: "):
            peer.require_reachable([replace(server, pids=[gone])])
    with pytest.raises(peer.BadPeerError, match="refused"):
        peer.require_reachable([server])


def test_ratios_are_by_round() -> None:
    ours = [replace(MEASURED, ops_per_second=value) for value in (20.0, 30.0, 40.0)]
    found = peer.ratios(ours, [MEASURED] * 3)
    assert found["throughput"] == peer.Ratio(2.0, 3.0, 4.0)
    assert "server CPU per op" not in found
