"""An S3 client for the commands that move, list and remove objects."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError

from appliance.errors import OperatorError
from gateway.cli.control_client import ControlClient

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

WIDTH: Final = 16
"""Requests under way at once."""


@contextmanager
def s3_session(data: Path | None, endpoint: str | None) -> Iterator["S3Client"]:
    """A client of the S3 server at `endpoint`, with boto3's own credentials, or else of the node on `data`, as root.

    What goes wrong between client and server while the context lasts is raised as OperatorError.
    """
    if endpoint is not None and data is not None:
        raise OperatorError("--data and --endpoint name two servers: give one")
    try:
        client = _node_client(data) if endpoint is None else _chain_client(endpoint)
        yield client
    except EndpointConnectionError as fault:
        raise OperatorError(f"no S3 server answers: {fault}") from None
    except NoCredentialsError:
        raise OperatorError(
            "--endpoint takes AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ) from None
    except ClientError as fault:
        error = fault.response.get("Error", {})
        told = f"{error.get('Code', 'unknown error')}: {error.get('Message', '')}".removesuffix(": ")
        raise OperatorError(f"{fault.operation_name}: {told}") from None
    except (BotoCoreError, Boto3Error) as fault:
        raise OperatorError(str(fault)) from None


def _node_client(data: Path | None) -> "S3Client":
    with ControlClient(data) as node:
        connection = node.connection()
    return boto3.client(
        "s3",
        endpoint_url=connection.endpoint,
        region_name=connection.region,
        aws_access_key_id=connection.access_key,
        aws_secret_access_key=connection.secret_key,
        verify=connection.certificate,
        config=_config(),
    )


def _chain_client(endpoint: str) -> "S3Client":
    session = boto3.Session()
    try:
        return session.client(
            "s3", endpoint_url=endpoint, region_name=session.region_name or "us-east-1", config=_config()
        )
    except ValueError as fault:
        raise OperatorError(f"--endpoint: {fault}") from None


def _config() -> Config:
    return Config(
        max_pool_connections=2 * WIDTH,
        retries={"mode": "standard", "max_attempts": 3},
        s3={"addressing_style": "path"},
        connect_timeout=5,
    )
