"""Logs: one JSON line an event on standard error, without secrets: tokens are struck out of every text."""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog

_TOKEN = re.compile(r"eyJ[\w.%+/=~-]*|(?<=token=)[^&\s\"']+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_STRUCK = "[masqué]"

MASKED_FIELDS = frozenset({"nom", "nom_usage", "nom_naissance", "prenom", "prenoms", "prenom_usuel", "pseudonyme"})
"""Members that name a natural person."""


def strike_out(text: str) -> str:
    """The text without tokens, and without characters that would make a terminal lie."""
    return _CONTROL.sub(" ", _TOKEN.sub(_STRUCK, text))


def masked(value: Any) -> Any:
    """A value as it may be logged."""
    if isinstance(value, str):
        return strike_out(value)
    if isinstance(value, dict):
        return {name: _STRUCK if name in MASKED_FIELDS else masked(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked(inner) for inner in value]
    return value


def _mask(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: _STRUCK if name in MASKED_FIELDS else masked(value) for name, value in event.items()}


class StandardError:
    """Standard error, on which nothing may depend: the disk behind it may be full."""

    def write(self, text: str) -> None:
        """Write what can be."""
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        """Flush what can be."""
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def configure(level: str, *, human: bool = False) -> None:
    """Set up structlog, and the standard library's loggers of those we stand on, for this process."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask,
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if human else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, StandardError())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(threshold, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    access = logging.getLogger("uvicorn.access")
    access.handlers, access.propagate = [], False
