"""What an operator sees: exports, status, metrics, and one line for each mistake."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.nfs.conftest import BUCKET
from tests.nfs.exported import Nfs
from tests.nfs.network import CLIENT
from tests.served import PACKSTONE, Node

PAGE = Path(__file__).parents[2] / "docs" / "nfs.md"


def metrics(node: Node) -> dict[str, float]:
    lines = httpx.get(f"{node.control}/metrics").text.splitlines()
    return {
        name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if "packstone_nfs_" in line[:14])
    }


def test_what_the_page_says_is_done(nfs: Nfs) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    lines = [shlex.split(line) for line in block.splitlines()]
    assert all(line[:2] == ["packstone", "nfs"] for line in lines)
    assert ["packstone", "nfs", "serve", "&"] in lines
    nfs.node.client().put_object(Bucket=BUCKET, Key="2026/a", Body=b"")
    told = [nfs.node.command(*line[1:]) for line in lines if "serve" not in line]
    assert told[0] == "ticks/2026: exported; clients mount it as HOST:/ticks/2026\n"
    assert re.search(r"ticks/2026 +10\.0\.0\.0/24, 192\.168\.7\.20 +read-only +root to 65534:65534 +served", told[1])
    assert told[-1] == "ticks/2026: exported no more\n"


def test_status_and_metrics(nfs: Nfs) -> None:
    status = nfs.status()
    assert status["report"]["up"]
    counted = metrics(nfs.node)
    assert counted["packstone_nfs_up"] == 1
    assert counted["packstone_nfs_exports"] == len(status["exports"])
    with nfs.mount(BUCKET) as client:
        client.list("/")
        nfs.wait("connected", lambda: metrics(nfs.node)["packstone_nfs_connections"] >= 1)
    told = nfs.node.command("nfs", "status")
    assert re.match(r"NFS 3, 4\.0, 4\.1 on 0\.0\.0\.0:2049: up; process \d+\n", told)


def test_a_folder_that_is_not_there_is_exported_once_it_is(nfs: Nfs) -> None:
    assert "there is no folder ticks/later" in nfs.node.command(
        "nfs", "export", "add", "ticks/later", "--client", CLIENT[0]
    )
    assert "there is no folder ticks/later" in nfs.node.command("nfs", "export", "list")
    nfs.node.command("nfs", "status", code=1)
    assert metrics(nfs.node)["packstone_nfs_faulty_exports"] == 1
    nfs.node.client().put_object(Bucket=BUCKET, Key="later/object", Body=b"")
    nfs.wait("exported", lambda: not nfs.status()["report"]["faults"])
    with nfs.mount("ticks/later") as client:
        assert client.list("/") == ["object"]
    nfs.node.command("nfs", "export", "remove", "ticks/later")


@pytest.mark.parametrize("at_once", [False, True])
def test_a_folder_that_was_made_anew_is_exported_anew(nfs: Nfs, at_once: bool) -> None:
    s3 = nfs.node.client()
    s3.put_object(Bucket=BUCKET, Key="made/", Body=b"")
    nfs.node.command("nfs", "export", "add", "ticks/made", "--client", CLIENT[0], "--squash", "none")
    with nfs.mount("ticks/made") as client:
        client.write("/old", b"old")
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "made/old"}, {"Key": "made/"}]})
    if not at_once:
        nfs.wait("noticed", lambda: bool(nfs.status()["report"]["faults"]))
    s3.put_object(Bucket=BUCKET, Key="made/", Body=b"")

    def writes() -> bool:
        try:
            with nfs.mount("ticks/made") as client:
                client.write("/new", b"new")
        except OSError:
            return False
        return True

    nfs.wait("exported anew", writes)
    assert s3.get_object(Bucket=BUCKET, Key="made/new")["Body"].read() == b"new"
    nfs.node.command("nfs", "export", "remove", "ticks/made")
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "made/new"}, {"Key": "made/"}]})


def test_an_export_ends_with_its_bucket(nfs: Nfs) -> None:
    nfs.node.client().create_bucket(Bucket="ending")
    nfs.node.command("nfs", "export", "add", "ending", "--client", CLIENT[0])
    nfs.node.client().delete_bucket(Bucket="ending")
    assert "ending" not in nfs.node.command("nfs", "export", "list")
    nfs.wait("unexported", lambda: "ending" not in json.dumps(nfs.status()["report"]["served"]))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("none", "--client", "10.0.0.1"), "there is no bucket none"),
        ((BUCKET, "--client", "10.0.0.1"), "is exported already: say --replace"),
        ((BUCKET, "--client", "desk.example"), "is not an address or a network, such as"),
        ((BUCKET, "--client", "10.0.0.1/24"), "say '10.0.0.0/24' for the network"),
        ((BUCKET, "--client", "10.0.0.1", "--squash", "some"), "--squash: Input should be 'root', 'all' or 'none'"),
        ((BUCKET, "--client", "10.0.0.1", "--anonymous", "nobody"), "--anonymous: "),
        (("ticks/../other", "--client", "10.0.0.1"), "'..' is no directory's name"),
        (('ticks/"quoted', "--client", "10.0.0.1"), "NFS-Ganesha takes no quotes"),
    ],
)
def test_a_mistake_gets_one_line(nfs: Nfs, arguments: tuple[str, ...], told: str) -> None:
    said = nfs.node.command("nfs", "export", "add", *arguments, code=1)
    assert told in said
    assert said.count("\n") == 1


def test_what_is_not_exported_can_not_be_removed(nfs: Nfs) -> None:
    assert "`packstone nfs export list` shows what is" in nfs.node.command(
        "nfs", "export", "remove", "ticks/other", code=1
    )


def refused(nfs: Nfs, within: list[str], data: Path, **settings: str) -> str:
    """What `packstone nfs serve` says when it can't begin."""
    done = subprocess.run(
        [*within, str(PACKSTONE), "nfs", "serve", "--data", str(data)],
        capture_output=True,
        text=True,
        check=False,
        env=nfs.node.environment() | settings,
        timeout=60,
    )
    # 2 where a setting is wrong.
    assert done.returncode in {1, 2}
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_what_keeps_it_from_serving_gets_one_line(nfs: Nfs, tmp_path: Path) -> None:
    within, elsewhere = nfs.network.within, tmp_path / "data"
    assert "there is no such directory: start the node first" in refused(nfs, within, elsewhere)
    elsewhere.mkdir()
    other = {"PACKSTONE_NFS__DIRECTORY": str(tmp_path / "run")}
    assert "in use by another packstone, process" in refused(nfs, within, elsewhere)
    assert "in use by another packstone, process" in refused(nfs, within, nfs.node.data, **other)
    told = refused(nfs, within, elsewhere, **other)
    assert "nfs.address 0.0.0.0:2049 can't be used: Address already in use" in told
    inside = {"PACKSTONE_NFS__DIRECTORY": str(elsewhere / "run")}
    assert "must stay outside of the data directory" in refused(nfs, within, elsewhere, **inside)
    endless = {"PACKSTONE_NFS__GRACE_PERIOD": "1.9 s"}
    assert "nfs.grace_period: input should be greater than or equal to 2" in refused(nfs, within, elsewhere, **endless)
    # Elsewhere than on the server's machine no rpcbind runs.
    client = ["ip", "netns", "exec", nfs.network.clients[0]]
    assert "NFS 3 needs rpcbind, which doesn't run" in refused(nfs, client, elsewhere, **other)
    assert "install Debian's nfs-ganesha" in refused(nfs, [], elsewhere, **other, PATH=f"{tmp_path}")


def test_nfs_4_alone_needs_no_rpcbind_and_waits_for_the_node(nfs: Nfs, tmp_path: Path) -> None:
    settings = {"PACKSTONE_NFS__DIRECTORY": str(tmp_path / "run"), "PACKSTONE_NFS__VERSIONS": '["4.1"]'}
    node = Node(tmp_path / "data", nfs.node.settings | settings)
    # It waits for a node, and not for a directory.
    node.data.mkdir()
    command = ["ip", "netns", "exec", nfs.network.clients[1], str(PACKSTONE), "nfs", "serve", "--data", str(node.data)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=node.environment()
    ) as process:
        try:
            node.start()
            assert process.stdout is not None
            assert b"packstone nfs ready" in process.stdout.readline()
        finally:
            process.terminate()
            assert process.wait(60) == 0
            node.close()
