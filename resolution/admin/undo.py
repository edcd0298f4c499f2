"""Undoing a merge, or taking members out: everything that will happen, what is asked, then one button."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from customers.listing import refuse_nul
from resolution.admin.frame import actor_of, screen, show, status_of
from resolution.errors import IdentityError, InvalidInput
from resolution.selectors.history import merge_row
from resolution.services.unmerge import plan_unmerge, undo_merge

ASSIGN = "assign-"
MOST_ASKED = 1_000  # rows asked about one by one; a form has no room for many more


@screen("resolution.undo_merge", "Only leads and administrators undo merges; ask one of them.")
def undo(request: HttpRequest, merge_id: int) -> HttpResponse:
    """Preview taking a merge back, or do it; a refusal comes back with the form as it was filled in."""
    refuse_nul(request.POST)
    if request.method != "POST":
        return _preview(request, merge_id)
    try:
        undone = undo_merge(
            merge_id=merge_id,
            actor=actor_of(request),
            member_ids=_members(request),
            judge_different="judge" in request.POST,
            assign=_answers(request),
            assign_others=request.POST.get("others", ""),
            fingerprint=request.POST.get("fingerprint", ""),
        )
    except IdentityError as error:
        return _preview(request, merge_id, error)
    done = "is undone" if undone.undone_at else "goes on without those taken out"
    messages.success(request, f"Merge {merge_id} {done}. Every customer has back what was theirs.")
    return redirect("resolution:customer", undone.survivor.canonical_id)


def _preview(request: HttpRequest, merge_id: int, error: IdentityError | None = None) -> HttpResponse:
    merge = merge_row(merge_id)
    status = status_of(error) if error else 200
    if merge.undone_at:
        return show(request, "undone.html", title=f"Merge {merge_id} is undone", merge=merge, status=status)
    members, answers = _members(request), _answers(request)
    plan = plan_unmerge(merge_id, member_ids=members)
    return show(
        request,
        "undo.html",
        title=f"Take out of merge {merge_id}" if members else f"Undo merge {merge_id}",
        merge=merge,
        members=members,
        plan=plan,
        asks=[(row, answers.get(row.row_id, "")) for row in plan.asks[:MOST_ASKED]],
        more_asks=len(plan.asks[MOST_ASKED:]),
        others=request.POST.get("others", ""),
        judge=request.method != "POST" or "judge" in request.POST,
        refusal=str(error) if error else "",
        status=status,
    )


def _members(request: HttpRequest) -> list[uuid.UUID] | None:
    """Whom to take out, None for everybody. Raises InvalidInput for what is no id."""
    named = request.POST.getlist("member") or request.GET.getlist("member")
    try:
        return [uuid.UUID(key) for key in named] or None
    except ValueError as error:
        raise InvalidInput(f"“{named[0][:40]}” is no customer; follow a link “Take out…” instead.") from error


def _answers(request: HttpRequest) -> dict[str, str]:
    """Row id → customer id, for the rows nothing else tells where to go."""
    return {
        name.removeprefix(ASSIGN): str(value)
        for name, value in request.POST.items()
        if name.startswith(ASSIGN) and value
    }
