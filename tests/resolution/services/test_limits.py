"""Limits of identifiers: past the soft one it is linked and asked, past the hard one refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from customers.models import Channel, Customer, Mapping
from resolution.errors import LimitReached, MergeBlocked
from resolution.models import AuditEntry, Conflict, IdentifierRule
from resolution.services import audit, conflicts
from resolution.services.decide import decide_conflict
from resolution.services.importing import import_file, open_file
from resolution.services.link import link_customer_identifier
from resolution.services.merge import merge_customers, merge_in_bulk, preview_merge
from resolution.services.queue import claim
from resolution.services.resolve import create_or_resolve_customer, resolve_customer_identity
from resolution.services.rules import set_rule
from resolution.types import Actor, Group, LinkOutcome
from tests.concurrency import all_at_once
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory, actor_for, steward
from tests.resolution.batch.files import stranger, write

pytestmark = pytest.mark.django_db

ACTOR = Actor(kind="service", name="shop")
SHARED = "family@factory.example.com"


def rule(identifier_type: str = "email", **limits: Any) -> None:
    nothing = dict.fromkeys(("values_soft", "values_hard", "customers_soft", "customers_hard", "valid_days"))
    IdentifierRule.objects.filter(identifier_type=identifier_type).update(**{**nothing, **limits})


def link(customer: Customer, value: str = SHARED, **options: Any) -> LinkOutcome:
    options = {"channel": None, "identifier_type": "email", **options}
    options["channel"] = options["channel"] or ChannelFactory()
    return link_customer_identifier(customer_id=customer.pk, value=value, actor=ACTOR, **options)


def shared_by(number: int, value: str = SHARED) -> list[Customer]:
    return [MappingFactory(channel_identifier=value).customer for _ in range(number)]


class TestCustomersAValue:
    def test_past_the_soft_limit_it_is_linked_and_asked(self) -> None:
        rule(customers_soft=2)
        shared_by(2)

        outcome = link(CustomerFactory())

        conflict = Conflict.objects.get()
        assert (outcome.action, outcome.conflict_id) == ("linked", conflict.pk)
        assert (conflict.kind, conflict.identifier_value) == ("shared_value", SHARED)
        assert conflict.reason == f"3 customers have the e-mail {SHARED}; up to 2 is usual."
        assert conflict.members.count() == 3

    def test_at_the_limit_nothing_is_asked(self) -> None:
        rule(customers_soft=2)
        shared_by(1)
        assert link(CustomerFactory()).conflict_id is None
        assert not Conflict.objects.exists()

    def test_past_the_hard_limit_it_is_refused_with_the_facts(self) -> None:
        rule(customers_soft=1, customers_hard=2)
        shared_by(2)

        with pytest.raises(LimitReached, match="3 customers would have the e-mail") as refused:
            link(CustomerFactory())

        assert {"type": "email", "limit": 2, "count": 3}.items() <= refused.value.facts.items()
        assert Mapping.objects.count() == 2
        assert not AuditEntry.objects.exists()

    def test_however_many_come_it_is_one_question(self) -> None:
        rule(customers_soft=1)
        shared_by(1)
        for _ in range(4):
            link(CustomerFactory())
        assert Conflict.objects.get().reason.startswith("5 customers")

    def test_what_a_person_called_right_is_not_asked_again(self) -> None:
        rule(customers_soft=1)
        shared_by(1)
        link(CustomerFactory())
        person = actor_for(steward())
        conflict = claim(conflict_id=Conflict.objects.get().pk, actor=person)

        decide_conflict(conflict_id=conflict.pk, decision="accept", version=conflict.version, actor=person)
        link(CustomerFactory())

        assert [(row.state, row.outcome) for row in Conflict.objects.all()] == [("done", "accepted")]

    def test_the_same_customer_on_another_channel_is_counted_once(self) -> None:
        rule(customers_hard=1)
        customer = CustomerFactory()
        link(customer)
        assert link(customer).action == "linked"

    def test_an_external_id_is_counted_within_its_channel(self) -> None:
        rule("external_id", customers_hard=1)
        for _ in range(3):
            assert link(CustomerFactory(), "4711", identifier_type="external_id").action == "linked"

    @pytest.mark.django_db(transaction=True)
    def test_of_two_that_link_the_last_free_place_at_once_one_is_refused(self) -> None:
        rule(customers_hard=50)
        shared_by(49)
        calls = [self._linking(CustomerFactory(), ChannelFactory()) for _ in range(8)]

        outcomes = all_at_once(calls)

        assert sorted(outcomes) == ["linked", *["refused"] * 7]
        assert Mapping.objects.current().filter(normalised=SHARED).count() == 50

    def _linking(self, customer: Customer, channel: Channel) -> Callable[[], str]:
        def act() -> str:
            try:
                return link(customer, channel=channel).action
            except LimitReached:
                return "refused"

        return act

    @pytest.mark.django_db(transaction=True)
    def test_of_values_linked_to_one_customer_at_once_the_hard_limit_lets_as_many_as_it_says(self) -> None:
        rule(values_hard=3)
        customer, channel = CustomerFactory(), ChannelFactory()

        def linking(number: int) -> Callable[[], str]:
            def act() -> str:
                try:
                    return link(customer, f"anna{number}@factory.example.com", channel=channel).action
                except LimitReached:
                    return "refused"

            return act

        outcomes = all_at_once([linking(number) for number in range(6)])

        assert sorted(outcomes) == ["linked"] * 3 + ["refused"] * 3


class TestValuesACustomer:
    def test_past_the_soft_limit_the_customer_is_asked_about(self) -> None:
        rule(values_soft=1)
        customer = CustomerFactory()
        link(customer, "a1@factory.example.com")
        link(customer, "a2@factory.example.com")

        conflict = Conflict.objects.get()
        assert conflict.kind == "limit_reached"
        assert conflict.reason == "This customer has 2 identifiers of the type e-mail; up to 1 is usual."
        assert [member.customer_id for member in conflict.members.all()] == [customer.pk]

    def test_past_the_hard_limit_it_is_refused(self) -> None:
        rule(values_hard=1)
        customer = CustomerFactory()
        link(customer, "a1@factory.example.com")
        with pytest.raises(LimitReached, match="would have 2 identifiers"):
            link(customer, "a2@factory.example.com")

    def test_an_exclusive_type_takes_no_second_verified_value(self) -> None:
        rule(exclusive=True)
        customer = CustomerFactory()
        link(customer, "a1@factory.example.com", verified=True)
        with pytest.raises(LimitReached, match="one verified e-mail, and this one has a1@"):
            link(customer, "a2@factory.example.com", verified=True)
        assert link(customer, "a2@factory.example.com").action == "linked"

    def test_nor_is_an_unverified_one_verified_beside_it(self) -> None:
        rule(exclusive=True)
        customer, channel = CustomerFactory(), ChannelFactory()
        link(customer, "a1@factory.example.com", verified=True)
        link(customer, "a2@factory.example.com", channel=channel)
        with pytest.raises(LimitReached, match="cannot be verified beside it"):
            link(customer, "a2@factory.example.com", channel=channel, verified=True)


class TestWindow:
    def test_a_link_not_seen_for_that_long_answers_nothing_and_gives_way(self) -> None:
        rule(valid_days=30)
        old = MappingFactory(
            channel_identifier=SHARED, verified=True, last_seen_at=timezone.now() - timedelta(days=31)
        )
        newcomer = CustomerFactory()

        assert resolve_customer_identity(channel=old.channel, identifier_type="email", value=SHARED) is None
        assert link(newcomer, channel=old.channel).action == "updated"
        found = resolve_customer_identity(channel=old.channel, identifier_type="email", value=SHARED)
        assert found == newcomer.pk

    def test_within_it_the_owner_keeps_the_value(self) -> None:
        rule(valid_days=30)
        owned = MappingFactory(channel_identifier=SHARED, verified=True)
        assert link(CustomerFactory(), channel=owned.channel).action == "conflict_verified"

    def test_the_cache_is_told_nothing_that_ends_while_it_remembers(self) -> None:
        rule(valid_days=30)
        seen = timezone.now() - timedelta(days=30) + timedelta(seconds=60)
        owned = MappingFactory(channel_identifier=SHARED, last_seen_at=seen)
        look_up = {"channel": owned.channel, "identifier_type": "email", "value": SHARED}

        assert resolve_customer_identity(**look_up) == owned.customer_id
        Mapping.objects.update(last_seen_at=timezone.now() - timedelta(days=31))

        assert resolve_customer_identity(**look_up) is None

    def test_no_count_of_a_limit_knows_what_is_out_of_it(self, tmp_path: Path) -> None:
        rule(valid_days=30, customers_hard=2, values_hard=1)
        pair = [row.pk for row in shared_by(2)]
        other = MappingFactory(customer_id=pair[0])
        Mapping.objects.update(last_seen_at=timezone.now() - timedelta(days=100))
        MappingFactory(customer_id=pair[1], channel=other.channel)

        summary = import_file(
            open_file(path=write(tmp_path / "a.csv", stranger(1, email=SHARED)), channel=ChannelFactory()),
            actor=ACTOR, resolve=False,
        )  # fmt: skip

        assert summary.counts()["links_refused"] == 0
        assert not preview_merge(member_ids=pair).blockers
        assert link(CustomerFactory()).action == "linked"

    def test_p10_what_the_cache_remembers_answers_by_a_new_window_too(
        self, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        owned = MappingFactory(channel_identifier=SHARED, last_seen_at=timezone.now() - timedelta(days=100))

        def ask() -> object:
            with django_capture_on_commit_callbacks(execute=True):
                return resolve_customer_identity(channel=owned.channel, identifier_type="email", value=SHARED)

        assert ask() == ask() == owned.customer_id
        for days, answer in ((30, None), (None, owned.customer_id)):
            version = IdentifierRule.objects.get(identifier_type="email").version
            with django_capture_on_commit_callbacks(execute=True):
                set_rule(
                    identifier_type="email", version=version, changes={"valid_days": days},
                    accept_existing=True, actor=ACTOR,
                )  # fmt: skip
                assert ask() == answer
            assert ask() == answer


class TestMessages:
    def test_a_message_goes_through_without_what_a_hard_limit_refuses(self) -> None:
        rule(customers_hard=1)
        shared_by(1)

        answer = create_or_resolve_customer(
            channel=ChannelFactory(),
            message={"sender_id": SHARED, "sender_name": "Zoe Xu", "customer_phone": "+49 176 12345678"},
            actor=ACTOR,
        )

        assert answer.status == "created"
        assert any("was not linked: 2 customers would have" in reason for reason in answer.reasons)
        linked = Mapping.objects.filter(customer=answer.customer_id)
        assert [row.identifier_type for row in linked] == ["phone"]
        assert Conflict.objects.get().kind == "shared_value"

    def test_the_rank_says_which_identifier_is_believed(self) -> None:
        channel = ChannelFactory()
        by_mail = MappingFactory(channel=channel, channel_identifier=SHARED).customer
        by_phone = MappingFactory(
            channel=channel, identifier_type="phone", channel_identifier="+49 176 12345678"
        ).customer
        message = {"customer_email": SHARED, "customer_phone": "+49 176 12345678"}

        first = create_or_resolve_customer(channel=channel, message=message, actor=ACTOR, dry_run=True)
        IdentifierRule.objects.filter(identifier_type="phone").update(rank=1)
        then = create_or_resolve_customer(channel=channel, message=message, actor=ACTOR, dry_run=True)

        assert (first.customer_id, then.customer_id) == (str(by_mail.pk), str(by_phone.pk))


class TestMerges:
    def two(self, **fields: Any) -> list[Customer]:
        return [MappingFactory(**fields).customer for _ in range(2)]

    def test_a_union_past_the_hard_limit_is_a_blocker(self) -> None:
        rule(values_hard=1)
        pair = [row.pk for row in self.two()]

        assert "would have 2 identifiers" in preview_merge(member_ids=pair).blockers[0]
        with pytest.raises(MergeBlocked, match="1 is the most allowed"):
            merge_customers(member_ids=pair, actor=ACTOR)

    def test_past_the_soft_limit_it_warns_merges_and_asks(self) -> None:
        rule(values_soft=1)
        pair = [row.pk for row in self.two()]

        assert any("has 2 identifiers" in warning for warning in preview_merge(member_ids=pair).warnings)
        merge = merge_customers(member_ids=pair, actor=ACTOR)

        conflict = Conflict.objects.get()
        assert conflict.kind == "limit_reached"
        assert [member.customer_id for member in conflict.members.all()] == [merge.survivor_id]

    def test_one_that_was_past_it_before_may_still_take_in_others_without_new_values(self) -> None:
        rule(values_hard=1)
        many = CustomerFactory()
        MappingFactory.create_batch(3, customer=many)

        assert merge_customers(member_ids=[many.pk, CustomerFactory().pk], actor=ACTOR)

    def test_the_machine_joins_no_two_verified_values_of_an_exclusive_type(self) -> None:
        rule(exclusive=True)
        pair = [row.pk for row in self.two(verified=True)]

        with audit.change(ACTOR) as trail:
            done = merge_in_bulk(trail, [Group(members=tuple(map(str, pair)), edges=())])

        assert not done.merges
        assert "one verified e-mail" in done.refused[0].why[0]
        assert any("one verified e-mail" in entry for entry in preview_merge(member_ids=pair).warnings)


class TestImports:
    def file(self, folder: Path, rows: int) -> Path:
        return write(folder / "people.csv", *(stranger(number, email=SHARED) for number in range(rows)))

    def taken(self, path: Path, **options: Any) -> Any:
        channel = ChannelFactory()
        return import_file(open_file(path=path, channel=channel), actor=ACTOR, resolve=False, **options)

    def test_what_is_past_the_hard_limit_is_left_out_and_counted(self, tmp_path: Path) -> None:
        rule(customers_soft=3, customers_hard=5)

        summary = self.taken(self.file(tmp_path, 8), batch=4)

        assert summary.rows["created"] == 8
        assert summary.counts()["links_refused"] == 3
        assert Mapping.objects.current().filter(normalised=SHARED).count() == 5
        assert Conflict.objects.get().kind == "shared_value"

    def test_below_the_limits_all_are_linked(self, tmp_path: Path) -> None:
        rule(customers_soft=8, customers_hard=9)
        summary = self.taken(self.file(tmp_path, 8))
        assert (summary.counts()["links_refused"], summary.counts()["links_blocked"]) == (0, 0)
        assert not Conflict.objects.exists()


class TestQuestions:
    def test_a_question_about_one_customer_follows_it_into_its_survivor(self) -> None:
        one, other = CustomerFactory.create_batch(2)
        with audit.change(ACTOR) as trail:
            conflicts.open_conflict(
                trail, kind="limit_reached", members={one.pk: "member"}, reason="Many.",
            )  # fmt: skip

        merge = merge_customers(member_ids=[one.pk, other.pk], survivor_id=other.pk, actor=ACTOR)

        conflict = Conflict.objects.get()
        assert conflict.state == "open"
        assert [member.customer_id for member in conflict.members.all()] == [merge.survivor_id]
