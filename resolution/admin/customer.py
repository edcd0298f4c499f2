"""The customer page: golden values, identifiers, how it was built; editing, linking and unlinking."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from customers.listing import refuse_nul
from customers.models import Customer
from resolution.admin.forms import CustomerForm, LinkForm
from resolution.admin.frame import actor_of, say_refusal, screen, show, status_of, user_of
from resolution.errors import IdentityError, InvalidInput, NotFound, UnknownCustomer
from resolution.models import Conflict
from resolution.selectors.customer_card import CardIdentifier, customer_card
from resolution.selectors.customers import fetch_customers
from resolution.selectors.history import customer_history
from resolution.selectors.merge_tree import merge_tree
from resolution.selectors.then_and_now import then_and_now
from resolution.services.link import link_customer_identifier, unlink_customer_identifier
from resolution.services.profiles import create_customer, update_profile
from resolution.types import LinkOutcome

READERS_ONLY = "Your role does not include customers; ask an administrator for it."
EDITORS_ONLY = "Only stewards and leads change customers; ask an administrator for one of these roles."


@screen("customers.view_customer", READERS_ONLY)
def customer(request: HttpRequest, customer_id: uuid.UUID) -> HttpResponse:
    """Show one customer; a merged one says into whom and keeps its own past readable."""
    card = customer_card(customer_id, user_id=user_of(request).pk)
    tree = merge_tree(customer_id)
    may_undo = user_of(request).has_perm("resolution.undo_merge")
    return show(
        request,
        "customer.html",
        title=card.name,
        card=card,
        tree=tree,
        history=customer_history(customer_id, before=_moment(request.GET.get("before", ""))),
        link_form=LinkForm(),
        may_edit=_may_edit(request) and card.status == Customer.Status.ACTIVE,
        may_undo=may_undo,
        may_split=may_undo and card.owned > 1 and not tree.stands,
        may_erase=_may_erase(request) and card.status != Customer.Status.ERASED,
    )


@screen("customers.view_customer", READERS_ONLY)
def customer_as_of(request: HttpRequest, customer_id: uuid.UUID) -> HttpResponse:
    """Show a customer as it was at a moment beside what it is, or say why that cannot be told."""
    row = fetch_customers([customer_id])[customer_id]
    given = request.GET.get("moment", "")
    page: dict[str, object] = {"customer": row, "given": given}
    status = 200
    try:
        page["sides"] = then_and_now(customer_id, _local_moment(given))
    except IdentityError as error:
        page["refusal"], status = str(error), status_of(error)
    return show(request, "customer_as_of.html", title=f"{row.display_name}, as it was", status=status, **page)


@screen("customers.change_customer", EDITORS_ONLY)
def add_customer(request: HttpRequest) -> HttpResponse:
    """Create a customer from a form."""
    form = CustomerForm(request.POST or None)
    if not form.is_valid():
        return show(request, "customer_form.html", title="Add customer", form=form)
    try:
        added = create_customer(fields=form.profile(), actor=actor_of(request))
    except IdentityError as error:
        form.add_error(None, str(error))
        return show(request, "customer_form.html", title="Add customer", form=form, status=status_of(error))
    return redirect("resolution:customer", added.pk)


@screen("customers.change_customer", EDITORS_ONLY)
def edit_customer(request: HttpRequest, customer_id: uuid.UUID) -> HttpResponse:
    """Change a profile; the form carries the version it was opened with, so that nothing is overwritten."""
    row = Customer.objects.filter(pk=customer_id).first()
    if row is None:
        raise UnknownCustomer(customer_id)
    form = CustomerForm(request.POST or None, instance=row)
    if not form.is_valid():
        return _edit_page(request, row, form)
    try:
        update_profile(
            customer_id=customer_id,
            version=form.cleaned_data["version"],
            changes=form.changes(),
            actor=actor_of(request),
        )
    except IdentityError as error:
        form.add_error(None, str(error))
        return _edit_page(request, row, form.caught_up(), status=status_of(error))
    messages.success(request, "Saved.")
    return redirect("resolution:customer", customer_id)


@require_POST
@screen("customers.change_customer", EDITORS_ONLY)
def link_identifier(request: HttpRequest, customer_id: uuid.UUID) -> HttpResponse:
    """Link an identifier by the conflict rules; a claim on another's identifier opens a conflict."""
    form = LinkForm(request.POST)
    if not form.is_valid():
        for sentence in form.refusals():
            messages.error(request, sentence)
        return redirect("resolution:customer", customer_id)
    try:
        outcome = link_customer_identifier(
            customer_id=customer_id, actor=actor_of(request), **form.cleaned_data
        )
    except IdentityError as error:
        say_refusal(request, error)
        return redirect("resolution:customer", customer_id)
    if outcome.resolution_needed and outcome.conflict_id:
        messages.warning(
            request, "Another customer holds this identifier; nothing moved. A person decides here."
        )
        return redirect("resolution:workbench", outcome.conflict_id)
    if outcome.decided:
        messages.warning(request, _decided_before(outcome))
        return redirect("resolution:customer", customer_id)
    messages.success(request, LINKED[outcome.action])
    return redirect("resolution:customer", customer_id)


@screen("customers.change_customer", EDITORS_ONLY)
def unlink_identifier(request: HttpRequest, customer_id: uuid.UUID, mapping_id: uuid.UUID) -> HttpResponse:
    """Ask before taking an identifier off, then do it."""
    refuse_nul(request.POST)
    if request.method != "POST":
        card = customer_card(customer_id, user_id=user_of(request).pk)
        return show(
            request, "unlink.html", title="Unlink an identifier", card=card,
            identifier=_identifier(card.identifiers, mapping_id),
        )  # fmt: skip
    unlink_customer_identifier(
        customer_id=customer_id,
        mapping_id=mapping_id,
        actor=actor_of(request),
        reason=request.POST.get("reason", ""),
    )
    messages.success(request, "Unlinked. It stays in the customer's history.")
    return redirect("resolution:customer", customer_id)


LINKED = {
    "linked": "Linked.",
    "unchanged": "This customer holds that identifier already.",
    "updated": "Moved here: its former owner held it unverified and with little confidence.",
}


def _decided_before(outcome: LinkOutcome) -> SafeString:
    return format_html(
        "Another customer holds this identifier; nothing moved. A person has decided this before: {}."
        ' <a href="{}">See that conflict</a>',
        Conflict.Outcome(outcome.decided).label.lower(),
        reverse("resolution:workbench", args=[outcome.conflict_id]),
    )


def _edit_page(request: HttpRequest, row: Customer, form: CustomerForm, status: int = 200) -> HttpResponse:
    title = f"Edit {row.display_name}"
    return show(
        request, "customer_form.html", title=title, form=form, customer=row, stored=form.stored, status=status
    )


def _may_edit(request: HttpRequest) -> bool:
    return user_of(request).has_perm("customers.change_customer")


def _may_erase(request: HttpRequest) -> bool:
    return user_of(request).has_perm("customers.erase_customer")


def _identifier(identifiers: tuple[CardIdentifier, ...], mapping_id: uuid.UUID) -> CardIdentifier:
    found = next((entry for entry in identifiers if entry.mapping_id == str(mapping_id)), None)
    if found is None:
        raise NotFound(f"This customer has no identifier {mapping_id}; it may have moved since.")
    return found


def _local_moment(text: str) -> datetime:
    """Read a moment as a browser's field gives it, in the desk's own time zone unless it names another."""
    try:
        moment = parse_datetime(text)
        if moment:
            return (moment if moment.tzinfo else timezone.make_aware(moment)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidInput(f"“{text[:40]}” is no moment; give a day and a time, such as 2026-01-31T09:30.")


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInput(f"“{text[:40]}” is no moment; follow the link “Older” instead of typing one.")
    return moment
