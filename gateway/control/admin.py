"""Administration, on the data directory's socket only: whoever may open it is the node's owner."""

import os
from typing import Annotated

import packstone_engine
from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse

from appliance.credentials import Credentials
from appliance.errors import NotServingError, OperatorError
from appliance.node import Node
from gateway.control.documents import (
    ConfigurationDocument,
    ConnectionDocument,
    CredentialsDocument,
    EngineDocument,
    ExplanationDocument,
    FaultDocument,
    KmsDocument,
    KmsKeyDocument,
    KmsRequest,
    LossesDocument,
    LostDocument,
    RestoredDocument,
    RestoreRequest,
    RetirementDocument,
    RootDocument,
    RotationRequest,
    SealDocument,
    StatusDocument,
)
from gateway.control.drives import drive_routes
from gateway.control.nfs import nfs_routes
from gateway.control.pools import pool_routes
from gateway.control.quota import quota_routes
from gateway.control.verification import Verification
from gateway.control.worm import worm_routes
from gateway.nfs.report import Watch


def admin_app(node: Node, nfs: Watch) -> FastAPI:
    """The application behind `control.sock`.

    An OperatorError is answered with 409, or 503 while the node doesn't serve, and a `FaultDocument`.
    """
    app = FastAPI(title="Packstone administration", version=packstone_engine.__version__)
    app.add_exception_handler(OperatorError, _refuse)
    app.include_router(drive_routes(node))
    app.include_router(pool_routes(node))
    app.include_router(nfs_routes(node, nfs))
    app.include_router(quota_routes(node))
    app.include_router(worm_routes(node))
    verification = Verification(node)

    @app.get("/status")
    def status() -> StatusDocument:
        engine = EngineDocument.model_validate(node.status())
        return StatusDocument(
            **engine.model_dump(),
            pid=os.getpid(),
            version=packstone_engine.__version__,
            data=str(node.configuration.data.absolute()),
            s3=node.s3_endpoint,
        )

    @app.get("/connection")
    def connection() -> ConnectionDocument:
        certificate = node.s3_certificate
        return ConnectionDocument(
            endpoint=node.s3_endpoint,
            region=node.configuration.s3.region,
            access_key=node.credentials.access_key,
            secret_key=node.credentials.secret_key,
            certificate=None if certificate is None else str(certificate),
        )

    @app.post("/seal")
    def seal() -> SealDocument:
        return SealDocument(segments=node.seal())

    @app.post("/checkpoint")
    def checkpoint() -> None:
        node.checkpoint()

    @app.post("/verify")
    async def verify(sample: Annotated[float, Query(gt=0, le=1)] = 1.0) -> StreamingResponse:
        return StreamingResponse(verification.start(sample), media_type="application/x-ndjson")

    @app.get("/lost")
    def lost() -> LossesDocument:
        return LossesDocument(objects=[LostDocument.model_validate(lost) for lost in node.lost_objects()])

    @app.get("/kms")
    def kms() -> KmsDocument:
        return KmsDocument(keys=[KmsKeyDocument(id=key, created=created) for key, created in node.kms_keys()])

    @app.post("/kms")
    def create_kms_key(request: KmsRequest) -> KmsDocument:
        node.create_kms_key(request.id)
        return kms()

    @app.get("/explain")
    def explain(user: str, action: str, resource: str) -> ExplanationDocument:
        return ExplanationDocument(decision=node.explain(user, action, resource))

    _offer_root(app, node)
    _offer_configuration(app, node)
    return app


def _offer_root(app: FastAPI, node: Node) -> None:
    """Which credentials root has, and how they change."""

    @app.post("/root/rotate")
    def rotate(request: RotationRequest) -> CredentialsDocument:
        rotated = node.rotate_root(_wanted(request), retire=request.retire, until=request.until)
        return CredentialsDocument.model_validate(rotated)

    @app.post("/root/retire")
    def retire() -> RetirementDocument:
        return RetirementDocument(access_key=node.retire_root().access_key)

    @app.get("/root")
    def root() -> RootDocument:
        previous = node.previous_credentials
        return RootDocument(
            access_key=node.credentials.access_key,
            previous=None if previous is None else previous.credentials.access_key,
            until=None if previous is None else previous.until,
        )


def _offer_configuration(app: FastAPI, node: Node) -> None:
    """Taking the node's configuration for a backup, and putting one on a node that holds nothing."""

    @app.get("/configuration")
    def configuration() -> ConfigurationDocument:
        return ConfigurationDocument.of(node.stored_configuration())

    @app.post("/configuration")
    def restore(request: RestoreRequest) -> RestoredDocument:
        buckets, identities = node.restore_configuration(request.configuration)
        return RestoredDocument(buckets=buckets, identities=identities)


async def _refuse(_request: Request, fault: Exception) -> JSONResponse:
    status = 503 if isinstance(fault, NotServingError) else 409
    return JSONResponse(FaultDocument(fault=str(fault)).model_dump(), status)


def _wanted(request: RotationRequest) -> Credentials | None:
    if request.credentials is None:
        return None
    try:
        return Credentials(request.credentials.access_key, request.credentials.secret_key)
    except ValueError as fault:
        raise OperatorError(str(fault)) from None
