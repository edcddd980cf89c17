"""Quotas over the data directory's socket."""

from fastapi import APIRouter

from appliance.node import Node
from gateway.control.documents import QuotaDocument, QuotaRequest


def quota_routes(node: Node) -> APIRouter:
    """What buckets may hold, and all buckets of a user together."""
    routes = APIRouter(prefix="/quota")

    @routes.get("/bucket")
    def bucket_quota(name: str) -> QuotaDocument:
        return QuotaDocument.model_validate(node.bucket_quota(name))

    @routes.put("/bucket")
    def set_bucket_quota(name: str, request: QuotaRequest) -> QuotaDocument:
        node.set_bucket_quota(name, request.bytes, request.objects)
        return bucket_quota(name)

    @routes.get("/user")
    def user_quota(name: str) -> QuotaDocument:
        return QuotaDocument.model_validate(node.user_quota(name))

    @routes.put("/user")
    def set_user_quota(name: str, request: QuotaRequest) -> QuotaDocument:
        node.set_user_quota(name, request.bytes, request.objects)
        return user_quota(name)

    return routes
