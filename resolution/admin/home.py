"""Home: my work, how much waits and why, what ran last."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from resolution.admin.frame import show, user_of
from resolution.models import ImportRun, MatchRun
from resolution.selectors import proposals, queue

SHOWN_RUNS, SHOWN_PROPOSALS = 3, 4


def _home(request: HttpRequest) -> HttpResponse:
    """Every member of staff has a home; its parts appear by permission."""
    user = user_of(request)
    counts = queue.queue_counts()
    approves = user.has_perm("resolution.approve_merge")
    return show(
        request,
        "home.html",
        title="Home",
        work=queue.my_work(user.pk),
        counts=counts,
        approvals=proposals.inbox(user_id=user.pk, size=SHOWN_PROPOSALS).rows if approves else (),
        waiting=proposals.inbox_counts(user.pk) if approves else None,
        runs=MatchRun.objects.order_by("-id")[:SHOWN_RUNS],
        imports=ImportRun.objects.select_related("channel").order_by("-id")[:SHOWN_RUNS],
    )


home = admin.site.admin_view(_home)
