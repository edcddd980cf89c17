"""What dictionaries make of tick files: bytes that are stored, beside zstd file by file, and what a PUT and a GET cost.

Two servers of their own, one with dictionaries and one without, take the same files in turns. Those that are measured
come after the dictionaries were trained, and none of them was there to train from.
"""

import itertools
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import boto3
import httpx
import pyarrow as pa
from botocore.config import Config
from mypy_boto3_s3 import S3Client
from prometheus_client.parser import text_string_to_metric_families

from perf import process
from perf.bench import Bench
from perf.figure import Figure
from perf.scenario import CONNECTIONS
from perf.server import NotMeasurableError, Packstone
from perf.ticks import Feed, File

SEED = 20260105
TO_TRAIN = 12_000
"""Files that come first: dictionaries are trained from samples of them."""
MEASURED = 4_000
"""Files of a round."""
LEVEL = 3
"""Of zstd, file by file: what stored bytes are compared with."""
TARGET = 0.5
BUCKET = "ticks"
STORED = "packstone_small_object_stored_bytes_total"
SETTLED_SECONDS = 8.0
"""Training is done when no dictionary came for so long."""
TRAINED_SECONDS = 180.0
NOISE = 10_000
"""Objects of 4 KiB a round that don't compress, put to see what sampling costs."""
CLIENTS = 8


@dataclass
class Subject:
    """A server, a client of it, and what its rounds cost and stored."""

    packstone: Packstone
    client: S3Client
    cpu: dict[str, list[float]] = field(default_factory=dict)
    """Microseconds an operation, by what it was, a figure a round."""
    stored: Counter[str] = field(default_factory=Counter)
    """Bytes of the files that are measured, by kind."""

    def metric(self, name: str) -> float:
        """The sum of a metric's samples."""
        families = text_string_to_metric_families(httpx.get(f"{self.packstone.control}/metrics").text)
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)

    def put(self, files: Iterable[File]) -> None:
        """Puts files, a few at a time."""
        self._each(lambda file: self.client.put_object(Bucket=BUCKET, Key=file.key, Body=file.body), files)

    def get(self, files: Iterable[File]) -> None:
        """Reads files back, and compares them."""
        self._each(self._read, files)

    def _read(self, file: File) -> None:
        if self.client.get_object(Bucket=BUCKET, Key=file.key)["Body"].read() != file.body:
            raise NotMeasurableError(f"{file.key} is not what was put")

    def _each(self, work: Callable[[File], object], files: Iterable[File]) -> None:
        with ThreadPoolExecutor(CLIENTS) as pool:
            for _ in pool.map(work, files):
                pass

    def timed(self, what: str, work: Callable[[], object], operations: int) -> None:
        """Does the work, and notes the server's processor time for each operation."""
        before = process.cpu_seconds(self.packstone.server.pids)
        work()
        spent = process.cpu_seconds(self.packstone.server.pids) - before
        self.cpu.setdefault(what, []).append(spent / operations * 1e6)


def dictionaries(bench: Bench, program: Path) -> None:
    """Fills both servers, waits for the dictionaries, and measures rounds of files that neither has seen."""
    feed = Feed(SEED)
    first = list(feed.files(TO_TRAIN))
    rounds = [list(feed.files(MEASURED)) for _ in range(bench.scale.rounds)]
    with _subjects(bench, program) as (trained, plain):
        for subject in (trained, plain):
            subject.put(first)
        _await_training(trained)
        for (number, files), subject in itertools.product(enumerate(rounds), (trained, plain)):
            count = len(files)
            subject.timed("PUT of tick files", partial(_put_by_kind, subject, files), count)
            subject.timed("GET of tick files", partial(subject.get, files), count)
            subject.timed("PUT of 4 KiB that doesn't compress", partial(_put_noise, bench, subject, number), NOISE)
    _conclude(bench, trained, plain, [file for files in rounds for file in files])


def _conclude(bench: Bench, trained: Subject, plain: Subject, files: list[File]) -> None:
    codec, by_zstd = pa.Codec("zstd", compression_level=LEVEL), Counter[str]()
    for file in files:
        by_zstd[file.kind] += len(codec.compress(file.body, asbytes=True))
    shares = {kind: trained.stored[kind] / size for kind, size in sorted(by_zstd.items())}
    bench.details["dictionaries"] = {
        "files": len(files),
        "bytes": sum(len(file.body) for file in files),
        "by_zstd": by_zstd,
        "stored": {"with": trained.stored, "without": plain.stored},
        "cpu_us_per_op": {"with": trained.cpu, "without": plain.cpu},
    }
    bench.figures += [
        Figure(
            f"tick files of 1 to 16 KiB: bytes stored by those of zstd -{LEVEL} file by file",
            "",
            trained.stored.total() / by_zstd.total(),
            TARGET,
            note=", ".join(f"{kind} {share:.2f}" for kind, share in shares.items()),
        ),
        Figure("… without dictionaries", "", plain.stored.total() / by_zstd.total()),
        *(_cost(what, trained.cpu[what], plain.cpu[what]) for what in trained.cpu),
    ]


def _cost(what: str, trained: list[float], plain: list[float]) -> Figure:
    ratios = [one / other for one, other in zip(trained, plain, strict=True)]
    note = (
        f"{statistics.median(trained):,.0f} and {statistics.median(plain):,.0f} µs; {min(ratios):.2f}–{max(ratios):.2f}"
    )
    return Figure(f"{what}: server CPU by that without dictionaries", "", statistics.median(ratios), note=note)


def _put_by_kind(subject: Subject, files: list[File]) -> None:
    """Puts files one kind after the other, and notes what was stored of each."""
    for kind, ones in itertools.groupby(sorted(files, key=lambda file: file.kind), key=lambda file: file.kind):
        before = subject.metric(STORED)
        subject.put(ones)
        subject.stored[kind] += int(subject.metric(STORED) - before)


def _put_noise(bench: Bench, subject: Subject, number: int) -> None:
    """Puts the objects of a round that don't compress."""
    options = {"create_bucket": True} if number == 0 else {}
    server = subject.packstone.server
    bench.generator.run(
        server, "put", bucket="noise", connections=CONNECTIONS, first=number * NOISE, count=NOISE, **options
    )


def _await_training(subject: Subject) -> None:
    """Waits until no dictionary comes any more."""
    began = changed = time.monotonic()
    held = 0.0
    while held == 0 or time.monotonic() - changed < SETTLED_SECONDS:
        if time.monotonic() - began > TRAINED_SECONDS:
            raise NotMeasurableError("dictionaries were not trained in time")
        time.sleep(0.5)
        if (now := subject.metric("packstone_dictionaries_trained_total")) != held:
            held, changed = now, time.monotonic()


@contextmanager
def _subjects(bench: Bench, program: Path) -> Iterator[tuple[Subject, Subject]]:
    """A server with dictionaries and one without, each with an empty bucket."""
    with ExitStack() as stack:
        subjects = []
        for setting in ("true", "false"):
            environment = {"PACKSTONE_ENGINE__DICTIONARIES": setting}
            packstone = Packstone(program, bench.scratch / f"dictionaries-{setting}", environment)
            stack.callback(packstone.kill)
            packstone.start()
            server = packstone.server
            client = boto3.session.Session().client(
                "s3",
                endpoint_url=server.url,
                aws_access_key_id=server.access_key,
                aws_secret_access_key=server.secret_key,
                region_name="us-east-1",
                config=Config(s3={"addressing_style": "path"}, max_pool_connections=CLIENTS),
            )
            client.create_bucket(Bucket=BUCKET)
            subjects.append(Subject(packstone, client))
        trained, plain = subjects
        yield trained, plain
