"""What every screen stands in: who may open it, who acts, and how a refusal looks."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.contrib import admin, messages
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from customers.listing import refuse_nul
from resolution.errors import IdentityError, InvalidInput, NotFound, NotPermitted, TryAgain
from resolution.types import Actor

View = Callable[..., HttpResponse]

STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (InvalidInput, 400),
    (NotPermitted, 403),
    (NotFound, 404),
    (TryAgain, 503),
    (OperationalError, 503),
    (InterfaceError, 503),
)
CONFLICTING = 409
OVERTAKEN = (
    "Somebody changed this at the same moment. Nothing was done; look at it as it is now and try again."
)
BUSY = "The database was busy with a change at the same moment. Nothing was done; try again."
logger = structlog.get_logger(__name__)


def screen(permission: str, sentence: str) -> Callable[[View], View]:
    """Show a view to staff with `permission`; others read `sentence`, and a refusal becomes a page."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.has_perm(permission):
                raise PermissionDenied(sentence)
            refuse_nul(request.GET)
            try:
                return view(request, *args, **kwargs)
            except NotFound as error:
                raise Http404(str(error)) from error
            except IdentityError as error:
                return _refused(request, error, str(error))
            except IntegrityError as error:
                logger.warning("conflicting_change", exc_info=error)
                return _refused(request, error, OVERTAKEN)
            except (OperationalError, InterfaceError) as error:
                logger.warning("database_unavailable", exc_info=error)
                return _refused(request, error, BUSY)

        return admin.site.admin_view(guarded)

    return decorate


def show(
    request: HttpRequest, template: str, *, title: str, status: int = 200, **context: Any
) -> TemplateResponse:
    """Render a screen with what the admin's own pages have."""
    everything = {**admin.site.each_context(request), "title": title, **context}
    return TemplateResponse(request, f"resolution/{template}", everything, status=status)


def user_of(request: HttpRequest) -> AbstractUser:
    """The person signed in; screens are behind the admin's sign-in, so there always is one."""
    if not isinstance(request.user, AbstractUser):
        raise PermissionDenied("Sign in first.")
    return request.user


def actor_of(request: HttpRequest) -> Actor:
    """The person signed in, as services and the trail know them."""
    user = user_of(request)
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    return Actor(kind="user", name=user.get_username(), user_id=user.pk, request_id=str(request_id))


def status_of(error: Exception) -> int:
    """The HTTP status of a refusal."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), CONFLICTING)


def say_refusal(request: HttpRequest, error: IdentityError) -> None:
    """Show a refusal's sentence on the next page."""
    messages.error(request, str(error))


def _refused(request: HttpRequest, error: Exception, sentence: str) -> HttpResponse:
    return show(request, "refused.html", title="Not done", status=status_of(error), sentence=sentence)
