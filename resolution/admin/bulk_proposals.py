"""Likely duplicates proposed together from the queue, and the page on which a second person answers them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from customers.listing import refuse_nul
from resolution.admin.approvals import READERS_ONLY
from resolution.admin.frame import actor_of, say_refusal, screen, show, user_of
from resolution.admin.workbench import PROPOSERS_ONLY, PROPOSES
from resolution.admin.workbench_form import read_versions
from resolution.errors import IdentityError, InvalidInput
from resolution.numbers import LARGEST_ID, read_whole
from resolution.selectors.proposals import batch_card
from resolution.services import bulk_proposals
from resolution.services.bulk_proposals import BulkAnswer, BulkDraft, BulkRow, Seen

PLAN = "plan-"
APPROVE = "resolution.approve_merge"


@require_POST
@screen(PROPOSES, PROPOSERS_ONLY)
def propose_together(request: HttpRequest) -> HttpResponse:
    """Show what the ticked conflicts would be proposed as, or propose them."""
    refuse_nul(request.POST)
    ticked = _numbers(request.POST.getlist("conflict"))
    if not ticked:
        messages.info(request, "Nothing was ticked; tick the conflicts to be proposed together.")
        return redirect("resolution:queue")
    if request.POST.get("action") != "propose":
        return _preview(request, bulk_proposals.preview_in_bulk(conflict_ids=ticked, actor=actor_of(request)))
    done = bulk_proposals.propose_in_bulk(
        conflict_ids=ticked,
        comment=request.POST.get("comment", "").strip(),
        seen=_seen(request.POST),
        actor=actor_of(request),
    )
    _say_left_out(request, done.draft.left_out)
    if done.batch is None:
        messages.error(request, "Nothing was proposed; every conflict was left out.")
        return redirect("resolution:queue")
    messages.success(request, f"{len(done.proposals)} proposed together.")
    return redirect("resolution:proposal-batch", done.batch.pk)


@screen("resolution.view_mergeproposal", READERS_ONLY)
def proposal_batch(request: HttpRequest, batch_id: int) -> HttpResponse:
    """Show merges proposed together, or give the ticked ones the answer that was pressed."""
    if request.method == "POST":
        return _answer(request, batch_id)
    card = batch_card(batch_id, user_id=user_of(request).pk)
    return show(
        request,
        "proposal_batch.html",
        title=f"Batch {batch_id}",
        card=card,
        may_decide=not card.own and user_of(request).has_perm(APPROVE),
    )


@screen(APPROVE, "Only leads approve and reject merges; ask one of them.")
def _answer(request: HttpRequest, batch_id: int) -> HttpResponse:
    refuse_nul(request.POST)
    comment = request.POST.get("comment", "").strip()
    service = _service(request.POST.get("action", ""))
    ticked = _numbers(request.POST.getlist("proposal"))
    if not ticked:
        messages.info(request, "Nothing was ticked; tick the proposals to be answered.")
    elif service is bulk_proposals.reject_in_bulk and not comment:
        messages.error(request, "Say in a few words why you reject them: the steward goes on from there.")
    else:
        _carry_out(request, service, batch_id, ticked, comment)
    return redirect("resolution:proposal-batch", batch_id)


def _carry_out(
    request: HttpRequest,
    service: Callable[..., BulkAnswer],
    batch_id: int,
    ticked: list[int],
    comment: str,
) -> None:
    try:
        done = service(batch_id=batch_id, proposal_ids=ticked, comment=comment, actor=actor_of(request))
    except IdentityError as error:
        say_refusal(request, error)
        return
    for left in done.left:
        messages.warning(request, f"Left as it is, proposal {left.proposal_id}: {left.why}")
    if done.answered:
        state = done.answered[0].get_state_display().lower()
        messages.success(request, f"{len(done.answered)} {state}.")


def _service(action: str) -> Callable[..., BulkAnswer]:
    services: dict[str, Callable[..., BulkAnswer]] = {
        "approve": bulk_proposals.approve_in_bulk,
        "reject": bulk_proposals.reject_in_bulk,
    }
    if action not in services:
        raise InvalidInput("Proposals are approved or rejected; neither of these buttons was pressed.")
    return services[action]


def _preview(request: HttpRequest, draft: BulkDraft) -> HttpResponse:
    return show(
        request,
        "propose_together.html",
        title="Propose together",
        draft=draft,
        comment=request.POST.get("comment", ""),
    )


def _say_left_out(request: HttpRequest, left_out: Iterable[BulkRow]) -> None:
    for row in left_out:
        messages.warning(request, f"Left out, conflict {row.conflict.pk}: {' '.join(row.why)}")


def _seen(given: QueryDict) -> Seen:
    """What the steward saw of each plan, by conflict, and of each customer."""
    plans = {name.removeprefix(PLAN): str(given[name]) for name in given if name.startswith(PLAN)}
    return Seen(
        plans=dict(zip(_numbers(plans), plans.values(), strict=True)),
        versions=read_versions(given),
    )


def _numbers(texts: Iterable[str]) -> list[int]:
    numbers = []
    for text in texts:
        number = read_whole(text, most=LARGEST_ID)
        if number is None:
            raise InvalidInput(f"“{text[:30]}” is no number of a row; open the page again.")
        numbers.append(number)
    return numbers
