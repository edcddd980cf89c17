"""What versions, policies and encryption cost: small objects in buckets of one server that differ in nothing else."""

import json
import statistics
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
from botocore.config import Config

from perf.bench import Bench
from perf.figure import Figure
from perf.scenario import CONNECTIONS
from perf.server import Server

STATEMENTS = 20
"""Statements of the user's policy; the last one allows."""
LIMIT = 1.10
"""By how much more CPU an operation may take."""
SHARE = 10
"""A turn writes so much less than one of the small objects' scenario."""


def guard(bench: Bench) -> None:
    """PUT and GET 4 KiB as root in a plain bucket, as a user under policies in a versioned one, and encrypted."""
    ours, count = bench.ours.server, max(1000, bench.scale.objects // bench.scale.rounds // SHARE)
    variants = list(_variants(ours))
    for number, server in bench.in_turns(variants):
        options: dict[str, Any] = {"bucket": server.name, "connections": CONNECTIONS}
        bench.record(server, bench.generator.run(server, "put", first=number * count, count=count, **options))
    bench.ours.seal()
    keys = bench.scale.rounds * count
    for _, server in bench.in_turns(variants):
        options = {"bucket": server.name, "connections": CONNECTIONS, "keys": keys}
        bench.record(
            server, bench.generator.run(server, "get", duration=bench.scale.seconds / 2, warmup=1.0, **options)
        )
    plain, *others = variants
    for other in others:
        for scenario in ("put", "get"):
            target = LIMIT if other.name == "guarded" else None
            bench.figures.append(_figure(bench, scenario, (plain, other), target))


def _figure(bench: Bench, scenario: str, servers: tuple[Server, Server], target: float | None) -> Figure:
    pairs = zip(*(bench.of(scenario, server) for server in servers), strict=True)
    ratios = [
        other.cpu_us_per_op / plain.cpu_us_per_op
        for plain, other in pairs
        if plain.cpu_us_per_op and other.cpu_us_per_op
    ]
    what = f"{scenario.upper()} 4 KiB, {servers[1].name}: server CPU by that of a plain bucket"
    reached = statistics.median(ratios) if ratios else None
    note = f"{min(ratios):.2f}–{max(ratios):.2f} by round" if ratios else ""
    return Figure(what, "", reached, target, note=note)


def _variants(ours: Server) -> Iterator[Server]:
    """The server as it is met by three buckets, each named as its bucket."""
    s3, iam = _client(ours, "s3"), _client(ours, "iam")
    for bucket in ("plain", "guarded", "encrypted"):
        s3.create_bucket(Bucket=bucket)
    yield replace(ours, name="plain")
    s3.put_bucket_versioning(Bucket="guarded", VersioningConfiguration={"Status": "Enabled"})
    iam.create_user(UserName="perf")
    key = iam.create_access_key(UserName="perf")["AccessKey"]
    policy = iam.create_policy(PolicyName="desk", PolicyDocument=_document(_statements()))["Policy"]
    iam.attach_user_policy(UserName="perf", PolicyArn=policy["Arn"])
    principal = {"AWS": iam.get_user(UserName="perf")["User"]["Arn"]}
    of_bucket = {"Effect": "Deny", "Principal": principal, "Action": "s3:DeleteObject*", "Resource": _arn("guarded/*")}
    s3.put_bucket_policy(Bucket="guarded", Policy=_document([of_bucket]))
    yield replace(ours, name="guarded", access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket="encrypted", ServerSideEncryptionConfiguration={"Rules": [default]})
    yield replace(ours, name="encrypted")


def _statements() -> list[dict[str, Any]]:
    """A policy as desks have them: by prefix, tag, network and time, of which none applies but the last."""
    conditions: list[dict[str, Any]] = [
        {"StringEquals": {"s3:ExistingObjectTag/desk": "fx"}},
        {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.168.0.0/16"]}},
        {"DateGreaterThan": {"aws:CurrentTime": "2100-01-01T00:00:00Z"}},
        {"StringLike": {"aws:UserAgent": "desk-*"}},
    ]
    others = [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": _arn(f"desk-{number}-*/ticks/*/${{aws:username}}/*"),
            "Condition": conditions[number % len(conditions)],
        }
        for number in range(STATEMENTS - 1)
    ]
    return [*others, {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": _arn("guarded/*")}]


def _arn(path: str) -> str:
    return f"arn:aws:s3:::{path}"


def _document(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _client(server: Server, service: str) -> Any:
    return boto3.session.Session().client(
        service,  # type: ignore[call-overload]
        endpoint_url=server.url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
