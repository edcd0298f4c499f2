"""Rows of a file into the register: every one accounted for, each customer with its trail."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from customers.models import Channel, Customer, Mapping, SourceRecord
from resolution.errors import InvalidInput
from resolution.models import AuditEntry, Conflict, ImportRun, Merge, OutboxEvent
from resolution.selectors.profiles import load_profiles
from resolution.services import staging
from resolution.services.audit import find_break
from resolution.services.importing import Summary
from resolution.services.judge import judge_pair
from resolution.services.staged import Taken
from tests.factories import ChannelFactory, MappingFactory, actor_for, steward
from tests.resolution.batch.files import ANNA, ANNA_AGAIN, BORIS, CLARA, csv_text, person, write
from tests.resolution.services.importing.scene import count_tries, owned, take_in

pytestmark = pytest.mark.django_db


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
