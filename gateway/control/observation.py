"""Health and metrics, on TCP: what a load balancer and Prometheus ask for."""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appliance.node import Node
from gateway.control.metrics import metrics_registry
from gateway.nfs.report import Watch


def observation_app(node: Node, nfs: Watch) -> Starlette:
    """The application behind the control address; nothing in it changes anything or shows an object's name.

    Plain Starlette: a restart waits for this one, and FastAPI takes a quarter of a second to import.
    """
    registry = metrics_registry(node, nfs)

    async def live(_request: Request) -> JSONResponse:
        return JSONResponse({"live": True})

    async def ready(_request: Request) -> JSONResponse:
        readiness = node.health.readiness()
        return JSONResponse({"ready": readiness.ready, "reason": readiness.reason}, 200 if readiness.ready else 503)

    def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", metrics)],
    )
