"""What is exported to whom: a bucket or a folder of one, its clients, and what they may do.

An export is a document of its bucket in the node's journal: durable when it is answered, in the backup of the
configuration, and gone with the bucket. Its number is part of every file handle that a client holds, so it stays as
long as the export does; one that is free is drawn at random, so that handles of an export that was removed lead
nowhere.
"""

import ipaddress
import secrets
from collections.abc import Collection
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from appliance.errors import OperatorError

Squash = Literal["root", "all", "none"]

NOBODY: Final = 65534
_MOST: Final = 65535
_LONGEST_NAME: Final = 255
_LONGEST: Final = 1024
_UNWRITABLE: Final = frozenset("\"'\\")


def is_writable(text: str) -> bool:
    """Whether Ganesha's configuration can have it, quoted or not."""
    return text.isprintable() and not _UNWRITABLE & set(text)


def parse_client(text: str) -> str:
    """A host's address or a network, as Ganesha compares it. Raises ValueError on anything else."""
    if "%" in text:
        # What stands behind it in an IPv6 address is anything at all.
        raise ValueError(f"{text!r} names an interface: say the address without it")
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError:
        try:
            network = ipaddress.ip_interface(text.strip()).network
        except ValueError:
            raise ValueError(f"{text!r} is not an address or a network, such as '10.0.0.7' or '10.0.0.0/24'") from None
        raise ValueError(f"{text!r} is an address within a network: say '{network}' for the network") from None
    return str(network.network_address) if network.num_addresses == 1 else str(network)


Client = Annotated[str, AfterValidator(parse_client)]
UserId = Annotated[int, Field(ge=0, lt=2**32 - 1)]


class Terms(BaseModel):
    """Who may do what with an export: what the journal keeps of it, beside its place.

    `squash` says whose identity counts as `anonymous_uid` and `anonymous_gid`: that of clients' root, of all, or of
    none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    clients: list[Client] = Field(min_length=1, max_length=1000)
    squash: Squash = "root"
    read_only: bool = False
    anonymous_uid: UserId = NOBODY
    anonymous_gid: UserId = NOBODY


class Place(BaseModel):
    """A bucket, or a folder in it: `prefix` is empty or ends with a slash."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bucket: str
    prefix: str = ""

    @model_validator(mode="after")
    def _exportable(self) -> Self:
        """Whoever says it: a place that a mount shows, and that Ganesha can be told."""
        if self.prefix and not self.prefix.endswith("/"):
            raise ValueError(f"{self.prefix!r} is no folder: it ends without a slash")
        for name in (self.bucket, *self.prefix.split("/")[:-1]):
            if name in {"", ".", ".."} or "/" in name or len(name.encode()) > _LONGEST_NAME:
                raise ValueError(f"{name!r} is no directory's name: docs/namespace.md says which there are")
        if not is_writable(self.path) or len(self.prefix.encode()) > _LONGEST:
            raise ValueError(
                f"{str(self)!r} can't be exported: NFS-Ganesha takes no quotes, backslashes and characters that don't "
                f"print in a path, and no more than {_LONGEST} bytes; export a directory above it"
            )
        return self

    @classmethod
    def parse(cls, text: str) -> Self:
        """A place from BUCKET or BUCKET/PREFIX.

        Raises OperatorError for what no mount shows, or Ganesha can't be told.
        """
        bucket, _, path = text.removeprefix("s3://").strip("/").partition("/")
        if not bucket:
            raise OperatorError(f"{text!r} is not BUCKET or BUCKET/PREFIX")
        try:
            return cls(bucket=bucket, prefix=f"{path}/" if path else "")
        except ValidationError as fault:
            reason = fault.errors()[0]["msg"].removeprefix("Value error, ")
            raise OperatorError(f"{text!r}: {reason}") from None

    @property
    def path(self) -> str:
        """The path below the mount, and below NFS' root; it begins with a slash."""
        return f"/{self.bucket}/{self.prefix}".rstrip("/")

    def __str__(self) -> str:
        """The place as it is written."""
        return self.path.removeprefix("/")


class Export(BaseModel):
    """One export, with the number that Ganesha knows it by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    place: Place
    number: int = Field(ge=1, le=_MOST)
    terms: Terms

    @classmethod
    def kept(cls, bucket: str, prefix: str, document: bytes) -> Self:
        """An export as the journal keeps it. Raises ValueError for what no release until this one wrote."""
        kept = _Kept.model_validate_json(document)
        return cls(place=Place(bucket=bucket, prefix=prefix), number=kept.number, terms=kept.terms)

    def document(self) -> bytes:
        """What the journal keeps."""
        return _Kept(number=self.number, terms=self.terms).model_dump_json().encode()


class _Kept(BaseModel):
    """Version, number and terms of an export, as JSON; `version` rises when an older release would misread it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    number: int = Field(ge=1, le=_MOST)
    terms: Terms


class ExportRequest(BaseModel):
    """An export to be made; with `replace` in place of one that there is."""

    model_config = ConfigDict(extra="forbid")

    place: Place
    terms: Terms
    replace: bool = False


def free_number(taken: Collection[int]) -> int:
    """A number that no export has. Raises OperatorError when there are as many exports as there may be."""
    free = [number for number in range(1, _MOST + 1) if number not in taken]
    if not free:
        raise OperatorError(f"there are {_MOST} exports already: remove one first")
    return secrets.choice(free)
