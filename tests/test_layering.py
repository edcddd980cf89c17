"""Folder order is dependency order: a folder depends only on what stands before it in the house."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

HOUSE = ("engine", "gateway/s3", "engine/bindings", "policies", "appliance", "ticklake", "fuse", "gateway")
"""DESIGN.md's order; the more particular folder wins over the one it stands in."""

OUTSIDE = ("perf", "tests", "scripts")
"""May depend on everything; nothing may depend on them."""

PACKAGES = {"packstone_engine": "engine/bindings"}
"""Import names that aren't their folder's name."""


def room(path: Path) -> str:
    """The folder of the house, or outside it, in which a file stands."""
    relative = path.relative_to(ROOT).as_posix() + "/"
    return max((name for name in (*HOUSE, *OUTSIDE) if relative.startswith(name + "/")), key=len, default="")


def may_depend(upper: str, lower: str) -> bool:
    if lower in OUTSIDE:
        return upper in OUTSIDE
    return upper in OUTSIDE or HOUSE.index(lower) <= HOUSE.index(upper)


def python_files() -> Iterator[Path]:
    for folder in {*(name.split("/")[0] for name in HOUSE), *OUTSIDE}:
        yield from (ROOT / folder).rglob("*.py")


def imported(file: Path) -> Iterator[str]:
    """The rooms of every import in a Python file, those inside functions included."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports hide where they lead"
            names = [node.module or ""]
        for name in names:
            package = name.split(".")[0]
            if package in PACKAGES or package in (*HOUSE, *OUTSIDE):
                yield PACKAGES.get(package, package)


def crates() -> dict[str, Path]:
    """The workspace's crates by name."""
    found = {}
    for folder in (*HOUSE, *OUTSIDE):
        for manifest in (ROOT / folder).rglob("Cargo.toml"):
            found[tomllib.loads(manifest.read_text("utf-8"))["package"]["name"]] = manifest
    return found


def test_python_imports_only_downwards() -> None:
    files = list(python_files())
    assert len(files) > 20
    wrong = [
        f"{file.relative_to(ROOT)} imports {lower}"
        for file in files
        for lower in imported(file)
        if not may_depend(room(file), lower)
    ]
    assert wrong == []


def test_crates_depend_only_downwards() -> None:
    found = crates()
    assert "packstone-store" in found
    wrong = []
    for name, manifest in found.items():
        package = tomllib.loads(manifest.read_text("utf-8"))
        tables = ("dependencies", "dev-dependencies", "build-dependencies")
        named = {dependency for table in tables for dependency in package.get(table, {})} & set(found)
        wrong += [f"{name} on {other}" for other in named if not may_depend(room(manifest), room(found[other]))]
    assert wrong == []


def test_the_native_module_is_reached_through_its_package() -> None:
    """Python never loads the native module but through `packstone_engine`."""
    wrong = [
        str(file.relative_to(ROOT))
        for file in python_files()
        if room(file) != "engine/bindings" and "packstone_engine._native" in file.read_text("utf-8")
        if file != Path(__file__)
    ]
    assert wrong == []


def test_the_order_itself_refuses_what_it_should() -> None:
    assert not may_depend("engine", "gateway/s3")
    assert not may_depend("appliance", "gateway")
    assert not may_depend("policies", "appliance")
    assert not may_depend("gateway", "tests")
    assert may_depend("gateway", "appliance")
    assert may_depend("engine/bindings", "gateway/s3")
    assert room(ROOT / "gateway" / "s3" / "src" / "lib.rs") == "gateway/s3"
    assert room(ROOT / "gateway" / "cli" / "main.py") == "gateway"


def test_every_folder_is_in_the_house() -> None:
    for manifest in (*ROOT.glob("*/__init__.py"), *ROOT.glob("*/Cargo.toml")):
        assert room(manifest), f"{manifest.parent.name} has no place in the house"
