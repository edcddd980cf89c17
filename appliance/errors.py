"""What an operator can mend, told in one line."""

from typing import ClassVar


class OperatorError(Exception):
    """A mistake or a circumstance that the operator can mend; the message says what is wrong and what to do.

    The command line prints it without a traceback and ends with `exit_code`.
    """

    exit_code: ClassVar[int] = 1


class ConfigurationError(OperatorError):
    """An unknown key or a bad value: the message names where it was set, the key, and what it takes."""

    exit_code: ClassVar[int] = 2


class NotServingError(OperatorError):
    """The node isn't up yet, or is draining; asking again later may help."""
