"""A file and others who link one value meet its limits together, and name whom they find."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import connection, transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from customers.models import Customer, Mapping
from resolution.errors import LimitReached
from resolution.models import Conflict
from resolution.services import staging
from resolution.services.erase import erase_customer
from resolution.services.importing import import_file, open_file
from resolution.services.merge import merge_customers
from tests.concurrency import all_at_once
from tests.factories import ChannelFactory, CustomerFactory
from tests.resolution.batch.files import stranger, write
from tests.resolution.services.promises import faults_of_the_tables
from tests.resolution.services.test_limits import ACTOR, SHARED, link, rule, shared_by
from tests.resolution.services.waiting import met_by
from tests.resolution.worker import work

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
class TestAFileBesideOtherWriters:
    """A file whose few rows come nowhere near a limit, not yet committed while others write."""

    def take_in(self, folder: Path, name: str, rows: int) -> Callable[[], object]:
        start = ord(name) * 100
        path = write(
            folder / f"{name}.csv", *(stranger(start + number, email=SHARED) for number in range(rows))
        )
        channel = ChannelFactory()
        return lambda: import_file(open_file(path=path, channel=channel), actor=ACTOR, resolve=False)

    def holders(self) -> int:
        return Mapping.objects.current().filter(normalised=SHARED).values("customer").distinct().count()

    def test_a_second_file_and_the_first_stay_within_the_hard_limit_together(self, tmp_path: Path) -> None:
        rule(customers_hard=10)
        first, second = self.take_in(tmp_path, "a", 4), self.take_in(tmp_path, "b", 10)

        met_by(second, first=first, then=lambda: None)

        assert self.holders() == 10

    def test_three_files_at_once_stay_within_it(self, tmp_path: Path) -> None:
        rule(customers_hard=10)

        all_at_once([self.take_in(tmp_path, name, 4) for name in "abc"])

        assert self.holders() == 10

    def link_beside_a_file(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, *, patience: int = 30
    ) -> list[Customer]:
        """Link customers one by one beside a file of four; returns the customers.

        The file has linked its rows then, and commits once that is done or `patience`, in seconds, is over.
        """
        places = list(
            zip(CustomerFactory.create_batch(number), ChannelFactory.create_batch(number), strict=True)
        )
        file, linked, going_on = self.take_in(folder, "a", 4), threading.Event(), threading.Event()

        def pause(*_: object) -> None:
            linked.set()
            going_on.wait(patience)

        def link_one_by_one() -> None:
            assert linked.wait(30)
            for customer, channel in places:
                with suppress(LimitReached):
                    link(customer, channel=channel)
            going_on.set()

        monkeypatch.setattr(staging, "update_customers", pause)
        all_at_once([file, link_one_by_one])
        return [customer for customer, _ in places]

    def test_single_links_and_a_file_stay_within_it_together(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rule(customers_hard=10)
        self.link_beside_a_file(tmp_path, monkeypatch, 10, patience=5)
        assert self.holders() == 10

    def pass_the_limit_together(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Customer]:
        rule(customers_soft=10)
        customers = self.link_beside_a_file(folder, monkeypatch, 7)
        assert not Conflict.objects.exists()
        return customers

    def assert_eleven_are_asked_about(self) -> None:
        conflict = Conflict.objects.get()
        assert (self.holders(), conflict.kind, conflict.identifier_value) == (11, "shared_value", SHARED)
        assert conflict.reason.startswith("11 customers have the e-mail")

    def test_single_links_and_a_file_that_pass_the_soft_limit_together_are_asked_about(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No link waits for the file, and neither side alone is past the limit."""
        self.pass_the_limit_together(tmp_path, monkeypatch)
        assert SHARED not in str(list(ProcrastinateJob.objects.values_list("args", flat=True)))

        work()

        self.assert_eleven_are_asked_about()

    def test_they_are_whoever_has_the_links_by_then(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for customer in self.pass_the_limit_together(tmp_path, monkeypatch):
            Mapping.objects.filter(customer=customer).update(customer=CustomerFactory())

        work()

        self.assert_eleven_are_asked_about()

    def test_a_link_near_the_soft_limit_leaves_no_work_where_no_file_is_on_its_way(self) -> None:
        rule(customers_soft=10)
        shared_by(6)
        link(CustomerFactory())
        assert not ProcrastinateJob.objects.exists()

    def test_single_links_that_come_nowhere_near_it_wait_for_no_file(self, tmp_path: Path) -> None:
        rule(customers_hard=10)
        shared_by(3)
        with connection.cursor() as cursor, transaction.atomic():
            link(CustomerFactory())
            cursor.execute(
                "SELECT count(*) FROM pg_locks"
                " WHERE pid = pg_backend_pid() AND locktype = 'advisory' AND mode = 'ShareLock'"
            )
            assert cursor.fetchone()[0] == 1  # what is blocked, alone


@pytest.mark.django_db(transaction=True)
class TestWhomAQuestionNames:
    def test_a_holder_who_is_being_merged_is_not_named_and_its_survivor_is_in_time(self) -> None:
        rule(customers_soft=2)
        merged, other = shared_by(2)
        survivor, newcomer, channel = CustomerFactory(), CustomerFactory(), ChannelFactory()

        met_by(
            lambda: link(newcomer, channel=channel),
            first=lambda: merge_customers(
                member_ids=[merged.pk, survivor.pk], survivor_id=survivor.pk, actor=ACTOR
            ),
            then=lambda: None,
        )
        assert faults_of_the_tables() == []
        work()

        named = {member.customer_id for member in Conflict.objects.get().members.all()}
        assert named == {survivor.pk, other.pk, newcomer.pk}

    def test_nor_is_one_who_is_being_erased(self) -> None:
        rule(customers_soft=2)
        erased, other = shared_by(2)
        newcomer, channel = CustomerFactory(), ChannelFactory()

        met_by(
            lambda: link(newcomer, channel=channel),
            first=lambda: erase_customer(customer_id=erased.pk, reason="Request 7", actor=ACTOR),
            then=lambda: None,
        )

        assert faults_of_the_tables() == []
        assert Conflict.objects.get().members.filter(customer=other).exists()
