"""Drives over the data directory's socket."""

from pathlib import Path

from fastapi import APIRouter

from appliance.node import Node
from gateway.control.documents import DriveNumberDocument, DriveRemovedDocument, DriveRequest


def drive_routes(node: Node) -> APIRouter:
    """Adding, replacing, emptying and removing drives while the node runs."""
    routes = APIRouter(prefix="/drives")

    @routes.post("/add")
    def add(request: DriveRequest) -> DriveNumberDocument:
        return DriveNumberDocument(number=node.add_drive(Path(request.path), request.pool))

    @routes.post("/replace")
    def replace(request: DriveRequest) -> DriveNumberDocument:
        return DriveNumberDocument(number=node.replace_drive(Path(request.path)))

    @routes.post("/drain")
    def drain(request: DriveRequest) -> None:
        node.drain_drive(Path(request.path), leaving=request.leaving)

    @routes.post("/remove")
    def remove(request: DriveRequest) -> DriveRemovedDocument:
        return DriveRemovedDocument(cleared=node.remove_drive(Path(request.path)))

    return routes
