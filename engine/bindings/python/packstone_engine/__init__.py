"""The native engine of one Packstone node; `__init__.pyi` is its contract."""

# `X as X` re-exports without `__all__`, which the stub would have to repeat.
from packstone_engine._native import Answer as Answer
from packstone_engine._native import BucketUsage as BucketUsage
from packstone_engine._native import CheckpointStatus as CheckpointStatus
from packstone_engine._native import ClockStatus as ClockStatus
from packstone_engine._native import Content as Content
from packstone_engine._native import DriveStatus as DriveStatus
from packstone_engine._native import EngineError as EngineError
from packstone_engine._native import EngineSettings as EngineSettings
from packstone_engine._native import Files as Files
from packstone_engine._native import HealingStatus as HealingStatus
from packstone_engine._native import JournalStatus as JournalStatus
from packstone_engine._native import LedgerEvent as LedgerEvent
from packstone_engine._native import LockableBucket as LockableBucket
from packstone_engine._native import LockedPage as LockedPage
from packstone_engine._native import LockedVersion as LockedVersion
from packstone_engine._native import LostObject as LostObject
from packstone_engine._native import MovingStatus as MovingStatus
from packstone_engine._native import Node as Node
from packstone_engine._native import OperatorError as OperatorError
from packstone_engine._native import PoolSettings as PoolSettings
from packstone_engine._native import PoolStatus as PoolStatus
from packstone_engine._native import PosixAttributes as PosixAttributes
from packstone_engine._native import Quota as Quota
from packstone_engine._native import RebuildReport as RebuildReport
from packstone_engine._native import S3Settings as S3Settings
from packstone_engine._native import ScrubStatus as ScrubStatus
from packstone_engine._native import Status as Status
from packstone_engine._native import VerifyReport as VerifyReport
from packstone_engine._native import Watch as Watch
from packstone_engine._native import __version__ as __version__
from packstone_engine._native import initialise as initialise
from packstone_engine._native import is_initialised as is_initialised
from packstone_engine._native import rebuild_index as rebuild_index
from packstone_engine._native import replace_drive as replace_drive
