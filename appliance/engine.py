"""Between the configuration and the native engine: settings in, the operator's errors out."""

from collections.abc import Iterator
from contextlib import contextmanager

import packstone_engine

from appliance.configuration import Configuration, PoolSection
from appliance.errors import OperatorError
from appliance.master_key import MasterKeySource
from appliance.root_credentials import RootCredentials


@contextmanager
def operator_errors() -> Iterator[None]:
    """Turn the engine's OperatorError into this layer's; every other error of the engine passes as it is."""
    try:
        yield
    except packstone_engine.OperatorError as fault:
        raise OperatorError(str(fault)) from fault


def pool_settings(configuration: Configuration, pool: PoolSection) -> packstone_engine.PoolSettings:
    """A pool as the engine takes it, with absolute paths."""
    return packstone_engine.PoolSettings(
        pool.name,
        pool.drive_class,
        pool.profile.data,
        pool.profile.parity,
        [str(configuration.path(drive)) for drive in pool.drives],
        list(pool.storage_classes),
    )


def engine_settings(
    configuration: Configuration, master_key: MasterKeySource | None = None
) -> packstone_engine.EngineSettings:
    """What the engine is opened with; every path in it is absolute. What is encrypted needs the master key."""
    pools = [pool_settings(configuration, pool) for pool in configuration.effective_pools]
    engine = configuration.engine
    return packstone_engine.EngineSettings(
        str(configuration.path(configuration.index)),
        pools,
        journal_size=engine.journal_size,
        stream_size=engine.stream_size,
        small_limit=engine.small_limit,
        cache_size=engine.cache_size,
        dead_share=engine.dead_share,
        space_reserve=engine.space_reserve,
        io_timeout=engine.io_timeout,
        abandoned_after=configuration.uploads.abandoned_after or None,
        scrub_period=engine.scrub_period or None,
        checkpoint_period=engine.checkpoint_period or None,
        retry_failed=engine.retry_failed,
        background_share=engine.background_share,
        dictionaries=engine.dictionaries,
        master_key=None if master_key is None else master_key.key(),
        enclosures=[
            (enclosure.name, [str(configuration.path(drive)) for drive in enclosure.drives])
            for enclosure in configuration.enclosures
        ],
    )


def previous_root(root: RootCredentials) -> tuple[str, str, int | None] | None:
    """The credentials that are accepted beside the current ones, as the engine takes them."""
    previous = root.previous
    if previous is None:
        return None
    return previous.credentials.access_key, previous.credentials.secret_key, previous.until


def s3_settings(
    configuration: Configuration, root: RootCredentials, master_key: MasterKeySource
) -> packstone_engine.S3Settings:
    """How the S3 front listens, with `root` as the one it knows beside the users that the engine keeps."""
    s3 = configuration.s3
    certificate, key, access_log, authorities = (
        None if path is None else str(configuration.path(path))
        for path in (s3.tls_certificate, s3.tls_key, s3.access_log, s3.issuer_authorities)
    )
    return packstone_engine.S3Settings(
        str(s3.address),
        root.current.access_key,
        root.current.secret_key,
        master_key.key(),
        previous_root=previous_root(root),
        region=s3.region,
        domains=s3.domains,
        object_ownership=s3.object_ownership,
        tls_certificate=certificate,
        tls_key=key,
        access_log=access_log,
        log_interval=s3.log_interval,
        issuer_authorities=authorities,
        header_timeout=s3.header_timeout,
        body_timeout=s3.body_timeout,
        threads=s3.threads,
    )
