"""One running node: the engine with its S3 front, root credentials and health.

Concurrency: `start` and `stop` belong to the thread that runs the process. Everything else may be called from any
thread while the node serves; the engine orders the calls itself, and `_rotation` keeps the credentials' file and the
running S3 front of one mind.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import packstone_engine

from appliance.configuration import Configuration, PoolSection
from appliance.credentials import Credentials, Previous
from appliance.drives import expect_mounted
from appliance.engine import engine_settings, operator_errors, pool_settings, previous_root, s3_settings
from appliance.errors import NotServingError
from appliance.health import Health
from appliance.master_key import MasterKeySource
from appliance.quantity import Address, parse_address
from appliance.root_credentials import RootCredentials

Metric = tuple[str, str, Literal["counter", "gauge", "histogram"], list[tuple[str, dict[str, str], float]]]
"""(name, help, type, [(labels, value)])"""

Progress = Callable[[int, int], None]
"""Called with how many segments are done, and of how many; what it raises ends the work and is raised to the caller."""

_log = logging.getLogger(__name__)


class Node:
    """A node over an initialised data directory whose lock the caller holds."""

    def __init__(self, configuration: Configuration, root: RootCredentials, master_key: MasterKeySource) -> None:
        """A node that is starting; nothing is opened yet."""
        self.configuration = configuration
        self.health = Health()
        self._root = root
        self._master_key = master_key
        self._engine: packstone_engine.Node | None = None
        self._s3: Address | None = None
        self._rotation = threading.Lock()

    def start(self) -> None:
        """Recover the engine, serve S3, and serve files to mounts.

        Raises OperatorError when the data is in use, recovery must stop, or an address can't be bound; a later
        `stop` is safe then.
        """
        with operator_errors():
            engine = packstone_engine.Node.open(engine_settings(self.configuration, self._master_key))
            self._engine = engine
            settings = s3_settings(self.configuration, self._root, self._master_key)
            self._s3 = parse_address(engine.serve_s3(settings))
            try:
                files = self.configuration.files
                socket = str(self.configuration.files_socket)
                engine.serve_files(socket, files.lock_after, files.remote_connections, files.merge_from)
            except packstone_engine.EngineError as fault:
                _log.warning("no mount can be served", extra={"fault": str(fault)})
        self.health.state = "serving"

    def stop(self) -> None:
        """Refuse new requests, let those under way end within `s3.drain_timeout`, and release the data. Idempotent."""
        self.health.state = "draining"
        engine, self._engine = self._engine, None
        if engine is None:
            return
        if self._s3 is not None and not engine.drain(self.configuration.s3.drain_timeout):
            _log.warning("requests were cut off", extra={"after_seconds": self.configuration.s3.drain_timeout})
        engine.close()

    @property
    def s3_endpoint(self) -> str:
        """The URL under which this machine reaches S3. Raises NotServingError."""
        if self._s3 is None:
            raise NotServingError(f"the node is {self.health.state}")
        scheme = "http" if self.configuration.s3.tls_certificate is None else "https"
        return f"{scheme}://{self._s3.reachable_host}"

    @property
    def s3_certificate(self) -> Path | None:
        """The certificate file that S3 is served with, if it is served by TLS."""
        certificate = self.configuration.s3.tls_certificate
        return None if certificate is None else self.configuration.path(certificate)

    @property
    def credentials(self) -> Credentials:
        """The root credentials in force."""
        return self._root.current

    def status(self) -> packstone_engine.Status:
        """Drives, pools, journal and usage as they are now. Raises NotServingError."""
        return self._running().status()

    def add_drive(self, path: Path, pool: str) -> int:
        """Take the empty drive at `path` into a pool, and return its number. Raises OperatorError."""
        expect_mounted(path)
        with operator_errors():
            return self._running().add_drive(str(path), pool)

    def replace_drive(self, path: Path) -> int:
        """Give the empty drive at `path` the place of the one that is gone from there, and return its number.

        Raises OperatorError when the one that is there answers, or the new one isn't empty or isn't mounted.
        """
        expect_mounted(path)
        with operator_errors():
            return self._running().replace_drive(str(path))

    def drain_drive(self, path: Path, *, leaving: bool) -> None:
        """Have a drive be emptied, or kept after all. Raises OperatorError when too few others would be left."""
        with operator_errors():
            self._running().drain_drive(str(path), leaving=leaving)

    def remove_drive(self, path: Path) -> bool:
        """Have an emptied drive be none of the appliance's any more; return whether nothing is left in its directory.

        Raises OperatorError when it isn't empty.
        """
        with operator_errors():
            return self._running().remove_drive(str(path))

    def seal(self) -> int:
        """Seal every open journal and stream; return how many segments that made. Raises NotServingError."""
        with operator_errors():
            return self._running().seal()

    def checkpoint(self) -> None:
        """Take a checkpoint of the index. Raises OperatorError when it can't be, and NotServingError."""
        with operator_errors():
            self._running().checkpoint()

    def lost_objects(self) -> list[packstone_engine.LostObject]:
        """The objects that too few shards are left of, as healing found them. Raises NotServingError."""
        return self._running().lost_objects()

    def verify(self, sample: float, progress: Progress) -> packstone_engine.VerifyReport:
        """Read and check a share of the segments, 0 < sample <= 1, with the records in them. Raises NotServingError."""
        with operator_errors():
            return self._running().verify(sample, progress)

    def create_kms_key(self, key_id: str) -> None:
        """Make a key of the KMS. Raises OperatorError where there is one of that id, and NotServingError."""
        with operator_errors():
            self._running().create_kms_key(key_id)
        _log.info("key made", extra={"key": key_id})

    def kms_keys(self) -> list[tuple[str, float]]:
        """The keys of the KMS: ids, and when each was made, in seconds since 1970. Raises NotServingError."""
        return self._running().kms_keys()

    def lockable_buckets(self) -> list[packstone_engine.LockableBucket]:
        """The buckets with object lock, in order of their names. Raises NotServingError."""
        return self._running().lockable_buckets()

    def locked(self, bucket: str) -> Iterator[packstone_engine.LockedVersion]:
        """The versions of a bucket that may not end, by key, newest first, as they are when they are reached.

        Raises NotServingError, and EngineError where the bucket is or goes missing.
        """
        place: tuple[str, str] | None = None
        while True:
            page = self._running().locked(bucket, place)
            yield from page.versions
            place = page.next
            if place is None:
                return

    def worm_ledger(self, after: int) -> list[packstone_engine.LedgerEvent]:
        """The next events of the WORM ledger behind an LSN, oldest first; raises NotServingError."""
        return self._running().worm_ledger(after)

    def create_pool(self, pool: PoolSection) -> int:
        """Make a pool of its empty drives, or take in those that it lacks, and return how many those were.

        Raises OperatorError.
        """
        for drive in pool.drives:
            expect_mounted(self.configuration.path(drive))
        with operator_errors():
            return self._running().create_pool(pool_settings(self.configuration, pool))

    def placement(self, bucket: str) -> list[tuple[str, str]]:
        """Prefixes of a bucket's keys and the pools that these belong to. Raises OperatorError and NotServingError."""
        with operator_errors():
            return self._running().placement(bucket)

    def place(self, bucket: str, prefix: str, pool: str | None) -> None:
        """Have keys with that prefix belong to a pool; None: by their storage class. Raises as `placement`."""
        with operator_errors():
            self._running().place(bucket, prefix, pool)

    def exports(self) -> list[tuple[str, str, bytes]]:
        """Bucket, prefix and terms of what other faces export, by bucket and prefix. Raises NotServingError."""
        return self._running().exports()

    def set_export(self, bucket: str, prefix: str, terms: bytes | None) -> None:
        """Keep the terms of an export; None: there is none. Raises OperatorError and NotServingError."""
        with operator_errors():
            self._running().set_export(bucket, prefix, terms)

    def bucket_quota(self, bucket: str) -> packstone_engine.Quota:
        """What a bucket may hold, and what it holds. Raises OperatorError where there is none, and NotServingError."""
        with operator_errors():
            return self._running().bucket_quota(bucket)

    def set_bucket_quota(self, bucket: str, size: int | None, objects: int | None) -> None:
        """Limit the bytes and objects that a bucket may hold. Raises as `bucket_quota`."""
        with operator_errors():
            self._running().set_bucket_quota(bucket, size, objects)

    def user_quota(self, user: str) -> packstone_engine.Quota:
        """What all buckets that a user made may hold, and what they hold. Raises as `bucket_quota`."""
        with operator_errors():
            return self._running().user_quota(user)

    def set_user_quota(self, user: str, size: int | None, objects: int | None) -> None:
        """Limit the bytes and objects that all buckets of a user may hold together. Raises as `bucket_quota`."""
        with operator_errors():
            self._running().set_user_quota(user, size, objects)

    def rotate_root(
        self, wanted: Credentials | None = None, *, retire: bool = False, until: int | None = None
    ) -> Credentials:
        """Replace the root credentials, on disk and in force, by `wanted` or by new random ones, and return them.

        Requests signed with the old ones are accepted as `RootCredentials.rotate` says. Raises what it raises, and
        NotServingError.
        """
        with self._rotation:
            engine = self._running()
            credentials = self._root.rotate(wanted, retire=retire, until=until)
            engine.set_root(credentials.access_key, credentials.secret_key, previous_root(self._root))
        _log.info("root credentials rotated", extra={"access_key": credentials.access_key})
        return credentials

    def retire_root(self) -> Credentials:
        """Refuse the root credentials that a rotation replaced, from here on, and return them.

        Raises OperatorError where none are accepted, and NotServingError.
        """
        with self._rotation:
            engine = self._running()
            retired = self._root.retire()
            engine.set_root(self._root.current.access_key, self._root.current.secret_key)
        _log.info("root credentials retired", extra={"access_key": retired.access_key})
        return retired

    @property
    def previous_credentials(self) -> Previous | None:
        """The root credentials that are accepted beside those in force, if there are any."""
        return self._root.previous

    def explain(self, user: str, action: str, resource: str) -> str:
        """Say in one line which statement decides whether `user` may do `action` on `resource`.

        Raises OperatorError for a user or an action that there is not, and NotServingError.
        """
        with operator_errors():
            return self._running().explain(user, action, resource)

    def stored_configuration(self) -> str:
        """Buckets with their configurations and all identities, secrets in the clear. Raises NotServingError."""
        with operator_errors():
            return self._running().configuration()

    def restore_configuration(self, configuration: str) -> tuple[int, int]:
        """Put such a configuration on this node, which must have neither buckets nor identities.

        Returns how many of each stand. Raises OperatorError when the node isn't empty or the text can't be read, and
        NotServingError.
        """
        with operator_errors():
            restored = self._running().restore_configuration(configuration)
        _log.info("configuration restored", extra={"buckets": restored[0], "identities": restored[1]})
        return restored

    def reload_tls(self) -> None:
        """Read the S3 certificate and key again; where that fails, log it and keep the old ones."""
        if self.configuration.s3.tls_certificate is None:
            return
        try:
            self._running().reload_tls()
        except packstone_engine.EngineError as fault:
            _log.error("the old certificate stays in force", extra={"reason": str(fault)})
        else:
            _log.info("certificate reloaded")

    def metrics(self) -> list[Metric]:
        """The engine's metrics; none while the node doesn't serve."""
        engine = self._engine
        return [] if engine is None else engine.metrics()

    def _running(self) -> packstone_engine.Node:
        engine = self._engine
        if engine is None or self.health.state != "serving":
            raise NotServingError(f"the node is {self.health.state}")
        return engine
