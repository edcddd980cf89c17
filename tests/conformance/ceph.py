"""Run ceph/s3-tests of a checkout against a node of its own, over TLS, and compare with what is expected of it.

`python -m tests.conformance.ceph --checkout ../s3-tests --python ../s3-tests/.venv/bin/python`. The suite stays where
it is: nothing of it is kept here but the names of its tests.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from tests.certificate import certify
from tests.conformance.outcome import Comparison, read_expectations, read_report
from tests.conformance.people import configure
from tests.served import Node, environment

EXPECTED: Final = Path(__file__).with_name("ceph_expected.toml")
MODULES: Final = ("test_s3", "test_headers")
LEFT_OUT: Final = (
    "fails_on_aws",
    "lifecycle_expiration",
    "lifecycle_transition",
    "cloud_transition",
    "cloud_restore",
)
OWNERSHIP: Final = {"PACKSTONE_S3__OBJECT_OWNERSHIP": "ObjectWriter"}
"""The suite sets ACLs on buckets that it makes without asking for ACLs to count."""
FOLDERS: Final = ("s3tests/functional", "s3tests_boto3/functional")
_SECONDS: Final = 7200


def run_suite(checkout: Path, python: Path, configuration: Path, modules: Sequence[str], only: str | None) -> str:
    """Run the selection; return what pytest printed."""
    folder = next(folder for folder in FOLDERS if (checkout / folder).is_dir())
    files = [str(Path(folder) / f"{module}.py") for module in modules]
    selection = ["-m", " and ".join(f"not {marker}" for marker in LEFT_OUT)]
    if only is not None:
        selection += ["-k", only]
    done = subprocess.run(
        [python, "-m", "pytest", "-rpfEsxX", "--tb=short", "-p", "no:cacheprovider", *selection, *files],
        cwd=checkout,
        env=environment(
            {
                "S3TEST_CONF": str(configuration),
                "SSL_CERT_FILE": str(configuration.with_name("chain.pem")),
                "REQUESTS_CA_BUNDLE": str(configuration.with_name("chain.pem")),
                "COLUMNS": "200",
            }
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    return done.stdout


def main(
    checkout: Annotated[Path, typer.Option(exists=True, file_okay=False, help="A checkout of ceph/s3-tests.")],
    python: Annotated[Path, typer.Option(help="A Python that has what the suite requires.")] = Path(sys.executable),
    module: Annotated[
        list[str], typer.Option(help="A module of the suite, instead of test_s3 and test_headers: test_iam, test_sts.")
    ] = list(MODULES),  # noqa: B006 -- it is read only
    only: Annotated[str | None, typer.Option(help="Run what this expression of `pytest -k` selects.")] = None,
    report: Annotated[Path | None, typer.Option(help="Keep what pytest printed in this file.")] = None,
) -> None:
    """Run the suite against a node of its own; exit with 1 where anything is not as expected."""
    expected = read_expectations(EXPECTED)
    with tempfile.TemporaryDirectory(prefix="conformance-") as temporary:
        folder = Path(temporary)
        node = Node(folder / "data", certify(folder) | OWNERSHIP)
        node.start()
        try:
            configure(node, folder / "s3tests.conf", by_name=not set(module) & set(MODULES))
            printed = run_suite(checkout.resolve(), python.absolute(), folder / "s3tests.conf", module, only)
        finally:
            node.close()
    if report is not None:
        report.write_text(printed, "utf-8")
    comparison = Comparison.of(*read_report(printed), expected)
    for line in comparison.lines(expected):
        typer.echo(line)
    if not comparison.is_as_expected:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
