"""Erasing a person: nothing of them stays, ids answer for ever, the trail still verifies."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from customers.models import Channel, Customer, Mapping, Message, SourceRecord
from resolution import relations
from resolution.checks import check_erasure_knows_relations
from resolution.errors import (
    CustomerErased,
    InvalidInput,
    MergeBlocked,
    Refused,
    StaleVersion,
    TrailBroken,
    UnknownCustomer,
)
from resolution.models import (
    AuditEntry,
    BlockingKey,
    IdempotencyRecord,
    Judgement,
    Merge,
    MergeProposal,
    OutboxEvent,
)
from resolution.selectors.customer_as_of import customer_as_of
from resolution.selectors.customers import get_canonical
from resolution.services import audit, cache
from resolution.services.approve import propose_merge
from resolution.services.conflicts import Question
from resolution.services.erase import erase_customer, plan_erasure
from resolution.services.idempotency import Answer, answer_once
from resolution.services.importing import Summary, import_file, open_file
from resolution.services.judge import judge_pair
from resolution.services.link import link_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.note import note_untold
from resolution.services.profiles import create_customer, update_profile
from resolution.services.questions import on_living_customers
from resolution.services.queue import claim
from resolution.services.resolve import create_or_resolve_customer, resolve_customer_identity
from resolution.services.unmerge import plan_unmerge, undo_merge
from resolution.types import Actor
from tests.concurrency import all_at_once
from tests.factories import (
    ChannelFactory,
    ConflictFactory,
    CustomerFactory,
    MappingFactory,
    MessageFactory,
    SourceRecordFactory,
    TicketFactory,
    actor_for,
    steward,
)
from tests.resolution.services.waiting import met_by

pytestmark = pytest.mark.django_db
ADA = Actor(kind="user", name="ada", user_id=None)
REASON = "Request 4711"
# Values that stand nowhere else in a database.
PLANTED = (
    "Quorlanda",
    "Vexmoor",
    "quorlanda.vexmoor@planted.example",
    "15199887766",
    "Zwirngasse 77",
    "Plumbost",
)


def erase(customer: Customer | uuid.UUID, **given: Any) -> Any:
    key = customer if isinstance(customer, uuid.UUID) else customer.pk
    return erase_customer(**{"customer_id": key, "actor": ADA, "reason": REASON, **given})


def planted_person() -> Customer:
    return create_customer(
        fields={
            "name": "Quorlanda Vexmoor", "given_name": "Quorlanda", "family_name": "Vexmoor",
            "email": "quorlanda.vexmoor@planted.example", "phone": "+4915199887766",
            "address": "Zwirngasse 77", "company": "Plumbost", "birth_date": date(1980, 2, 1),
        },
        actor=ADA,
    )  # fmt: skip


def traces() -> dict[str, list[str]]:
    """Every place in the database where a planted value stands: table → columns."""
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " JOIN information_schema.tables USING (table_schema, table_name)"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            " AND data_type IN ('text', 'character varying', 'character', 'json', 'jsonb', 'ARRAY')"
        )
        for table, column in cursor.fetchall():
            for value in PLANTED:
                cursor.execute(
                    f'SELECT count(*) FROM "{table}" WHERE "{column}"::text ILIKE %s', [f"%{value}%"]
                )
                if cursor.fetchone()[0]:
                    found.setdefault(table, []).append(f"{column}: {value}")
    return found


def entry_of(action: str) -> AuditEntry:
    return AuditEntry.objects.filter(action=action).latest("sequence")


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
            evidence=[_pair(person, twin)],
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
        MessageFactory(customer=stranger, payload={"answer": {"candidates": [_pair(stranger, person)]}})
        ConflictFactory(
            members=[stranger, CustomerFactory()], evidence=[_pair(stranger, person)], reason="Alike."
        )


def _pair(left: Customer, right: Customer) -> dict[str, Any]:
    part = {
        "field": "name",
        "level": "far",
        "detail": "",
        "weight": 1.0,
        "left": "",
        "right": "Quorlanda Vexmoor",
    }
    return {
        "left": str(left.pk), "right": str(right.pk), "weight": 3.0, "fields": [part], "hard_conflict": "",
    }  # fmt: skip


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


class TestWhatAsksAboutIt:
    def test_a_question_about_it_alone_is_closed_and_its_proposal_withdrawn(self) -> None:
        person, twin, worker = planted_person(), CustomerFactory(), steward()
        conflict = ConflictFactory(members=[person, twin], evidence=[_pair(person, twin)])
        claim(conflict_id=conflict.pk, actor=actor_for(worker))
        propose_merge(
            conflict_id=conflict.pk, member_ids=[person.pk, twin.pk], comment="Q", actor=actor_for(worker)
        )
        erase(person)
        conflict.refresh_from_db()
        assert (conflict.state, conflict.outcome, conflict.evidence) == ("done", "closed", [])
        proposal = MergeProposal.objects.get()
        assert (proposal.state, proposal.comment) == ("withdrawn", "")
        assert proposal.answer == "One of its customers was erased."

    def test_a_question_that_others_still_raise_goes_on_without_it(self) -> None:
        person, one, other = planted_person(), CustomerFactory(), CustomerFactory()
        conflict = ConflictFactory(
            members=[person, one, other], kind="several_candidates",
            evidence=[_pair(person, one), _pair(one, other)], reason="Quorlanda or two others",
        )  # fmt: skip
        erase(person)
        conflict.refresh_from_db()
        assert conflict.state == "open"
        assert [entry["right"] for entry in conflict.evidence] == [str(other.pk)]
        assert set(conflict.members.values_list("customer", flat=True)) == {one.pk, other.pk}
        assert conflict.reason == "One of the customers was erased."

    def test_a_shared_value_is_still_asked_about_among_the_others(self) -> None:
        person, one = planted_person(), CustomerFactory()
        conflict = ConflictFactory(
            members=[person, one], kind="shared_value", identifier_type="phone", identifier_value="+4930123"
        )
        erase(person)
        conflict.refresh_from_db()
        assert (conflict.state, conflict.identifier_value) == ("open", "+4930123")

    def test_what_a_run_scored_before_the_erasure_is_not_asked_afterwards(self) -> None:
        person, one, other = planted_person(), CustomerFactory(), CustomerFactory()
        asked = Question("likely_duplicate", dict.fromkeys((person.pk, one.pk, other.pk), "member"), "Alike.")
        two = Question("likely_duplicate", dict.fromkeys((one.pk, other.pk), "member"), "Alike.")
        erase(person)
        assert on_living_customers([asked, two]) == [two]

    def test_a_judgement_keeps_its_edge_and_loses_its_words(self) -> None:
        person, other = planted_person(), CustomerFactory()
        judged = judge_pair(
            left_id=person.pk, right_id=other.pk, verdict="different", reason="Quorlanda is older", actor=ADA
        )
        erase(person)
        check_as_a_commit_would()
        row = Judgement.objects.get(pk=judged.pk)
        assert (row.verdict, {row.left_id, row.right_id}) == ("different", {person.pk, other.pk})
        assert (row.reason, row.compared, row.fingerprint) == ("", {}, "")

    def test_an_undone_merge_with_it_keeps_none_of_its_values(self) -> None:
        keeper, person = CustomerFactory(name="Bob"), planted_person()
        merge = merge_customers(member_ids=[keeper.pk, person.pk], survivor_id=keeper.pk, actor=ADA)
        undo_merge(merge_id=merge.pk, actor=ADA)
        erase(person)
        assert traces() == {}
        assert Merge.objects.get().pre_image["name"] == "Bob"

    def test_others_it_was_once_merged_with_keep_what_is_theirs(self) -> None:
        keeper, person, third = CustomerFactory(name="Bob"), planted_person(), CustomerFactory(company="Bobs")
        merge = merge_customers(member_ids=[keeper.pk, person.pk, third.pk], survivor_id=keeper.pk, actor=ADA)
        undo_merge(merge_id=merge.pk, member_ids=[person.pk], actor=ADA, judge_different=False)
        erase(person)
        assert Customer.objects.get(pk=keeper.pk).name == "Bob"
        undo_merge(merge_id=merge.pk, actor=ADA)
        assert Customer.objects.get(pk=third.pk).company == "Bobs"
        assert traces() == {}

    def test_the_past_of_those_it_was_once_merged_with_begins_anew_without_it(self) -> None:
        """While they were one, the other was written down with all the person had."""
        person = planted_person()
        other = create_customer(fields={"name": "Otto Nym"}, actor=ADA)
        merge = merge_customers(member_ids=[person.pk, other.pk], survivor_id=other.pk, actor=ADA)
        note_untold(actor=ADA, everybody=True)
        undo_merge(merge_id=merge.pk, actor=ADA)

        erase(person)

        assert traces() == {}
        assert customer_as_of(other.pk, timezone.now()).fields["name"] == "Otto Nym"
        assert audit.find_break() is None


class TestTheTrail:
    def test_p5_holds_with_entries_of_both_kinds_emptied(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as before_salts:
            before_salts.setattr(audit, "_salts", lambda count: [None] * count)
            person = planted_person()
        update_profile(customer_id=person.pk, version=1, changes={"city": "Plumbost"}, actor=ADA)
        create_customer(fields={"name": "Bob"}, actor=ADA)
        hashes = dict(AuditEntry.objects.values_list("sequence", "hash"))
        erase(person)
        assert audit.find_break() is None
        first, second = AuditEntry.objects.filter(erased_by__isnull=False).order_by("sequence")
        assert (first.hash, second.hash) == (hashes[1], hashes[2])
        assert (second.salt, second.metadata, second.action) == (None, {}, "update")
        assert first.erased_by == entry_of("erase").sequence

    def test_p5_two_erasures_verify_beside_each_other(self) -> None:
        one, other = planted_person(), planted_person()
        judge_pair(left_id=one.pk, right_id=other.pk, verdict="related", reason="Q", actor=ADA)
        erase(one)
        erase(other)
        assert audit.find_break() is None

    def test_an_unsalted_hash_of_a_guess_is_not_the_entry_s(self) -> None:
        planted_person()
        [row] = AuditEntry.objects.values(*audit._COLUMNS)
        assert len(row["salt"]) == 16
        assert audit.entry_hash(row) == row["hash"]
        assert audit.entry_hash(row | {"salt": None}) != row["hash"]

    @pytest.mark.parametrize(
        ("tampering", "complaint"),
        [
            ("SET actor_name = 'eve' WHERE sequence = 1", "not as it left them"),
            ("SET created_at = now() WHERE sequence = 1", "not as it left them"),
            ("SET identifier_type = 'phone' WHERE sequence = 1", "not as it left them"),
            ("SET erased_by = NULL WHERE sequence = 1", "was altered"),
            ('SET metadata = \'{"name": "Eve"}\' WHERE sequence = 1', "holds something again"),
            ('SET metadata = metadata || \'{"seal": ""}\' WHERE sequence = 3', "was altered"),
            ("SET metadata = '{}', salt = NULL, erased_by = 3 WHERE sequence = 2", "not as it left them"),
            ("SET metadata = '{}', salt = NULL, erased_by = 9 WHERE sequence = 2", "no erasure after it"),
        ],
    )
    def test_p5_tampering_with_emptied_entries_and_false_ones_shows(
        self, tampering: str, complaint: str
    ) -> None:
        person = planted_person()
        create_customer(fields={"name": "Bob"}, actor=ADA)
        erase(person)
        assert audit.find_break() is None
        change_by_force(f"UPDATE customer_identity_audit {tampering}")
        broken = audit.find_break()
        assert broken is not None
        assert complaint in broken[1]

    def test_p5_an_altered_entry_is_not_sealed_as_it_is(self) -> None:
        person = planted_person()
        change_by_force("UPDATE customer_identity_audit SET actor_name = 'eve'")
        with pytest.raises(TrailBroken, match="Audit entry 1 is not as it was written"):
            erase(person)
        assert Customer.objects.get(pk=person.pk).status == "active"

    @pytest.mark.parametrize(
        "statement",
        [
            "SET metadata = '{}'",
            "SET metadata = '{}', salt = NULL",
            "SET metadata = '{}', salt = NULL, erased_by = sequence",
            "SET metadata = '{}', erased_by = 2",
            "SET metadata = '{}', salt = NULL, erased_by = 2, actor_name = 'eve'",
            "SET metadata = '{}', salt = NULL, erased_by = 2, hash = previous_hash",
            "SET metadata = '{}', salt = NULL, erased_by = 2, identifier_value = 'else'",
            "SET erased_by = 2",
        ],
    )
    def test_p5_the_database_lets_an_entry_be_emptied_and_nothing_else(self, statement: str) -> None:
        create_customer(fields={"name": "Bob"}, actor=ADA)
        with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
            execute(f"UPDATE customer_identity_audit {statement} WHERE sequence = 1")

    def test_p5_the_database_refuses_to_empty_one_that_no_erasure_speaks_of(self) -> None:
        create_customer(fields={"name": "Bob"}, actor=ADA)
        with pytest.raises(DatabaseError, match="names no erasure"), transaction.atomic():
            execute("UPDATE customer_identity_audit SET metadata = '{}', salt = NULL, erased_by = 2")
            check_as_a_commit_would()

    def test_p5_an_emptied_entry_and_an_erasure_s_own_stay_as_they_are(self) -> None:
        erase(planted_person())
        for sequence in (1, 2):
            with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
                execute(
                    "UPDATE customer_identity_audit SET metadata = '{}', salt = NULL, erased_by = 9"
                    f" WHERE sequence = {sequence}"
                )


class TestTheRegistry:
    def test_every_relation_to_customers_is_known_to_an_erasure(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert check_erasure_knows_relations(None) == []
        monkeypatch.delitem(relations.ERASED, "customers.Ticket.customer")
        [error] = check_erasure_knows_relations(None)
        assert (error.id, "customers.Ticket.customer" in error.msg) == ("resolution.E004", True)


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Whichever comes first: nothing of the person is left, or the other act is refused by name."""

    def test_erasing_and_linking(self) -> None:
        shop = ChannelFactory(code="shop")
        for _ in range(5):
            person = planted_person()
            all_at_once(
                [
                    lambda key=person.pk: erase(key),
                    lambda key=person.pk: or_erased(
                        lambda: link_customer_identifier(
                            customer_id=key, channel=shop, identifier_type="email",
                            value=PLANTED[2], actor=ADA,
                        )
                    ),
                ]
            )  # fmt: skip
            assert traces() == {}
        assert audit.find_break() is None

    def test_erasing_and_merging(self) -> None:
        for _ in range(5):
            person, other = planted_person(), CustomerFactory(name="Bob")
            all_at_once(
                [
                    lambda key=person.pk: erase(key),
                    lambda pair=(person.pk, other.pk): or_erased(
                        lambda: merge_customers(member_ids=pair, survivor_id=pair[1], actor=ADA)
                    ),
                ]
            )
            assert Customer.objects.get(pk=person.pk).status == "erased"
            assert traces() == {}
        assert audit.find_break() is None

    def test_erasing_twice(self) -> None:
        person = planted_person()
        all_at_once([lambda: or_erased(lambda: erase(person))] * 4)
        assert AuditEntry.objects.filter(action="erase").count() == 1
        assert audit.find_break() is None

    def test_p5_erasing_two_whom_one_entry_of_the_trail_names(self) -> None:
        one, other = CustomerFactory(), CustomerFactory()
        judge_pair(left_id=one.pk, right_id=other.pk, verdict="different", reason="", actor=ADA)

        met_by(lambda: erase(other), first=lambda: erase(one), then=lambda: None)

        assert not Customer.objects.active().exists()
        assert audit.find_break() is None

    def test_erasing_and_recognising_a_message(self) -> None:
        shop = ChannelFactory(code="shop")
        person = planted_person()
        link_customer_identifier(
            customer_id=person.pk, channel=shop, identifier_type="email", value=PLANTED[2], actor=ADA
        )
        message = {"customer_email": PLANTED[2], "subject": "Quorlanda asks"}
        answers = all_at_once(
            [
                lambda: erase(person) and None,
                lambda: create_or_resolve_customer(channel=shop, message=message, actor=ADA),
            ]
        )
        resolution = answers[1]
        assert resolution is not None
        if resolution.customer_id == str(person.pk):
            assert traces() == {}
        else:
            assert Customer.objects.active().get().pk == uuid.UUID(str(resolution.customer_id))
        assert audit.find_break() is None


def merged_pair() -> tuple[Customer, Customer]:
    """The person and who was absorbed into it."""
    person, other = planted_person(), CustomerFactory(name="Q. Vexmoor")
    merge_customers(member_ids=[person.pk, other.pk], survivor_id=person.pk, actor=ADA)
    return person, other


def import_it(path: Path, channel: Channel) -> Summary:
    return import_file(open_file(path=path, channel=channel), actor=ADA, rejects=path.with_suffix(".rejects"))


def or_erased(act: Callable[[], Any]) -> Any:
    """Do it, unless the person is gone by then."""
    with suppress(CustomerErased, MergeBlocked):
        return act()


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def check_as_a_commit_would() -> None:
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute("SET CONSTRAINTS ALL DEFERRED")


def change_by_force(statement: str) -> None:
    """What only the database's superuser can do to the trail."""
    execute("SET LOCAL session_replication_role = replica")
    execute(statement)
    execute("SET LOCAL session_replication_role = origin")
