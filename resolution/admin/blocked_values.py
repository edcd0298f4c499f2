"""Blocked values: the list, how far a value reaches before it is blocked, and lifting a block."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from resolution.admin.forms import BlockForm
from resolution.admin.frame import actor_of, say_refusal, screen, show, status_of, user_of
from resolution.errors import IdentityError
from resolution.models import BlockedValue
from resolution.selectors.identifier_rules import get_blocked
from resolution.selectors.reach_card import ReachCard, reach_card
from resolution.selectors.shipped_values import shipped_values
from resolution.services import blocks

SHOWN = 200
READERS_ONLY = "Your role does not include blocked values; ask an administrator for it."
LEADS_ONLY = "Only leads and administrators block values and lift blocks; ask one of them."


@screen("resolution.view_blockedvalue", READERS_ONLY)
def blocked_values(request: HttpRequest) -> HttpResponse:
    """List what people blocked, newest first, and what was shipped."""
    return show(
        request,
        "blocked_values.html",
        title="Blocked values",
        blocked=BlockedValue.objects.order_by("state", "-pk")[:SHOWN],
        shipped=shipped_values(),
    )


@screen("resolution.view_blockedvalue", READERS_ONLY)
def block_value(request: HttpRequest) -> HttpResponse:
    """Show how far a value reaches, then block it."""
    given = request.POST if request.method == "POST" else request.GET
    form = BlockForm(given if "value" in given else None)
    if not form.is_valid():
        return _page(request, form, status=400 if form.is_bound else 200)
    if request.method == "POST" and request.POST.get("action") == "block":
        return _block(request, form)
    try:
        reach = blocks.preview_block(value=form.cleaned_data["value"], type=form.cleaned_data["type"])
    except IdentityError as error:
        form.add_error(None, str(error))
        return _page(request, form, status=status_of(error))
    return _page(request, form, card=reach_card(reach))


@screen(blocks.BLOCK, LEADS_ONLY)
def lift_block(request: HttpRequest, block_id: int) -> HttpResponse:
    """Ask whether a value shall be evidence again, then lift its block."""
    row = get_blocked(block_id)
    if request.method != "POST":
        return show(request, "lift_block.html", title=f"Lift the block of {row.value}", row=row)
    try:
        blocks.retire_block(block_id=block_id, reason=request.POST.get("reason", ""), actor=actor_of(request))
    except IdentityError as error:
        say_refusal(request, error)
    else:
        messages.success(
            request, f"{row.value} is evidence again. Links that ended come back once it is seen."
        )
    return redirect("resolution:blocked-values")


@screen(blocks.BLOCK, LEADS_ONLY)
def _block(request: HttpRequest, form: BlockForm) -> HttpResponse:
    try:
        done = blocks.block_value(**form.cleaned_data, actor=actor_of(request))
    except IdentityError as error:
        form.add_error(None, str(error))
        return _page(request, form, status=status_of(error))
    messages.success(request, _told(done))
    return redirect("resolution:blocked-values")


def _told(done: blocks.Blocking) -> str:
    numbers = done.reach.numbers()
    asked = numbers["over_merged"]
    told = f"{done.row.value} is blocked. Links ended: {numbers['links']:,}."
    return f"{told} Customers it alone held together, now in the queue: {asked:,}." if asked else told


def _page(
    request: HttpRequest, form: BlockForm, *, card: ReachCard | None = None, status: int = 200
) -> HttpResponse:
    return show(
        request,
        "block_value.html",
        title="Block a value",
        status=status,
        form=form,
        card=card,
        may_block=user_of(request).has_perm(blocks.BLOCK),
    )
