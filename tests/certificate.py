"""A certificate for the loopback address, so that tests reach a node by TLS."""

import subprocess
from pathlib import Path


def certify(folder: Path) -> dict[str, str]:
    """Make a certificate in `folder`, `chain.pem`; return the settings that have a node serve S3 with it."""
    chain, key = folder / "chain.pem", folder / "key.pem"
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    kind = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    subprocess.run(("openssl", "req", *kind, *names, "-keyout", key, "-out", chain), check=True, capture_output=True)
    return {"PACKSTONE_S3__TLS_CERTIFICATE": str(chain), "PACKSTONE_S3__TLS_KEY": str(key)}
