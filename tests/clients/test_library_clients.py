"""Libraries copy a real tree in, list it and bring it back; Arrow keeps a dataset through its own S3 filesystem."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from minio import Minio
from minio.deleteobjects import DeleteObject
from pyarrow import fs

from tests.clients.conftest import content
from tests.served import Node


def test_boto3(clients_node: Node, tree: Path, tmp_path: Path) -> None:
    client = clients_node.client()
    client.create_bucket(Bucket="by-boto3")
    expected = content(tree)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: client.upload_file(str(tree / name), "by-boto3", name), expected))
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="by-boto3", PaginationConfig={"PageSize": 300})
    listed = {entry["Key"]: entry["Size"] for page in pages for entry in page["Contents"]}
    assert listed == {name: len(body) for name, body in expected.items()}
    for name in expected:
        (tmp_path / "back" / name).parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: client.download_file("by-boto3", name, str(tmp_path / "back" / name)), expected))
    assert content(tmp_path / "back") == expected


def test_minio(clients_node: Node, tree: Path, tmp_path: Path) -> None:
    address = clients_node.endpoint.removeprefix("http://")
    client = Minio(address, clients_node.user, clients_node.password, secure=False, region="us-east-1")
    client.make_bucket("by-minio")
    expected = content(tree)
    for name in expected:
        client.fput_object("by-minio", name, str(tree / name))
    listed = {entry.object_name: entry.size for entry in client.list_objects("by-minio", recursive=True)}
    assert listed == {name: len(body) for name, body in expected.items()}
    for name in expected:
        client.fget_object("by-minio", name, str(tmp_path / "back" / name))
    assert content(tmp_path / "back") == expected
    assert list(client.remove_objects("by-minio", [DeleteObject(name) for name in expected])) == []
    client.remove_bucket("by-minio")


def test_arrow(clients_node: Node) -> None:
    files = fs.S3FileSystem(
        access_key=clients_node.user,
        secret_key=clients_node.password,
        endpoint_override=clients_node.endpoint.removeprefix("http://"),
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
        allow_bucket_deletion=True,
    )
    rows = 200_000
    table = pa.table(
        {
            "day": pa.array([f"2026-07-{row % 5 + 1:02}" for row in range(rows)]),
            "symbol": pa.array([("AAPL", "MSFT", "SAP")[row % 3] for row in range(rows)]),
            "price": pa.array([row / 100 for row in range(rows)]),
            "row": pa.array(range(rows)),
        }
    )
    files.create_dir("by-arrow")
    partitioning = ds.partitioning(pa.schema([("day", pa.string()), ("symbol", pa.string())]), flavor="hive")
    ds.write_dataset(table, "by-arrow/ticks", filesystem=files, format="parquet", partitioning=partitioning)
    dataset = ds.dataset("by-arrow/ticks", filesystem=files, partitioning=partitioning)
    assert len(dataset.files) == 15
    assert dataset.to_table(columns=table.column_names).sort_by("row").equals(table)
    one = dataset.to_table(filter=(pc.field("day") == "2026-07-02") & (pc.field("symbol") == "SAP"), columns=["row"])
    assert sorted(one["row"].to_pylist()) == [row for row in range(rows) if row % 5 == 1 and row % 3 == 2]
    with files.open_output_stream("by-arrow/stream") as stream:
        for number in range(30):
            stream.write(bytes([number]) * 1_000_000)
    with files.open_input_file("by-arrow/stream") as source:
        source.seek(17_500_000)
        assert source.read(10) == bytes([17]) * 10
    files.move("by-arrow/stream", "by-arrow/moved")
    assert files.get_file_info("by-arrow/moved").size == 30_000_000
    files.delete_dir("by-arrow")
    assert files.get_file_info("by-arrow").type == fs.FileType.NotFound
