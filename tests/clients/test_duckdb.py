"""DuckDB's httpfs: SQL over Parquet and CSV in buckets."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import duckdb_extension_httpfs
import pytest

from tests.served import REGION, Node


@pytest.fixture
def sql(clients_node: Node, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that loads httpfs from its package, and signs as root."""
    (extension,) = Path(duckdb_extension_httpfs.__file__).parent.glob(f"extensions/v{duckdb.__version__}/*")
    connection = duckdb.connect(config={"extension_directory": str(tmp_path), "autoinstall_known_extensions": "false"})
    connection.execute(f"LOAD '{extension}'")
    connection.execute(
        "CREATE SECRET (TYPE s3, URL_STYLE 'path', USE_SSL false, "
        f"KEY_ID '{clients_node.user}', SECRET '{clients_node.password}', REGION '{REGION}', "
        f"ENDPOINT '{clients_node.endpoint.removeprefix('http://')}')"
    )
    yield connection
    connection.close()


def test_partitioned_parquet(clients_node: Node, sql: duckdb.DuckDBPyConnection) -> None:
    """Written in partitions, found by a pattern, pruned by a filter."""
    clients_node.client().create_bucket(Bucket="by-duckdb")
    sql.execute(
        "COPY (SELECT i AS row, ['AAPL', 'MSFT', 'SAP'][i % 3 + 1] AS symbol FROM range(300000) t(i)) "
        "TO 's3://by-duckdb/ticks' (FORMAT parquet, PARTITION_BY (symbol))"
    )
    ticks = "read_parquet('s3://by-duckdb/ticks/**/*.parquet', hive_partitioning = true)"
    assert sql.execute(f"SELECT count(*), sum(row) FROM {ticks}").fetchone() == (300_000, 300_000 * 299_999 // 2)
    found = sql.execute(f"SELECT symbol, min(row), count(*) FROM {ticks} WHERE symbol = 'SAP' GROUP BY 1").fetchall()
    assert found == [("SAP", 2, 100_000)]
    assert len(sql.execute("SELECT file FROM glob('s3://by-duckdb/ticks/*/*.parquet')").fetchall()) == 3


def test_a_large_file(clients_node: Node, sql: duckdb.DuckDBPyConnection) -> None:
    """More than one part, so an upload; read by ranges."""
    client = clients_node.client()
    client.create_bucket(Bucket="by-duckdb-large")
    sql.execute("SET s3_uploader_max_filesize = '50GB'")
    sql.execute(
        "COPY (SELECT i AS row, hash(i) AS noise, hash(i + 1) AS more FROM range(2000000) t(i)) "
        "TO 's3://by-duckdb-large/noise.parquet' (FORMAT parquet, COMPRESSION uncompressed)"
    )
    assert client.head_object(Bucket="by-duckdb-large", Key="noise.parquet")["ContentLength"] > 30_000_000
    one = sql.execute("SELECT noise = hash(row) FROM 's3://by-duckdb-large/noise.parquet' WHERE row = 1234567")
    assert one.fetchall() == [(True,)]


def test_csv_and_names_that_need_encoding(clients_node: Node, sql: duckdb.DuckDBPyConnection) -> None:
    client = clients_node.client()
    client.create_bucket(Bucket="by-duckdb-csv")
    for name in ("a b/c+d.csv", "größe/µ.csv", "x=1&y/z.csv"):
        client.put_object(Bucket="by-duckdb-csv", Key=name, Body=b"symbol,price\nSAP,120.5\nAAPL,99\n")
        assert sql.execute(f"SELECT sum(price) FROM 's3://by-duckdb-csv/{name}'").fetchone() == (219.5,)


def test_who_may_not_is_told(clients_node: Node, sql: duckdb.DuckDBPyConnection) -> None:
    clients_node.client().create_bucket(Bucket="by-duckdb-closed")
    sql.execute(
        "CREATE OR REPLACE SECRET (TYPE s3, URL_STYLE 'path', USE_SSL false, KEY_ID 'nobody', SECRET 'nothing', "
        f"REGION '{REGION}', ENDPOINT '{clients_node.endpoint.removeprefix('http://')}')"
    )
    with pytest.raises(duckdb.HTTPException, match="403"):
        sql.execute("SELECT * FROM 's3://by-duckdb-closed/ticks.parquet'")
