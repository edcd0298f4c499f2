"""Who may be the same as one customer, asked for by hand."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse

from customers.models import Customer
from resolution.admin.frame import screen, show
from resolution.errors import UnknownCustomer
from resolution.matching.decide import band_of
from resolution.selectors.candidates import score_candidates
from resolution.selectors.match_model import live_policy
from resolution.selectors.profiles import load_profiles
from resolution.types import PairScore

SHOWN = 20
TELLING = 3


@screen("customers.view_customer", "Your role does not include customers; ask an administrator for it.")
def duplicates(request: HttpRequest, customer_id: uuid.UUID) -> HttpResponse:
    """List the likeliest duplicates of a customer, best first, with what speaks for each."""
    customer = Customer.objects.active().filter(pk=customer_id).first()
    if customer is None:
        raise UnknownCustomer(customer_id)
    profile = load_profiles([customer_id])[customer_id]
    scores = score_candidates(profile, floor=live_policy().review)[:SHOWN]
    found = Customer.objects.in_bulk([uuid.UUID(score.right) for score in scores])
    return show(
        request,
        "duplicates.html",
        title=f"Duplicates of {customer.display_name}",
        customer=customer,
        candidates=[_candidate(score, found[uuid.UUID(score.right)]) for score in scores],
    )


def _candidate(score: PairScore, customer: Customer) -> dict[str, Any]:
    telling = sorted(score.fields, key=lambda entry: -abs(entry.weight))[:TELLING]
    return {"customer": customer, "score": score, "band": band_of(live_policy(), score), "telling": telling}
