"""Files into the register: every row accounted for, the same file twice without effect, breaks mended."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from django.utils import timezone
from psycopg.errors import DeadlockDetected

from customers.models import Channel, Customer, Mapping, SourceRecord
from resolution.errors import InvalidInput, Refused, UnknownChannel
from resolution.models import AuditEntry, Conflict, IdentifierRule, ImportRun, Merge, OutboxEvent
from resolution.selectors.profiles import load_profiles
from resolution.services import importing, locks, staging
from resolution.services.audit import find_break
from resolution.services.importing import Summary, import_file, open_file, preview_import
from resolution.services.judge import judge_pair
from resolution.services.link import unlink_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.profiles import update_profile
from resolution.services.settle import Settled, Settler
from resolution.services.staged import Taken
from resolution.types import Actor
from tests.factories import ChannelFactory, MappingFactory, actor_for, steward
from tests.resolution.batch.files import ANNA, ANNA_AGAIN, BORIS, CLARA, csv_text, person, write
from tests.resolution.services.promises import keys_out_of_date
from tests.resolution.services.waiting import met_by

pytestmark = pytest.mark.django_db

ACTOR = Actor.machine("test import")


@pytest.fixture
def channel() -> Channel:
    return ChannelFactory(code="crm", default_region="DE")


@pytest.fixture(autouse=True)
def _rejects_in_tmp(settings: object, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path  # type: ignore[attr-defined]


def take_in(path: Path, **options: object) -> Summary:
    return import_file(open_file(path=path, channel="crm"), actor=ACTOR, **options)  # type: ignore[arg-type]


def count_tries(act: Callable[..., object], *args: object) -> int:
    """How often a batch was begun until it was in."""
    real, begun = staging.take_in, []

    def count(*args: Any, **kwargs: Any) -> Taken:
        begun.append(args)
        return real(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staging, "take_in", count)
        act(*args)
    return len(begun)


def everything() -> dict[str, list[object]]:
    """All rows an import may touch, but for its own run and audit row."""
    tables = (
        "customers", "customer_identity_mapping", "source_records", "blocking_keys", "merges", "conflicts",
        "outbox_events",
    )  # fmt: skip
    found: dict[str, list[object]] = {}
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT row_to_json(t)::text FROM {table} AS t ORDER BY 1")
            found[table] = cursor.fetchall()
    return found


def owned(value: str) -> Mapping:
    return Mapping.objects.owned().get(normalised=value)


class TestNewRows:
    def test_each_becomes_a_customer_with_its_identifiers(self, channel: Channel, tmp_path: Path) -> None:
        take_in(write(tmp_path / "a.csv", ANNA))

        customer = Customer.objects.get()
        assert (customer.given_name, customer.city, str(customer.birth_date)) == (
            "Anna",
            "Berlin",
            "1980-02-13",
        )
        links = Mapping.objects.filter(customer=customer).values_list(
            "identifier_type", "normalised", "verified"
        )
        assert set(links) == {
            ("record_id", "r1", True),
            ("email", "anna.smithers@post.example", False),
            ("phone", "+4930901820001", False),
        }
        assert SourceRecord.objects.get(source_key="r1").data["given_name"] == "Anna"

    def test_p1_a_value_somebody_had_before_is_owned_from_now_on(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        ahead = timezone.now() + timedelta(minutes=5)  # another host's clock
        for until in (ahead - timedelta(days=30), ahead):
            MappingFactory(
                channel=channel, channel_identifier=ANNA[3], status="ended", valid_to=until,
                valid_from=until - timedelta(days=10),
            )  # fmt: skip
        take_in(write(tmp_path / "a.csv", ANNA))

        assert owned(ANNA[3]).valid_from == ahead
        assert owned("r1").valid_from < ahead

    def test_the_first_owns_a_value_and_the_second_shares_it(self, channel: Channel, tmp_path: Path) -> None:
        other = ("r9", "Zygmunt", "Quarles", ANNA[3], "", "1941-01-01", "Rome", "00100", "IT")
        take_in(write(tmp_path / "a.csv", ANNA, other), resolve=False)

        links = Mapping.objects.filter(normalised=ANNA[3]).select_related("customer")
        assert {link.customer.given_name: link.status for link in links} == {
            "Anna": "active",
            "Zygmunt": "shared",
        }

    def test_one_person_twice_in_a_batch_is_one_customer(self, channel: Channel, tmp_path: Path) -> None:
        summary = take_in(write(tmp_path / "a.csv", ANNA, ANNA_AGAIN, BORIS))

        assert (summary.settled.merged, Customer.objects.active().count()) == (1, 2)
        assert Merge.objects.get().method == "auto"

    def test_one_person_in_two_batches_is_one_customer(self, channel: Channel, tmp_path: Path) -> None:
        summary = take_in(write(tmp_path / "a.csv", ANNA, BORIS, CLARA, ANNA_AGAIN), batch=2)

        assert (summary.settled.merged, Customer.objects.active().count()) == (1, 3)

    def test_without_resolving_nothing_is_joined(self, channel: Channel, tmp_path: Path) -> None:
        take_in(write(tmp_path / "a.csv", ANNA, ANNA_AGAIN), resolve=False)

        assert Customer.objects.active().count() == 2

    def test_a_likely_pair_is_asked(self, channel: Channel, tmp_path: Path) -> None:
        namesake = ("r5", "Anna", "Smithers", "", "", "", "Berlin", "", "")

        summary = take_in(write(tmp_path / "a.csv", ANNA, namesake))

        assert summary.settled.queued == 1
        conflict = Conflict.objects.get()
        assert conflict.kind == "likely_duplicate"
        assert "ame given name" in conflict.reason

    def test_a_newcomer_s_profile_is_what_the_register_gives_afterwards(
        self, channel: Channel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: dict[object, object] = {}
        real = staging.take_in

        def remember(*args: object, **kwargs: object) -> Taken:
            taken = real(*args, **kwargs)  # type: ignore[arg-type]
            made.update(taken.profiles)
            return taken

        monkeypatch.setattr(staging, "take_in", remember)
        rows = [ANNA, BORIS, CLARA, person(1, phone="", email=""), person(2, phone="030 5552201", country="")]
        take_in(write(tmp_path / "a.csv", *rows), resolve=False)

        assert made == load_profiles(list(Customer.objects.values_list("pk", flat=True)))

    def test_two_records_of_a_clean_source_are_not_compared(self, channel: Channel, tmp_path: Path) -> None:
        Channel.objects.update(free_of_duplicates=True)

        summary = take_in(write(tmp_path / "a.csv", ANNA, ANNA_AGAIN))

        assert (summary.settled.same_source, summary.settled.pairs, summary.settled.merged) == (1, 0, 0)

    @pytest.mark.django_db(transaction=True)
    def test_long_files_are_taken_in_by_a_second_process_with_the_same_result(self, tmp_path: Path) -> None:
        ChannelFactory(code="crm", default_region="DE")
        rows = [person(number) for number in range(30)]
        path = write(tmp_path / "a.csv", *rows, ANNA, ("ragged",), ANNA_AGAIN)

        made: list[Summary] = []
        tries = count_tries(lambda: made.append(take_in(path, batch=8)))
        run, summary = ImportRun.objects.get(), take_in(path)

        assert tries == 0
        assert made[0].rejects
        assert made[0].rejects.read_text().splitlines()[1] == "33,,1 values where 9 columns are,ragged"
        assert (run.state, run.rows_done, run.rows_settled) == ("done", 33, 33)
        assert (run.counts["created"], run.counts["refused"], run.counts["merged"]) == (32, 1, 1)
        assert dict(summary.rows) == {"created": 0, "updated": 0, "unchanged": 32, "refused": 1}
        assert find_break() is None

    @pytest.mark.django_db(transaction=True)
    def test_a_fault_in_the_second_process_comes_out_after_what_was_in_is_settled(
        self, tmp_path: Path
    ) -> None:
        ChannelFactory(code="crm", default_region="DE")
        path = write(tmp_path / "a.csv", *(person(number) for number in range(40)))

        def append(so_far: Summary) -> None:
            with path.open("a") as file:
                file.write("more\n")

        with pytest.raises(InvalidInput, match="changed while it was being read"):
            take_in(path, batch=4, watch=append)

        run = ImportRun.objects.get()
        assert (run.state, run.rows_done) == ("failed", run.rows_settled)
        assert 4 <= run.rows_done < 40
        assert Customer.objects.count() == run.rows_done


class TestTrail:
    def test_p5_every_customer_and_every_link_has_its_audit_row(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        take_in(write(tmp_path / "a.csv", ANNA, ANNA_AGAIN, BORIS, CLARA), resolve=False)

        def count(action: str) -> int:
            return AuditEntry.objects.filter(action=action).count()

        assert count("create") == Customer.objects.count() == 4
        assert count("link") == Mapping.objects.owned().count()
        assert count("share") == Mapping.objects.filter(status="shared").count() == 2
        assert count("import") == 1
        assert OutboxEvent.objects.filter(kind="customer.created").count() == 4

    def test_p5_the_chain_holds_after_an_import(self, channel: Channel, tmp_path: Path) -> None:
        take_in(write(tmp_path / "a.csv", ANNA, ANNA_AGAIN, BORIS))

        assert find_break() is None


class TestEveryRowIsAccountedFor:
    def test_p6_each_row_ends_in_one_way_and_the_counts_add_up(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        take_in(write(tmp_path / "before.csv", BORIS, CLARA))
        path = tmp_path / "a.csv"
        moved = (*CLARA[:6], "Leiden", *CLARA[7:])
        junk = ("r7", "xxx", "", "n/a", "000000", "", "", "", "DE")
        path.write_text(
            csv_text(ANNA, BORIS, moved, ("ragged",), junk, (*ANNA[:1], "Someone", *ANNA[2:]), ANNA)
        )

        summary = take_in(path)

        assert dict(summary.rows) == {"created": 1, "updated": 1, "unchanged": 2, "refused": 3}
        assert summary.rows_read == 7 == ImportRun.objects.latest("pk").rows_done

    def test_p6_a_refused_row_is_kept_with_line_column_and_reason(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        long = (*BORIS[:3], "b" * 10_000 + "@b.example", *BORIS[4:])
        summary = take_in(write(tmp_path / "a.csv", ANNA, ("ragged",), long, ("r8", "An\x00na", *ANNA[2:])))

        assert summary.rejects
        lines = summary.rejects.read_text().splitlines()
        assert lines[0].startswith("line,column,reason,record_id,first_name")
        assert lines[1] == "3,,1 values where 9 columns are,ragged"
        assert lines[2].startswith('4,email,"10,010 characters where at most 255 fit",r3,Boris')
        assert lines[3].startswith("5,first_name,a NUL byte in the value,r8,An␀na")
        assert stat.S_IMODE(summary.rejects.stat().st_mode) == 0o600

    def test_p6_two_rows_under_one_id_do_not_change_a_customer_to_and_fro(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        path = write(tmp_path / "a.csv", ANNA, ("r1", "Quentin", *BORIS[2:]))

        first, second = take_in(path), take_in(path)

        assert dict(first.rows) == {"created": 1, "updated": 0, "unchanged": 0, "refused": 1}
        assert dict(second.rows) == {"created": 0, "updated": 0, "unchanged": 1, "refused": 1}
        assert "an earlier row of this file has the id r1 too" in first.refusals[0].reason


class TestAgain:
    def test_the_same_file_changes_nothing_but_its_own_audit_row(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        path = write(tmp_path / "a.csv", ANNA, ANNA_AGAIN, BORIS, CLARA)
        take_in(path)
        before, entries = everything(), AuditEntry.objects.count()

        summary = take_in(path)

        assert everything() == before
        assert dict(summary.rows) == {"created": 0, "updated": 0, "unchanged": 4, "refused": 0}
        assert AuditEntry.objects.count() == entries + 1

    def test_rows_without_an_id_are_known_by_their_content(self, channel: Channel, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text("name,email\nAnna Smithers,anna@smithers.example\nBoris Okonkwo,boris@o.example\n")
        take_in(path)

        assert dict(take_in(path).rows) == {"created": 0, "updated": 0, "unchanged": 2, "refused": 0}

    def test_a_changed_row_changes_what_still_held_the_source_s_value(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        take_in(write(tmp_path / "a.csv", CLARA))

        summary = take_in(
            write(tmp_path / "b.csv", (*CLARA[:3], "clara@new.example", *CLARA[4:6], "Leiden", *CLARA[7:]))
        )

        customer = Customer.objects.get()
        assert summary.rows["updated"] == 1
        assert (customer.city, customer.email, customer.version) == ("Leiden", "clara@new.example", 2)
        assert owned("clara@new.example").customer == customer
        entry = AuditEntry.objects.get(action="update")
        assert entry.metadata["before"] == {"email": "clara@vandermeer.example", "city": "Delft"}
        assert entry.metadata["after"] == {"email": "clara@new.example", "city": "Leiden"}

    def test_a_new_identifier_alone_counts_the_version_up(self, channel: Channel, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text("id,name,email,second_email\n1,Clara Vandermeer,clara@v.example,\n")
        options = {"mapping": [("email", "email"), ("email", "second_email")]}
        import_file(open_file(path=path, channel="crm", **options), actor=ACTOR)  # type: ignore[arg-type]
        path.write_text("id,name,email,second_email\n1,Clara Vandermeer,clara@v.example,c@other.example\n")
        import_file(open_file(path=path, channel="crm", **options), actor=ACTOR)  # type: ignore[arg-type]

        customer = Customer.objects.get()
        assert owned("c@other.example").customer == customer
        assert (customer.email, customer.version) == ("clara@v.example", 2)

    def test_a_changed_row_leaves_what_a_person_wrote(self, channel: Channel, tmp_path: Path) -> None:
        take_in(write(tmp_path / "a.csv", CLARA))
        customer = Customer.objects.get()
        update_profile(
            customer_id=customer.pk, version=1, changes={"city": "Gouda"}, actor=actor_for(steward())
        )

        take_in(write(tmp_path / "b.csv", (*CLARA[:6], "Leiden", *CLARA[7:])))

        assert Customer.objects.get().city == "Gouda"

    def test_a_blank_takes_nothing_away(self, channel: Channel, tmp_path: Path) -> None:
        take_in(write(tmp_path / "a.csv", CLARA))

        take_in(write(tmp_path / "b.csv", (*CLARA[:6], "", *CLARA[7:])))

        assert Customer.objects.get().city == "Delft"

    def test_an_identifier_a_person_took_off_stays_off(self, channel: Channel, tmp_path: Path) -> None:
        take_in(write(tmp_path / "a.csv", CLARA))
        link = owned(CLARA[3])
        unlink_customer_identifier(
            customer_id=link.customer_id, mapping_id=link.pk, actor=actor_for(steward()), reason="not hers"
        )

        take_in(write(tmp_path / "b.csv", (*CLARA[:6], "Leiden", *CLARA[7:])))

        assert not Mapping.objects.owned().filter(normalised=CLARA[3]).exists()

    def test_a_changed_row_of_a_merged_customer_changes_the_survivor(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        take_in(write(tmp_path / "a.csv", ANNA, ANNA_AGAIN))

        take_in(write(tmp_path / "b.csv", (*ANNA_AGAIN[:3], "anna@second.example", *ANNA_AGAIN[4:])))

        assert owned("anna@second.example").customer == Customer.objects.active().get()


class TestWindow:
    """Links not seen for a type's window, as a file finds them."""

    LONG_AGO = timedelta(days=100)

    @pytest.fixture(autouse=True)
    def _thirty_days(self, channel: Channel) -> None:
        IdentifierRule.objects.update(valid_days=30)

    def not_seen(self) -> None:
        Mapping.objects.update(last_seen_at=timezone.now() - self.LONG_AGO)

    def just_seen(self) -> set[str]:
        lately = timezone.now() - timedelta(minutes=5)
        return set(Mapping.objects.filter(last_seen_at__gt=lately).values_list("normalised", flat=True))

    def test_what_the_source_sends_again_was_seen_again_and_that_is_no_change(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", ANNA)
        take_in(path)
        extra = MappingFactory(channel=Channel.objects.get(), customer=Customer.objects.get())
        self.not_seen()
        entries, versions = AuditEntry.objects.count(), set(Customer.objects.values_list("pk", "version"))

        take_in(path)

        assert self.just_seen() == {ANNA[3], "+4930901820001"}
        assert extra.normalised not in self.just_seen()
        assert AuditEntry.objects.count() == entries + 1
        assert set(Customer.objects.values_list("pk", "version")) == versions

    def test_a_changed_row_was_seen_with_all_it_still_has(self, tmp_path: Path) -> None:
        take_in(write(tmp_path / "a.csv", ANNA))
        self.not_seen()
        take_in(write(tmp_path / "b.csv", (*ANNA[:4], "+4930901820002", *ANNA[5:])))
        assert self.just_seen() == {ANNA[3], "+4930901820002"}

    def test_p1_an_owner_out_of_it_gives_way_with_the_trail_of_a_claim(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        old = MappingFactory(
            channel=channel, channel_identifier=ANNA[3], last_seen_at=timezone.now() - self.LONG_AGO,
            valid_from=timezone.now() - self.LONG_AGO,
        )  # fmt: skip

        take_in(write(tmp_path / "a.csv", ANNA))

        new = owned(ANNA[3])
        old.refresh_from_db()
        assert (old.status, old.valid_to) == ("ended", new.valid_from)
        lost, moved = (AuditEntry.objects.get(action=action) for action in ("lose", "move"))
        assert (lost.customer_id, lost.metadata["to"]) == (old.customer_id, str(new.customer_id))
        assert (moved.customer_id, moved.old_value) == (new.customer_id, str(old.customer_id))
        assert moved.metadata["reason"] == "not seen within its type's window"
        assert OutboxEvent.objects.filter(kind="identifier.moved").count() == 1
        assert Customer.objects.get(pk=old.customer_id).version == 2
        assert keys_out_of_date() == []

    def test_of_several_that_claim_it_the_first_owns_it(self, channel: Channel, tmp_path: Path) -> None:
        MappingFactory(
            channel=channel, channel_identifier=ANNA[3], last_seen_at=timezone.now() - self.LONG_AGO
        )
        other = ("r9", "Zygmunt", "Quarles", ANNA[3], "", "1941-01-01", "Rome", "00100", "IT")
        take_in(write(tmp_path / "a.csv", ANNA, other), resolve=False)
        links = Mapping.objects.current().filter(normalised=ANNA[3]).select_related("customer")
        assert {link.customer.given_name: link.status for link in links} == {
            "Anna": "active",
            "Zygmunt": "shared",
        }

    def test_p3_who_was_told_apart_from_the_owner_takes_nothing(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        take_in(write(tmp_path / "a.csv", (*ANNA[:3], "", *ANNA[4:])))
        old = MappingFactory(
            channel=channel, channel_identifier=ANNA[3], last_seen_at=timezone.now() - self.LONG_AGO
        )
        anna = Customer.objects.get(given_name=ANNA[1])
        judge_pair(
            left_id=anna.pk, right_id=old.customer_id, verdict="different", reason="Two people.",
            actor=actor_for(steward()),
        )  # fmt: skip

        take_in(write(tmp_path / "b.csv", ANNA))

        assert owned(ANNA[3]).customer_id == old.customer_id
        assert Mapping.objects.get(customer=anna, normalised=ANNA[3]).status == "shared"


class TestHumanWord:
    def test_p3_customers_judged_different_are_not_joined_by_an_import(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        take_in(write(tmp_path / "a.csv", ANNA, ANNA_AGAIN), resolve=False)
        left, right = Customer.objects.order_by("pk")
        judge_pair(
            left_id=left.pk,
            right_id=right.pk,
            verdict="different",
            reason="sisters",
            actor=actor_for(steward()),
        )

        take_in(write(tmp_path / "b.csv", ("r10", *ANNA[1:]), (*ANNA_AGAIN[:6], "Potsdam", *ANNA_AGAIN[7:])))

        standing = {row.pk: row.canonical_id for row in Customer.objects.all()}
        assert standing[left.pk] != standing[right.pk]


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

    def _break(self, path: Path) -> ImportRun:
        with pytest.raises(_Broken):
            take_in(path, batch=2)
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
        held, done = threading.Event(), threading.Event()

        def other_session() -> None:
            with locks.hold_work(f"import {channel.pk}"):
                held.set()
                done.wait(30)
            connection.close()

        thread = threading.Thread(target=other_session)
        thread.start()
        held.wait(30)
        try:
            with pytest.raises(Refused, match="Another import into the channel crm is running"):
                take_in(path)
        finally:
            done.set()
            thread.join()


class TestOpenFile:
    def test_an_unknown_channel_is_refused_with_the_known_ones(
        self, channel: Channel, tmp_path: Path
    ) -> None:
        with pytest.raises(UnknownChannel, match=r"no channel “fax”.*crm"):
            open_file(path=write(tmp_path / "a.csv", ANNA), channel="fax")

    def test_a_header_without_rows_is_refused(self, channel: Channel, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="a header and no rows"):
            open_file(path=write(tmp_path / "a.csv"), channel="crm")


class TestPreview:
    def test_counts_and_writes_nothing(self, channel: Channel, tmp_path: Path) -> None:
        take_in(write(tmp_path / "a.csv", BORIS, CLARA))
        before, runs = everything(), ImportRun.objects.count()
        changed = (*CLARA[:6], "Leiden", *CLARA[7:])
        path = write(tmp_path / "b.csv", ANNA, BORIS, changed, ("ragged",), ("r7", "xxx", *[""] * 7))

        summary = preview_import(open_file(path=path, channel="crm"), batch=importing.BATCH)

        assert dict(summary.rows) == {"created": 1, "updated": 1, "unchanged": 1, "refused": 2}
        assert everything() == before
        assert (ImportRun.objects.count(), summary.rejects) == (runs, None)
