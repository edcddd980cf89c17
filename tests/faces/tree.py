"""What a bucket holds after a history of operations on all faces: `docs/namespace.md` as a tree in memory.

Paths are those of keys, without a slash at either end. A method that takes a path as a mount does answers with the
`errno` that refuses it, or None where it was done.
"""

import errno
from collections.abc import Iterator
from dataclasses import dataclass, field

OF_DIRECTORIES = 0o755
OF_S3 = 0o640
OF_FILES = 0o644


@dataclass(eq=False)
class File:
    """A file with all its names, or a symbolic link, whose content is where it leads."""

    content: bytes
    mode: int
    is_link: bool = False
    extended: dict[str, bytes] = field(default_factory=dict)
    inode: int | None = None
    """Known once it was looked at."""
    published: bytes = b""
    """What S3 has of it."""
    is_dirty: bool = False
    """More was written than was published, so far as is known: whoever reads and closes it may have published it."""
    was_read: bool = False
    """So may be since it was written last."""
    is_lost: bool = False
    """S3 took its last name."""

    def __post_init__(self) -> None:
        self.published = self.content

    def write(self, offset: int, piece: bytes) -> None:
        """As `pwrite` does; nothing is published."""
        held = self.content.ljust(offset, b"\0")
        self.content, self.is_dirty, self.was_read = held[:offset] + piece + held[offset + len(piece) :], True, False

    def publish(self) -> None:
        """What `fsync` and `close` do."""
        self.published, self.is_dirty = self.content, False


def parent_of(path: str) -> str:
    """The directory that a path is in: empty for the topmost."""
    return path.rpartition("/")[0]


@dataclass
class Tree:
    """Keys with their files, and the markers of directories, the topmost too, with their modes."""

    files: dict[str, File] = field(default_factory=dict)
    markers: dict[str, int] = field(default_factory=lambda: {"": OF_DIRECTORIES})

    def below(self, path: str) -> Iterator[str]:
        """All keys below a directory, and markers, by their paths."""
        for held in (*self.files, *self.markers):
            if held.startswith(f"{path}/") or (held and not path):
                yield held

    def is_directory(self, path: str) -> bool:
        return path in self.markers or next(self.below(path), None) is not None

    def file(self, path: str) -> File | None:
        """What a path leads to on a mount: a directory hides the file."""
        return None if self.is_directory(path) else self.files.get(path)

    def is_link(self, path: str) -> bool:
        """Whether clients would go where a link leads."""
        file = self.file(path)
        return file is not None and file.is_link

    def is_there(self, path: str) -> bool:
        return path in self.files or self.is_directory(path)

    def shown(self) -> tuple[set[str], dict[str, File]]:
        """The directories and the files that a mount shows."""
        directories = {path for path in self.markers if path}
        for path in (*self.files, *self.markers):
            while path := parent_of(path):
                directories.add(path)
        return directories, {path: file for path, file in self.files.items() if path not in directories}

    def names(self, file: File) -> list[str]:
        return [path for path, held in self.files.items() if held is file]

    def no_way_to(self, path: str) -> int | None:
        """Why a path's parent can't be reached."""
        steps = parent_of(path).split("/")
        for count in range(1, len(steps) + 1):
            above = "/".join(steps[:count])
            if not self.is_directory(above):
                return errno.ENOTDIR if above in self.files else errno.ENOENT
        return None

    def not_a_file(self, path: str) -> int | None:
        """Why a path can't be opened as a file that is there."""
        if (refusal := self.no_way_to(path)) is not None:
            return refusal
        if self.is_directory(path):
            return errno.EISDIR
        file = self.files.get(path)
        if file is None:
            return errno.ENOENT
        return errno.ELOOP if file.is_link else None

    def keep(self, directory: str, without: str) -> None:
        """A directory stays when its last name is taken through a mount."""
        if directory not in self.markers and not any(held != without for held in self.below(directory)):
            self.markers[directory] = OF_DIRECTORIES

    # What a mount does.

    def create(self, path: str, content: bytes) -> int | None:
        """Make or empty a file, write it and close it."""
        refusal = self.not_a_file(path)
        if refusal == errno.ENOENT and self.no_way_to(path) is None:
            self.files[path] = File(content, OF_FILES)
        elif refusal is not None:
            return refusal
        else:
            self.files[path].content = content
            self.files[path].publish()
        return None

    def make_directory(self, path: str) -> int | None:
        if (refusal := self.no_way_to(path)) is not None:
            return refusal
        if self.is_there(path):
            return errno.EEXIST
        self.markers[path] = OF_DIRECTORIES
        return None

    def symlink(self, path: str, target: str) -> int | None:
        if (refusal := self.no_way_to(path)) is not None:
            return refusal
        if self.is_there(path):
            return errno.EEXIST
        self.files[path] = File(target.encode(), 0o777, is_link=True)
        return None

    def link(self, source: str, path: str) -> int | None:
        refusal = self.no_way_to(source) or (None if self.is_there(source) else errno.ENOENT) or self.no_way_to(path)
        if refusal is not None:
            return refusal
        if self.is_there(path):
            return errno.EEXIST
        file = self.file(source)
        if file is None:
            return errno.EPERM
        self.files[path] = file
        return None

    def unlink(self, path: str) -> int | None:
        refusal = self.not_a_file(path)
        if refusal not in {None, errno.ELOOP}:
            return refusal
        self.keep(parent_of(path), path)
        del self.files[path]
        return None

    def remove_directory(self, path: str) -> int | None:
        if (refusal := self.no_way_to(path)) is not None:
            return refusal
        if not self.is_directory(path):
            return errno.ENOTDIR if path in self.files else errno.ENOENT
        if next(self.below(path), None) is not None:
            return errno.ENOTEMPTY
        self.keep(parent_of(path), path)
        del self.markers[path]
        return None

    def rename(self, source: str, path: str) -> int | None:
        refusal = self.no_way_to(source) or self.no_way_to(path)
        refusal = refusal or (None if self.is_there(source) else errno.ENOENT)
        if refusal is not None:
            return refusal
        if self.is_directory(source):
            return self._rename_directory(source, path)
        if source.startswith(f"{path}/"):
            return errno.ENOTEMPTY
        if self.is_directory(path):
            return errno.EISDIR
        if self.files[source] is not self.files.get(path):
            self.keep(parent_of(source), source)
            self.files[path] = self.files.pop(source)
        return None

    def _rename_directory(self, source: str, path: str) -> int | None:
        if path == source:
            return None
        if path.startswith(f"{source}/"):
            return errno.EINVAL
        if path in self.files and not self.is_directory(path):
            return errno.ENOTDIR
        if next(self.below(path), None) is not None:
            return errno.ENOTEMPTY
        for above in (parent_of(source), source, *self._directories_below(source)):
            self.markers.setdefault(above, OF_DIRECTORIES)
        self.markers[path] = self.markers.pop(source)
        for held in [held for held in self.markers if held.startswith(f"{source}/")]:
            self.markers[path + held[len(source) :]] = self.markers.pop(held)
        for held in [held for held in self.files if held.startswith(f"{source}/")]:
            self.files[path + held[len(source) :]] = self.files.pop(held)
        return None

    def _directories_below(self, path: str) -> set[str]:
        return {held for held in self.shown()[0] if held.startswith(f"{path}/")}

    def change_mode(self, path: str, mode: int) -> int | None:
        refusal = self.no_way_to(path) or (None if self.is_there(path) else errno.ENOENT)
        if refusal is not None:
            return refusal
        if self.is_directory(path):
            self.markers[path] = mode
        else:
            self.files[path].mode = mode
        return None

    # What S3 does.

    def put(self, key: str, content: bytes) -> None:
        self.end(key)
        self.files[key] = File(content, OF_S3)

    def extend(self, key: str, piece: bytes) -> None:
        """An append: another file, of which is said what was of the one before."""
        held = self.files.get(key, File(b"", OF_S3))
        self.put(key, held.published + piece)
        self.files[key].mode, self.files[key].extended = held.mode, dict(held.extended)

    def end(self, key: str) -> None:
        """A name goes by S3: who writes the file loses it with the last one."""
        file = self.files.pop(key, None)
        if file is not None and not self.names(file):
            file.is_lost = True

    def carry(self, source: str, key: str) -> None:
        """RenameObject."""
        file = self.files[source]
        if self.files.get(key) is not file:
            self.end(key)
        self.files[key] = file
        del self.files[source]

    def keys(self) -> dict[str, File | None]:
        """What S3 lists: markers are empty objects whose keys end with a slash."""
        held: dict[str, File | None] = {f"{path}/": None for path in self.markers if path}
        return held | self.files
