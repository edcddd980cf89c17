"""Signed requests that no SDK would send, and what came back, word for word."""

import hashlib
import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.served import REGION, Node

UNSIGNED: Final = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def element(self, name: str) -> str:
        """The text of the first XML element of this name, or nothing."""
        found = re.search(rf"<{name}>(.*?)</{name}>", self.body.decode(), re.DOTALL)
        return found[1] if found else ""

    @property
    def code(self) -> str:
        """The error code of the document."""
        return self.element("Code")


class _Auth(S3SigV4Auth):
    """Signs the digest that a test gives, right or wrong."""

    def payload(self, request: AWSRequest) -> str:
        return str(request.context["digest"])


class Raw:
    """Sends single requests to a node."""

    def __init__(self, node: Node, region: str = REGION) -> None:
        self._node, self._region = node, region

    def sign(
        self, method: str, target: str, headers: Mapping[str, str], digest: str, password: str | None = None
    ) -> dict[str, str]:
        """The headers with those of a signature over them; `target` is path and query as sent."""
        url = self._node.endpoint + target
        request = AWSRequest(method, url, headers=dict(headers))
        request.context["digest"] = digest
        credentials = Credentials(self._node.user, password or self._node.password)
        _Auth(credentials, "s3", self._region).add_auth(request)
        return {name: str(value) for name, value in request.headers.items()}

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        digest: str | None = None,
    ) -> Answer:
        """Sign and send a request."""
        signed = self.sign(method, target, headers or {}, digest or hashlib.sha256(body or b"").hexdigest())
        return self.plain(method, target, signed, body)

    def send_form(self, service: str, body: bytes) -> Answer:
        """Sign and send a call of a query API: `iam` or `sts`."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        request = AWSRequest("POST", self._node.endpoint + "/", headers=headers, data=body)
        SigV4Auth(Credentials(self._node.user, self._node.password), service, self._region).add_auth(request)
        return self.plain("POST", "/", {name: str(value) for name, value in request.headers.items()}, body)

    def plain(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Send a request as it is."""
        connection = http.client.HTTPConnection(*self._node.address(), timeout=30)
        try:
            connection.request(method, target, body, dict(headers or {}))
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, named, answer.read())
        finally:
            connection.close()
