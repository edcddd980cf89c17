"""Certificates for the loopback address, so that tests reach a node by TLS."""

import subprocess
from pathlib import Path


def certify(folder: Path) -> dict[str, str]:
    """Make a certificate in `folder`, `chain.pem`; return the settings that have a node serve S3 with it."""
    chain, key = folder / "chain.pem", folder / "key.pem"
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    kind = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    subprocess.run(("openssl", "req", *kind, *names, "-keyout", key, "-out", chain), check=True, capture_output=True)
    return {"PACKSTONE_S3__TLS_CERTIFICATE": str(chain), "PACKSTONE_S3__TLS_KEY": str(key)}


def certify_by_authority(folder: Path, host: str = "127.0.0.1") -> tuple[dict[str, str], Path]:
    """As `certify`, by an authority, which the chain has too; return the settings, and the authority's certificate."""
    authority, chain, key = folder / "authority.pem", folder / "chain.pem", folder / "key.pem"
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    x509 = ("openssl", "req", "-x509", *kind, "-days", "2")
    secret = folder / "authority-key.pem"
    subprocess.run((*x509, "-subj", "/CN=tests", "-keyout", secret, "-out", authority), check=True, capture_output=True)
    names = ("-subj", "/CN=node", "-addext", f"subjectAltName=IP:{host},DNS:localhost")
    own = ("-addext", "basicConstraints=critical,CA:FALSE", "-CA", authority, "-CAkey", secret)
    subprocess.run((*x509, *names, *own, "-keyout", key, "-out", chain), check=True, capture_output=True)
    chain.write_bytes(chain.read_bytes() + authority.read_bytes())
    return {"PACKSTONE_S3__TLS_CERTIFICATE": str(chain), "PACKSTONE_S3__TLS_KEY": str(key)}, authority
