"""Drives before the node runs: the embedded default, initialisation, and what directories can't protect against."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import packstone_engine

from appliance.configuration import Configuration
from appliance.engine import engine_settings, operator_errors
from appliance.errors import OperatorError
from appliance.master_key import MasterKeyFile
from appliance.root_file import RootFile

FSTAB: Final = Path("/etc/fstab")
# Journals stand in two domains at least when one is gone.
_LEAST_DOMAINS: Final = 2


def initialise(configuration: Configuration, *, allow_no_parity: bool = False) -> str:
    """Write superblocks to the configured drives, and return the new appliance's id.

    The embedded default's directories are made; a configured drive must exist, since a missing one is most likely not
    mounted, and its mount point would take the data in its place.

    Raises OperatorError when a drive is missing, not empty, or belongs to an appliance already.
    """
    drives = [configuration.path(drive) for pool in configuration.effective_pools for drive in pool.drives]
    for drive in drives:
        if configuration.is_embedded:
            drive.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif not drive.is_dir():
            raise OperatorError(f"{drive}: there is no such directory: mount the drive there first")
    # First, so that no appliance is ever without one.
    configuration.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    MasterKeyFile(configuration.data).make()
    with operator_errors():
        return packstone_engine.initialise(engine_settings(configuration), allow_no_parity=allow_no_parity)


def replace_drive(configuration: Configuration, path: Path) -> int:
    """Give the empty drive at `path` the place of the one that is configured there and gone, and return its number.

    Raises OperatorError when no drive is configured there, it answers, isn't empty, or its file system isn't mounted.
    """
    drive = path.absolute()
    expect_mounted(drive)
    with operator_errors():
        return packstone_engine.replace_drive(engine_settings(configuration), str(drive))


def expect_mounted(drive: Path) -> None:
    """Raise OperatorError unless `drive` is a directory of a file system that is mounted."""
    if not drive.is_dir():
        raise OperatorError(f"{drive}: there is no such directory: mount the drive there first")
    missing = unmounted(drive)
    if missing is not None:
        raise OperatorError(f"{missing}: is not mounted: mount the new drive first")


def pool_of(configuration: Configuration, drive: Path) -> str:
    """The pool that `drive` is configured for. Raises OperatorError when it is for none."""
    for pool in configuration.effective_pools:
        if any(configuration.path(configured) == drive for configured in pool.drives):
            return pool.name
    raise OperatorError(
        f"{drive}: is configured for no pool: name it in the drives of one first, so that starts find it"
    )


def ensure_initialised(configuration: Configuration) -> bool:
    """Initialise the embedded default where that wasn't done yet; return whether it was done now.

    Raises OperatorError when configured drives carry no superblock, when the data directory was used with other drives
    than the embedded ones, or lies on a file system that isn't mounted: an empty store must not take the place of one
    whose configuration or disk went missing.
    """
    with operator_errors():
        if packstone_engine.is_initialised(engine_settings(configuration)):
            return False
    if not configuration.is_embedded:
        raise OperatorError(
            "no configured drive carries a superblock: see that they are mounted, "
            f"or make a new appliance with: packstone init --data {configuration.data}"
        )
    if configuration.path(configuration.index).exists():
        raise OperatorError(
            f"{configuration.data}: has an index but no drives: name its pools in packstone.toml, or restore drives/"
        )
    missing = unmounted(configuration.data)
    if missing is not None:
        raise OperatorError(f"{missing}: is not mounted: mount it, so that no empty store takes its place")
    initialise(configuration)
    return True


def ensure_master_key(configuration: Configuration) -> MasterKeyFile:
    """The master key's file, made where an appliance of the first releases has none and nothing hangs on it yet.

    A file that is missing elsewhere is told by whoever asks for the key. Raises OperatorError when it can't be made, or
    recovery must stop.
    """
    master_key = MasterKeyFile(configuration.data)
    if not master_key.file.exists() and not RootFile(configuration.data, master_key).is_sealed():
        with operator_errors():
            engine = packstone_engine.Node.open(engine_settings(configuration))
        try:
            depends = engine.has_node_documents()
        finally:
            engine.close()
        if not depends:
            master_key.make()
    return master_key


def unmounted(path: Path, table: Path = FSTAB) -> Path | None:
    """The file system of `table` that `path` would lie on and that isn't mounted; None where it may be used."""
    lines = table.read_text("utf-8", "replace").splitlines() if table.is_file() else []
    fields = [line.split() for line in lines if not line.lstrip().startswith("#")]
    # A space in a mount point is written as \040.
    listed = {Path(field[1].replace("\\040", " ")) for field in fields if len(field) > 1}
    place = path.absolute()
    return next((at for at in (place, *place.parents) if at in listed and not at.is_mount()), None)


def loss_warnings(configuration: Configuration) -> Iterator[str]:
    """One line for each disk and enclosure whose loss the appliance would not bear."""
    yield from _shared_disk_warnings(configuration)
    yield from _enclosure_warnings(configuration)


def _enclosure_warnings(configuration: Configuration) -> Iterator[str]:
    """One line for each enclosure whose loss the appliance would not bear."""
    if not configuration.enclosures:
        return
    enclosure_of = {drive: enclosure.name for enclosure in configuration.enclosures for drive in enclosure.drives}
    everywhere: Counter[str] = Counter()
    for pool in configuration.effective_pools:
        # A drive by itself stands under its path, which is no enclosure's name.
        seats = Counter(enclosure_of.get(drive, str(drive)) for drive in pool.drives)
        everywhere += seats
        for name, shards in spread(seats, sum(pool.profile)).items():
            if shards > max(pool.profile.parity, 1):
                yield (
                    f"{shards} shards of each segment of pool {pool.name} are in enclosure {name}: profile "
                    f"{pool.profile} makes up for {pool.profile.parity}. Spread its drives over more enclosures"
                )
    most = max(pool.profile.parity for pool in configuration.effective_pools)
    for enclosure in configuration.enclosures:
        rest = everywhere - Counter({enclosure.name: everywhere[enclosure.name]})
        if everywhere[enclosure.name] > most and (rest.total() <= most or len(rest) < _LEAST_DOMAINS):
            yield (
                f"a start can't do without enclosure {enclosure.name}: it has {everywhere[enclosure.name]} of the "
                f"{everywhere.total()} drives, and too few are in two others at least"
            )


def spread(seats: Counter[str], shards: int) -> Counter[str]:
    """How many of so many shards are in each place, where each has so many seats, as evenly as can be."""
    taken: Counter[str] = Counter()
    for _ in range(min(shards, seats.total())):
        free = [place for place in seats if taken[place] < seats[place]]
        taken[min(free, key=lambda place: taken[place])] += 1
    return taken


def _shared_disk_warnings(configuration: Configuration) -> Iterator[str]:
    """One line for each pool that the loss of a single disk would destroy, since its drives are directories of it."""
    for pool in configuration.effective_pools:
        drives = [configuration.path(drive) for drive in pool.drives]
        devices = Counter(drive.stat().st_dev for drive in drives if drive.is_dir())
        together = max(devices.values(), default=0)
        if together > pool.profile.parity and together > 1:
            yield (
                f"{together} of the {len(drives)} drives of pool {pool.name} are directories of one disk: profile "
                f"{pool.profile} protects them against bit rot, but NOT against the loss of that disk"
            )
