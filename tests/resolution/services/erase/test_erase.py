"""A person erased: every id answers so, others keep theirs, and no act touches it afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from customers.models import Channel, Customer, Mapping, Message, SourceRecord
from resolution.errors import (
    CustomerErased,
    InvalidInput,
    MergeBlocked,
    Refused,
    StaleVersion,
    UnknownCustomer,
)
from resolution.models import AuditEntry, BlockingKey, IdempotencyRecord, Merge, OutboxEvent
from resolution.selectors.customers import get_canonical
from resolution.services import cache
from resolution.services.erase import plan_erasure
from resolution.services.idempotency import Answer, answer_once
from resolution.services.importing import Summary, import_file, open_file
from resolution.services.judge import judge_pair
from resolution.services.link import link_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.profiles import create_customer, update_profile
from resolution.services.resolve import create_or_resolve_customer, resolve_customer_identity
from resolution.services.unmerge import plan_unmerge, undo_merge
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory
from tests.resolution.services.erase.scene import (
    ADA,
    PLANTED,
    REASON,
    check_as_a_commit_would,
    entry_of,
    erase,
    planted_person,
    traces,
)

pytestmark = pytest.mark.django_db


class TestErase:
    def test_p2_every_id_of_the_person_answers_erased(self) -> None:
        person, other = merged_pair()
        erase(person)
        check_as_a_commit_would()
        for customer in (person, other):
            with pytest.raises(CustomerErased, match=f"{customer.pk} was erased"):
                get_canonical(customer.pk)

    def test_an_absorbed_id_erases_the_whole_person_and_the_plan_says_so(self) -> None:
        person, other = merged_pair()
        plan = plan_erasure(other.pk)
        assert (plan.asked, plan.canonical, plan.absorbed) == (other.pk, person.pk, (other.pk,))
        done = erase(other)
        assert done == plan
        assert set(Customer.objects.values_list("status", flat=True)) == {"erased"}

    def test_planning_writes_nothing(self) -> None:
        person, _ = merged_pair()
        before = AuditEntry.objects.count()
        plan_erasure(person.pk)
        assert Customer.objects.get(pk=person.pk).status == "active"
        assert AuditEntry.objects.count() == before

    def test_erasing_again_is_refused(self) -> None:
        person, other = merged_pair()
        erase(person)
        for customer in (person, other):
            with pytest.raises(CustomerErased, match="only the id remains"):
                erase(customer)
        with pytest.raises(UnknownCustomer):
            erase(uuid.uuid4())

    @pytest.mark.parametrize(
        ("reason", "why"),
        [
            (" ", "No reason was given"),
            ("x" * 501, "has 501 characters"),
            ("As Quorlanda Vexmoor asked", "names the person"),
            ("mail of QUORLANDA.VEXMOOR@planted.example", "names the person"),
        ],
    )
    def test_a_reason_is_wanted_that_does_not_name_the_person(self, reason: str, why: str) -> None:
        person = planted_person()
        with pytest.raises(InvalidInput, match=why):
            erase(person, reason=reason)
        assert Customer.objects.get(pk=person.pk).status == "active"

    def test_somebody_merged_in_since_it_was_looked_at_is_not_erased_along(self) -> None:
        person, third = planted_person(), CustomerFactory(name="Q. Vexmoor")
        seen = plan_erasure(person.pk).fingerprint
        merge_customers(member_ids=[person.pk, third.pk], survivor_id=person.pk, actor=ADA)
        with pytest.raises(StaleVersion, match="Other ids stand for this person"):
            erase(person, fingerprint=seen)
        assert erase(person, fingerprint=plan_erasure(person.pk).fingerprint).people

    def test_its_identifiers_are_free_for_anybody(self) -> None:
        link = MappingFactory(customer=planted_person())
        erase(link.customer_id)
        outcome = link_customer_identifier(
            customer_id=CustomerFactory().pk,
            channel=link.channel,
            identifier_type="email",
            value=link.channel_identifier,
            actor=ADA,
        )
        assert outcome.action == "linked"

    def test_p10_no_reader_is_served_the_erased_owner(
        self, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        link = MappingFactory()
        asked = {"channel": link.channel, "identifier_type": "email", "value": link.channel_identifier}
        with django_capture_on_commit_callbacks(execute=True):
            assert resolve_customer_identity(**asked) == link.customer_id
        with django_capture_on_commit_callbacks(execute=True):
            erase(link.customer_id)
            assert cache.look_up((link.channel_id, "email", link.normalised)) == cache.Miss()
        assert resolve_customer_identity(**asked) is None

    def test_a_value_that_another_shares_stays_theirs(self) -> None:
        owned = MappingFactory(customer=planted_person())
        shared = MappingFactory(
            channel=owned.channel, channel_identifier=owned.channel_identifier, status="shared"
        )
        erase(owned.customer_id)
        assert list(Mapping.objects.all()) == [shared]

    def test_a_link_another_had_before_the_person_goes_with_its_entries(self) -> None:
        before, shop = CustomerFactory(name="Bob"), ChannelFactory()
        person = planted_person()
        for customer, sure in ((before, "0.5"), (person, "0.9")):
            link_customer_identifier(
                customer_id=customer.pk, channel=shop, identifier_type="email", value=PLANTED[2],
                confidence=Decimal(sure), actor=ADA,
            )  # fmt: skip
        assert set(Mapping.objects.values_list("customer", "status")) == {
            (before.pk, "ended"), (person.pk, "active"),
        }  # fmt: skip
        erase(person)
        assert not Mapping.objects.exists()
        assert traces() == {}

    def test_p5_leaves_an_entry_without_personal_data_and_an_event(self) -> None:
        person, other = merged_pair()
        erase(person)
        entry = entry_of("erase")
        assert (entry.customer_id, entry.actor_name) == (person.pk, "ada")
        assert entry.metadata["reason"] == REASON
        assert entry.metadata["absorbed"] == [str(other.pk)]
        assert AuditEntry.objects.filter(action="erase", customer=other).exists()
        event = OutboxEvent.objects.latest("pk")
        assert (event.kind, event.customer_id) == ("customer.erased", person.pk)
        assert event.payload == {"absorbed": [str(other.pk)]}

    def test_entries_of_others_stay_as_they_were(self) -> None:
        person = planted_person()
        stranger = create_customer(fields={"name": "Bob Ordinary"}, actor=ADA)
        erase(person)
        kept = AuditEntry.objects.get(customer=stranger)
        assert (kept.erased_by, kept.metadata["after"]) == (None, {"name": "Bob Ordinary"})

    def test_its_blocking_keys_go(self) -> None:
        person = planted_person()
        assert BlockingKey.objects.filter(customer=person).exists()
        erase(person)
        assert not BlockingKey.objects.exists()


class TestWhatIsRefusedAfterwards:
    def test_undoing_its_merges_in_one_sentence(self) -> None:
        person, _ = merged_pair()
        merge = Merge.objects.get()
        erase(person)
        [sentence] = plan_unmerge(merge.pk).blockers
        assert f"was erased; only the id remains, so merge {merge.pk} cannot be taken back." in sentence
        with pytest.raises(Refused, match="was erased"):
            undo_merge(merge_id=merge.pk, actor=ADA)

    @pytest.mark.parametrize(
        ("act", "error"),
        [
            (lambda a, b: merge_customers(member_ids=[a.pk, b.pk], actor=ADA), MergeBlocked),
            (
                lambda a, b: judge_pair(
                    left_id=a.pk, right_id=b.pk, verdict="different", reason="", actor=ADA
                ),
                CustomerErased,
            ),
            (
                lambda a, b: link_customer_identifier(
                    customer_id=a.pk, channel="web", identifier_type="email", value="a@b.example", actor=ADA
                ),
                CustomerErased,
            ),
            (
                lambda a, b: update_profile(
                    customer_id=a.pk, version=a.version + 1, changes={"name": "A"}, actor=ADA
                ),
                CustomerErased,
            ),
        ],
        ids=["merge", "judge", "link", "change"],
    )
    def test_any_change_of_it(self, act: Callable[..., Any], error: type[Exception]) -> None:
        ChannelFactory(code="web")
        person, other = planted_person(), CustomerFactory()
        erase(person)
        with pytest.raises(error, match="was erased; only the id remains"):
            act(person, other)

    def test_p6_a_message_that_is_sent_again(self) -> None:
        shop = ChannelFactory(code="shop")
        message = {"message_id": "m-1", "customer_email": PLANTED[2], "subject": "Quorlanda asks"}
        first = create_or_resolve_customer(channel=shop, message=message, actor=ADA)
        erase(uuid.UUID(str(first.customer_id)))
        with pytest.raises(CustomerErased):
            create_or_resolve_customer(channel=shop, message=message, actor=ADA)
        assert Customer.objects.count() == Message.objects.count() == 1
        again = create_or_resolve_customer(channel=shop, message=message | {"message_id": "m-2"}, actor=ADA)
        assert (again.status, again.customer_id == first.customer_id) == ("created", False)

    def test_p6_a_record_that_is_imported_again(self, tmp_path: Path) -> None:
        shop = ChannelFactory(code="shop")
        (tmp_path / "own.csv").write_text(f"id,name,email\n7,Quorlanda Vexmoor,{PLANTED[2]}\n")
        (tmp_path / "bare.csv").write_text("name,phone\nQuorlanda Vexmoor,+4915199887766\n")
        for name in ("own.csv", "bare.csv"):
            assert import_it(tmp_path / name, shop).rows["created"] == 1
        for customer in Customer.objects.active():
            erase(customer)
        assert traces() == {}
        for name in ("own.csv", "bare.csv"):
            again = import_it(tmp_path / name, shop)
            assert (again.rows["created"], again.rows["refused"]) == (0, 1)
            assert "is erased" in again.refusals[0].reason
        assert not Customer.objects.active().exists()
        assert set(SourceRecord.objects.values_list("fingerprint", flat=True)) == {""}

    def test_p6_a_keyed_request_whose_answer_told_of_it(self) -> None:
        person = planted_person()
        told = {"caller": "shop", "key": "k", "request_hash": "h"}
        answer_once(**told, act=lambda: Answer(200, {"customer_id": str(person.pk)}))
        erase(person)
        with pytest.raises(CustomerErased):
            answer_once(**told, act=lambda: pytest.fail("it acted again"))
        assert IdempotencyRecord.objects.get().response == {"erased": str(person.pk)}


def merged_pair() -> tuple[Customer, Customer]:
    """The person and who was absorbed into it."""
    person, other = planted_person(), CustomerFactory(name="Q. Vexmoor")
    merge_customers(member_ids=[person.pk, other.pk], survivor_id=person.pk, actor=ADA)
    return person, other


def import_it(path: Path, channel: Channel) -> Summary:
    return import_file(open_file(path=path, channel=channel), actor=ADA, rejects=path.with_suffix(".rejects"))
