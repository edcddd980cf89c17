"""What is exported to whom: a bucket or a folder of one, its clients, and what they may do.

An export is a document of its bucket in the node's journal: durable when it is answered, in the backup of the
configuration, and gone with the bucket. Its number is part of every file handle that a client holds, so it stays as
long as the export does; one that is free is drawn at random, so that handles of an export that was removed lead
nowhere.
"""

import ipaddress
import re
import secrets
from collections.abc import Collection
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from appliance.errors import OperatorError

Squash = Literal["root", "all", "none"]

NOBODY: Final = 65534
_MOST: Final = 65535
_LONGEST_NAME: Final = 255
_LONGEST: Final = 1024
_UNWRITABLE: Final = re.compile(r"[\x00-\x1f\x7f\"'\\]")
"""What can't be written into Ganesha's configuration, quoted or not."""


def parse_client(text: str) -> str:
    """A host's address or a network, as Ganesha compares it. Raises ValueError on anything else."""
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

    @classmethod
    def parse(cls, text: str) -> Self:
        """A place from BUCKET or BUCKET/PREFIX.

        Raises OperatorError for what no mount shows, or Ganesha can't be told.
        """
        bucket, _, path = text.removeprefix("s3://").strip("/").partition("/")
        if not bucket:
            raise OperatorError(f"{text!r} is not BUCKET or BUCKET/PREFIX")
        for name in (bucket, *path.split("/")) if path else (bucket,):
            if name in {"", ".", ".."} or len(name.encode()) > _LONGEST_NAME:
                raise OperatorError(
                    f"{text!r}: {name!r} is no directory's name: docs/namespace.md says which there are"
                )
        if _UNWRITABLE.search(text) or len(path.encode()) >= _LONGEST:
            raise OperatorError(
                f"{text!r} can't be exported: NFS-Ganesha takes no quotes, backslashes and control characters in a "
                f"path, and no more than {_LONGEST} bytes; export a directory above it"
            )
        return cls(bucket=bucket, prefix=f"{path}/" if path else "")

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
