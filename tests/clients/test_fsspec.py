"""s3fs, the S3 file system of fsspec, as pandas and dask use it."""

from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3fs

from tests.clients.conftest import content
from tests.served import REGION, Node

BLOCK: Final = 5 << 20


@pytest.fixture
def files(clients_node: Node) -> s3fs.S3FileSystem:
    """A file system without the listings that others of this process have cached."""
    return s3fs.S3FileSystem(
        key=clients_node.user,
        secret=clients_node.password,
        endpoint_url=clients_node.endpoint,
        client_kwargs={"region_name": REGION},
        skip_instance_cache=True,
    )


def test_a_tree_there_and_back(files: s3fs.S3FileSystem, tree: Path, tmp_path: Path) -> None:
    files.mkdir("by-fsspec")
    files.put(f"{tree}/", "by-fsspec/tree/", recursive=True)
    expected = content(tree)
    listed = files.find("by-fsspec/tree", detail=True)
    assert {name.removeprefix("by-fsspec/tree/"): entry["size"] for name, entry in listed.items()} == {
        name: len(body) for name, body in expected.items()
    }
    files.get("by-fsspec/tree/", f"{tmp_path}/back/", recursive=True)
    assert content(tmp_path / "back") == expected
    files.rm("by-fsspec", recursive=True)
    assert not files.exists("by-fsspec")


def test_files_in_blocks(files: s3fs.S3FileSystem) -> None:
    """What is written in blocks is an upload of parts; what is read at an offset is a range."""
    body = b"".join(bytes([number]) * 1_000_000 for number in range(12))
    files.mkdir("by-fsspec-blocks")
    with files.open("by-fsspec-blocks/large", "wb", block_size=BLOCK) as out:
        for start in range(0, len(body), 300_000):
            out.write(body[start : start + 300_000])
    with files.open("by-fsspec-blocks/large", "rb") as source:
        source.seek(7_500_000)
        assert source.read(10) == bytes([7]) * 10
    assert files.cat_ranges(["by-fsspec-blocks/large"] * 2, [0, 11_999_995], [5, 12_000_000]) == [
        bytes(5),
        bytes([11]) * 5,
    ]
    with files.open("by-fsspec-blocks/large", "ab", block_size=BLOCK) as out:
        out.write(b"more")
    assert files.cat_file("by-fsspec-blocks/large") == body + b"more"
    files.mv("by-fsspec-blocks/large", "by-fsspec-blocks/moved")
    assert files.ls("by-fsspec-blocks", detail=False) == ["by-fsspec-blocks/moved"]


def test_names_and_what_is_said_of_them(files: s3fs.S3FileSystem) -> None:
    files.mkdir("by-fsspec-names")
    names = ["by-fsspec-names/" + name for name in ("a b/c+d", "größe/µ", "100%/x=1&y", "q?r#s")]
    for name in names:
        files.pipe_file(name, name.encode(), Metadata={"desk": "rates"})
    assert sorted(files.find("by-fsspec-names")) == sorted(names)
    for name in names:
        assert files.cat_file(name) == name.encode()
        assert files.getxattr(name, "desk") == "rates"
    files.put_tags(names[0], {"day": "2026-07-01"})
    assert files.get_tags(names[0]) == {"day": "2026-07-01"}
    with pytest.raises(FileNotFoundError):
        files.cat_file("by-fsspec-names/none")


def test_parquet(files: s3fs.S3FileSystem) -> None:
    table = pa.table({"row": pa.array(range(50_000)), "price": pa.array([row / 100 for row in range(50_000)])})
    files.mkdir("by-fsspec-parquet")
    pq.write_to_dataset(table, "by-fsspec-parquet/ticks", filesystem=files)
    assert pq.read_table("by-fsspec-parquet/ticks", filesystem=files).equals(table)
