"""The same file and the same records once more: what has not changed changes nothing."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from customers.models import Channel, Customer, Mapping
from resolution.models import AuditEntry, IdentifierRule, Merge, OutboxEvent
from resolution.services import locks, staged_links
from resolution.services.importing import import_file, open_file
from resolution.services.judge import judge_pair
from resolution.services.link import unlink_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.profiles import update_profile
from resolution.services.resolve import resolve_customer_identity
from tests.factories import CustomerFactory, MappingFactory, actor_for, steward
from tests.resolution.batch.files import ANNA, ANNA_AGAIN, BORIS, CLARA, write
from tests.resolution.services.importing.scene import ACTOR, everything, owned, take_in
from tests.resolution.services.promises import faults_of_the_tables, keys_out_of_date

pytestmark = pytest.mark.django_db


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

    def test_p10_an_owner_the_cache_remembers_is_told_no_more(self, channel: Channel, tmp_path: Path) -> None:
        old = MappingFactory(channel=channel, channel_identifier=ANNA[3])
        look_up = {"channel": channel, "identifier_type": "email", "value": ANNA[3]}
        assert resolve_customer_identity(**look_up) == old.customer_id
        Mapping.objects.update(last_seen_at=timezone.now() - self.LONG_AGO)

        take_in(write(tmp_path / "a.csv", ANNA))

        assert resolve_customer_identity(**look_up) == owned(ANNA[3]).customer_id != old.customer_id

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

    def test_an_owner_merged_before_it_was_locked_gives_way_as_its_survivor_locked(
        self, channel: Channel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = MappingFactory(
            channel=channel, channel_identifier=ANNA[3], last_seen_at=timezone.now() - self.LONG_AGO
        )
        survivor, locked = CustomerFactory(), []
        look, lock = staged_links.load_differences, locks.lock_customers

        def merge_meanwhile(people: set[uuid.UUID]) -> object:
            if not Merge.objects.exists():
                merge_customers(
                    member_ids=[old.customer_id, survivor.pk], survivor_id=survivor.pk, actor=ACTOR
                )
                locked.clear()
            return look(people)

        def note(ids: Collection[uuid.UUID]) -> object:
            locked.append(set(ids))
            return lock(ids)

        monkeypatch.setattr(staged_links, "load_differences", merge_meanwhile)
        monkeypatch.setattr(locks, "lock_customers", note)
        take_in(write(tmp_path / "a.csv", ANNA), resolve=False)

        assert AuditEntry.objects.get(action="lose").customer_id == survivor.pk
        assert {survivor.pk} in locked
        assert faults_of_the_tables() == []
