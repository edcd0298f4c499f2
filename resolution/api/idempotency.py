"""The Idempotency-Key header: `@once` on every POST."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from resolution.api.authentication import caller_of
from resolution.api.errors import MalformedRequest
from resolution.services.idempotency import Answer, answer_once

HEADER = "Idempotency-Key"
REPLAY = "Idempotent-Replay"
_KEY = re.compile(r"[!-~]{1,255}")
Handler = Callable[..., Response]


def once(handler: Handler) -> Handler:
    """Give a repeated keyed request the answer its first one got."""

    @wraps(handler)
    def answer(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER)
        if key is None:
            return handler(view, request, *args, **kwargs)
        told = answer_once(
            caller=caller_of(request),
            key=_checked(key),
            request_hash=_hash_of(request),
            act=lambda: _as_answer(handler(view, request, *args, **kwargs)),
        )
        return _as_response(told)

    return answer


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise MalformedRequest(f"{HEADER} must be 1 to 255 visible ASCII characters, such as a UUID.")
    return key


def _hash_of(request: Request) -> str:
    """The content of a request, whatever its spacing or the order of its names."""
    content = json.dumps([request.method, request.path, request.data], sort_keys=True, default=dict)
    return hashlib.sha256(content.encode()).hexdigest()


def _as_answer(response: Response) -> Answer:
    body = json.loads(JSONRenderer().render(response.data)) if response.data is not None else None
    return Answer(response.status_code, body, dict(response.headers))


def _as_response(told: Answer) -> Response:
    response = Response(told.body, status=told.status, headers=told.headers)
    if told.replayed:
        response[REPLAY] = "true"
    return response
