"""Nothing of an erased person is left anywhere, and no relation is forgotten."""

from __future__ import annotations

import pytest

from customers.models import Channel, Customer
from resolution import relations
from resolution.checks import check_erasure_knows_relations
from resolution.services import audit
from resolution.services.approve import propose_merge
from resolution.services.idempotency import Answer, answer_once
from resolution.services.judge import judge_pair
from resolution.services.link import link_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.queue import claim
from resolution.services.resolve import create_or_resolve_customer
from tests.factories import (
    ChannelFactory,
    ConflictFactory,
    CustomerFactory,
    MessageFactory,
    SourceRecordFactory,
    TicketFactory,
    actor_for,
    steward,
)
from tests.resolution.services.erase.scene import ADA, PLANTED, erase, pair, planted_person, traces

pytestmark = pytest.mark.django_db


class TestNoTrace:
    def test_nothing_of_a_person_with_a_whole_life_is_found_anywhere(self) -> None:
        shop = ChannelFactory(code="shop")
        person = self._live(shop)
        assert set(traces()) >= {
            "customers", "customer_identity_mapping", "customer_identity_audit", "messages", "tickets",
            "source_records", "conflicts", "judgements", "merges", "merge_members", "merge_proposals",
            "idempotency_records",
        }  # fmt: skip

        erase(person)

        assert traces() == {}
        assert audit.find_break() is None

    def _live(self, shop: Channel) -> Customer:
        """A person imported, recognised, linked, merged, asked about, judged and told of to services."""
        person, other = planted_person(), planted_person()
        for customer, kind, value in (
            (person, "email", "quorlanda.vexmoor@planted.example"),
            (other, "phone", "+4915199887766"),
        ):
            link_customer_identifier(
                customer_id=customer.pk, channel=shop, identifier_type=kind, value=value, actor=ADA
            )
        self._write(shop, "m-1")
        TicketFactory(customer=other, channel=shop, subject="Parcel for Quorlanda Vexmoor")
        SourceRecordFactory(customer=person, channel=shop, data={"name": "Quorlanda Vexmoor"})
        merge_customers(member_ids=[person.pk, other.pk], survivor_id=person.pk, actor=ADA)
        self._be_asked_about(person)
        stranger = CustomerFactory(name="Bob Ordinary")
        judge_pair(
            left_id=person.pk, right_id=stranger.pk, verdict="different",
            reason="Quorlanda is no Bob", actor=ADA,
        )  # fmt: skip
        self._be_a_candidate(stranger, person)
        answer_once(
            caller="shop", key="k", request_hash="h",
            act=lambda: Answer(200, {"customer_id": str(person.pk), "email": PLANTED[2]}),
        )  # fmt: skip
        return person

    def _write(self, shop: Channel, number: str) -> None:
        create_or_resolve_customer(
            channel=shop, actor=ADA,
            message={
                "message_id": number, "customer_email": PLANTED[2], "sender_name": "Quorlanda Vexmoor",
                "subject": "Quorlanda asks", "content": "I live at Zwirngasse 77.",
            },
        )  # fmt: skip

    def _be_asked_about(self, person: Customer) -> None:
        worker, twin = steward(), CustomerFactory(name="Bob Twin")
        conflict = ConflictFactory(
            members=[person, twin],
            reason="Quorlanda Vexmoor twice",
            evidence=[pair(person, twin)],
            identifier_value=PLANTED[2],
        )
        claim(conflict_id=conflict.pk, actor=actor_for(worker))
        propose_merge(
            conflict_id=conflict.pk,
            member_ids=[person.pk, twin.pk],
            picks={"city": {"typed": "Plumbost"}},
            comment="Surely Quorlanda",
            actor=actor_for(worker),
        )

    def _be_a_candidate(self, stranger: Customer, person: Customer) -> None:
        MessageFactory(customer=stranger, payload={"answer": {"candidates": [pair(stranger, person)]}})
        ConflictFactory(
            members=[stranger, CustomerFactory()], evidence=[pair(stranger, person)], reason="Alike."
        )


class TestTheRegistry:
    def test_every_relation_to_customers_is_known_to_an_erasure(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert check_erasure_knows_relations(None) == []
        monkeypatch.delitem(relations.ERASED, "customers.Ticket.customer")
        [error] = check_erasure_knows_relations(None)
        assert (error.id, "customers.Ticket.customer" in error.msg) == ("resolution.E004", True)
