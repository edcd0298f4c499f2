"""Logs as one line an event, with the request's id and without personal values."""

from __future__ import annotations

import re
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

PERSONAL_KEYS = frozenset(
    {
        "address", "birth_date", "body", "email", "external_id", "family_name", "full_name", "given_name",
        "handle", "identifier", "name", "normalised", "phone", "raw", "text", "user_agent", "value",
    }
)  # fmt: skip
HIDDEN = "[hidden]"
_QUERY = re.compile(r"\?\S*")
_DATABASE_DETAIL = re.compile(r"^(?:DETAIL|CONTEXT):.*$", re.MULTILINE)


def hide_personal_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide known personal fields, query strings and the rows PostgreSQL quotes in its errors."""
    for key in PERSONAL_KEYS & event.keys():
        event[key] = HIDDEN
    if isinstance(event.get("request"), str):
        event["request"] = _QUERY.sub("", event["request"])
    if isinstance(event.get("exception"), str):
        event["exception"] = _DATABASE_DETAIL.sub(HIDDEN, event["exception"])
    return event


def configuration(*, level: str, style: str) -> dict[str, Any]:
    """What `logging.config.dictConfig` wants; style is json or console."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": _formatter(style)},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"level": level},
            "django.server": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            "procrastinate": {"level": "WARNING"},
        },
    }


def configure_structlog() -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            *_shared_processors(),
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _formatter(style: str) -> dict[str, Any]:
    renderer: Processor = (
        structlog.dev.ConsoleRenderer() if style == "console" else structlog.processors.JSONRenderer()
    )
    return {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [structlog.contextvars.merge_contextvars, *_shared_processors()],
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            hide_personal_values,
            renderer,
        ],
    }


def _shared_processors() -> list[Processor]:
    return [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
