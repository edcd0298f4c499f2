"""The trail as it is written: chained in order under load, in the change's own transaction."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from customers.models import Customer
from resolution.models import AuditEntry, OutboxEvent
from resolution.services import audit, cache
from resolution.types import Actor
from tests.concurrency import all_at_once
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory

pytestmark = pytest.mark.django_db
ADA = Actor(kind="user", name="ada", user_id=7, request_id="request-1")


def record(count: int = 1, actor: Actor = ADA) -> None:
    with audit.change(actor) as trail:
        for number in range(count):
            trail.record("resolve", method="matched", number=number)


class TestChange:
    def test_p5_writes_who_what_and_about_whom(self) -> None:
        customer, channel = CustomerFactory(), ChannelFactory()
        with audit.change(ADA) as trail:
            trail.record(
                "link",
                customer_id=customer.pk,
                channel_id=channel.pk,
                identifier_type="email",
                identifier_value="anna@example.org",
                confidence=Decimal("0.80"),
                found_in="sender_id",
            )
        entry = AuditEntry.objects.get()
        assert (entry.customer, entry.channel, entry.action) == (customer, channel, "link")
        assert (entry.actor_kind, entry.actor_name, entry.request_id) == ("user", "ada", "request-1")
        assert (entry.confidence_score, entry.metadata) == (Decimal("0.80"), {"found_in": "sender_id"})

    def test_p5_entries_stand_in_the_order_they_were_recorded(self) -> None:
        record(5)
        rows = list(AuditEntry.objects.order_by("sequence").values_list("sequence", "metadata"))
        assert rows == [(number + 1, {"number": number}) for number in range(5)]

    def test_p5_moments_never_go_back_whatever_the_clock_does(self, monkeypatch: pytest.MonkeyPatch) -> None:
        record()
        late = timezone.now() - timedelta(hours=1)
        monkeypatch.setattr(audit.timezone, "now", lambda: late)
        record()
        first, second = AuditEntry.objects.order_by("sequence").values_list("created_at", flat=True)
        assert first <= second

    def test_p5_each_entry_names_its_predecessor(self) -> None:
        record(2)
        record()
        rows = AuditEntry.objects.order_by("sequence")
        assert [row.previous_hash for row in rows] == [audit.GENESIS, *(row.hash for row in rows)][:3]

    def test_p5_nothing_of_a_failed_change_stays(self) -> None:
        with pytest.raises(RuntimeError, match="in the middle"), audit.change(ADA) as trail:
            customer = CustomerFactory()
            trail.record("create", customer_id=customer.pk)
            trail.tell("customer.created", customer_id=customer.pk)
            raise RuntimeError("in the middle")
        assert not any(model.objects.exists() for model in (Customer, AuditEntry, OutboxEvent))

    def test_p5_a_change_within_a_change_that_fails_takes_its_entries_along(self) -> None:
        with pytest.raises(RuntimeError), audit.change(ADA):
            record()
            raise RuntimeError
        assert not AuditEntry.objects.exists()
        record()
        assert audit.find_break() is None

    def test_thousands_of_entries_take_a_few_statements(self) -> None:
        with CaptureQueriesContext(connection) as queries:
            record(3_000)
        assert len(queries) < 8
        assert AuditEntry.objects.count() == 3_000
        assert audit.find_break() is None

    def test_an_identifier_that_changes_owner_is_fenced_until_the_commit(
        self, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        mapping = MappingFactory()
        key = (mapping.channel_id, mapping.identifier_type, mapping.normalised)
        with django_capture_on_commit_callbacks(execute=True):
            with audit.change(ADA) as trail:
                trail.reown(*key)
            assert cache.look_up(key) == cache.Miss()
        found = cache.look_up(key)
        assert isinstance(found, cache.Miss)
        assert found.lease


@pytest.mark.django_db(transaction=True)
class TestConcurrentChanges:
    def test_p5_the_chain_has_no_gap_and_no_fork_under_load(self) -> None:
        all_at_once([lambda: record(5)] * 30)
        sequences = AuditEntry.objects.order_by("sequence").values_list("sequence", flat=True)
        assert list(sequences) == list(range(1, 151))
        assert audit.find_break() is None

    def test_p5_a_change_that_rolls_back_among_others_leaves_no_gap(self) -> None:
        def fail() -> None:
            with pytest.raises(RuntimeError, match="undone"), transaction.atomic():
                record()
                raise RuntimeError("undone")

        all_at_once([record, fail] * 10)
        assert AuditEntry.objects.count() == 10
        assert audit.find_break() is None


class TestVerifyAudit:
    def test_says_how_many_entries_hold(self, capsys: pytest.CaptureFixture[str]) -> None:
        record(3)
        call_command("verify_audit")
        assert "holds: 3 entries" in capsys.readouterr().out

    def test_p5_fails_and_names_the_entry_that_was_altered(self) -> None:
        record(3)
        change_by_force("UPDATE customer_identity_audit SET actor_name = 'eve' WHERE sequence = 2")
        with pytest.raises(CommandError, match="entry 2 was altered"):
            call_command("verify_audit")

    def test_p5_an_anchor_shows_that_the_newest_entries_were_cut_off(self, tmp_path: Path) -> None:
        anchor = tmp_path / "anchor"
        record(3)
        call_command("verify_audit", anchor=anchor)
        change_by_force("DELETE FROM customer_identity_audit WHERE sequence = 3")
        call_command("verify_audit")
        with pytest.raises(CommandError, match="entries 3 to 3 were cut off"):
            call_command("verify_audit", anchor=anchor)

    def test_p5_an_anchor_shows_that_the_end_was_replaced(self, tmp_path: Path) -> None:
        anchor = tmp_path / "anchor"
        record(3)
        call_command("verify_audit", anchor=anchor)
        change_by_force("DELETE FROM customer_identity_audit WHERE sequence = 3")
        record(2)
        with pytest.raises(CommandError, match="entry 3 is not the one the anchor knows"):
            call_command("verify_audit", anchor=anchor)

    def test_an_anchor_moves_on_with_a_trail_that_holds(self, tmp_path: Path) -> None:
        anchor = tmp_path / "anchor"
        call_command("verify_audit", anchor=anchor)
        record(2)
        call_command("verify_audit", anchor=anchor)
        assert audit.Anchor(**json.loads(anchor.read_text())) == audit.head()
        assert audit.head().sequence == 2

    def test_a_file_that_is_no_anchor_is_refused(self, tmp_path: Path) -> None:
        anchor = tmp_path / "anchor"
        anchor.write_text('["something", "else"]')
        with pytest.raises(CommandError, match="holds no anchor"):
            call_command("verify_audit", anchor=anchor)


def change_by_force(statement: str) -> None:
    """What only the database's superuser can do to the trail."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = origin")
