"""The process's log: events of the product and of its libraries, on standard error."""

import logging
from functools import cached_property
from typing import Literal

from appliance.configuration import LogSection


def configure_log(section: LogSection) -> None:
    """Send every event of `section.level` and above to standard error, as text or as one JSON object a line.

    A record's `extra` fields become fields of the event.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(EventFormatter(section.format))
    logging.basicConfig(handlers=[handler], level=section.level.upper(), force=True)
    # At "info" uvicorn tells what `serve` has said already, and httpx of every request.
    for chatty in ("uvicorn.error", "httpx"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))


class EventFormatter(logging.Formatter):
    """Renders records through structlog, which is imported for the first one: it would take a fifth of a start."""

    def __init__(self, form: Literal["text", "json"]) -> None:
        """A formatter for people (`text`) or for collectors (`json`)."""
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """One event, with its traceback where it has one."""
        return self._formatter.format(record)

    @cached_property
    def _formatter(self) -> logging.Formatter:
        from structlog import dev, processors, stdlib, typing

        ending: list[typing.Processor]
        if self._form == "json":
            ending = [processors.dict_tracebacks, processors.JSONRenderer()]
        else:
            ending = [dev.ConsoleRenderer(colors=False, exception_formatter=dev.plain_traceback)]
        return stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                stdlib.add_log_level,
                stdlib.add_logger_name,
                stdlib.ExtraAdder(),
                processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
