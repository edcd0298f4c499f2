"""The queue: what waits, filtered; taking one or the next twenty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from resolution.admin.frame import actor_of, screen, show, user_of
from resolution.conf import policy
from resolution.errors import ClaimLost
from resolution.models import Conflict
from resolution.selectors import queue as queue_selectors
from resolution.selectors.queue import QueueFilters
from resolution.services import queue as queue_service
from resolution.types import Band

WORKERS_ONLY = "Only stewards and leads work the queue; ask an administrator for one of these roles."
SKIPPED, MOST_SKIPPED = "skipped_conflicts", 200
ASSIGNEES = (("me", "Me"), ("nobody", "Nobody"))
AGES = (
    ("overdue", "Overdue"),
    ("today", "Due within a day"),
    *((str(days), f"Asked over {days} day{'s' if days > 1 else ''} ago") for days in queue_selectors.AGES),
)


@screen("resolution.view_conflict", "Your role does not include the queue; ask an administrator for it.")
def queue(request: HttpRequest) -> HttpResponse:
    """Show one page of what waits, most urgent first."""
    filters = _filters(request.GET)
    given = asdict(filters)
    page = queue_selectors.queue_page(
        filters, user_id=user_of(request).pk, after=request.GET.get("after", "")
    )
    return show(
        request,
        "queue.html",
        title="Queue",
        page=page,
        filters=filters,
        given=given,
        narrowed=any(given.values()),
        counts=queue_selectors.queue_counts(),
        choices=_choices(user_of(request).pk),
        claim_size=policy().claim_size,
        next_page=_next_page(given, page.next_cursor),
    )


@require_POST
@screen("resolution.work_conflicts", WORKERS_ONLY)
def claim_next(request: HttpRequest) -> HttpResponse:
    """Take the next conflicts of the filtered queue and open the first."""
    taken = queue_service.claim_next(
        actor=actor_of(request), filters=_filters(request.POST), skipped=skipped_by(request)
    )
    if not taken:
        messages.info(request, "Nothing is free to take just now: what matches is held by others, or done.")
        return redirect("resolution:queue")
    return redirect("resolution:workbench", taken[0].pk)


@require_POST
@screen("resolution.work_conflicts", WORKERS_ONLY)
def claim(request: HttpRequest, conflict_id: int) -> HttpResponse:
    """Take one conflict and open it."""
    queue_service.claim(conflict_id=conflict_id, actor=actor_of(request))
    return redirect("resolution:workbench", conflict_id)


@require_POST
@screen("resolution.work_conflicts", WORKERS_ONLY)
def renew(request: HttpRequest, conflict_id: int) -> HttpResponse:
    """Prolong one's claim while one works on it; answers 204, or 409 with the sentence why not."""
    try:
        queue_service.renew(conflict_id=conflict_id, actor=actor_of(request))
    except ClaimLost as error:
        return HttpResponse(str(error), status=409, content_type="text/plain; charset=utf-8")
    return HttpResponse(status=204)


def skipped_by(request: HttpRequest) -> list[int]:
    """The conflicts this person skipped since they signed in, newest last."""
    return request.session.get(SKIPPED, [])


def note_skipped(request: HttpRequest, conflict_id: int) -> None:
    """Remember that this person put a conflict behind the others."""
    earlier = [key for key in skipped_by(request) if key != conflict_id]
    request.session[SKIPPED] = [*earlier, conflict_id][-MOST_SKIPPED:]


def _filters(given: Mapping[str, str]) -> QueueFilters:
    return QueueFilters(**{entry.name: given.get(entry.name, "") for entry in fields(QueueFilters)})


def _choices(user_id: int) -> dict[str, object]:
    held = queue_selectors.holders()
    waiting = [choice for choice in Conflict.State.choices if choice[0] != Conflict.State.DONE]
    return {
        "kind": Conflict.Kind.choices,
        "band": [band.value for band in Band],
        "state": [*waiting, (Conflict.State.DONE, Conflict.State.DONE.label)],
        "assignee": [*ASSIGNEES, *((str(key), name) for key, name in held if key != user_id)],
        "age": AGES,
    }


def _next_page(given: Mapping[str, str], cursor: str) -> str:
    if not cursor:
        return ""
    narrowing = {name: value for name, value in given.items() if value}
    return f"{reverse('resolution:queue')}?{urlencode({**narrowing, 'after': cursor})}"
