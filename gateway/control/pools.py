"""Pools over the data directory's socket."""

from fastapi import APIRouter

from appliance.configuration import PoolSection
from appliance.node import Node
from gateway.control.documents import MoveRequest, PlacementDocument, PoolMadeDocument, RulesDocument


def pool_routes(node: Node) -> APIRouter:
    """Making pools while the node runs, and what belongs to which."""
    routes = APIRouter(prefix="/pools")

    @routes.post("/create")
    def create(pool: PoolSection) -> PoolMadeDocument:
        return PoolMadeDocument(drives=node.create_pool(pool))

    @routes.get("/rules")
    def rules(bucket: str) -> RulesDocument:
        found = [PlacementDocument(prefix=prefix, pool=pool) for prefix, pool in node.placement(bucket)]
        return RulesDocument(rules=found)

    @routes.put("/rules")
    def place(request: MoveRequest) -> RulesDocument:
        node.place(request.bucket, request.prefix, request.pool)
        return rules(request.bucket)

    return routes
