"""Mixed load on a node until it dies: puts of every size, overwrites, deletes, copies and multipart uploads."""

import random
import threading
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from tests.crash.ledger import ABSENT, BUCKET, Ledger, State, contents

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

KIB: Final = 1024
MIB: Final = 1024 * KIB
PART: Final = 5 * MIB
KEYS_A_THREAD: Final = 24


class Worker(threading.Thread):
    """One client with keys of its own. It ends at the first request without an answer, or when told."""

    def __init__(self, client: "S3Client", ledger: Ledger, number: int, seed: int) -> None:
        super().__init__(daemon=True)
        self._client, self._ledger = client, ledger
        self._random = random.Random(seed)
        self._number = number
        self.ended = threading.Event()
        self.refusals: list[str] = []

    def run(self) -> None:
        verbs = [self.put_small] * 12 + [self.put_middle] * 3 + [self.put_large] * 2
        verbs += [self.delete] * 4 + [self.delete_many] + [self.copy] * 2 + [self.multipart]
        while not self.ended.is_set():
            try:
                self._random.choice(verbs)()
            except ClientError as error:
                # The server answered, and the answer is no: a fault of the server, unless it is closing.
                self.refusals.append(repr(error))
                return
            except (BotoCoreError, HTTPClientError):
                return

    def key(self) -> str:
        """One of this thread's keys."""
        return f"thread {self._number}/key {self._random.randrange(KEYS_A_THREAD)}"

    def body(self, size: int) -> bytes:
        """A body that no other put has."""
        return contents(self._random.getrandbits(60), size)

    def put(self, size: int) -> None:
        key, body = self.key(), self.body(size)
        with self._ledger.change(key, State.of(body)):
            self._client.put_object(Bucket=BUCKET, Key=key, Body=body)

    def put_small(self) -> None:
        self.put(self._random.choice([0, 1, 200, 4 * KIB, 64 * KIB, self._random.randrange(64 * KIB)]))

    def put_middle(self) -> None:
        self.put(self._random.randrange(64 * KIB, MIB + 1))

    def put_large(self) -> None:
        self.put(self._random.randrange(MIB + 1, 6 * MIB))

    def delete(self) -> None:
        key = self.key()
        with self._ledger.change(key, ABSENT):
            self._client.delete_object(Bucket=BUCKET, Key=key)

    def delete_many(self) -> None:
        first, second = f"thread {self._number}/key 0", f"thread {self._number}/key 1"
        with self._ledger.change(first, ABSENT), self._ledger.change(second, ABSENT):
            answer = self._client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": first}, {"Key": second}]})
            assert not answer.get("Errors"), answer

    def copy(self) -> None:
        source, key = self.key(), self.key()
        state = self._ledger.acknowledged.get(source, ABSENT)
        if state == ABSENT or source == key:
            return
        with self._ledger.change(key, state):
            self._client.copy_object(Bucket=BUCKET, Key=key, CopySource={"Bucket": BUCKET, "Key": source})

    def multipart(self) -> None:
        key = self.key()
        pieces = [self.body(PART), self.body(self._random.randrange(1, 2 * MIB))]
        upload = self._client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
        parts: list[CompletedPartTypeDef] = []
        for number, piece in enumerate(pieces, 1):
            answer = self._client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=piece)
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        if self._random.random() < 0.2:
            self._client.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload)
            return
        with self._ledger.change(key, State.of(b"".join(pieces))):
            self._client.complete_multipart_upload(
                Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
            )
