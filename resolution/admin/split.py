"""Splitting a customer: tick the identifiers that leave, see everything that will happen, then one button."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect

from customers.listing import refuse_nul
from customers.models import PROFILE_FIELDS
from resolution.admin.frame import actor_of, screen, show, status_of
from resolution.errors import IdentityError, InvalidInput
from resolution.services.split import preview_split, split_customer

LEAVES, TICK, NEW = "leaves", "tick", "new-"


@screen("resolution.undo_merge", "Only leads and administrators split customers; ask one of them.")
def split(request: HttpRequest, customer_id: uuid.UUID) -> HttpResponse:
    """Show what leaves with the ticked identifiers, or do it; a refusal keeps what was filled in.

    Before any are chosen, those that `tick` names are ticked.
    """
    refuse_nul(request.POST)
    if request.method != "POST":
        return _page(request, customer_id, request.GET)
    try:
        done = split_customer(
            customer_id=customer_id,
            mapping_ids=_ids(request.POST, LEAVES),
            fields=_fields(request.POST),
            reason=request.POST.get("reason", "").strip(),
            judge_different="judge" in request.POST,
            fingerprint=request.POST.get("fingerprint", ""),
            actor=actor_of(request),
        )
    except IdentityError as error:
        return _page(request, customer_id, request.POST, error)
    messages.success(request, f"Split. This is the new customer; {done.plan.name} keeps its id.")
    return redirect("resolution:customer", done.customer.pk)


def _page(
    request: HttpRequest, customer_id: uuid.UUID, given: QueryDict, error: IdentityError | None = None
) -> HttpResponse:
    ticked = _ids(given, LEAVES)
    plan = preview_split(customer_id=customer_id, mapping_ids=ticked)
    typed = _fields(given)
    return show(
        request,
        "split.html",
        title=f"Split {plan.name}",
        plan=plan,
        ticked=bool(ticked),
        suggested=_ids(given, TICK),
        blockers=plan.blockers if ticked else plan.blockers[:-1],  # that nothing is ticked yet is no news
        parts=[(part, typed.get(part.field, part.goes)) for part in plan.fields],
        reason=given.get("reason", ""),
        judge=request.method != "POST" or "judge" in given,
        refusal=str(error) if error else "",
        status=status_of(error) if error else 200,
    )


def _fields(given: QueryDict) -> dict[str, str]:
    """What was typed for the new customer."""
    return {name: given.get(f"{NEW}{name}", "").strip() for name in PROFILE_FIELDS if f"{NEW}{name}" in given}


def _ids(given: QueryDict, name: str) -> list[uuid.UUID]:
    found = []
    for text in given.getlist(name):
        try:
            found.append(uuid.UUID(text))
        except ValueError as error:
            raise InvalidInput(f"“{text[:60]}” is no identifier; open the page again.") from error
    return found
