"""A client of the node that serves a data directory, over its local socket."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self
from urllib.parse import urlencode

import httpx

from appliance.configuration import PoolSection
from appliance.configuration_sources import load
from appliance.errors import OperatorError
from gateway.control.documents import (
    ConfigurationDocument,
    ConnectionDocument,
    CredentialsDocument,
    DriveNumberDocument,
    DriveRemovedDocument,
    DriveRequest,
    ExplanationDocument,
    KmsDocument,
    KmsKeyDocument,
    KmsRequest,
    LedgerDocument,
    LedgerEventDocument,
    LossesDocument,
    LostDocument,
    MoveRequest,
    PlacementDocument,
    PoolMadeDocument,
    QuotaDocument,
    QuotaRequest,
    RestoredDocument,
    RestoreRequest,
    RetirementDocument,
    RootDocument,
    RotationRequest,
    RulesDocument,
    SealDocument,
    StatusDocument,
    VerifyEvent,
    WormEvent,
)
from gateway.control.server import SOCKET_NAME
from gateway.nfs.export import Export, ExportRequest, Place, Terms
from gateway.nfs.report import NfsDocument, Report, Wanted

_REPORT_SECONDS: Final = 5.0


class ControlClient:
    """Asks one running node. Every method raises OperatorError when none serves the directory, or it refuses."""

    def __init__(self, data: Path | None) -> None:
        """A client of the node on `data`, or on the configured data directory."""
        self.data = data if data is not None else load().data
        transport = httpx.HTTPTransport(uds=str(self.data / SOCKET_NAME))
        # A seal or one segment of a verification may take long; whether the node lives, connecting tells.
        timeout = httpx.Timeout(None, connect=5)
        self._http = httpx.Client(transport=transport, base_url="http://packstone", timeout=timeout)

    def status(self) -> StatusDocument:
        """The node's process, drives, pools, journal and usage."""
        return StatusDocument.model_validate(self._ask("GET", "/status"))

    def lost_objects(self) -> list[LostDocument]:
        """The objects that too few shards are left of."""
        return LossesDocument.model_validate(self._ask("GET", "/lost")).objects

    def connection(self) -> ConnectionDocument:
        """How to reach S3 as root."""
        return ConnectionDocument.model_validate(self._ask("GET", "/connection"))

    def kms_keys(self) -> list[KmsKeyDocument]:
        """The keys of the KMS, by id."""
        return KmsDocument.model_validate(self._ask("GET", "/kms")).keys

    def create_kms_key(self, key_id: str) -> None:
        """Make a key of the KMS."""
        self._ask("POST", "/kms", KmsRequest(id=key_id).model_dump())

    def add_drive(self, path: Path, pool: str) -> int:
        """Take the empty drive at `path` into a pool, and return its number."""
        request = DriveRequest(path=str(path), pool=pool)
        return DriveNumberDocument.model_validate(self._ask("POST", "/drives/add", request.model_dump())).number

    def replace_drive(self, path: Path) -> int:
        """Give the empty drive at `path` the place of the one that is gone from there, and return its number."""
        request = DriveRequest(path=str(path))
        return DriveNumberDocument.model_validate(self._ask("POST", "/drives/replace", request.model_dump())).number

    def drain_drive(self, path: Path, *, leaving: bool) -> None:
        """Have a drive be emptied, or kept after all."""
        self._ask("POST", "/drives/drain", DriveRequest(path=str(path), leaving=leaving).model_dump())

    def remove_drive(self, path: Path) -> bool:
        """Have an emptied drive be none of the appliance's any more; return whether its directory is empty now."""
        request = DriveRequest(path=str(path))
        return DriveRemovedDocument.model_validate(self._ask("POST", "/drives/remove", request.model_dump())).cleared

    def create_pool(self, pool: PoolSection) -> int:
        """Make a pool of its empty drives, and return how many drives it took in."""
        request = pool.model_dump(mode="json", by_alias=True) | {"profile": str(pool.profile)}
        return PoolMadeDocument.model_validate(self._ask("POST", "/pools/create", request)).drives

    def placement(self, bucket: str) -> list[PlacementDocument]:
        """The prefixes of a bucket that belong to a pool by a rule."""
        return RulesDocument.model_validate(self._ask("GET", f"/pools/rules?{urlencode({'bucket': bucket})}")).rules

    def place(self, bucket: str, prefix: str, pool: str | None) -> None:
        """Have keys with that prefix belong to a pool; None: by their storage class."""
        self._ask("PUT", "/pools/rules", MoveRequest(bucket=bucket, prefix=prefix, pool=pool).model_dump())

    @property
    def is_served(self) -> bool:
        """Whether a node serves the directory: somebody listens on its socket."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.data / SOCKET_NAME)) == 0

    def seal(self) -> int:
        """Seal open journals and streams; return how many segments that made."""
        return SealDocument.model_validate(self._ask("POST", "/seal")).segments

    def checkpoint(self) -> None:
        """Take a checkpoint of the index."""
        self._ask("POST", "/checkpoint")

    def verify(self, sample: float) -> Iterator[VerifyEvent]:
        """Read and check the share `sample` of segments; progress, then one event with the report or a fault."""
        for line in self._lines("POST", "/verify", {"sample": sample}):
            yield VerifyEvent.model_validate_json(line)

    def locked(self) -> Iterator[WormEvent]:
        """Buckets with object lock, each followed by its locked versions; raise OperatorError unless all were told."""
        whole = False
        for line in self._lines("GET", "/worm"):
            event = WormEvent.model_validate_json(line)
            if event.fault is not None:
                raise OperatorError(event.fault)
            whole = event.whole
            yield event
        if not whole:
            raise OperatorError("the node stopped before the report was complete")

    def worm_ledger(self) -> Iterator[LedgerEventDocument]:
        """All events of the WORM ledger, oldest first."""
        after = 0
        while events := LedgerDocument.model_validate(self._ask("GET", f"/worm/ledger?after={after}")).events:
            yield from events
            after = events[-1].lsn

    def configuration(self) -> ConfigurationDocument:
        """Buckets with their configurations and all identities, secrets included."""
        return ConfigurationDocument.model_validate(self._ask("GET", "/configuration"))

    def restore_configuration(self, configuration: str) -> RestoredDocument:
        """Put such a configuration on a node that holds nothing, or end a restore of it that was cut off."""
        request = RestoreRequest(configuration=configuration)
        return RestoredDocument.model_validate(self._ask("POST", "/configuration", request.model_dump()))

    def nfs(self) -> NfsDocument:
        """What is exported by NFS, and how that goes."""
        return NfsDocument.model_validate(self._ask("GET", "/nfs"))

    def add_export(self, place: Place, terms: Terms, *, replace: bool) -> Export:
        """Export a bucket or a folder of one; with `replace`, in place of how it is exported."""
        request = ExportRequest(place=place, terms=terms, replace=replace)
        return Export.model_validate(self._ask("POST", "/nfs/exports", request.model_dump()))

    def remove_export(self, place: Place) -> None:
        """Export it no more."""
        self._ask("POST", "/nfs/exports/remove", place.model_dump())

    def report_nfs(self, report: Report) -> list[Export]:
        """Say how NFS is, and return what is to be exported; for the process that serves it, which can't wait long."""
        answer = self._ask("PUT", "/nfs/report", report.model_dump(), timeout=_REPORT_SECONDS)
        return Wanted.model_validate(answer).exports

    def explain(self, user: str, action: str, resource: str) -> ExplanationDocument:
        """Say which statement decides whether `user` may do `action` on `resource`."""
        asked = urlencode({"user": user, "action": action, "resource": resource})
        return ExplanationDocument.model_validate(self._ask("GET", f"/explain?{asked}"))

    def quota(self, whose: Literal["bucket", "user"], name: str) -> QuotaDocument:
        """How much a bucket may hold, or all buckets of a user together, and how much there is."""
        return QuotaDocument.model_validate(self._ask("GET", f"/quota/{whose}?{urlencode({'name': name})}"))

    def set_quota(self, whose: Literal["bucket", "user"], name: str, size: int | None, objects: int | None) -> None:
        """Set it; None: any number."""
        request = QuotaRequest(bytes=size, objects=objects)
        self._ask("PUT", f"/quota/{whose}?{urlencode({'name': name})}", request.model_dump())

    def rotate_root(self, request: RotationRequest) -> CredentialsDocument:
        """Replace the root credentials as the request says, and return the new ones."""
        return CredentialsDocument.model_validate(self._ask("POST", "/root/rotate", request.model_dump()))

    def retire_root(self) -> RetirementDocument:
        """Have the replaced root credentials accepted no more."""
        return RetirementDocument.model_validate(self._ask("POST", "/root/retire"))

    def root(self) -> RootDocument:
        """Which access keys of root are accepted."""
        return RootDocument.model_validate(self._ask("GET", "/root"))

    def _lines(self, method: str, path: str, parameters: dict[str, float] | None = None) -> Iterator[str]:
        with self._reached(), self._http.stream(method, path, params=parameters) as answer:
            if answer.is_error:
                answer.read()
                raise OperatorError(_fault(answer))
            yield from answer.iter_lines()

    def _ask(self, method: str, path: str, body: object = None, timeout: float | None = None) -> object:
        with self._reached():
            answer = self._http.request(method, path, json=body, timeout=timeout or self._http.timeout)
            if answer.is_error:
                raise OperatorError(_fault(answer))
            return json.loads(answer.content)

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            # Asked first, since httpx leaves its socket open when there is nothing to connect to.
            if not (self.data / SOCKET_NAME).is_socket():
                raise self._absent()
            yield
        except PermissionError:
            raise OperatorError(f"{self.data}: belongs to another user: run this as its owner") from None
        except httpx.ConnectError as fault:
            raise self._absent() from fault
        except httpx.TransportError as fault:
            raise OperatorError(f"{self.data}: the node ended the connection: {fault}") from None

    def _absent(self) -> OperatorError:
        return OperatorError(f"{self.data}: no node serves it; start one with: packstone serve --data {self.data}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()


def _fault(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["fault"])
    except (ValueError, KeyError, TypeError):
        return f"the node answered {answer.status_code}: its log says why"
