"""The clauses that the routes of this pack protect, and how a test names them.

Each test is a route by which somebody may try to end or change a locked record before its time. Its docstring says the
route in one sentence, `protects` names the clauses, and its body shows that the route is closed.
"""

from enum import Enum

import pytest


class Clause(Enum):
    """A requirement on records, in short; `docs/compliance.md` says how it is met."""

    WORM = "SEC 17a-4(f)(2)(i)(B)", "records are kept exclusively in a non-rewriteable, non-erasable format"
    VERIFY = "SEC 17a-4(f)(2)(ii)", "completeness and accuracy of storing and retaining are verified automatically"
    TIME = "SEC 17a-4(f)(2)(iii)", "units are serialised, and time-dated for the required period of retention"
    DOWNLOAD = "SEC 17a-4(f)(2)(iv)", "records can be downloaded and transferred in readable and usable formats"
    REDUNDANCY = "SEC 17a-4(f)(2)(v)", "access is ensured by a backup or other redundancy"
    PRESERVE = "FINRA 4511(a)", "books and records are made and preserved as the rules require"
    PERIOD = "FINRA 4511(b)", "records are preserved for their period, six years where none is specified"
    MEDIA = "FINRA 4511(c)", "records are preserved in a format and media that comply with SEC 17a-4"
    DURATION = "CFTC 1.31(b)", "records are kept for their full period"
    AUTHENTIC = "CFTC 1.31(c)(2)(i)", "systems maintain what is necessary to ensure the authenticity of records"
    AVAILABLE = "CFTC 1.31(c)(2)(ii)", "records can be produced in an emergency or disruption"
    INVENTORY = "CFTC 1.31(c)(2)(iii)", "an up-to-date inventory of the systems and the records in them is kept"

    @property
    def text(self) -> str:
        """Where the clause stands."""
        return self.value[0]


def protects(*clauses: Clause) -> pytest.MarkDecorator:
    """Name the clauses that a route would break if it were open."""
    return pytest.mark.protects(*clauses)
