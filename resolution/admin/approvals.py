"""Approvals: what waits for a second person, and the page on which they answer."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html

from customers.listing import refuse_nul
from resolution.admin.frame import actor_of, say_refusal, screen, show, user_of
from resolution.errors import IdentityError, InvalidInput
from resolution.models import MergeProposal
from resolution.selectors import proposals
from resolution.services import approve
from resolution.types import Actor

READERS_ONLY = "Your role does not include approvals; ask an administrator for it."


@screen("resolution.view_mergeproposal", READERS_ONLY)
def approvals(request: HttpRequest) -> HttpResponse:
    """List the proposals of one state."""
    state = request.GET.get("state", MergeProposal.State.PENDING)
    if state not in MergeProposal.State.values:
        known = ", ".join(MergeProposal.State.values)
        raise InvalidInput(f"There is no state “{state[:30]}” of proposals; there are {known}.")
    page = proposals.inbox(user_id=user_of(request).pk, state=state, after=request.GET.get("after", ""))
    return show(
        request,
        "approvals.html",
        title="Approvals",
        page=page,
        next_page=f"?{urlencode({'state': state, 'after': page.next_cursor})}" if page.next_cursor else "",
        state=state,
        states=MergeProposal.State.choices,
        may_approve=user_of(request).has_perm("resolution.approve_merge"),
    )


@screen("resolution.view_mergeproposal", READERS_ONLY)
def proposal(request: HttpRequest, proposal_id: int) -> HttpResponse:
    """Show one proposal with before, after and reach, or carry out the answer that was pressed."""
    if request.method == "POST":
        return _answer(request, proposal_id)
    card = proposals.proposal_card(proposal_id, user_id=user_of(request).pk)
    return show(
        request,
        "proposal.html",
        title=f"Proposal {proposal_id}",
        card=card,
        workbench=card.workbench,
        may_decide=card.may_decide
        and not card.stale
        and user_of(request).has_perm("resolution.approve_merge"),
    )


def _answer(request: HttpRequest, proposal_id: int) -> HttpResponse:
    answers: dict[str, Callable[..., HttpResponse]] = {
        "approve": _approve,
        "reject": _reject,
        "withdraw": _withdraw,
    }
    refuse_nul(request.POST)
    answer = answers.get(request.POST.get("action", ""))
    if answer is None:
        raise InvalidInput(
            "A proposal is approved, rejected or withdrawn; none of these buttons was pressed."
        )
    return answer(request, proposal_id)


@screen("resolution.approve_merge", "Only leads approve merges; you may withdraw your own proposals.")
def _approve(request: HttpRequest, proposal_id: int) -> HttpResponse:
    return _carry_out(request, proposal_id, approve.approve_proposal)


@screen("resolution.approve_merge", "Only leads reject merges; you may withdraw your own proposals.")
def _reject(request: HttpRequest, proposal_id: int) -> HttpResponse:
    if not request.POST.get("comment", "").strip():
        messages.error(
            request, "Say in a few words why you reject it: the steward reads them and goes on from there."
        )
        return redirect("resolution:proposal", proposal_id)
    return _carry_out(request, proposal_id, approve.reject_proposal)


@screen("resolution.propose_merge", "Only who may propose merges can withdraw them.")
def _withdraw(request: HttpRequest, proposal_id: int) -> HttpResponse:
    return _carry_out(request, proposal_id, approve.withdraw_proposal)


def _carry_out(request: HttpRequest, proposal_id: int, service: Callable[..., MergeProposal]) -> HttpResponse:
    actor: Actor = actor_of(request)
    try:
        answered = service(
            proposal_id=proposal_id, comment=request.POST.get("comment", "").strip(), actor=actor
        )
    except IdentityError as error:
        say_refusal(request, error)
        return redirect("resolution:proposal", proposal_id)
    _say_answer(request, answered)
    return redirect("resolution:approvals")


def _say_answer(request: HttpRequest, answered: MergeProposal) -> None:
    if answered.merge_id is None:
        messages.success(request, f"Proposal {answered.pk} is {answered.get_state_display().lower()}.")
        return
    customer = reverse("resolution:customer", args=[answered.survivor_id])
    undo = reverse("resolution:undo", args=[answered.merge_id])
    messages.success(
        request,
        format_html(
            'Merged. <a href="{}">See the customer</a> or <a href="{}">undo this merge</a>.', customer, undo
        ),
    )
