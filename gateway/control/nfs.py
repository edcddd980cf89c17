"""Exports over the data directory's socket, and what `packstone nfs serve` tells of itself there."""

import threading

from fastapi import APIRouter

from appliance.errors import OperatorError
from appliance.node import Node
from gateway.nfs.export import Export, ExportRequest, Place, free_number
from gateway.nfs.report import NfsDocument, Report, Wanted, Watch


def nfs_routes(node: Node, watch: Watch) -> APIRouter:
    """What is exported by NFS, and how that goes."""
    routes = APIRouter(prefix="/nfs")
    changing = threading.Lock()

    def kept() -> list[Export]:
        return [Export.kept(*told) for told in node.exports()]

    def keep(place: Place, document: bytes | None) -> None:
        node.set_export(place.bucket, place.prefix, document)

    @routes.get("")
    def nfs() -> NfsDocument:
        return NfsDocument(exports=kept(), report=watch.report())

    @routes.put("/report")
    def report(said: Report) -> Wanted:
        watch.take(said)
        return Wanted(exports=kept())

    @routes.post("/exports")
    def add(request: ExportRequest) -> Export:
        with changing:
            there = {export.place: export for export in kept()}
            held = there.get(request.place)
            if held is not None and not request.replace:
                raise OperatorError(f"{request.place} is exported already: say --replace to change for whom and how")
            number = held.number if held is not None else free_number({export.number for export in there.values()})
            export = Export(place=request.place, number=number, terms=request.terms)
            keep(export.place, export.document())
            return export

    @routes.post("/exports/remove")
    def remove(place: Place) -> None:
        with changing:
            if place not in {export.place for export in kept()}:
                raise OperatorError(f"{place} isn't exported; `packstone nfs export list` shows what is")
            keep(place, None)

    return routes
