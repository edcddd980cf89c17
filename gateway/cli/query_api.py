"""Calls of what a node offers on its S3 port in the form of AWS's query APIs, and AWS doesn't have."""

import ssl
import xml.etree.ElementTree as ET
from typing import Final
from urllib.parse import urlencode

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from appliance.errors import OperatorError

Answer = dict[str, str]

SERVICE: Final = "packstone"
"""In the scope of signatures."""
_SPACE: Final = "{urn:packstone:api:1}"


def call(endpoint: str, certificate: str | None, action: str, parameters: dict[str, str]) -> Answer:
    """Call with the credentials that boto3 finds, and return the fields of the result.

    `certificate` is a file with what vouches for the server; None: the authorities that the machine trusts. Raises
    OperatorError for whatever stands against it.
    """
    try:
        session = boto3.Session()
        credentials = session.get_credentials()
    except BotoCoreError as fault:
        raise OperatorError(str(fault)) from None
    if credentials is None:
        raise OperatorError("who you are must be said: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    url = endpoint.rstrip("/") + "/"
    request = AWSRequest(
        "POST",
        url,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        data=urlencode({"Action": action, **parameters}),
    )
    SigV4Auth(credentials.get_frozen_credentials(), SERVICE, session.region_name or "us-east-1").add_auth(request)
    try:
        trust: ssl.SSLContext | bool = ssl.create_default_context(cafile=certificate) if certificate else True
        answer = httpx.post(url, content=request.data, headers=dict(request.headers.items()), verify=trust)
    except (httpx.TransportError, httpx.InvalidURL, OSError) as fault:
        raise OperatorError(f"{endpoint}: no server answers: {fault}") from None
    return _read(action, answer)


def _read(action: str, answer: httpx.Response) -> Answer:
    try:
        document = ET.fromstring(answer.content)  # noqa: S314 -- of a server that takes the caller's credentials
    except ET.ParseError:
        raise OperatorError(f"{action}: the server answered {answer.status_code} with no document") from None
    if answer.is_error:
        told = {part.tag.rpartition("}")[2]: part.text or "" for part in document.iter()}
        raise OperatorError(f"{action}: {told.get('Code', answer.status_code)}: {told.get('Message', '')}")
    result = document.find(f"{_SPACE}{action}Result")
    if result is None:
        raise OperatorError(f"{action}: the server doesn't know it")
    return {part.tag.removeprefix(_SPACE): part.text or "" for part in result}
