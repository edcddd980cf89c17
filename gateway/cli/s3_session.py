"""Clients for the commands that act on objects and identities: S3 and IAM, which a node serves on one port."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError

from appliance.errors import OperatorError
from gateway.cli.control_client import ControlClient

if TYPE_CHECKING:
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_s3.client import S3Client

WIDTH: Final = 16
"""Requests under way at once."""


@contextmanager
def s3_session(data: Path | None, endpoint: str | None) -> Iterator["S3Client"]:
    """A client of the S3 server at `endpoint`, with boto3's own credentials, or else of the node on `data`, as root.

    What goes wrong between client and server while the context lasts is raised as OperatorError.
    """
    with _operator_errors():
        client: S3Client = _client("s3", data, endpoint)
        yield client


@contextmanager
def iam_session(data: Path | None, endpoint: str | None) -> Iterator["IAMClient"]:
    """A client of the IAM of the server that `s3_session` reaches; it raises the same."""
    with _operator_errors():
        client: IAMClient = _client("iam", data, endpoint)
        yield client


@contextmanager
def _operator_errors() -> Iterator[None]:
    try:
        yield
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


def _client(service: Any, data: Path | None, endpoint: str | None) -> Any:
    if endpoint is not None and data is not None:
        raise OperatorError("--data and --endpoint name two servers: give one")
    session = boto3.Session()
    if endpoint is not None:
        try:
            return session.client(
                service, endpoint_url=endpoint, region_name=session.region_name or "us-east-1", config=_config()
            )
        except ValueError as fault:
            raise OperatorError(f"--endpoint: {fault}") from None
    with ControlClient(data) as node:
        connection = node.connection()
    return session.client(
        service,
        endpoint_url=connection.endpoint,
        region_name=connection.region,
        aws_access_key_id=connection.access_key,
        aws_secret_access_key=connection.secret_key,
        verify=connection.certificate,
        config=_config(),
    )


def _config() -> Config:
    return Config(
        max_pool_connections=2 * WIDTH,
        retries={"mode": "standard", "max_attempts": 3},
        s3={"addressing_style": "path"},
        connect_timeout=5,
    )
