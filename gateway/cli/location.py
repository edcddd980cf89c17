"""Where an object or a folder of objects stands: s3://BUCKET/KEY."""

from typing import Final, NamedTuple, Self

from appliance.errors import OperatorError

SCHEME: Final = "s3://"


class Location(NamedTuple):
    """A bucket and a key; the empty key stands for the whole bucket."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """A location from s3://BUCKET or s3://BUCKET/KEY. Raises OperatorError on anything else."""
        bucket, _, key = text.removeprefix(SCHEME).partition("/")
        if not text.startswith(SCHEME) or not bucket:
            raise OperatorError(f"{text}: is not s3://BUCKET or s3://BUCKET/KEY")
        return cls(bucket, key)

    @property
    def folder(self) -> str:
        """The prefix of the keys below this location; `logs` holds `logs/a`, and not `logs2/a`."""
        return self.key if not self.key or self.key.endswith("/") else self.key + "/"

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    def __str__(self) -> str:
        """The location as it is written."""
        return f"{SCHEME}{self.bucket}/{self.key}"
