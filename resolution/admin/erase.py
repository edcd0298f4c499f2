"""Erasing a person: what goes, what stays, that it is for good; then a typed reason and one button."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from customers.listing import refuse_nul
from resolution.admin.frame import actor_of, screen, show, status_of
from resolution.errors import CustomerErased, IdentityError
from resolution.services.erase import LONGEST_REASON, erase_customer, plan_erasure

ERASERS_ONLY = "Only leads and administrators erase persons; ask one of them."


@screen("customers.erase_customer", ERASERS_ONLY)
def erase(request: HttpRequest, customer_id: uuid.UUID) -> HttpResponse:
    """Preview an erasure, or do it; a refusal comes back with the form as it was filled in."""
    refuse_nul(request.POST)
    if request.method != "POST":
        return _preview(request, customer_id)
    try:
        done = erase_customer(
            customer_id=customer_id,
            actor=actor_of(request),
            reason=request.POST.get("reason", ""),
            fingerprint=request.POST.get("fingerprint", ""),
        )
    except CustomerErased:
        raise
    except IdentityError as error:
        return _preview(request, customer_id, error)
    return redirect("resolution:erased", done.canonical)


@screen("customers.erase_customer", ERASERS_ONLY)
def erased(request: HttpRequest, customer_id: uuid.UUID) -> HttpResponse:
    """Say that it is done, and what is left to do outside Identity Desk."""
    return show(request, "erased.html", title="Erased", customer_id=customer_id)


def _preview(
    request: HttpRequest, customer_id: uuid.UUID, error: IdentityError | None = None
) -> HttpResponse:
    plan = plan_erasure(customer_id)
    return show(
        request,
        "erase.html",
        title=f"Erase {plan.name}",
        plan=plan,
        reason=request.POST.get("reason", ""),
        longest_reason=LONGEST_REASON,
        refusal=str(error) if error else "",
        status=status_of(error) if error else 200,
    )
