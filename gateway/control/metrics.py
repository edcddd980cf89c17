"""The engine's and the process's metrics, for Prometheus."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from appliance.node import Node
from gateway.nfs.report import Watch


class EngineCollector(Collector):
    """Asks the engine for its metrics whenever Prometheus does; holds none itself."""

    def __init__(self, node: Node) -> None:
        """A collector over `node`, which may still be starting."""
        self._node = node

    def collect(self) -> Iterator[Metric]:
        """One family for each of the engine's metrics, and whether the node is ready."""
        ready = self._node.health.readiness().ready
        yield GaugeMetricFamily("packstone_ready", "Whether the node serves S3 (1) or not (0).", value=float(ready))
        for name, help_text, kind, samples in self._node.metrics():
            family = Metric(name, help_text, kind)
            for suffix, labels, value in samples:
                family.add_sample(name + suffix, labels, value)
            yield family


class NfsCollector(Collector):
    """What `packstone nfs serve` told last, while it tells anything."""

    def __init__(self, watch: Watch) -> None:
        """A collector of what is told to `watch`."""
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        """Whether NFS is served, and, where it is told of, what and how well."""
        report = self._watch.report()
        up = report is not None and report.up
        yield GaugeMetricFamily("packstone_nfs_up", "Whether NFS is served (1) or not (0).", value=float(up))
        served, faulty, connections = (0, 0, 0)
        restarts = {"ganesha": 0, "mount": 0}
        if report is not None:
            served, faulty, connections = len(report.served), len(report.faults), report.connections
            restarts = {"ganesha": report.ganesha_restarts, "mount": report.mount_restarts}
        yield GaugeMetricFamily("packstone_nfs_exports", "Exports that NFS serves.", value=served)
        yield GaugeMetricFamily("packstone_nfs_faulty_exports", "Exports that NFS can't serve.", value=faulty)
        yield GaugeMetricFamily("packstone_nfs_connections", "Connections of NFS clients.", value=connections)
        counted = CounterMetricFamily(
            "packstone_nfs_restarts", "Restarts by `packstone nfs serve`.", labels=["process"]
        )
        for process, count in restarts.items():
            counted.add_metric([process], count)
        yield counted


def metrics_registry(node: Node, nfs: Watch) -> CollectorRegistry:
    """A registry of its own, so that nothing a library registers globally is published."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(EngineCollector(node))
    registry.register(NfsCollector(nfs))
    return registry
