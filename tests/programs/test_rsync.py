"""Trees that `rsync -aHX` copies to the mount and back are what they were."""

import os
from pathlib import Path

from tests.clients.conftest import copy_library
from tests.programs.conftest import program, run

FILES = 300


def told(folder: Path) -> dict[str, tuple[object, ...]]:
    """All that rsync keeps of every path, and which are names of one file."""
    held: dict[str, tuple[object, ...]] = {}
    names: dict[int, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        name, said = str(path.relative_to(folder)), path.lstat()
        names.setdefault(said.st_ino, []).append(name)
        content: object = None
        extended: dict[str, bytes] = {}
        if path.is_symlink():
            content = path.readlink()
        elif path.is_file():
            content = path.read_bytes()
            extended = {key: os.getxattr(path, key) for key in os.listxattr(path) if not key.startswith("user.s3.")}
        of_file = (said.st_mode, said.st_uid, said.st_gid, said.st_mtime_ns)
        held[name] = (*of_file, content, extended, names[said.st_ino][0])
    return held


def make_tree(folder: Path) -> None:
    """Files of all sizes with all that can be said of them: names, links, pipes, holes, odd modes and old times."""
    copy_library(folder, FILES)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for number, path in enumerate(files):
        if number % 7 == 0:
            path.with_name(f"{path.name}.second").hardlink_to(path)
        if number % 11 == 0:
            link = path.with_name(f"{path.name}.link")
            link.symlink_to(path.name)
            os.utime(link, ns=(0, 5_000_000_000 + number), follow_symlinks=False)
        if number % 5 == 0:
            os.setxattr(path, "user.desk", f"desk {number}".encode())
        path.chmod([0o644, 0o600, 0o755, 0o4711, 0o400][number % 5])
        os.chown(path, number % 3, number % 4, follow_symlinks=False)
        os.utime(path, ns=(0, 1_000_000_000 * number + number))
    (folder / "large").write_bytes(os.urandom(7 << 20))
    with (folder / "hole").open("wb") as file:
        file.truncate(3_000_000)
    os.mkfifo(folder / "pipe")
    os.utime(folder / "pipe", ns=(0, 7_000_000_007))
    (folder / "empty" / "below").mkdir(parents=True)
    (folder / "é\n'\" name").write_bytes(b"odd")
    (folder / "nowhere").symlink_to("/nowhere/at all")
    os.utime(folder / "nowhere", ns=(0, 0), follow_symlinks=False)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.chmod(0o750)
            os.utime(path, ns=(0, 1_234_567_890_123_456_789))


def test_a_tree_goes_there_and_back(folder: Path, tmp_path: Path) -> None:
    rsync = program("rsync", "apt-get install rsync")
    source, back = tmp_path / "source", tmp_path / "back"
    source.mkdir()
    make_tree(source)
    before = told(source)
    run(rsync, "-aHX", f"{source}/", folder / "copy")
    assert told(folder / "copy") == before
    # Attributes that S3 gives are shown and can't be set.
    run(rsync, "-aHX", "--filter=-xr user.s3.*", f"{folder}/copy/", back)
    assert told(back) == before
    assert run(rsync, "-aHXi", "--checksum", f"{source}/", folder / "copy") == ""


def test_what_changed_is_brought_up_to_date(folder: Path, tmp_path: Path) -> None:
    rsync = program("rsync", "apt-get install rsync")
    source = tmp_path / "source"
    source.mkdir()
    make_tree(source)
    run(rsync, "-aHX", f"{source}/", folder / "copy")
    for number, path in enumerate(sorted(path for path in source.rglob("*.py") if path.is_file())):
        if number % 4 == 0:
            path.unlink()
        elif number % 4 == 1:
            path.write_bytes(path.read_bytes() + b"# more\n")
    with (source / "large").open("r+b") as file:
        file.seek(4 << 20)
        file.write(b"changed in the middle")
    for way in ("--delay-updates", "--inplace"):
        run(rsync, "-aHX", "--delete", "--no-whole-file", way, f"{source}/", folder / "copy")
        assert told(folder / "copy") == told(source)
