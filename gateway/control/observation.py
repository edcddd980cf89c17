"""Health and metrics, on TCP: what a load balancer and Prometheus ask for."""

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from appliance.node import Node
from gateway.control.metrics import metrics_registry


def observation_app(node: Node) -> FastAPI:
    """The application behind the control address; nothing in it changes anything or shows an object's name."""
    app = FastAPI(title="Packstone health and metrics", docs_url=None, redoc_url=None, openapi_url=None)
    registry = metrics_registry(node)

    @app.get("/health/live")
    async def live() -> JSONResponse:
        return JSONResponse({"live": True})

    @app.get("/health/ready")
    async def ready() -> JSONResponse:
        readiness = node.health.readiness()
        return JSONResponse({"ready": readiness.ready, "reason": readiness.reason}, 200 if readiness.ready else 503)

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return app
