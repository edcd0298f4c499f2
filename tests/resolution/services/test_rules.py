"""Rules set by people: what exists above a new limit is shown, and stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob
from psycopg import errors as postgres

from customers.models import Mapping
from resolution.errors import InvalidInput, LimitBelowExisting, NotFound, StaleVersion
from resolution.models import AuditEntry, Conflict, IdentifierRule, MatchRun
from resolution.services import rules
from resolution.services.blocks import block_value
from resolution.services.erase import erase_customer
from resolution.services.merge import merge_customers
from resolution.services.rules import ask_past_limits, ask_past_value, preview_rule, set_rule
from resolution.types import Actor
from tests.factories import CustomerFactory, MappingFactory
from tests.resolution.worker import work

pytestmark = pytest.mark.django_db

ACTOR = Actor(kind="user", name="lena")
SHARED = "family@factory.example.com"


def email_rule() -> IdentifierRule:
    return IdentifierRule.objects.get(identifier_type="email")


def set_email(accept_existing: bool = False, **changes: Any) -> IdentifierRule:
    return set_rule(
        identifier_type="email", version=email_rule().version, changes=changes, actor=ACTOR,
        accept_existing=accept_existing,
    )  # fmt: skip


def shared_by(number: int, value: str = SHARED) -> None:
    MappingFactory.create_batch(number, channel_identifier=value)


class TestSetting:
    def test_changes_the_rule_and_writes_down_before_and_after(self) -> None:
        set_email(customers_soft=4, valid_days=365)

        row = email_rule()
        assert (row.customers_soft, row.valid_days, row.version, row.changed_by) == (4, 365, 2, "lena")
        entry = AuditEntry.objects.get(action="rule")
        assert entry.metadata["before"] == {"customers_soft": 10, "valid_days": None}
        assert entry.metadata["after"] == {"customers_soft": 4, "valid_days": 365}

    def test_nothing_is_no_limit(self) -> None:
        set_email(customers_soft=None, customers_hard=None)
        assert email_rule().customers_hard is None

    def test_the_same_again_changes_nothing(self) -> None:
        set_email(customers_soft=10)
        assert email_rule().version == 1
        assert not AuditEntry.objects.exists()

    def test_another_version_than_was_seen_is_refused(self) -> None:
        with pytest.raises(StaleVersion, match="at version 1, and you saw 7"):
            set_rule(identifier_type="email", version=7, changes={"rank": 5}, actor=ACTOR)

    def test_an_unknown_type_is_not_found(self) -> None:
        with pytest.raises(NotFound, match="no rule for “fax”; there are rules for external_id, email"):
            preview_rule(identifier_type="fax", changes={})

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"customers_soft": 0}, "customers_soft is 0; a whole number from 1"),
            ({"customers_soft": "many"}, "customers_soft is many"),
            ({"customers_soft": True}, "a whole number"),
            ({"rank": None}, "a whole number from 1 to 99 is wanted"),
            ({"exclusive": "yes"}, "true or false is wanted"),
            ({"colour": 3}, "has no field “colour”"),
            ({"customers_soft": 600}, "customers_soft is 600 and customers_hard 500"),
            ({"values_hard": 2}, "values_soft is 10 and values_hard 2"),
        ],
    )
    def test_what_is_no_rule_is_told(self, changes: dict[str, Any], sentence: str) -> None:
        with pytest.raises(InvalidInput, match=sentence):
            set_email(**changes)


class TestBelowWhatExists:
    def test_it_is_shown_and_not_set(self) -> None:
        shared_by(5)
        shared_by(3, "other@factory.example.com")

        with pytest.raises(
            LimitBelowExisting, match="2 values have more than 2 customers, the most has 5"
        ) as told:
            set_email(customers_soft=2)

        assert told.value.facts["past"]["customers_soft"]["first"][0] == {"subject": SHARED, "number": 5}
        assert email_rule().version == 1

    def test_who_has_seen_it_sets_it_and_what_exists_stays_and_is_asked_about(self) -> None:
        shared_by(5)

        set_email(accept_existing=True, customers_soft=2)
        work()

        assert Mapping.objects.owned().count() == 5
        conflict = Conflict.objects.get()
        assert (conflict.kind, conflict.identifier_value) == ("shared_value", SHARED)
        assert conflict.reason == f"5 customers have the e-mail {SHARED}; up to 2 is usual."

    def test_past_a_hard_limit_that_came_later_it_is_told_as_the_most_allowed(self) -> None:
        shared_by(3)
        customer = CustomerFactory()
        MappingFactory.create_batch(2, customer=customer)

        set_email(accept_existing=True, customers_soft=None, customers_hard=2, values_soft=1, values_hard=1)
        work()

        assert set(Conflict.objects.values_list("reason", flat=True)) == {
            f"3 customers have already the e-mail {SHARED}; 2 is the most allowed.",
            "This customer has already 2 identifiers of the type e-mail; 1 is the most allowed.",
        }

    def test_however_much_is_past_it_is_counted_in_few_rows_and_asked_by_the_worker(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rules, "ASKED_A_CHANGE", 10)
        for number in range(25):
            shared_by(3, f"value{number:02}@factory.example.com")

        found = preview_rule(identifier_type="email", changes={"customers_soft": 2}).past[0]
        with CaptureQueriesContext(connection) as few:
            set_email(accept_existing=True, customers_soft=2)

        assert (found.number, len(found.shown)) == (25, 20)
        assert len(few) < 20
        assert not Conflict.objects.exists()
        work()
        assert Conflict.objects.count() == 25
        run = MatchRun.objects.get(kind="ask_past_limits")
        assert (run.state, run.done, run.total, run.counts) == ("done", 25, 25, {"past_limits": 25})

    def test_asking_again_asks_once(self) -> None:
        shared_by(3)
        set_email(accept_existing=True, customers_soft=2)
        for _ in range(2):
            ask_past_limits(identifier_type="email", limit_names=["customers_soft"], actor=ACTOR)
        assert Conflict.objects.count() == 1

    def test_a_limit_that_was_lifted_before_the_worker_came_asks_nothing(self) -> None:
        shared_by(3)
        set_email(accept_existing=True, customers_soft=2)
        set_email(customers_soft=None)
        work()
        assert not Conflict.objects.exists()

    def test_a_link_out_of_the_window_does_not_count(self) -> None:
        shared_by(3)
        Mapping.objects.update(last_seen_at=timezone.now() - timedelta(days=100))
        IdentifierRule.objects.filter(identifier_type="email").update(valid_days=30)
        assert preview_rule(identifier_type="email", changes={"customers_soft": 2}).past == ()

    def test_customers_of_many_values_are_found_too(self) -> None:
        customer = CustomerFactory()
        MappingFactory.create_batch(3, customer=customer)

        found = preview_rule(identifier_type="email", changes={"values_soft": 2}).past

        assert [(past.limit_name, past.shown) for past in found] == [
            ("values_soft", ((str(customer.pk), None, 3),))
        ]

    def test_an_exclusive_type_shows_who_has_two_verified_values(self) -> None:
        customer = CustomerFactory()
        MappingFactory.create_batch(2, customer=customer, verified=True)
        with pytest.raises(LimitBelowExisting, match="1 customer has more than 1 verified value,"):
            set_email(exclusive=True)

    def test_a_shorter_window_shows_which_links_would_answer_no_more(self) -> None:
        for days in (10, 40, 100, 400):
            MappingFactory(
                channel_identifier=f"{days}@factory.example.com",
                last_seen_at=timezone.now() - timedelta(days=days, hours=1),
            )
        IdentifierRule.objects.filter(identifier_type="email").update(valid_days=365)

        [found] = preview_rule(identifier_type="email", changes={"valid_days": 30}).past
        with pytest.raises(LimitBelowExisting, match="2 links were not seen for 30 days and would answer no"):
            set_email(valid_days=30)
        set_email(accept_existing=True, valid_days=30)

        assert [(entry.subject, entry.number) for entry in found.shown] == [
            ("100@factory.example.com", 100),
            ("40@factory.example.com", 40),
        ]
        assert not ProcrastinateJob.objects.exists()
        assert preview_rule(identifier_type="email", changes={"valid_days": 365}).past == ()

    @pytest.mark.parametrize("limit_name", ["customers_soft", "customers_hard", "values_soft", "values_hard"])
    def test_a_limit_where_there_was_none_is_shown_like_a_lower_one(self, limit_name: str) -> None:
        IdentifierRule.objects.update(
            customers_soft=None, customers_hard=None, values_soft=None, values_hard=None
        )
        shared_by(3)
        MappingFactory.create_batch(3, customer=CustomerFactory())

        with pytest.raises(LimitBelowExisting, match="the most has 3") as told:
            set_email(**{limit_name: 2})

        assert told.value.facts["past"][limit_name]["number"] == 1
        assert getattr(email_rule(), limit_name) is None

    def test_a_higher_limit_shows_nothing(self) -> None:
        shared_by(12)
        assert preview_rule(identifier_type="email", changes={"customers_soft": 11}).past == ()

    def test_a_preview_writes_nothing(self) -> None:
        shared_by(5)
        preview_rule(identifier_type="email", changes={"customers_soft": 2})
        assert email_rule().customers_soft == 10
        assert not AuditEntry.objects.exists()


class TestAskingWhileOthersWrite:
    """What was past a limit when the worker began, and what became of it before it came to ask."""

    @pytest.fixture
    def meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
        real = rules.all_past

        def arrange(act: Callable[[], object]) -> None:
            def find(*args: Any) -> object:
                found = real(*args)
                act()
                return found

            monkeypatch.setattr(rules, "all_past", find)

        return arrange

    def ask(self, name: str, limit: int) -> int:
        IdentifierRule.objects.filter(identifier_type="email").update(**{name: limit})
        return ask_past_limits(identifier_type="email", limit_names=[name], actor=ACTOR)

    def test_of_a_value_blocked_by_then_nothing_is_asked_and_the_rest_is(
        self, meanwhile: Callable[[Callable[[], object]], None]
    ) -> None:
        shared_by(3)
        shared_by(3, "other@factory.example.com")
        meanwhile(lambda: block_value(value=SHARED, type="email", actor=ACTOR))

        assert self.ask("customers_soft", 2) == 1

        assert Conflict.objects.get().identifier_value == "other@factory.example.com"
        run = MatchRun.objects.get(kind="ask_past_limits")
        assert (run.state, run.counts) == ("done", {"past_limits": 1})

    def test_a_value_is_asked_with_the_number_of_now_or_not_at_all(
        self, meanwhile: Callable[[Callable[[], object]], None]
    ) -> None:
        shared_by(3)
        shared_by(4, "other@factory.example.com")

        def one_less() -> None:
            for value in (SHARED, "other@factory.example.com"):
                link = Mapping.objects.filter(normalised=value).earliest("pk")
                Mapping.objects.filter(pk=link.pk).update(status="ended", valid_to=timezone.now())

        meanwhile(one_less)
        self.ask("customers_soft", 2)

        assert Conflict.objects.get().reason.startswith("3 customers have the e-mail other@")

    def test_a_customer_merged_by_then_is_asked_about_as_its_survivor(
        self, meanwhile: Callable[[Callable[[], object]], None]
    ) -> None:
        many, other = CustomerFactory.create_batch(2)
        MappingFactory.create_batch(3, customer=many)
        meanwhile(lambda: merge_customers(member_ids=[many.pk, other.pk], survivor_id=other.pk, actor=ACTOR))

        self.ask("values_soft", 2)

        assert [member.customer_id for member in Conflict.objects.get().members.all()] == [other.pk]

    def test_of_a_customer_erased_by_then_nothing_is_asked(
        self, meanwhile: Callable[[Callable[[], object]], None]
    ) -> None:
        many = CustomerFactory()
        MappingFactory.create_batch(3, customer=many)
        meanwhile(lambda: erase_customer(customer_id=many.pk, reason="Request 7", actor=ACTOR))

        assert self.ask("values_soft", 2) == 0
        assert not Conflict.objects.exists()

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("what", ["limits", "value"])
    def test_a_part_that_the_database_took_back_is_done_anew(
        self, monkeypatch: pytest.MonkeyPatch, what: str
    ) -> None:
        shared_by(3)
        IdentifierRule.objects.filter(identifier_type="email").update(customers_soft=2)
        real, tries = rules.ask, []

        def lose_once(*args: Any) -> object:
            asked = real(*args)
            tries.append(asked)
            if len(tries) == 1:
                raise OperationalError("taken back") from postgres.DeadlockDetected()
            return asked

        monkeypatch.setattr(rules, "ask", lose_once)
        if what == "limits":
            ask_past_limits(identifier_type="email", limit_names=["customers_soft"], actor=ACTOR)
        else:
            ask_past_value(mapping_id=Mapping.objects.earliest("pk").pk, actor=ACTOR)

        assert len(tries) == 2
        assert Conflict.objects.get().identifier_value == SHARED
