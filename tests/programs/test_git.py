"""A repository is cloned to the mount, worked in, packed and read back."""

from pathlib import Path

from tests.clients.conftest import copy_library
from tests.programs.conftest import program, run

FILES = 200
COMMITS = 8


def git(folder: Path, *arguments: str | Path) -> str:
    return run(program("git", "apt-get install git"), "-C", folder, *arguments)


def content(folder: Path) -> dict[str, bytes]:
    """Every file but git's own."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }


def commit_some(folder: Path, rounds: range) -> None:
    """A commit each round, of changes in some files, and a branch now and then."""
    for number in rounds:
        for name in sorted(content(folder))[number::7]:
            (folder / name).write_bytes((folder / name).read_bytes() + f"# change {number}\n".encode())
        git(folder, "commit", "--quiet", "--all", "--message", f"change {number}")
        if number % 3 == 0:
            git(folder, "branch", f"branch{number}")


def test_a_clone_is_worked_in_and_packed(folder: Path, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    copy_library(origin, FILES)
    git(origin, "init", "--quiet", "--initial-branch", "main")
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "--message", "all")
    commit_some(origin, range(COMMITS))

    git(tmp_path, "clone", "--quiet", "--no-local", origin, folder / "clone")
    clone = folder / "clone"
    assert content(clone) == content(origin)
    commit_some(clone, range(COMMITS, 2 * COMMITS))
    git(clone, "rebase", "--quiet", "--force-rebase", "HEAD~4")
    git(clone, "gc", "--quiet", "--aggressive", "--prune=now")
    git(clone, "fsck", "--full", "--strict")
    assert git(clone, "status", "--porcelain") == ""
    git(clone, "checkout", "--quiet", "branch3")
    git(clone, "checkout", "--quiet", "main")

    git(tmp_path, "clone", "--quiet", "--no-local", clone, tmp_path / "back")
    assert content(tmp_path / "back") == content(clone)
    git(tmp_path / "back", "fsck", "--full", "--strict")
    assert git(tmp_path / "back", "rev-parse", "HEAD") == git(clone, "rev-parse", "HEAD")
