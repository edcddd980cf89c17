"""An OpenID Connect issuer on loopback: keys, discovery, and tokens as a test wants them.

Concurrency: a thread serves; the test changes what is served between requests.
"""

import base64
import itertools
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_NUMBERS: Final = itertools.count()
CLIENT: Final = "desk-client"
SUBJECT: Final = "repo:desk/pricing:ref:refs/heads/main"


def encoded(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(number: int, size: int) -> str:
    return encoded(number.to_bytes(size, "big"))


class RsaKey:
    """A key for RS256."""

    algorithm = "RS256"

    def __init__(self, name: str, bits: int = 2048) -> None:
        self.name = name
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=bits)

    def public(self) -> dict[str, str]:
        """As a JWK."""
        numbers = self.private.public_key().public_numbers()
        size = (numbers.n.bit_length() + 7) // 8
        return {"kty": "RSA", "kid": self.name, "use": "sig", "n": _number(numbers.n, size), "e": _number(numbers.e, 3)}

    def sign(self, data: bytes) -> bytes:
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())


class EcKey:
    """A key for ES256."""

    algorithm = "ES256"

    def __init__(self, name: str) -> None:
        self.name = name
        self.private = ec.generate_private_key(ec.SECP256R1())

    def public(self) -> dict[str, str]:
        """As a JWK."""
        numbers = self.private.public_key().public_numbers()
        x, y = _number(numbers.x, 32), _number(numbers.y, 32)
        return {"kty": "EC", "crv": "P-256", "kid": self.name, "alg": "ES256", "x": x, "y": y}

    def sign(self, data: bytes) -> bytes:
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Issuer:
    """One issuer, which tests may change while it is served."""

    def __init__(self, scheme: str, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.keys: list[RsaKey | EcKey] = [RsaKey("first")]
        self.asked: list[str] = []
        self.status = 200
        self.padding = 0
        self.discovery: dict[str, Any] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                body = json.dumps(issuer.document(self.path)).encode() + b" " * issuer.padding
                self.send_response(issuer.status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        # A port may come again while a node still knows who had it.
        self.realm = f"/realms/desk-{next(_NUMBERS)}"
        self.url = f"{scheme}://{host}:{self.server.server_address[1]}{self.realm}"
        self.name = self.url.split("://")[1]

    def document(self, path: str) -> dict[str, Any]:
        if path == f"{self.realm}/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | self.discovery
        others = [{"kty": "OKP", "crv": "X25519", "kid": "other", "x": "AA"}, {"kty": "new", "kid": "newer"}]
        return {"keys": [*others, *(key.public() for key in self.keys)]}

    def token(self, header: dict[str, Any] | None = None, key: RsaKey | EcKey | None = None, **claims: Any) -> str:
        """A token that its first key, or `key`, signed; a claim or header field that is None is left out."""
        key = key or self.keys[0]
        now = int(time.time())
        told = {"iss": self.url, "sub": SUBJECT, "aud": CLIENT, "iat": now, "exp": now + 300} | claims
        top = {"alg": key.algorithm, "typ": "JWT", "kid": key.name} | (header or {})
        parts = [
            encoded(json.dumps({name: value for name, value in part.items() if value is not None}).encode())
            for part in (top, told)
        ]
        signed = ".".join(parts)
        return f"{signed}.{encoded(key.sign(signed.encode()))}"


@contextmanager
def serving(scheme: str = "http", tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Issuer]:
    """An issuer that answers."""
    issuer = Issuer(scheme, tls, host)
    thread = threading.Thread(target=issuer.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield issuer
    finally:
        issuer.server.shutdown()
        thread.join()
        issuer.server.server_close()


def certified(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """An authority in a PEM file, and a server's context with a certificate of its for localhost."""
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    now = dt.datetime.now(dt.UTC)
    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def built(subject: str, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name("authority")).public_key(public)
        made = made.serial_number(x509.random_serial_number())
        return made.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))

    root = built("authority", authority.public_key())
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    leaf = built("localhost", own.public_key())
    leaf = leaf.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    (folder / "authority.pem").write_bytes(root.sign(authority, hashes.SHA256()).public_bytes(Encoding.PEM))
    (folder / "leaf.pem").write_bytes(
        leaf.sign(authority, hashes.SHA256()).public_bytes(Encoding.PEM)
        + own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem")
    return folder / "authority.pem", context
