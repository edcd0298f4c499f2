"""Rules of identifiers: the table, one rule's form, and what a change would be below."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from resolution.admin.forms import RuleForm
from resolution.admin.frame import actor_of, screen, show, status_of, user_of
from resolution.errors import IdentityError, LimitBelowExisting
from resolution.matching.identifiers import IDENTIFIER_TYPES
from resolution.models import IdentifierRule
from resolution.selectors.identifier_rules import get_rule
from resolution.selectors.reach_card import name_customers
from resolution.services.rules import SET, Past, RulePreview, preview_rule, set_rule

READERS_ONLY = "Your role does not include identifier rules; ask an administrator for it."
LEADS_ONLY = "Only leads and administrators set identifier rules; ask one of them."


@dataclass(frozen=True, slots=True)
class PastRows:
    """What is past one limit, with a link for each customer."""

    past: Past
    rows: list[tuple[str, str, int]]


@screen("resolution.view_identifierrule", READERS_ONLY)
def rules(request: HttpRequest) -> HttpResponse:
    """List the rules, the most trusted type first."""
    rows = IdentifierRule.objects.order_by("rank", "identifier_type")
    named = [(row, _label(row.identifier_type)) for row in rows]
    return show(request, "rules.html", title="Identifier rules", rules=named)


@screen("resolution.view_identifierrule", READERS_ONLY)
def rule(request: HttpRequest, identifier_type: str) -> HttpResponse:
    """Show a rule's form; say what a change would be below, or set it."""
    row = get_rule(identifier_type)
    form = RuleForm.of(row, request.POST if request.method == "POST" else None)
    if request.method != "POST":
        return _page(request, row, form)
    if not form.is_valid():
        return _page(request, row, form, status=400)
    if request.POST.get("action") == "save":
        return _save(request, row, form)
    return _tell(request, row, form)


def _tell(request: HttpRequest, row: IdentifierRule, form: RuleForm) -> HttpResponse:
    try:
        preview = preview_rule(identifier_type=row.identifier_type, changes=form.changes())
    except IdentityError as error:
        form.add_error(None, str(error))
        return _page(request, row, form, status=status_of(error))
    return _page(request, row, form, preview=preview)


@screen(SET, LEADS_ONLY)
def _save(request: HttpRequest, row: IdentifierRule, form: RuleForm) -> HttpResponse:
    try:
        set_rule(
            identifier_type=row.identifier_type,
            version=form.cleaned_data["version"],
            changes=form.changes(),
            accept_existing=request.POST.get("accept_existing") == "1",
            actor=actor_of(request),
        )
    except LimitBelowExisting:
        return _tell(request, row, form)
    except IdentityError as error:
        form.add_error(None, str(error))
        return _page(request, row, form, status=status_of(error))
    messages.success(request, f"The rule for {_label(row.identifier_type)} is set.")
    return redirect("resolution:rules")


def _page(
    request: HttpRequest,
    row: IdentifierRule,
    form: RuleForm,
    *,
    preview: RulePreview | None = None,
    status: int = 200,
) -> HttpResponse:
    label = _label(row.identifier_type)
    return show(
        request,
        "rule.html",
        title=f"Rule for {label}",
        status=status,
        rule=row,
        label=label,
        form=form,
        preview=preview,
        past=_rows(preview) if preview else [],
        may_set=user_of(request).has_perm(SET),
    )


def _rows(preview: RulePreview) -> list[PastRows]:
    customers = [subject for past in preview.past if not past.about_values for subject, _, _ in past.shown]
    names = name_customers(customers)
    return [
        PastRows(past, [(subject, names.get(subject, subject), number) for subject, _, number in past.shown])
        for past in preview.past
    ]


def _label(code: str) -> str:
    kind = IDENTIFIER_TYPES.get(code)
    return kind.label if kind else code
