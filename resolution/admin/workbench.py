"""The workbench: customers side by side, a pick a field, one button a judgement."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.listing import refuse_nul
from resolution.admin.frame import actor_of, screen, show, status_of, user_of
from resolution.admin.queue import WORKERS_ONLY, note_skipped
from resolution.admin.split import TICK
from resolution.admin.workbench_form import WorkbenchForm
from resolution.errors import IdentityError, InvalidInput
from resolution.models import Conflict, Judgement, MergeProposal
from resolution.selectors.queue import QueueRow, my_work
from resolution.selectors.workbench import Workbench, side_by_side
from resolution.services import approve, decide, judge, reevaluate
from resolution.services import queue as queue_service
from resolution.types import Actor

PARK_DAYS = 7
JUDGES = "resolution.work_conflicts"
PROPOSES = "resolution.propose_merge"
PROPOSERS_ONLY = "Only stewards and leads propose merges; ask one of them."
SAID = {
    "different": "Recorded as not the same",
    "related": "Recorded as related, not the same",
    "unsure": "Recorded as unsure",
    "accept": "Recorded as right as it is",
    "keep_owner": "The identifier stays with its owner",
    "move_identifier": "The identifier moved to the claimant",
}


@screen("resolution.view_conflict", "Your role does not include the workbench; ask an administrator for it.")
def workbench(request: HttpRequest, conflict_id: int) -> HttpResponse:
    """Show a conflict side by side, or act on the button that was pressed."""
    form = _read(request.POST)
    if request.method != "POST" or form.action == "preview":
        return _page(request, conflict_id, form)
    return _act(request, conflict_id, form)


@screen("customers.view_customer", "Your role does not include customers; ask an administrator for it.")
def compare(request: HttpRequest) -> HttpResponse:
    """Show any customers side by side, without a conflict; only what is posted acts.

    "propose" sends the merge to a second person; of two, a word may be said as well.
    """
    if request.method != "POST":
        return _comparison(request, _read(request.GET))
    form = _read(request.POST)
    if form.action in Judgement.Verdict.values:
        return _say(request, form)
    if form.action == "propose":
        return _propose_chosen(request, form)
    return _comparison(request, form)


@screen(PROPOSES, PROPOSERS_ONLY)
def _propose_chosen(request: HttpRequest, form: WorkbenchForm) -> HttpResponse:
    """Propose the merge of the customers that were compared, and show the proposal."""
    try:
        proposal = approve.propose_merge(
            member_ids=form.members, survivor_id=form.survivor, picks=form.picks, comment=form.reason,
            seen_versions=form.versions, actor=actor_of(request),
        )  # fmt: skip
    except IdentityError as error:
        return _comparison(request, form, error)
    messages.success(request, _proposed(proposal))
    return redirect("resolution:proposal", proposal.pk)


@screen(JUDGES, WORKERS_ONLY)
def _say(request: HttpRequest, form: WorkbenchForm) -> HttpResponse:
    """Write down what is said of two customers, and show them again with it."""
    try:
        if len(form.members) != 2:
            raise InvalidInput(f"{len(form.members)} customers were given; a word is said of two.")
        judgement = judge.judge_pair(
            left_id=form.members[0], right_id=form.members[1], verdict=form.action, reason=form.reason,
            relation=form.relation if form.action == Judgement.Verdict.RELATED else "",
            seen_versions=form.versions, actor=actor_of(request),
        )  # fmt: skip
    except IdentityError as error:
        return _comparison(request, form, error)
    messages.success(request, f"Recorded as “{judgement.get_verdict_display().lower()}”.")
    members = urlencode([("member", key) for key in form.members])
    return redirect(f"{reverse('resolution:compare')}?{members}")


def _read(given: QueryDict) -> WorkbenchForm:
    form = WorkbenchForm.read(given)
    refuse_nul(given)
    return form


def _comparison(
    request: HttpRequest, form: WorkbenchForm, error: IdentityError | None = None
) -> HttpResponse:
    bench = side_by_side(
        member_ids=form.members, survivor_id=form.survivor, picks=form.picks, user_id=user_of(request).pk
    )
    return _show(request, bench, form, error)


def _page(
    request: HttpRequest, conflict_id: int, form: WorkbenchForm, error: IdentityError | None = None
) -> HttpResponse:
    bench = side_by_side(
        conflict_id=conflict_id, member_ids=form.members, survivor_id=form.survivor, picks=form.picks,
        user_id=user_of(request).pk,
    )  # fmt: skip
    return _show(request, bench, form, error)


def _show(
    request: HttpRequest, bench: Workbench, form: WorkbenchForm, error: IdentityError | None
) -> HttpResponse:
    conflict = bench.conflict
    held = _may_decide(request, bench)
    return show(
        request,
        "workbench.html",
        title=" · ".join(column.name for column in bench.columns),
        status=status_of(error) if error else 200,
        workbench=bench,
        form=form,
        refusal=str(error) if error else "",
        split_ticks=_split_ticks(conflict),
        held=held,
        may_judge=conflict is None and len(bench.columns) == 2 and user_of(request).has_perm(JUDGES),
        relations=Judgement.Relation.choices,
        editable=held or (error is not None and _may_be_taken(conflict)),
        park_until=form.until or (timezone.now() + timedelta(days=PARK_DAYS)).date().isoformat(),
    )


def _split_ticks(conflict: QueueRow | None) -> str:
    """What the address of the split screen takes so that the part a question suggests is ticked."""
    if conflict is None or conflict.kind != Conflict.Kind.OVER_MERGE:
        return ""
    ticks = urlencode([(TICK, key) for key in reevaluate.smallest_part(conflict.id)])
    return f"?{ticks}" if ticks else ""


def _may_be_taken(conflict: QueueRow | None) -> bool:
    return conflict is not None and conflict.claimable


def _may_decide(request: HttpRequest, bench: Workbench) -> bool:
    user = user_of(request)
    if bench.conflict is None:
        return user.has_perm(PROPOSES)
    held = bench.conflict.mine and bench.conflict.state == "claimed"
    return held and user.has_perm(JUDGES)


@screen(JUDGES, WORKERS_ONLY)
def _act(request: HttpRequest, conflict_id: int, form: WorkbenchForm) -> HttpResponse:
    """Do what the button says and open the next conflict.

    A refusal, and a lapsed claim taken up again, keep the form as it was filled in.
    """
    do = ACTIONS.get(form.action, _decide)
    if do is _propose and not user_of(request).has_perm(PROPOSES):
        raise PermissionDenied(PROPOSERS_ONLY)
    try:
        if form.action == "claim":
            queue_service.claim(conflict_id=conflict_id, actor=actor_of(request))
            return _page(request, conflict_id, form)
        sentence = do(conflict_id, form, actor_of(request))
    except IdentityError as error:
        return _page(request, conflict_id, form, error)
    if form.action == "release":
        note_skipped(request, conflict_id)
    messages.success(request, sentence)
    return _next(request)


def _next(request: HttpRequest) -> HttpResponse:
    claimed = my_work(user_of(request).pk).claimed
    if claimed:
        return redirect("resolution:workbench", claimed[0].id)
    messages.info(request, "That was the last one you had claimed.")
    return redirect("admin:index")


def _decide(conflict_id: int, form: WorkbenchForm, actor: Actor) -> SafeString:
    conflict = decide.decide_conflict(
        conflict_id=conflict_id, decision=form.action, version=form.version, reason=form.reason, actor=actor,
        relation=form.relation if form.action == Judgement.Verdict.RELATED else "",
    )  # fmt: skip
    told = conflict.comment.removesuffix(form.reason).strip()
    return _with_link(
        f"{SAID[form.action]}. {told}".strip(),
        reverse("resolution:workbench", args=[conflict_id]),
        "See it again",
    )


def _propose(conflict_id: int, form: WorkbenchForm, actor: Actor) -> SafeString:
    conflict = decide.decide_conflict(
        conflict_id=conflict_id, decision="same", version=form.version, reason=form.reason, actor=actor,
        member_ids=form.members, survivor_id=form.survivor, picks=form.picks, seen_versions=form.versions,
    )  # fmt: skip
    return _proposed(conflict.proposals.latest("pk"))


def _park(conflict_id: int, form: WorkbenchForm, actor: Actor) -> SafeString:
    queue_service.park(conflict_id=conflict_id, until=form.moment(), comment=form.reason, actor=actor)
    return format_html("Parked until {}.", form.until)


def _release(conflict_id: int, form: WorkbenchForm, actor: Actor) -> SafeString:
    queue_service.release(conflict_id=conflict_id, actor=actor)
    return SafeString("Skipped: given back to the queue, behind the others for you.")


def _proposed(proposal: MergeProposal) -> SafeString:
    url = reverse("resolution:proposal", args=[proposal.pk])
    if proposal.merge_id is not None:
        return _with_link("Merged at once; no rule wants a second person.", url, "See it, or undo it")
    return _with_link("Proposed; a second person decides.", url, "See or withdraw the proposal")


def _with_link(sentence: str, url: str, label: str) -> SafeString:
    return format_html('{} <a href="{}">{}</a>', sentence, url, label)


ACTIONS: dict[str, Callable[[int, WorkbenchForm, Actor], SafeString]] = {
    "same": _propose,
    "park": _park,
    "release": _release,
}
