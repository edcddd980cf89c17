"""A C package is configured, compiled and checked on the mount, and ends as it does on the disk.

`PACKSTONE_C_SOURCE` names its tarball, as `apt-get source --download-only hello` brings it.
"""

import os
import re
from pathlib import Path

import pytest

from tests.programs.conftest import run


def built(folder: Path, source: Path) -> dict[str, object]:
    """Configure, compile and check; what is there then, by path: sizes of what is compiled, the rest whole."""
    folder.mkdir(exist_ok=True)
    run("tar", "-xf", source, "--strip-components=1", cwd=folder)
    # Without what tells the folder of its sources.
    run("./configure", "CFLAGS=-O2", cwd=folder)
    run("make", "-j2", cwd=folder)
    checked = run("make", "-k", "check", cwd=folder)
    results = sorted(re.findall(r"^(?:# )?(?:TOTAL|PASS|FAIL|SKIP|XFAIL|XPASS|ERROR)\b.*$", checked, re.MULTILINE))
    files = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    programs = {
        name: (folder / name).read_bytes()[:4]
        for name in files
        if (folder / name).is_file() and os.access(folder / name, os.X_OK)
    }
    objects = {name: (folder / name).read_bytes() for name in files if name.endswith(".o")}
    return {"results": results, "files": files, "programs": programs, "objects": objects}


@pytest.mark.soak
def test_a_package_is_compiled_as_on_the_disk(folder: Path, tmp_path: Path) -> None:
    named = os.environ.get("PACKSTONE_C_SOURCE")
    if named is None:
        pytest.skip("PACKSTONE_C_SOURCE names no source: apt-get source --download-only hello brings one")
    on_disk = built(tmp_path / "disk", Path(named).resolve())
    on_mount = built(folder / "disk", Path(named).resolve())
    assert on_mount["results"] == on_disk["results"]
    assert on_mount["files"] == on_disk["files"]
    assert on_mount["programs"] == on_disk["programs"]
    assert on_mount["objects"] == on_disk["objects"]
    assert on_disk["objects"]
