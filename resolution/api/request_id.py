"""The request's id: the caller's X-Request-ID where it is fit for the trail, else the one the log carries."""

from __future__ import annotations

import re

import structlog
from django.http import HttpRequest

HEADER = "X-Request-ID"
_FIT = re.compile(r"[A-Za-z0-9._:/+=-]{1,64}")


def request_id_of(request: HttpRequest) -> str:
    given = request.headers.get(HEADER, "")
    if _FIT.fullmatch(given):
        return given
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))[:64]
