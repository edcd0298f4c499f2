"""Every refusal as problem details (RFC 9457): one table from error class to status."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from resolution import errors
from resolution.api.request_id import request_id_of

PROBLEM_TYPE = "application/problem+json"
RETRY_SECONDS = 1
UNREADABLE = "The request is not one Identity Desk can read; go back and try again."
INTERNAL = "Identity Desk failed at this; nothing was changed. Quote the request id when you report it."
logger = logging.getLogger(__name__)

# First match wins: the special before the general.
STATUS: tuple[tuple[type[errors.IdentityError], int], ...] = (
    (errors.CustomerErased, 410),
    (errors.StaleVersion, 412),
    (errors.InvalidInput, 422),
    (errors.NotFound, 404),
    (errors.NotPermitted, 403),
    (errors.Refused, 409),
    (errors.TryAgain, 503),
    (errors.IdentityError, 409),
)


class MalformedRequest(errors.InvalidInput):
    """A request that cannot be read at all: syntax, a missing part, a wrong type."""

    code = "malformed_request"


class TooLarge(errors.InvalidInput):
    code = "request_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"A request body may hold {limit:,} bytes at most; send less at once.", limit=limit)


class VersionRequired(errors.InvalidInput):
    code = "version_required"

    def __init__(self) -> None:
        super().__init__(
            "Send If-Match with the ETag of what you change as you read it; no later change is lost then."
        )


class LengthRequired(errors.InvalidInput):
    code = "length_required"

    def __init__(self) -> None:
        super().__init__("Send Content-Length with the body; a body in chunks cannot be read.")


OWN_STATUS: tuple[tuple[type[errors.IdentityError], int], ...] = (
    (LengthRequired, 411),
    (TooLarge, 413),
    (VersionRequired, 428),
    (MalformedRequest, 400),
)

# What the framework says shorter than a caller needs it.
SENTENCES: dict[type[Exception], str] = {
    exceptions.NotAuthenticated: "Send a key as “Authorization: Bearer idk_…”, or sign in first.",
    exceptions.UnsupportedMediaType: "Send the body as application/json, and say so in Content-Type.",
    exceptions.NotAcceptable: "Only application/json can be given; ask for it in Accept, or for anything.",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is told of one refusal: `detail` is the sentence for people, `code` and `facts` for programs."""

    status: int
    code: str
    detail: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, request: HttpRequest) -> dict[str, Any]:
        return {
            "type": f"urn:identity-desk:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "facts": dict(self.facts),
            "instance": request.path,
            "request_id": request_id_of(request),
        }


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Turn a refusal into its answer; None, so that the error travels on, when it is a fault of ours."""
    problem = problem_of(error)
    if problem is None:
        return None
    set_rollback()
    return Response(
        problem.body(context["request"]),
        status=problem.status,
        headers=dict(problem.headers),
        content_type=PROBLEM_TYPE,
    )


def problem_of(error: Exception) -> Problem | None:
    match error:
        case errors.IdentityError():
            return _of_identity_error(error)
        case exceptions.ValidationError():
            return _of_validation_error(error)
        case exceptions.APIException():
            return _of_api_exception(error)
        case Http404():
            return Problem(404, "not_found", "There is nothing at this address.")
        case PermissionDenied():
            return Problem(403, "not_permitted", "You may not do this.")
        case RequestDataTooBig():
            return Problem(413, "request_too_large", "The request is too large; send less at once.")
        case OperationalError() | InterfaceError():
            return _of_database_away(error)
        case IntegrityError():
            return _of_integrity_error(error)
    return None


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a fault of ours."""
    return _answer(request, Problem(500, "internal_error", INTERNAL), "Something went wrong")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request nothing could be made of; only what we raised ourselves is quoted."""
    sentence = str(exception) if isinstance(exception, BadRequest) else UNREADABLE
    return _answer(request, Problem(400, MalformedRequest.code, sentence), "This cannot be read")


def _answer(request: HttpRequest, problem: Problem, title: str) -> HttpResponse:
    """Problem details for programs, for people a page that needs neither database nor sign-in."""
    body = problem.body(request)
    if request.path.startswith("/api/"):
        return JsonResponse(body, status=problem.status, content_type=PROBLEM_TYPE)
    return HttpResponse(render_to_string("plain.html", {**body, "title": title}), status=problem.status)


def _of_identity_error(error: errors.IdentityError) -> Problem:
    status = next(status for kind, status in (*OWN_STATUS, *STATUS) if isinstance(error, kind))
    return Problem(status, error.code, str(error), error.facts, _retry_after(status, RETRY_SECONDS))


def _of_validation_error(error: exceptions.ValidationError) -> Problem:
    fields: dict[str, list[str]] = {}
    for place, message in _messages(error.detail):
        fields.setdefault(place, []).append(message)
    sentence = " ".join(f"{place}: {' '.join(found)}" for place, found in fields.items())
    return Problem(400, MalformedRequest.code, sentence, {"fields": fields})


def _of_api_exception(error: exceptions.APIException) -> Problem:
    headers = {}
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    sentence = SENTENCES.get(type(error), str(error.detail))
    return Problem(error.status_code, error.default_code, sentence, headers=headers)


def _of_database_away(error: Exception) -> Problem:
    logger.warning("database_unavailable", exc_info=error)
    detail = "The database cannot be reached or was busy. Nothing was changed; try again."
    return Problem(503, "database_unavailable", detail, headers=_retry_after(503, RETRY_SECONDS))


def _of_integrity_error(error: IntegrityError) -> Problem:
    logger.warning("conflicting_change", exc_info=error)
    detail = (
        "Another change came first and forbids this one. Nothing was changed; read again before you retry."
    )
    return Problem(409, "conflicting_change", detail)


def _retry_after(status: int, seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds)} if status == 503 else {}


def _messages(detail: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Flatten nested messages to (place, sentence); a place reads like identifiers[0].type."""
    match detail:
        case Mapping():
            for name, inner in detail.items():
                yield from _messages(inner, _join(place, name))
        case list() | tuple() if any(isinstance(inner, (Mapping, list)) for inner in detail):
            for index, inner in enumerate(detail):
                yield from _messages(inner, f"{place}[{index}]")
        case list() | tuple():
            for inner in detail:
                yield place or "request", str(inner)
        case _:
            yield place or "request", str(detail)


def _join(place: str, name: Any) -> str:
    if name == "non_field_errors":
        return place
    if isinstance(name, int):
        return f"{place}[{name}]"
    return f"{place}.{name}" if place else str(name)
