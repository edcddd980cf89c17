"""What the node says of a file, as the kernel takes it."""

import pyfuse3

_BLOCK = 512
_PREFERRED = 128 * 1024
"""How many bytes programs that ask are told to read and write at once."""

Told = tuple[int, int, int, int, int, int, int, int, int, int]
"""(inode, mode, links, uid, gid, size, mtime, ctime, device, content), as `packstone_engine.Files` gives it"""


def entry_attributes(told: Told, believed: float, generation: int = 0) -> pyfuse3.EntryAttributes:
    """Build the kernel's answer, which it believes so many seconds; another generation is another file to it.

    There is no access time: that of the last change stands for it.
    """
    inode, mode, links, uid, gid, size, mtime, ctime, device, _ = told
    entry = pyfuse3.EntryAttributes()
    entry.st_ino = pyfuse3.InodeT(inode)
    entry.generation = generation
    entry.entry_timeout = entry.attr_timeout = believed
    entry.st_mode = pyfuse3.ModeT(mode)
    entry.st_nlink = links
    entry.st_uid, entry.st_gid = uid, gid
    entry.st_rdev = device
    entry.st_size = size
    entry.st_blksize, entry.st_blocks = _PREFERRED, (size + _BLOCK - 1) // _BLOCK
    entry.st_atime_ns = entry.st_mtime_ns = mtime
    entry.st_ctime_ns = ctime
    return entry
