"""Imports that broke off, were killed or met another change: mended, and nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from django.utils import timezone
from psycopg.errors import DeadlockDetected

from customers.models import Channel, Customer, Mapping, SourceRecord
from resolution.errors import InvalidInput, Refused
from resolution.models import ImportRun, Merge
from resolution.services import import_steps, locks, staging
from resolution.services.importing import Summary, import_file, open_file
from resolution.services.link import unlink_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.settle import Settled, Settler
from resolution.services.staged import Taken
from tests.factories import ChannelFactory
from tests.resolution.batch.files import ANNA, ANNA_AGAIN, BORIS, CLARA, person, write
from tests.resolution.services.importing.scene import ACTOR, count_tries, owned, take_in
from tests.resolution.services.waiting import met_by, work_held_elsewhere

pytestmark = pytest.mark.django_db


class _Broken(RuntimeError):
    """The machine fails here."""


class TestBrokenImports:
    @pytest.fixture
    def _fails_in_the_second_batch(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        real, calls = staging.take_in, []

        def fail(*args: object, **kwargs: object) -> Taken:
            taken = real(*args, **kwargs)  # type: ignore[arg-type]
            calls.append(taken)
            if len(calls) == 2:
                raise _Broken("the power failed")
            return taken

        with monkeypatch.context() as patch:
            patch.setattr(staging, "take_in", fail)
            yield

    def _break(self, path: Path, **options: object) -> ImportRun:
        with pytest.raises(_Broken):
            take_in(path, batch=2, **options)
        return ImportRun.objects.get()

    @pytest.mark.usefixtures("_fails_in_the_second_batch")
    def test_whole_batches_stay_and_the_broken_one_leaves_nothing(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        run = self._break(write(tmp_path / "a.csv", ANNA, BORIS, CLARA, person(1)))

        assert (run.state, run.rows_done, run.error) == ("failed", 2, "the power failed")
        assert SourceRecord.objects.count() == Customer.objects.count() == 2

    @pytest.mark.usefixtures("_fails_in_the_second_batch")
    def test_goes_on_where_it_stopped(self, channel: Channel, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", ANNA, ("ragged",), CLARA, ANNA_AGAIN, ("short", "one"))
        run = self._break(path)

        summary = take_in(path, batch=2)

        assert (summary.run_id, summary.resumed_at) == (run.pk, 2)
        assert dict(summary.rows) == {"created": 3, "updated": 0, "unchanged": 0, "refused": 2}
        assert summary.rejects
        assert [line.split(",")[0] for line in summary.rejects.read_text().splitlines()] == ["line", "3", "6"]
        assert ImportRun.objects.get().state == "done"

    @pytest.mark.usefixtures("_fails_in_the_second_batch")
    def test_an_id_used_before_the_break_is_remembered_after_it(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        path = write(tmp_path / "a.csv", ANNA, BORIS, CLARA, ("r1", "Quentin", *BORIS[2:]))
        self._break(path)

        assert take_in(path, batch=2).rows["refused"] == 1

    def test_what_was_in_and_not_settled_is_settled_when_it_goes_on(
        self, channel: Channel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write(tmp_path / "a.csv", BORIS, CLARA, ANNA, ANNA_AGAIN, person(1))
        real, begun = Settler.settle, []

        def fail_in_the_second_batch(self: Settler, *args: Any) -> Settled:
            begun.append(args)
            if len(begun) == 2:
                raise _Broken("the power failed")
            return real(self, *args)

        with monkeypatch.context() as patch:
            patch.setattr(Settler, "settle", fail_in_the_second_batch)
            run = self._break(path)
        assert (run.rows_done, run.rows_settled, Merge.objects.count()) == (4, 2, 0)

        summary = take_in(path, batch=2)

        assert (summary.rows["created"], summary.settled.merged, Merge.objects.count()) == (5, 1, 1)
        run.refresh_from_db()
        assert (run.state, run.rows_done, run.rows_settled, run.counts["created"]) == ("done", 5, 5, 5)

    def test_one_that_was_killed_is_taken_up_again(self, channel: Channel, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", ANNA, BORIS)
        take_in(path)
        ImportRun.objects.update(state="running", rows_done=1, rows_settled=1, counts={"created": 1})

        assert dict(take_in(path).rows) == {"created": 1, "updated": 0, "unchanged": 1, "refused": 0}
        assert ImportRun.objects.get().state == "done"

    def test_one_of_another_file_that_was_killed_is_closed(self, channel: Channel, tmp_path: Path) -> None:
        take_in(write(tmp_path / "a.csv", ANNA))
        ImportRun.objects.update(state="running")

        take_in(write(tmp_path / "b.csv", BORIS))

        assert list(ImportRun.objects.order_by("pk").values_list("state", flat=True)) == ["failed", "done"]

    @pytest.mark.parametrize(
        ("begun", "words"),
        [
            (False, r"was begun without looking for duplicates \(--no-resolve\) and would go on looking for"),
            (True, r"was begun looking for duplicates and would go on without .*find_duplicates compare"),
        ],
    )
    @pytest.mark.usefixtures("_fails_in_the_second_batch")
    def test_p6_goes_on_comparing_or_not_as_it_was_begun(
        self, channel: Channel, tmp_path: Path, begun: bool, words: str
    ) -> None:
        path = write(tmp_path / "a.csv", ANNA, ANNA_AGAIN, CLARA, person(1))
        run = self._break(path, resolve=begun)

        with pytest.raises(Refused, match=words):
            take_in(path, batch=2, resolve=not begun)
        run.refresh_from_db()
        assert (run.state, run.rows_done) == ("failed", 2)

        assert take_in(path, batch=2, resolve=begun).settled.merged == begun

    @pytest.mark.usefixtures("_fails_in_the_second_batch")
    def test_p6_refused_rows_of_one_import_stay_in_one_file(self, channel: Channel, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", ANNA, ("ragged",), CLARA, ("short", "one"))
        named, other = tmp_path / "refused.csv", tmp_path / "other.csv"
        other.write_text("somebody else's\n" * 100)
        self._break(path, rejects=named)

        with pytest.raises(Refused, match=rf"keeps its refused rows in {named}, and {other} was named now"):
            take_in(path, batch=2, rejects=other)

        assert take_in(path, batch=2).rejects == named
        assert len(named.read_text().splitlines()) == 3
        assert other.read_text() == "somebody else's\n" * 100

    @pytest.mark.usefixtures("_fails_in_the_second_batch")
    def test_a_file_named_later_than_the_one_of_its_number_is_refused(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        path = write(tmp_path / "a.csv", ANNA, ("ragged",), CLARA, person(1))
        run = self._break(path)

        with pytest.raises(Refused, match=rf"rejects/{run.pk}-crm-a.csv, and .*late.csv was named now"):
            take_in(path, batch=2, rejects=tmp_path / "late.csv")

    def test_refused_rows_never_go_over_what_another_file_holds(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        path, filled = write(tmp_path / "a.csv", ANNA, ("ragged",)), tmp_path / "filled.csv"
        filled.write_text("somebody else's\n")

        with pytest.raises(InvalidInput, match="which holds something already; name a new file"):
            take_in(path, rejects=filled)

        assert filled.read_text() == "somebody else's\n"
        assert not ImportRun.objects.exists()

    def test_one_that_took_nothing_in_may_begin_another_way(self, channel: Channel, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", ANNA, ("ragged",))
        with pytest.raises(InvalidInput, match="cannot be written"):
            take_in(path, rejects=tmp_path)

        assert take_in(path, rejects=tmp_path / "refused.csv", resolve=False).rejects
        assert ImportRun.objects.get().state == "done"

    def test_what_a_try_wrote_that_took_nothing_in_is_written_anew(
        self, channel: Channel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path, named = write(tmp_path / "a.csv", ANNA, ("ragged",)), tmp_path / "refused.csv"

        def fail(*args: object) -> None:
            raise _Broken("the power failed")

        with monkeypatch.context() as patch:
            patch.setattr(import_steps, "_with", fail)  # the refused row is on disk by then
            self._break(path, rejects=named)
        assert named.read_text()

        take_in(path, rejects=named)

        assert len(named.read_text().splitlines()) == 2

    def test_other_columns_begin_anew(self, channel: Channel, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", ANNA, BORIS)
        take_in(path)
        ImportRun.objects.update(state="failed")

        opened = open_file(path=path, channel="crm", mapping=[("city", "")])

        assert import_file(opened, actor=ACTOR).resumed_at == 0
        assert ImportRun.objects.count() == 2

    def test_a_file_that_changes_while_it_is_read_is_refused(self, channel: Channel, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", ANNA, BORIS, CLARA, person(1))

        def append(so_far: Summary) -> None:
            with path.open("a") as file:
                file.write("more\n")

        with pytest.raises(InvalidInput, match="changed while it was being read"):
            take_in(path, batch=2, watch=append)
        assert (ImportRun.objects.get().state, Customer.objects.count()) == ("failed", 2)

    def test_a_deadlock_costs_one_more_try_of_the_batch(
        self, channel: Channel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, calls = staging.take_in, []

        def lose_once(*args: object, **kwargs: object) -> Taken:
            taken = real(*args, **kwargs)  # type: ignore[arg-type]
            calls.append(taken)
            if len(calls) == 1:
                raise OperationalError("deadlock detected") from DeadlockDetected()
            return taken

        monkeypatch.setattr(staging, "take_in", lose_once)
        summary = take_in(write(tmp_path / "a.csv", ANNA, ("ragged",), BORIS))

        assert dict(summary.rows) == {"created": 2, "updated": 0, "unchanged": 0, "refused": 1}
        assert Customer.objects.count() == 2
        assert summary.rejects
        assert len(summary.rejects.read_text().splitlines()) == 2

    @pytest.mark.django_db(transaction=True)
    def test_p1_a_value_whose_owner_gives_it_up_just_then_begins_after_it(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        """The import waits for the owner's row and had its own moment before."""
        take_in(write(tmp_path / "before.csv", ANNA), resolve=False)
        link = owned(ANNA[3])
        other = ("r9", "Zygmunt", "Quarles", ANNA[3], "", "1941-01-01", "Rome", "00100", "IT")
        path = write(tmp_path / "a.csv", other)
        tries = met_by(
            lambda: count_tries(partial(take_in, resolve=False), path),
            first=lambda: unlink_customer_identifier(
                customer_id=link.customer_id, mapping_id=link.pk, actor=ACTOR
            ),
            then=lambda: Mapping.objects.filter(pk=link.pk).update(valid_to=timezone.now()),
        )
        link.refresh_from_db()
        began = owned(ANNA[3])
        assert tries == 2
        assert link.valid_to is not None
        assert link.valid_to <= began.valid_from

    def test_a_batch_that_was_rolled_back_is_not_remembered(
        self, channel: Channel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first try merges Anna with herself and is rolled back with all it has learnt."""
        take_in(write(tmp_path / "before.csv", ANNA))
        shelves: list[set[UUID]] = []
        real = Settler.settle

        def lose_once(self: Settler, *args: Any, **kwargs: Any) -> Settled:
            shelves.append(set(self._shelf._kept))
            settled = real(self, *args, **kwargs)
            if len(shelves) == 1:
                raise OperationalError("deadlock detected") from DeadlockDetected()
            return settled

        monkeypatch.setattr(Settler, "settle", lose_once)
        summary = take_in(write(tmp_path / "a.csv", ANNA_AGAIN, BORIS))

        assert shelves == [set(), set()]
        assert (summary.settled.merged, Customer.objects.active().count()) == (1, 2)

    @pytest.mark.django_db(transaction=True)
    def test_a_changed_row_and_a_merge_of_its_customer_do_not_lock_each_other_out(
        self, tmp_path: Path
    ) -> None:
        """A merge holds its customers and goes for their records while the import changes one of them."""
        ChannelFactory(code="crm", default_region="DE")
        take_in(write(tmp_path / "a.csv", ANNA, BORIS), resolve=False)
        survivor, absorbed = (SourceRecord.objects.get(source_key=key).customer_id for key in ("r3", "r1"))
        locked, importing_now = threading.Event(), threading.Event()
        faults: list[BaseException] = []

        def merge_slowly() -> None:
            try:
                with transaction.atomic():
                    locks.lock_customers({survivor, absorbed})
                    locked.set()
                    importing_now.wait(30)
                    merge_customers(member_ids=[survivor, absorbed], survivor_id=survivor, actor=ACTOR)
            except DatabaseError as error:
                faults.append(error)
            finally:
                connection.close()

        thread = threading.Thread(target=merge_slowly)
        thread.start()
        locked.wait(30)
        threading.Timer(0.5, importing_now.set).start()
        tries = count_tries(take_in, write(tmp_path / "b.csv", (*ANNA[:6], "Potsdam", *ANNA[7:])))
        thread.join()

        assert (faults, tries) == ([], 1)
        assert SourceRecord.objects.get(source_key="r1").data["city"] == "Potsdam"
        assert SourceRecord.objects.get(source_key="r1").customer_id == survivor

    def test_two_imports_into_one_channel_wait_for_each_other(self, channel: Channel, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", ANNA)
        with (
            work_held_elsewhere(f"import {channel.pk}"),
            pytest.raises(Refused, match="Another import into the channel crm is running"),
        ):
            take_in(path)
