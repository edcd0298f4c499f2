"""Every screen, light and dark: headings in order, names for controls, text that stands out."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from customers.models import Customer
from resolution.models import Conflict
from resolution.services import approve, queue
from resolution.services.compare_models import compare_in_shadow
from resolution.services.erase import erase_customer
from resolution.services.link import unlink_customer_identifier
from resolution.services.merge import merge_customers
from tests.factories import ConflictFactory, CustomerFactory, MappingFactory, actor_for, draft
from tests.journeys.conftest import Sit
from tests.resolution.services.test_bulk_proposals import propose_seen

pytestmark = pytest.mark.django_db(transaction=True)

AUDIT = (Path(__file__).parent / "audit.js").read_text()


@pytest.fixture
def addresses(conflict: Conflict, pair: tuple[Customer, Customer], sara: User, lena: User) -> list[str]:
    """Every screen a lead has, each with something on it."""
    queue.claim(conflict_id=conflict.pk, actor=actor_for(lena))
    couple = [CustomerFactory(name="Bea Lee").pk, CustomerFactory(name="Beatrice Lee").pk]
    proposal = approve.propose_merge(member_ids=couple, comment="same person", actor=actor_for(sara))
    twins = [CustomerFactory(name="Carl Roe", city="Hull").pk, CustomerFactory(name="Karl Roe").pk]
    merge = merge_customers(member_ids=twins, actor=actor_for(lena))
    likely = ConflictFactory(members=[CustomerFactory(name="Dora Fox"), CustomerFactory(name="Dora Foxx")])
    together = propose_seen([likely.pk], actor_for(sara)).batch
    assert together is not None
    before = timezone.now()
    link = pair[0].mappings.filter(status="active").first()
    assert link is not None
    unlink_customer_identifier(customer_id=pair[0].pk, mapping_id=link.pk, actor=actor_for(sara))
    gone = CustomerFactory(name="Eve Gone")
    erase_customer(customer_id=gone.pk, reason="Request 1", actor=actor_for(lena))
    draft(prior=-45.0)
    compared = compare_in_shadow(version="2.0.0", actor=actor_for(lena))
    leaving = MappingFactory(customer=pair[0])
    page = f"/admin/customers/customer/{pair[0].pk}"
    return [
        "/admin/",
        "/admin/queue/",
        f"/admin/queue/{conflict.pk}/",
        "/admin/approvals/",
        f"/admin/approvals/{proposal.pk}/",
        f"/admin/approvals/batches/{together.pk}/",
        "/admin/second-person/",
        f"{page}/change/",
        f"{page}/edit/",
        f"{page}/duplicates/",
        f"{page}/as-of/?moment={quote(before.isoformat())}",
        f"{page}/erase/",
        f"{page}/split/",
        f"{page}/split/?leaves={leaving.pk}",
        f"/admin/customers/customer/{gone.pk}/erased/",
        f"/admin/customers/customer/{gone.pk}/change/",
        f"/admin/customers/customer/{merge.survivor_id}/change/",
        f"/admin/merges/{merge.pk}/undo/",
        f"/admin/merges/{merge.pk}/undo/?member={merge.members.first().customer_id}",
        f"/admin/customers/customer/{merge.members.first().customer_id}/change/",
        "/admin/runs/",
        "/admin/rules/",
        "/admin/rules/email/",
        "/admin/blocked/",
        "/admin/blocked/add/?type=email&value=anna@shop.example",
        "/admin/models/",
        f"/admin/models/{compared.version}/",
        f"/admin/models/{compared.version}/promote/",
        "/admin/customers/customer/",
        "/admin/resolution/auditentry/",
        "/admin/resolution/merge/",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_screen_leaves_anybody_out(sit_down: Sit, addresses: list[str], lena: User, scheme: str) -> None:
    page = sit_down(lena, color_scheme=scheme)
    faults = {}
    for address in addresses:
        page.goto(address)
        if found := page.evaluate(AUDIT):
            faults[address] = found

    assert faults == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_preview_leaves_anybody_out(sit_down: Sit, conflict: Conflict, lena: User, scheme: str) -> None:
    page = sit_down(lena, color_scheme=scheme)
    faults = {}
    for address, ticked, button in (
        ("/admin/second-person/", "Every merge", "What if?"),
        ("/admin/rules/email/", "One verified value per customer", "What if?"),
        ("/admin/blocked/add/?type=email&value=anna.smith@example.com", None, "How far does it reach?"),
        ("/admin/queue/", f"Propose conflict {conflict.pk} together", "Propose the ticked ones together"),
    ):
        page.goto(address)
        if ticked:
            page.get_by_label(ticked).click()
        with page.expect_navigation():
            page.get_by_role("button", name=button).click()
        if found := page.evaluate(AUDIT):
            faults[address] = found

    assert faults == {}
