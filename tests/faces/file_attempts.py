"""What a program on the mount, or an NFS client, may be in the middle of.

Names and attributes change in one step on every face. What is written through the mount is published at `fsync` and
`close`, so that a crash of the node leaves all of it or none; where the mount is killed, or Ganesha, or the mount
behind it, what had reached the node is published, as far as that was. By NFS each write is durable as it is answered,
and what clients send as several is several.
"""

import os
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final

from tests.faces.attempt import Attempt, Outcome, Reach, nothing, torn, written
from tests.faces.file_face import FileFace
from tests.faces.mount_face import MountFace
from tests.faces.plan import Plan
from tests.faces.tree import Tree, parent_of

FILE_KINDS: Final = (
    "create",
    "create_synced",
    "create_seen",
    "replace",
    "patch",
    "append",
    "write_twice",
    "truncate",
    "make_directory",
    "remove_directory",
    "unlink",
    "rename",
    "link",
    "symlink",
    "change_mode",
)
_EARLY: Final = 1 << 20
"""Of no more bytes than these, a new file is answered before the disk has it."""

_PAGE: Final = 4096
"""Kernels give a mount one write as several, that end with pages."""

_MOST_OF_4: Final = 70_000
_OTHER: Final = "saved"
_MODES: Final = (0o600, 0o644, 0o755, 0o700)
_AS_EXCLUSIVE: Final = 0o600
"""What NFS 4 makes exclusively has this mode until it is given another."""


class FileAttempts:
    """Of one plan, what there is of it in one history."""

    def __init__(self, name: str, face: FileFace, tree: Tree, victim: str, read: Callable[[str], bytes]) -> None:
        """`victim` is what will be killed; `read` is what S3 has of a path."""
        self._name, self._face, self._tree, self._victim, self._read = name, face, tree, victim, read

    def attempt(self, plan: Plan) -> Attempt | None:
        """None where the model refuses it, or the face doesn't know it."""
        contents: dict[str, Callable[[Plan], Attempt | None]] = {
            "create": self._create,
            "create_synced": self._create,
            "create_seen": self._create,
            "replace": self._replace,
            "patch": self._patch,
            "append": self._append,
            "write_twice": self._write_twice,
            "truncate": self._truncate,
        }
        return contents[plan.kind](plan) if plan.kind in contents else self._change_names(plan)

    def _what(self, *words: object) -> str:
        return " ".join([self._name, *map(str, words)])

    def _is_torn(self) -> bool:
        """Whether something may be left of a write that isn't all of it."""
        return not (isinstance(self._face, MountFace) and self._victim == "node")

    def _parts(self, path: str, offset: int, piece: bytes, begin: Outcome = nothing) -> list[Outcome]:
        if not self._is_torn():
            return []
        sizes = set(range(self._face.granule, len(piece), self._face.granule))
        if self._victim != "node":
            sizes.update(range(_PAGE - offset % _PAGE, len(piece), _PAGE))
        return [torn(path, offset, piece, sorted(sizes), begin)]

    def _regular(self, plan: Plan) -> str | None:
        files = self._tree.shown()[1]
        return plan.pick(path for path, file in files.items() if path.startswith(f"{plan.lane}/") and not file.is_link)

    # Content

    def _body(self, plan: Plan) -> bytes:
        return bytes(plan.body) if self._name != "nfs4" else bytes(plan.body[:_MOST_OF_4])

    def _create(self, plan: Plan) -> Attempt | None:
        """Made and closed, synced too, or seen by another face: what was, is there for good."""
        path, body = plan.path, self._body(plan)
        if deepcopy(self._tree).create(path, body) is not None:
            return None
        kind = plan.kind if self._name == "mount" else "create_synced"
        make = self._face.create_synced if kind == "create_synced" else self._face.create

        def call(reach: Reach) -> None:
            make(path, body)
            if kind == "create_seen":
                assert self._read(path) == body

        is_early = kind == "create" and path not in self._tree.files and len(body) <= _EARLY
        return Attempt(self._what(kind, path, len(body)), path, call, self._making(path, body), is_early)

    def _making(self, path: str, body: bytes) -> list[Outcome]:
        """A file that is there keeps its content until its new one is published."""

        def empty(tree: Tree, seen: bytes | None) -> None:
            tree.create(path, b"")

        def exclusive(tree: Tree, seen: bytes | None) -> None:
            tree.create(path, b"")
            tree.files[path].mode = _AS_EXCLUSIVE

        is_new = path not in self._tree.files
        outcomes: list[Outcome] = [nothing]
        if is_new and self._name == "nfs4":
            outcomes.append(exclusive)
        if is_new or self._is_torn():
            outcomes.append(empty)
        return [*outcomes, *self._parts(path, 0, body, empty), lambda tree, _: tree.create(path, body)]

    def _replace(self, plan: Plan) -> Attempt | None:
        """As editors save: by another name. Once renamed, the file is whole, though nobody synced it."""
        other, path, body = f"{plan.lane}/{_OTHER}", plan.path, self._body(plan)

        def done(tree: Tree) -> int | None:
            return tree.create(other, body) or tree.rename(other, path)

        if self._tree.is_link(path) or done(deepcopy(self._tree)) is not None:
            return None
        make = self._face.create if self._name == "mount" else self._face.create_synced

        def call(reach: Reach) -> None:
            make(other, body)
            self._face.rename(other, path)

        outcomes = [*self._making(other, body), lambda tree, _: done(tree)]
        return Attempt(self._what("replace", path, len(body)), other, call, outcomes)

    def _patch(self, plan: Plan) -> Attempt | None:
        if (path := self._regular(plan)) is None:
            return None
        call = self._face.patch if self._name == "mount" else self._face.patch_synced
        return self._writing(path, plan.offset, plan.piece, lambda: call(path, plan.offset, plan.piece))

    def _append(self, plan: Plan) -> Attempt | None:
        """By NFS it is the client who knows where the end is."""
        if (path := self._regular(plan)) is None:
            return None
        end = len(self._tree.files[path].content)
        if self._name == "mount":
            return self._writing(path, end, plan.piece, lambda: self._face.append(path, plan.piece))
        return self._writing(path, end, plan.piece, lambda: self._face.patch_synced(path, end, plan.piece))

    def _writing(self, path: str, offset: int, piece: bytes, call: Callable[[], None]) -> Attempt:
        what = self._what("write", path, offset, len(piece))
        outcomes = [nothing, *self._parts(path, offset, piece), written(path, offset, piece)]
        return Attempt(what, path, lambda _: call(), outcomes)

    def _write_twice(self, plan: Plan) -> Attempt | None:
        """What was synced stays, whatever becomes of what was written after."""
        path, face = self._regular(plan), self._face
        if path is None or not isinstance(face, MountFace):
            return None
        first, second = bytes(plan.piece), bytes(reversed(plan.body))
        once = written(path, plan.offset, first)

        def twice(tree: Tree, seen: bytes | None) -> None:
            once(tree, seen)
            written(path, 1, second)(tree, seen)

        before = [nothing, *self._parts(path, plan.offset, first)]

        def call(reach: Reach) -> None:
            descriptor = face.open(path, os.O_WRONLY)
            try:
                os.pwrite(descriptor, first, plan.offset)
                os.fsync(descriptor)
                reach(len(before))
                os.pwrite(descriptor, second, 1)
            finally:
                os.close(descriptor)

        outcomes = [*before, once, *self._parts(path, 1, second, once), twice]
        return Attempt(self._what("write twice", path, plan.offset, len(first), len(second)), path, call, outcomes)

    def _truncate(self, plan: Plan) -> Attempt | None:
        if (path := self._regular(plan)) is None:
            return None

        def cut(tree: Tree, seen: bytes | None) -> None:
            file = tree.files[path]
            file.content = file.content[: plan.offset].ljust(plan.offset, b"\0")
            file.publish()

        call = self._face.truncate
        return Attempt(
            self._what("truncate", path, plan.offset), path, lambda _: call(path, plan.offset), [nothing, cut]
        )

    # Names and modes

    def _change_names(self, plan: Plan) -> Attempt | None:
        """One call, of what is there where it takes something that is."""
        directories, files = self._tree.shown()
        held = {path for path in (*directories, *files) if path.startswith(f"{plan.lane}/")}
        real = {path for path in held if path not in files or not files[path].is_link}
        sources = {
            "remove_directory": held & directories,
            "unlink": held - directories,
            "rename": held if plan.path[-1] in "ab" else real,
            "link": real - directories,
            "change_mode": real,
        }
        arguments: tuple[Any, ...] = (plan.path,)
        if plan.kind in sources:
            source = plan.pick(sources[plan.kind])
            if source is None:
                return None
            arguments = (source, plan.path) if plan.kind in {"rename", "link"} else (source,)
        if plan.kind == "symlink":
            if plan.path[-1] not in "ab":
                return None
            arguments = (plan.path, "nowhere")
        if plan.kind == "change_mode":
            arguments = (*arguments, _MODES[plan.which % len(_MODES)])
        if getattr(deepcopy(self._tree), plan.kind)(*arguments) is not None:
            return None
        call = getattr(self._face, plan.kind)
        outcomes: list[Outcome] = [nothing, lambda tree, _: getattr(tree, plan.kind)(*arguments)]
        if plan.kind in {"unlink", "remove_directory", "rename"}:
            # What keeps the directory comes before its last name goes.
            outcomes.insert(1, lambda tree, _: tree.keep(parent_of(arguments[0]), arguments[0]))
        return Attempt(
            self._what(plan.kind, *arguments),
            arguments[-1] if plan.kind != "change_mode" else arguments[0],
            lambda _: call(*arguments),
            outcomes,
        )
