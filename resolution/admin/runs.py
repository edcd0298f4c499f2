"""Runs and imports: how far they are, what they found; starting a search for duplicates."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from resolution.admin.frame import actor_of, screen, show
from resolution.jobs import start_find_duplicates
from resolution.models import ImportRun, MatchRun

SHOWN = 25


@screen("resolution.view_matchrun", "Your role does not include runs; ask an administrator for it.")
def runs(request: HttpRequest) -> HttpResponse:
    """List the newest runs and imports."""
    return show(
        request,
        "runs.html",
        title="Runs",
        runs=MatchRun.objects.order_by("-id")[:SHOWN],
        imports=ImportRun.objects.select_related("channel").order_by("-id")[:SHOWN],
    )


@require_POST
@screen("resolution.start_run", "Only leads and administrators start runs; ask one of them.")
def start_run(request: HttpRequest) -> HttpResponse:
    """Ask the worker for a search over the whole register."""
    start_find_duplicates(actor_of(request))
    messages.success(request, "The search for duplicates is on its way; this page shows how far it is.")
    return redirect("resolution:runs")
