"""What `/metrics` answers is what docs/metrics.md says."""

import re
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.conftest import ServedNode

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(packstone_\w+)` \| (\w+) \| ([^|]*)\|", re.MULTILINE)


def test_the_page_names_every_metric_and_no_other(node: ServedNode, tmp_path: Path) -> None:
    source = tmp_path / "tick"
    source.write_bytes(b"tick")
    node.command("bucket", "make", "measured")
    node.command("cp", str(source), "s3://measured/tick")
    node.command("bucket", "quota", "set", "measured", "--bytes", "1 GiB", "--objects", "9")
    served = {}
    for family in text_string_to_metric_families(httpx.get(f"{node.control}/metrics").text):
        if family.name.startswith("packstone_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = {label for sample in family.samples for label in sample.labels}
            served[name] = (family.type, labels)
    documented = {
        name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in ROW.findall(PAGE.read_text("utf-8"))
    }
    assert documented == served


def test_durations_are_a_histogram(node: ServedNode) -> None:
    node.command("bucket", "make", "timed")
    families = {
        family.name: family for family in text_string_to_metric_families(httpx.get(f"{node.control}/metrics").text)
    }
    samples = families["packstone_s3_request_duration_seconds"].samples
    of_verb = [sample for sample in samples if sample.labels["verb"] == "CreateBucket"]
    counts = [sample.value for sample in of_verb if sample.name.endswith("_bucket")]
    assert counts == sorted(counts)
    (count,) = (sample.value for sample in of_verb if sample.name.endswith("_count"))
    assert counts[-1] == count >= 1
