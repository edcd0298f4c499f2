"""Match models: what there is, what each weighs and would change; comparing, promoting, going back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from resolution.admin.frame import actor_of, say_refusal, screen, show, user_of
from resolution.errors import IdentityError
from resolution.jobs import start_compare_model, start_train_model
from resolution.models import MatchRun, StoredModel
from resolution.selectors.match_model import all_models, find_model, shipped_model
from resolution.selectors.model_card import model_card
from resolution.services import match_models
from resolution.services.compare_models import KIND, check_comparable
from resolution.services.train_model import DEFAULT_NAME

SHOWN = 100
READERS_ONLY = "Your role does not include match models; ask an administrator for it."
LEADS_ONLY = "Only leads promote models and roll them back; ask one of them."
MAKERS_ONLY = "Only leads and administrators discard models; ask one of them."
RUNNERS_ONLY = "Only leads and administrators compare models; ask one of them."
TRAINERS_ONLY = "Only administrators train models; ask one of them."


@dataclass(frozen=True, slots=True)
class Button:
    """What may be done with a model; `why` not, as things stand for who looks, empty when it may."""

    action: str
    label: str
    why: str = ""

    @property
    def name(self) -> str:
        """The label without the sign that more is asked."""
        return self.label.rstrip("…")


@screen("resolution.view_storedmodel", READERS_ONLY)
def models(request: HttpRequest) -> HttpResponse:
    """List the models, newest first, the shipped one last."""
    return show(
        request,
        "models.html",
        title="Models",
        models=all_models()[:SHOWN],
        shipped=shipped_model(),
        running=MatchRun.objects.filter(kind__in=[KIND, "train_model"], state=MatchRun.State.RUNNING).last(),
        default_name=DEFAULT_NAME,
    )


@screen("resolution.view_storedmodel", READERS_ONLY)
def model(request: HttpRequest, version: str) -> HttpResponse:
    """Show one model: its weights, what was measured, what it would change, and what can be done."""
    row = find_model(version)
    return show(
        request,
        "model.html",
        title=f"Model {row.version}",
        card=model_card(row),
        buttons=_buttons(row, _account(request)),
        running=MatchRun.objects.filter(
            kind=KIND, model_version=row.version, state=MatchRun.State.RUNNING
        ).last(),
    )


@require_POST
@screen("resolution.start_run", RUNNERS_ONLY)
def compare_model(request: HttpRequest, version: str) -> HttpResponse:
    """Ask the worker to compare a model in shadow."""
    try:
        start_compare_model(version, actor_of(request))
    except IdentityError as error:
        say_refusal(request, error)
    else:
        messages.success(request, "The comparison is on its way; Runs shows how far it is.")
    return redirect("resolution:model", version)


@screen("resolution.promote_model", LEADS_ONLY)
def promote_model(request: HttpRequest, version: str) -> HttpResponse:
    """Ask whether a model shall decide from now on, then let it."""
    return _confirmed(
        request,
        version,
        "promote",
        lambda: match_models.promote(version=version, actor=actor_of(request)),
        f"Model {version} is live: every decision from now on is made with it.",
    )


@screen("resolution.promote_model", LEADS_ONLY)
def roll_back_model(request: HttpRequest, version: str) -> HttpResponse:
    """Ask whether the live model shall go, then let the one before live again."""
    return _confirmed(
        request,
        version,
        "roll_back",
        lambda: match_models.roll_back(version=version, actor=actor_of(request)),
        f"Model {version} is out of force; the one it replaced is live again.",
    )


@screen("resolution.view_storedmodel", READERS_ONLY)
def discard_model(request: HttpRequest, version: str) -> HttpResponse:
    """Ask whether a model that never lived shall be put aside, then do it."""
    if not _may_discard(_account(request)):
        raise PermissionDenied(MAKERS_ONLY)
    return _confirmed(
        request,
        version,
        "discard",
        lambda: match_models.discard(version=version, actor=actor_of(request)),
        f"Model {version} is retired.",
    )


@require_POST
@screen("resolution.train_model", TRAINERS_ONLY)
def train_model(request: HttpRequest) -> HttpResponse:
    """Ask the worker to learn a model from the register."""
    name = request.POST.get("name", "").strip()[:100] or DEFAULT_NAME
    start_train_model(name, actor_of(request))
    messages.success(request, "The training is on its way; Runs shows how far it is, then its draft is here.")
    return redirect("resolution:models")


def _confirmed(
    request: HttpRequest, version: str, act: str, carry_out: Callable[[], object], done: str
) -> HttpResponse:
    row = find_model(version)
    if request.method != "POST":
        return show(request, "model_confirm.html", title=f"Model {version}", card=model_card(row), act=act)
    try:
        carry_out()
    except IdentityError as error:
        say_refusal(request, error)
    else:
        messages.success(request, done)
    return redirect("resolution:model", version)


def _buttons(row: StoredModel, user: User) -> list[Button]:
    if row.pk is None or row.state == StoredModel.State.RETIRED:
        return []
    if row.state == StoredModel.State.LIVE:
        return [
            Button("roll-back-model", "Roll back…", "" if user.has_perm(match_models.PROMOTE) else LEADS_ONLY)
        ]
    return [
        Button("promote-model", "Promote…", _why_not(lambda: match_models.check_promotable(row, user))),
        Button("compare-model", "Compare in shadow", _why_not_compare(row, user)),
        Button("discard-model", "Discard…", "" if _may_discard(user) else MAKERS_ONLY),
    ]


def _why_not_compare(row: StoredModel, user: User) -> str:
    if not user.has_perm("resolution.start_run"):
        return RUNNERS_ONLY
    return _why_not(lambda: check_comparable(row.version))


def _why_not(check: Callable[[], object]) -> str:
    try:
        check()
    except IdentityError as error:
        return str(error)
    return ""


def _may_discard(user: User) -> bool:
    return user.has_perm("resolution.train_model") or user.has_perm(match_models.PROMOTE)


def _account(request: HttpRequest) -> User:
    return User.objects.get(pk=user_of(request).pk)
