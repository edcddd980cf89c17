"""An operator's mistake at the command line is one line on standard error, with the documented exit code."""

import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from appliance.data_lock import DataLock
from gateway.cli import main


class Outcome(NamedTuple):
    """How a command ended."""

    code: int
    output: str
    errors: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run `packstone` with the given arguments in this process; signals and log are put back afterwards."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    log = logging.getLogger()
    level, attached = log.level, list(log.handlers)

    def run(*arguments: str | Path) -> Outcome:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return Outcome(caught.value.code, captured.out, captured.err)

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)
    log.setLevel(level)
    log.handlers[:] = attached


def assert_one_line(outcome: Outcome, code: int, *parts: str) -> None:
    assert outcome.code == code
    assert outcome.output == ""
    assert outcome.errors.startswith("packstone: ")
    assert outcome.errors.count("\n") == 1
    for part in parts:
        assert part in outcome.errors


COMMANDS = ["init", "serve", "status", "seal", "checkpoint", "verify", "rebuild-index", "bucket", "cp", "ls", "rm"]
COMMANDS += ["user", "group", "policy", "key", "root", "worm"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run: Run, command: str) -> None:
    outcome = run(command, "--help")
    assert outcome.code == 0
    assert "Usage: packstone" in outcome.output


def test_an_unknown_command_is_refused(run: Run) -> None:
    assert run("frobnicate").code == 2


@pytest.mark.parametrize(
    "command", [["status"], ["seal"], ["checkpoint"], ["verify"], ["root", "rotate"], ["bucket", "ls"]]
)
def test_without_a_node_the_way_to_start_one_is_told(run: Run, tmp_path: Path, command: list[str]) -> None:
    assert_one_line(run(*command, "--data", tmp_path), 1, "no node serves it", f"packstone serve --data {tmp_path}")


@pytest.mark.parametrize("command", ["serve", "init", "rebuild-index"])
def test_a_bad_file_ends_with_2(run: Run, tmp_path: Path, command: str) -> None:
    file = tmp_path / "packstone.toml"
    file.write_text("[s3]\nadress = 1\n")
    assert_one_line(run(command, "--data", tmp_path), 2, f"{file}: s3.adress: unknown key; did you mean s3.address?")


@pytest.mark.parametrize(("option", "key"), [("--s3", "s3.address"), ("--control", "control.address")])
def test_a_bad_address_ends_with_2(run: Run, tmp_path: Path, option: str, key: str) -> None:
    assert_one_line(run("serve", "--data", tmp_path, option, "nowhere"), 2, f"command line: {key}: ", "HOST:PORT")


def test_a_reachable_control_address_takes_tls(run: Run, tmp_path: Path) -> None:
    outcome = run("serve", "--data", tmp_path, "--control", "0.0.0.0:9001")
    assert_one_line(outcome, 2, "can be reached from other machines", "tls_certificate")


@pytest.mark.parametrize("command", ["serve", "init", "rebuild-index"])
def test_data_in_use_is_told(run: Run, tmp_path: Path, command: str) -> None:
    with DataLock(tmp_path):
        assert_one_line(run(command, "--data", tmp_path), 1, "in use by another packstone", str(os.getpid()))


def test_half_given_credentials_end_with_2(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKSTONE_ROOT_USER", "desk")
    outcome = run("serve", "--data", tmp_path, "--s3", "127.0.0.1:0", "--control", "127.0.0.1:0")
    assert outcome.code == 2
    assert "packstone: PACKSTONE_ROOT_USER and PACKSTONE_ROOT_PASSWORD must be set together\n" in outcome.errors


def test_a_control_port_in_use_is_told(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        outcome = run("serve", "--data", tmp_path, "--s3", "127.0.0.1:0", "--control", address)
    assert outcome.code == 1
    assert f"packstone: control address {address} can't be used: Address already in use" in outcome.errors
    assert not (tmp_path / "control.sock").exists()


def test_a_drive_that_is_not_mounted_is_told(run: Run, tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    outcome = run(
        "init",
        "--confirm-time",
        "--data",
        tmp_path / "data",
        "--profile",
        "1+0",
        "--allow-no-parity",
        "--drive",
        absent,
    )
    assert_one_line(outcome, 1, f"{absent}: there is no such directory", "mount")
    assert not (tmp_path / "data" / "packstone.toml").exists()


def test_too_few_drives_end_with_2(run: Run, tmp_path: Path) -> None:
    outcome = run("init", "--confirm-time", "--data", tmp_path, "--profile", "4+2", "--drive", tmp_path)
    assert_one_line(outcome, 2, "profile 4+2 takes at least 6 drives")


def test_an_index_without_drives_is_not_taken_for_a_new_node(run: Run, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    assert_one_line(run("serve", "--data", tmp_path), 1, "has an index but no drives")


@pytest.mark.parametrize("locations", [("a", "b"), ("s3://a/b", "s3://c/d")])
def test_cp_takes_one_path_and_one_location(run: Run, tmp_path: Path, locations: tuple[str, str]) -> None:
    assert_one_line(run("cp", *locations, "--data", tmp_path), 1, "give one of each")


@pytest.mark.parametrize("text", ["bucket", "s3://", "s3:///key", "http://a/b"])
def test_a_location_is_written_as_s3(run: Run, text: str) -> None:
    assert_one_line(run("ls", text), 1, "is not s3://BUCKET")


def test_a_whole_bucket_is_emptied_only_when_asked_to(run: Run) -> None:
    assert_one_line(run("rm", "s3://ticks"), 1, "is a whole bucket", "--recursive")


def test_two_servers_are_one_too_many(run: Run, tmp_path: Path) -> None:
    outcome = run("bucket", "ls", "--data", tmp_path, "--endpoint", "http://127.0.0.1:9")
    assert_one_line(outcome, 1, "give one")


def test_an_endpoint_takes_credentials(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    assert_one_line(run("bucket", "ls", "--endpoint", "http://127.0.0.1:9"), 1, "AWS_ACCESS_KEY_ID")


def test_an_endpoint_that_does_not_answer_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "desk")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "correct-horse")
    assert_one_line(run("bucket", "ls", "--endpoint", "http://127.0.0.1:9"), 1, "no S3 server answers")


def test_a_new_access_key_takes_its_secret_from_the_environment(run: Run, tmp_path: Path) -> None:
    outcome = run("root", "rotate", "--data", tmp_path, "--access-key", "desk")
    assert_one_line(outcome, 1, "PACKSTONE_NEW_SECRET_KEY")
