"""What the documents say can be done can be done, and nothing in them has gone stale."""

import ast
import importlib.util
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from appliance.configuration_sources import keys
from gateway.cli.main import app

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([\w./-]+)\)")


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    found = BLOCK.findall((ROOT / document).read_text("utf-8"))
    return [text for kind, text in found if kind == language]


def test_the_configuration_page_is_the_models() -> None:
    script = ROOT / "scripts" / "document_configuration.py"
    spec = importlib.util.spec_from_file_location("document_configuration", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert page == module.render(), f"run: .venv/bin/python {script.relative_to(ROOT)}"


def test_every_key_is_documented_with_a_meaning() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    rows = {cells[0].strip("` "): cells for line in page.splitlines() if len(cells := line.split("|")[1:-1]) == 4}
    sections = {"s3", "control", "engine", "uploads", "files", "nfs", "log"}
    assert set(keys()) - sections <= set(rows)
    assert [key for key, cells in rows.items() if not cells[3].strip()] == []


def test_alerts_ask_for_metrics_that_are_there() -> None:
    metrics = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    rules = ROOT / "docs" / "packstone.rules.yml"
    named = set(re.findall(r"\bpackstone_\w+", rules.read_text("utf-8")))
    assert named
    assert {name for name in named if f"| `{name.removesuffix('_bucket')}`" not in metrics} == set()
    promtool = shutil.which("promtool")
    if promtool is not None:
        subprocess.run([promtool, "check", "rules", rules], check=True)


def test_shell_blocks_are_shell() -> None:
    shell = blocks("README.md", "sh")
    assert len(shell) >= 4
    for block in shell:
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)


def test_python_blocks_are_python() -> None:
    python = blocks("README.md", "python")
    assert python
    for block in python:
        ast.parse(block)


def parse(arguments: list[str]) -> None:
    """Have the command line itself parse what comes behind `packstone`, without running it."""
    context = typer.main.get_command(app).make_context("packstone", list(arguments), resilient_parsing=False)
    with context:
        name, command, rest = context.command.resolve_command(context, context._protected_args + context.args)  # type: ignore[attr-defined]
        assert command is not None, arguments
        command.make_context(name, rest, parent=context)


def test_commands_in_the_readme_exist() -> None:
    lines = "\n".join(blocks("README.md", "sh")).replace("\\\n", " ").splitlines()
    commands = [shlex.split(line)[1:] for line in lines if line.startswith(".venv/bin/packstone ")]
    assert len(commands) >= 6
    for arguments in commands:
        parse(arguments)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd")
def test_units_are_as_systemd_has_them(tmp_path: Path) -> None:
    units = blocks("docs/namespace.md", "ini")
    assert units
    for number, text in enumerate(units):
        command = next(line.partition("=")[2] for line in text.splitlines() if line.startswith("ExecStart="))
        program, *arguments = shlex.split(command)
        parse(arguments)
        unit = tmp_path / f"packstone-{number}.service"
        unit.write_text(text.replace(program, shutil.which("true") or ""), "utf-8")
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
        )
        # What it doesn't know it only tells, and what is wrong with the machine's own units, too.
        assert unit.name not in done.stderr


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(document: str) -> None:
    links = LINK.findall((ROOT / document).read_text("utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_pins_name_no_index() -> None:
    for file in ROOT.glob("requirements*.txt"):
        text = file.read_text("utf-8")
        assert "://" not in text
        assert "--index" not in text
        assert text.count("==") <= text.count("--hash=")
