"""The engine's and the process's metrics, for Prometheus."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from appliance.node import Node


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


def metrics_registry(node: Node) -> CollectorRegistry:
    """A registry of its own, so that nothing a library registers globally is published."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(EngineCollector(node))
    return registry
