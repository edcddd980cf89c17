"""The whole command line against a node that it started."""

import json
import os
import stat
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.integration.conftest import PACKSTONE, ServedNode, environment


def test_first_start_says_what_it_did(node: ServedNode) -> None:
    assert "new appliance in" in node.output
    assert "root credentials, shown this once" in node.output
    assert "NOT against the loss of that disk" in node.errors
    assert sorted(path.name for path in (node.data / "drives").iterdir()) == ["1", "2", "3", "4"]


@pytest.mark.parametrize("name", ["control.sock", "root-credentials"])
def test_what_makes_root_is_the_owners_only(node: ServedNode, name: str) -> None:
    assert stat.S_IMODE((node.data / name).stat().st_mode) == 0o600


def test_health_and_metrics(node: ServedNode) -> None:
    assert httpx.get(f"{node.control}/health/live").json() == {"live": True}
    assert httpx.get(f"{node.control}/health/ready").json() == {"ready": True, "reason": ""}
    metrics = httpx.get(f"{node.control}/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert "packstone_ready 1.0" in metrics.text
    assert "process_resident_memory_bytes" in metrics.text


@pytest.mark.parametrize("path", ["/status", "/connection", "/docs", "/openapi.json", "/"])
def test_nothing_else_is_served_on_the_control_port(node: ServedNode, path: str) -> None:
    assert httpx.get(node.control + path).status_code == 404


def test_status(node: ServedNode) -> None:
    status = json.loads(node.command("status", "--json"))
    assert status["pid"] == node.process.pid
    assert status["s3"] == node.s3
    assert [drive["state"] for drive in status["drives"]] == ["online"] * 4
    assert [(pool["data"], pool["parity"]) for pool in status["pools"]] == [(3, 1)]
    table = node.command("status")
    assert str(node.data / "drives" / "4") in table
    assert "4 of 4 online" in table


def test_objects_go_there_and_back(node: ServedNode, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for number in range(300):
        file = source / f"day-{number % 7}" / f"tick {number}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(17 * number))
    node.command("bucket", "make", "ticks")
    assert "ticks" in node.command("bucket", "ls")
    assert [bucket["name"] for bucket in json.loads(node.command("bucket", "ls", "--json"))] == ["ticks"]

    node.command("cp", "-r", source, "s3://ticks/year")
    listed = [json.loads(line) for line in node.command("ls", "-r", "--json", "s3://ticks/year/").splitlines()]
    files = {f"year/{file.relative_to(source)}": file for file in source.rglob("*.bin")}
    assert {entry["key"]: entry["size"] for entry in listed} == {key: f.stat().st_size for key, f in files.items()}
    assert len(node.command("ls", "s3://ticks/year/").splitlines()) == 7

    node.command("cp", "-r", "s3://ticks/year", tmp_path / "back")
    for key, file in files.items():
        assert (tmp_path / "back" / key.removeprefix("year/")).read_bytes() == file.read_bytes()
    node.command("cp", "s3://ticks/year/day-0/tick 7.bin", tmp_path / "one")
    assert (tmp_path / "one").read_bytes() == (source / "day-0" / "tick 7.bin").read_bytes()

    node.command("bucket", "rm", "ticks", code=1)
    assert node.command("rm", "-r", "s3://ticks/year") == "300 objects removed\n"
    assert node.command("ls", "-r", "s3://ticks") == ""
    node.command("bucket", "rm", "ticks")


def test_a_folder_is_not_a_prefix(node: ServedNode, tmp_path: Path) -> None:
    tick = tmp_path / "tick"
    tick.write_bytes(b"tick")
    node.command("bucket", "make", "folders")
    for key in ("logs/a", "logs2/a"):
        node.command("cp", tick, f"s3://folders/{key}")
    assert node.command("rm", "-r", "s3://folders/logs") == "1 objects removed\n"
    assert [json.loads(line)["key"] for line in node.command("ls", "-r", "--json", "s3://folders").splitlines()] == [
        "logs2/a"
    ]
    node.command("rm", "s3://folders/logs2/a")
    node.command("bucket", "rm", "folders")


def test_what_is_absent_is_told(node: ServedNode, tmp_path: Path) -> None:
    node.command("cp", "s3://absent/key", tmp_path / "x", code=1)
    node.command("ls", "s3://absent", code=1)
    node.command("bucket", "rm", "absent", code=1)


def test_seal_and_verify(node: ServedNode) -> None:
    assert json.loads(node.command("seal", "--json"))["segments"] >= 0
    report = json.loads(node.command("verify", "--json"))
    assert (report["faults"], report["lost"]) == ([], [])
    assert "0 faults, 0 objects lost" in node.command("verify", "--sample", "0.5")


def test_a_checkpoint_is_taken_and_told_of(node: ServedNode) -> None:
    assert node.command("checkpoint").startswith("the index is stored as of LSN ")
    checkpoints = json.loads(node.command("status", "--json"))["checkpoints"]
    assert checkpoints["kept"] >= 1
    assert checkpoints["taken"] > 0
    assert checkpoints["failures"] == 0
    assert "checkpoints of the index: " in node.command("status")


def test_rotated_credentials_work_at_once(node: ServedNode) -> None:
    before = json.loads(node.command("root", "show", "--json"))["access_key"]
    after = json.loads(node.command("root", "rotate", "--json"))
    assert after["access_key"] != before
    assert json.loads(node.command("root", "show", "--json"))["access_key"] == after["access_key"]
    node.command("bucket", "ls")


def test_data_that_is_served_is_refused_to_others(node: ServedNode) -> None:
    node.command("serve", code=1)
    node.command("rebuild-index", code=1)
    node.command("init", "--confirm-time", code=1)


def test_ports_in_use_are_one_line(node: ServedNode, tmp_path: Path) -> None:
    taken = node.s3.removeprefix("http://")
    command = [PACKSTONE, "serve", "--data", tmp_path / "other", "--s3", taken, "--control", "127.0.0.1:0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), timeout=60)
    assert done.returncode == 1
    faults = [line for line in done.stderr.splitlines() if line.startswith("packstone: ")]
    assert len(faults) == 1
    assert taken in faults[0]
    assert "Traceback" not in done.stderr


def test_stopped_and_started_again_it_is_the_same_node(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = ServedNode(data)
    appliance = json.loads(first.command("status", "--json"))["appliance"]
    credentials = (data / "root-credentials").read_bytes()
    assert first.stop() == 0
    assert not (data / "control.sock").exists()
    first.command("status", code=1)
    assert "objects" in first.command("rebuild-index")

    second = ServedNode(data)
    try:
        assert "root credentials" not in second.output
        assert "new appliance" not in second.output
        assert (data / "root-credentials").read_bytes() == credentials
        assert json.loads(second.command("status", "--json"))["appliance"] == appliance
    finally:
        assert second.stop() == 0
    assert "Traceback" not in first.errors + second.errors


def test_killed_it_starts_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = ServedNode(data)
    first.process.kill()
    first.process.wait()
    assert (data / "control.sock").exists()
    assert ServedNode(data).stop() == 0


def test_as_many_files_as_the_machine_allows(node: ServedNode) -> None:
    limits = Path(f"/proc/{node.process.pid}/limits").read_text("utf-8")
    soft, hard = next(line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files"))
    assert soft == hard
