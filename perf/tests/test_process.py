"""The kernel's figures of a process, against what Python knows of itself."""

import os
import time

from perf import process


def test_processor_time_is_this_processes() -> None:
    before = process.cpu_seconds([os.getpid()])
    own = time.process_time()
    while time.process_time() - own < 0.05:
        pass
    spent = process.cpu_seconds([os.getpid()]) - before
    assert spent >= 0.05
    assert process.cpu_seconds([]) == 0


def test_memory_is_counted_in_bytes() -> None:
    pids = [os.getpid()]
    process.reset_resident_peak(pids)
    held = os.urandom(64 << 20)
    assert process.resident(pids) > len(held)
    del held
    assert process.resident_peak(pids) > 64 << 20
