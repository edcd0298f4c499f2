"""P3 for every writer: a live *different* spans whole customers, whoever was absorbed on either side.

The cast: ann, absorbed by anna, and bobby, absorbed by bob, were told apart while all four stood alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from customers.models import Channel, Customer, Mapping
from resolution.conf import policy
from resolution.errors import MergeBlocked, Refused
from resolution.models import Conflict, Judgement, Merge, MergeProposal
from resolution.selectors.judgements import different_pairs
from resolution.services import audit, resolve
from resolution.services.approve import approve_proposal, propose_merge, reject_proposal, withdraw_proposal
from resolution.services.conflict_evidence import scores_in
from resolution.services.decide import decide_conflict
from resolution.services.find_duplicates import find_duplicates
from resolution.services.importing import import_file, open_file
from resolution.services.judge import judge_pair
from resolution.services.keys import rebuild_keys
from resolution.services.link import link_customer_identifier
from resolution.services.locks import lock_customers
from resolution.services.merge import merge_customers, merge_in_bulk
from resolution.services.profiles import create_customer, update_profile
from resolution.services.queue import claim
from resolution.services.resolve import create_or_resolve_customer, resolve_identifiers
from resolution.services.split import split_customer
from resolution.services.unmerge import undo_merge
from resolution.types import Actor, Group, Resolution
from tests.factories import (
    ChannelFactory,
    ConflictFactory,
    CustomerFactory,
    MappingFactory,
    actor_for,
    lead,
    steward,
)
from tests.resolution.batch.files import ANNA, write
from tests.resolution.services.waiting import met_by

pytestmark = pytest.mark.django_db
MACHINE = Actor.machine("test")
EMAIL = "shared@factory.example.com"
FEUERBACH = {
    "given_name": "Annegret", "family_name": "Feuerbach", "birth_date": "1980-02-01",
    "address": "12 Lindenstrasse", "postcode": "10969", "city": "Berlin",
}  # fmt: skip


@dataclass
class Cast:
    """Two customers that stand for those who were told apart."""

    anna: Customer
    bob: Customer
    ada: Actor

    @property
    def ids(self) -> list[uuid.UUID]:
        return [self.anna.pk, self.bob.pk]

    def are_two(self) -> bool:
        return not set(Customer.objects.filter(pk__in=self.ids).values_list("merged_into", flat=True)) - {
            None
        }


def tell_apart(left: Customer, right: Customer, actor: Actor) -> Judgement:
    return judge_pair(left_id=left.pk, right_id=right.pk, verdict="different", reason="", actor=actor)


def cast_of(**fields: Any) -> Cast:
    anna, ann, bob, bobby = (create_customer(fields=fields, actor=MACHINE) for _ in range(4))
    ada = actor_for(steward(username="ada"))
    tell_apart(ann, bobby, ada)
    for survivor, absorbed in ((anna, ann), (bob, bobby)):
        merge_customers(member_ids=[survivor.pk, absorbed.pk], survivor_id=survivor.pk, actor=MACHINE)
    return Cast(anna, bob, ada)


@pytest.fixture
def cast() -> Cast:
    return cast_of(**FEUERBACH)


@pytest.fixture
def channel() -> Channel:
    return ChannelFactory(code="crm")


def assert_names_its_edges(conflict: Conflict, cast: Cast, third: str) -> None:
    """Who told whom apart and when, and what the third weighs with each."""
    assert conflict.kind == "contradiction"
    assert f"ada judged A {cast.anna.display_name} and B" in conflict.reason
    assert "not the same on " in conflict.reason
    assert "A–C +" in conflict.reason
    assert "B–C +" in conflict.reason
    assert set(map(str, conflict.members.values_list("customer", flat=True))) == {*map(str, cast.ids), third}
    edges = {frozenset((score.left, score.right)) for score in scores_in(conflict.evidence)}
    assert edges >= {frozenset((str(key), third)) for key in cast.ids}


class TestMerges:
    def test_p3_a_merge_is_refused(self, cast: Cast) -> None:
        with pytest.raises(MergeBlocked, match=r"ada judged .* not the same on .*; withdraw that judgement"):
            merge_customers(member_ids=cast.ids, actor=MACHINE)
        assert cast.are_two()

    def test_p3_a_merge_with_a_third_between_them_is_refused(self, cast: Cast) -> None:
        with pytest.raises(MergeBlocked, match="ada judged"):
            merge_customers(member_ids=[*cast.ids, CustomerFactory().pk], actor=MACHINE)

    def test_p3_a_third_that_joined_one_side_does_not_join_the_other(self, cast: Cast) -> None:
        third = CustomerFactory()
        merge_customers(member_ids=[cast.anna.pk, third.pk], survivor_id=third.pk, actor=MACHINE)
        with pytest.raises(MergeBlocked, match="ada judged"):
            merge_customers(member_ids=[third.pk, cast.bob.pk], actor=MACHINE)

    def test_p3_a_bulk_merge_leaves_the_group_alone(self, cast: Cast) -> None:
        with audit.change(MACHINE) as trail:
            done = merge_in_bulk(trail, [Group(tuple(map(str, cast.ids)), ())])
        assert (done.merges, "ada judged" in done.refused[0].why[0]) == ((), True)

    def test_p3_it_is_not_proposed(self, cast: Cast) -> None:
        with pytest.raises(MergeBlocked, match="ada judged"):
            propose_merge(member_ids=cast.ids, actor=cast.ada)

    def test_p3_what_was_proposed_before_is_not_approved(self) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        ada = actor_for(steward())
        proposal = propose_merge(member_ids=[anna.pk, bob.pk], actor=ada)
        Customer.objects.filter(pk=ann.pk).update(status="merged", merged_into=anna)
        Judgement.objects.create(
            left_id=min(ann.pk, bob.pk), right_id=max(ann.pk, bob.pk), verdict="different", actor_name="ada"
        )
        with pytest.raises(MergeBlocked, match="ada judged"):
            approve_proposal(proposal_id=proposal.pk, actor=actor_for(lead()))


class TestUndo:
    def test_p3_the_judgement_goes_back_to_whom_it_was_said_of(self, cast: Cast) -> None:
        merge = Merge.objects.get(survivor=cast.anna)
        undo_merge(merge_id=merge.pk, judge_different=False, actor=MACHINE)
        [ann] = merge.members.values_list("customer", flat=True)
        with pytest.raises(MergeBlocked, match="ada judged"):
            merge_customers(member_ids=[ann, cast.bob.pk], actor=MACHINE)
        assert merge_customers(member_ids=cast.ids, actor=MACHINE).survivor_id in cast.ids

    def test_p3_undo_writes_the_cut_beside_the_words_that_stand(self, cast: Cast) -> None:
        merge = Merge.objects.get(survivor=cast.anna)
        undo_merge(merge_id=merge.pk, actor=MACHINE)
        live = Judgement.objects.filter(superseded_at__isnull=True, verdict="different")
        assert live.count() == 2


class TestLinks:
    def claim(self, cast: Cast, channel: Channel, **options: Any) -> Any:
        return link_customer_identifier(
            customer_id=cast.bob.pk, channel=channel, identifier_type="email", value=EMAIL, actor=MACHINE,
            **options,
        )  # fmt: skip

    def test_p3_a_weak_link_is_not_moved_between_them_but_asked_about(
        self, cast: Cast, channel: Channel
    ) -> None:
        weak = MappingFactory(
            customer=cast.anna, channel=channel, channel_identifier=EMAIL, confidence_score=Decimal("0.40")
        )
        outcome = self.claim(cast, channel, confidence=Decimal("0.90"))
        assert (outcome.action, outcome.resolution_needed) == ("conflict_contradiction", True)
        assert Mapping.objects.owned().get(normalised=EMAIL) == weak
        conflict = Conflict.objects.get(pk=outcome.conflict_id)
        assert conflict.kind == "contradiction"
        for edge in ("with confidence 0.40, to", "claims it, with confidence 0.90,", "ada judged the"):
            assert edge in conflict.reason

    @pytest.mark.parametrize("fields", [{"verified": True}, {"confidence_score": Decimal("0.90")}])
    def test_a_claim_on_a_strong_link_says_that_they_were_told_apart(
        self, cast: Cast, channel: Channel, fields: dict[str, Any]
    ) -> None:
        MappingFactory(customer=cast.anna, channel=channel, channel_identifier=EMAIL, **fields)
        outcome = self.claim(cast, channel)
        assert "ada judged" in Conflict.objects.get(pk=outcome.conflict_id).reason

    def test_a_verified_email_claimed_twice_is_one_question_and_moves_nowhere(
        self, cast: Cast, channel: Channel
    ) -> None:
        held = MappingFactory(customer=cast.anna, channel=channel, channel_identifier=EMAIL, verified=True)
        first, second = self.claim(cast, channel, verified=True), self.claim(cast, channel, verified=True)
        assert (first.action, first.conflict_id) == ("conflict_verified", second.conflict_id)
        third = link_customer_identifier(
            customer_id=CustomerFactory().pk, channel=channel, identifier_type="email", value=EMAIL,
            verified=True, actor=MACHINE,
        )  # fmt: skip
        assert third.conflict_id != first.conflict_id
        assert Mapping.objects.owned().get(normalised=EMAIL) == held

    def test_a_weak_link_of_strangers_moves_as_before(self, channel: Channel) -> None:
        weak = MappingFactory(channel=channel, channel_identifier=EMAIL, confidence_score=Decimal("0.40"))
        outcome = link_customer_identifier(
            customer_id=CustomerFactory().pk, channel=channel, identifier_type="email", value=EMAIL,
            actor=MACHINE,
        )  # fmt: skip
        assert (outcome.action, outcome.existing_customer_id) == ("updated", str(weak.customer_id))


class TestRuns:
    def test_p3_a_run_does_not_join_them_and_asks_nothing(self, cast: Cast) -> None:
        counts = find_duplicates(actor=MACHINE).settled.counts()
        assert (counts["merged"], counts["queued"]) == (0, 0)

    def test_p3_a_third_that_fits_both_is_a_contradiction_with_its_three_edges(self, cast: Cast) -> None:
        third = create_customer(fields=FEUERBACH, actor=MACHINE)
        counts = find_duplicates(actor=MACHINE).settled.counts()
        assert (counts["merged"], counts["queued"]) == (0, 1)
        assert_names_its_edges(Conflict.objects.get(), cast, str(third.pk))

    def test_p3_an_imported_record_that_fits_both_is_a_contradiction(
        self, channel: Channel, tmp_path: Path, settings: Settings
    ) -> None:
        settings.VAR_DIR = tmp_path
        names = ("given_name", "family_name", "email", "phone", "birth_date", "city")
        cast = cast_of(**dict(zip(names, ANNA[1:7], strict=True)))
        file = open_file(path=write(tmp_path / "a.csv", ANNA), channel=channel)
        summary = import_file(file, actor=MACHINE)
        assert (summary.rows["created"], summary.settled.merged, summary.settled.queued) == (1, 0, 1)
        newcomer = Customer.objects.get(source_records__source_key="r1")
        assert_names_its_edges(Conflict.objects.get(), cast, str(newcomer.pk))

    def test_the_same_contradiction_found_again_is_one_question(self, cast: Cast) -> None:
        create_customer(fields=FEUERBACH, actor=MACHINE)
        find_duplicates(actor=MACHINE)
        counts = find_duplicates(actor=MACHINE).settled.counts()
        assert (counts["queued"], counts["waiting"]) == (0, 1)


class TestOverruled:
    """A steward called two “same” that a colleague had told apart; the machine would join them at once."""

    @pytest.fixture
    def pair(self) -> list[Customer]:
        names = ("given_name", "family_name", "email", "phone", "birth_date", "city")
        fields = dict(zip(names, ANNA[1:7], strict=True))
        return [create_customer(fields=fields, actor=MACHINE) for _ in range(2)]

    @pytest.fixture
    def sara(self) -> Actor:
        return actor_for(steward(username="sara"))

    @pytest.fixture
    def proposal(self, pair: list[Customer], sara: Actor) -> MergeProposal:
        tell_apart(*pair, actor_for(steward(username="ada")))
        conflict = claim(conflict_id=ConflictFactory(members=pair).pk, actor=sara)
        decide_conflict(conflict_id=conflict.pk, decision="same", version=conflict.version, actor=sara)
        return MergeProposal.objects.get()

    def assert_two_after_a_run_and_an_import(self, pair: list[Customer], folder: Path) -> None:
        assert find_duplicates(actor=MACHINE).settled.merged == 0
        file = open_file(path=write(folder / "a.csv", ANNA), channel=ChannelFactory(code="crm"))
        assert import_file(file, actor=MACHINE).settled.merged == 0
        assert len({Customer.objects.get(pk=row.pk).canonical_id for row in pair}) == 2

    @pytest.fixture(autouse=True)
    def _own_folder(self, tmp_path: Path, settings: Settings) -> None:
        settings.VAR_DIR = tmp_path

    @pytest.mark.usefixtures("pair")
    def test_without_a_word_a_run_joins_them(self) -> None:
        assert find_duplicates(actor=MACHINE).settled.merged == 1

    @pytest.mark.usefixtures("proposal")
    def test_p3_the_machine_does_not_join_them_while_it_waits(
        self, pair: list[Customer], tmp_path: Path
    ) -> None:
        self.assert_two_after_a_run_and_an_import(pair, tmp_path)

    def test_p9_a_rejected_one_leaves_the_word(
        self, pair: list[Customer], proposal: MergeProposal, tmp_path: Path
    ) -> None:
        reject_proposal(proposal_id=proposal.pk, comment="They are two.", actor=actor_for(lead()))
        self.assert_two_after_a_run_and_an_import(pair, tmp_path)

    def test_p9_a_withdrawn_one_leaves_the_word(
        self, pair: list[Customer], proposal: MergeProposal, sara: Actor, tmp_path: Path
    ) -> None:
        withdraw_proposal(proposal_id=proposal.pk, actor=sara)
        self.assert_two_after_a_run_and_an_import(pair, tmp_path)

    def test_p9_an_overtaken_one_leaves_the_word(
        self, pair: list[Customer], proposal: MergeProposal, tmp_path: Path
    ) -> None:
        third = CustomerFactory()
        merge_customers(member_ids=[pair[0].pk, third.pk], survivor_id=third.pk, actor=MACHINE)
        proposal.refresh_from_db()
        assert proposal.state == "withdrawn"
        self.assert_two_after_a_run_and_an_import(pair, tmp_path)


class TestOnline:
    @pytest.fixture(autouse=True)
    def _bands_far_apart(self, settings: Settings) -> Iterator[None]:
        settings.IDENTITY_DESK = {
            "auto_weight": 8.0,
            "sample_weight": 7.0,
            "review_weight": 0.0,
            "margin": 0.0,
        }
        policy.cache_clear()
        yield
        policy.cache_clear()

    def receive(self, channel: Channel, **message: Any) -> Resolution:
        return create_or_resolve_customer(channel=channel, message={**FEUERBACH, **message}, actor=MACHINE)

    def test_p3_a_message_that_fits_both_stands_in_until_a_person_decides(
        self, cast: Cast, channel: Channel
    ) -> None:
        resolution = self.receive(channel, sender_id="annegret@feuerbach.example")
        assert (resolution.status, resolution.candidates[0].weight > 8) == ("review", True)
        conflict = Conflict.objects.get(pk=resolution.conflict_id)
        assert_names_its_edges(conflict, cast, str(resolution.customer_id))
        assert cast.are_two()

    def test_without_a_judgement_the_best_one_is_linked(self, channel: Channel) -> None:
        for _ in range(2):
            rebuild_keys([CustomerFactory(**FEUERBACH).pk])
        assert self.receive(channel, sender_id="annegret@feuerbach.example").status == "linked"

    def test_p3_identifiers_of_both_do_not_join_them(self, cast: Cast, channel: Channel) -> None:
        MappingFactory(customer=cast.anna, channel=channel, channel_identifier=EMAIL)
        weak = MappingFactory(
            customer=cast.bob, channel=channel, identifier_type="phone", channel_identifier="+4930901820",
            confidence_score=Decimal("0.40"),
        )  # fmt: skip
        identifiers = [("email", EMAIL), ("phone", "+4930901820")]
        resolve_identifiers(channel=channel, identifiers=identifiers, actor=MACHINE)
        weak.refresh_from_db()
        assert (weak.status, weak.customer_id) == ("active", cast.bob.pk)
        assert Conflict.objects.get().kind == "contradiction"

    def test_p3_a_word_said_while_it_was_read_counts(
        self, channel: Channel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pair = [CustomerFactory(**FEUERBACH) for _ in range(2)]
        rebuild_keys([row.pk for row in pair])
        find = resolve.find_answer

        def find_and_be_overtaken(newcomer: Any) -> Any:
            answer = find(newcomer)
            if not Judgement.objects.exists():
                tell_apart(*pair, actor=MACHINE)
            return answer

        monkeypatch.setattr(resolve, "find_answer", find_and_be_overtaken)
        resolution = self.receive(channel, sender_id="annegret@feuerbach.example")
        assert resolution.status == "review"
        assert Conflict.objects.get().kind == "contradiction"


class TestDecidedBefore:
    @pytest.mark.parametrize("verdict", ["different", "related"])
    def test_changed_data_offers_the_pair_again_and_merges_nothing(self, verdict: str) -> None:
        left, right = (create_customer(fields=FEUERBACH, actor=MACHINE) for _ in range(2))
        ada = actor_for(steward(username="ada"))
        judge_pair(left_id=left.pk, right_id=right.pk, verdict=verdict, reason="", actor=ada)
        assert find_duplicates(actor=MACHINE).settled.queued == 0
        update_profile(
            customer_id=right.pk, version=right.version, changes={"company": "Feuerbach Ltd"}, actor=MACHINE
        )

        counts = find_duplicates(actor=MACHINE).settled.counts()

        assert (counts["merged"], counts["queued"]) == (0, 1)
        reason = Conflict.objects.get().reason
        assert reason.startswith("Decided before, data changed: ada said “")
        assert "since then company changed." in reason

    def test_another_spelling_of_the_same_values_is_no_change(self) -> None:
        left, right = (create_customer(fields=FEUERBACH, actor=MACHINE) for _ in range(2))
        tell_apart(left, right, MACHINE)
        update_profile(
            customer_id=right.pk, version=right.version, changes={"family_name": "FEUERBACH"}, actor=MACHINE
        )
        assert find_duplicates(actor=MACHINE).settled.queued == 0

    def test_a_new_word_supersedes_the_old_one_and_settles_it(self) -> None:
        left, right = (create_customer(fields=FEUERBACH, actor=MACHINE) for _ in range(2))
        first = tell_apart(left, right, MACHINE)
        update_profile(
            customer_id=right.pk, version=right.version, changes={"company": "Feuerbach Ltd"}, actor=MACHINE
        )
        find_duplicates(actor=MACHINE)
        second = tell_apart(left, right, MACHINE)
        first.refresh_from_db()
        assert first.superseded_by == second
        assert (Conflict.objects.get().state, find_duplicates(actor=MACHINE).settled.queued) == ("done", 0)


@pytest.mark.django_db(transaction=True)
class TestSaidMeanwhile:
    """A judgement is committed while another change waits for its customers."""

    def test_p3_a_merge_under_way_is_refused(self) -> None:
        anna, bob = CustomerFactory.create_batch(2)
        with pytest.raises(MergeBlocked, match="ada judged"):
            met_by(
                lambda: merge_customers(member_ids=[anna.pk, bob.pk], actor=MACHINE),
                first=lambda: tell_apart(anna, bob, Actor(kind="user", name="ada")),
                then=lambda: None,
            )
        assert Customer.objects.active().count() == 2

    def test_p3_a_bulk_merge_under_way_leaves_them_alone(self) -> None:
        anna, bob, eve, eva = CustomerFactory.create_batch(4)

        def merge_all() -> Any:
            groups = [Group((str(a.pk), str(b.pk)), ()) for a, b in ((anna, bob), (eve, eva))]
            with audit.change(MACHINE) as trail:
                return merge_in_bulk(trail, groups)

        done = met_by(merge_all, first=lambda: tell_apart(anna, bob, MACHINE), then=lambda: None)
        assert (len(done.merges), len(done.refused)) == (1, 1)
        assert Merge.objects.get().survivor_id in {eve.pk, eva.pk}

    def test_p3_a_run_under_way_asks_instead_of_merging(self) -> None:
        anna, bob, _third = (create_customer(fields=FEUERBACH, actor=MACHINE) for _ in range(3))
        summary = met_by(
            lambda: find_duplicates(actor=MACHINE),
            first=lambda: tell_apart(anna, bob, MACHINE),
            then=lambda: None,
        )
        assert (summary.settled.merged, summary.settled.queued) == (0, 1)
        conflict = Conflict.objects.get()
        assert (conflict.kind, "A–C +" in conflict.reason) == ("contradiction", True)

    def test_p3_a_link_under_way_is_not_moved(self) -> None:
        channel = ChannelFactory()
        weak = MappingFactory(channel=channel, channel_identifier=EMAIL, confidence_score=Decimal("0.40"))
        claimant = CustomerFactory()
        outcome = met_by(
            lambda: link_customer_identifier(
                customer_id=claimant.pk, channel=channel, identifier_type="email", value=EMAIL, actor=MACHINE
            ),
            first=lambda: tell_apart(weak.customer, claimant, MACHINE),
            then=lambda: None,
        )
        assert outcome.action == "conflict_contradiction"
        assert Mapping.objects.owned().get() == weak

    def test_p3_a_word_said_while_a_merge_is_under_way_is_refused(self) -> None:
        anna, bob = CustomerFactory.create_batch(2)
        with pytest.raises(Refused, match="merged into one"):
            met_by(
                lambda: tell_apart(anna, bob, MACHINE),
                first=lambda: merge_customers(member_ids=[anna.pk, bob.pk], actor=MACHINE),
                then=lambda: None,
            )
        assert not Judgement.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestWhomAPartingWaitsFor:
    """Whoever leaves is told apart from others too: these are locked with the rest, in key order."""

    @staticmethod
    def told_apart() -> tuple[Customer, Customer]:
        """Somebody told apart from another whose key comes first."""
        other, customer = CustomerFactory(), CustomerFactory(name="Anna Smith")
        assert other.pk < customer.pk
        judge_pair(left_id=other.pk, right_id=customer.pk, verdict="different", reason="seen", actor=MACHINE)
        return other, customer

    def test_an_undo_that_waits_for_them_holds_nobody_who_comes_later(self) -> None:
        other, root = self.told_apart()
        member = CustomerFactory()
        made = merge_customers(member_ids=[root.pk, member.pk], survivor_id=root.pk, actor=MACHINE)
        judge_pair(left_id=other.pk, right_id=root.pk, verdict="different", reason="seen", actor=MACHINE)
        undoing = undo_merge.__wrapped__  # type: ignore[attr-defined]  # begins no second time

        met_by(
            lambda: undoing(merge_id=made.pk, actor=MACHINE),
            first=lambda: lock_customers([other.pk]),
            then=lambda: lock_customers([root.pk]),
        )

        assert {frozenset({other.pk, key}) for key in (root.pk, member.pk)} <= different_pairs(
            [other.pk, root.pk, member.pk]
        )

    def test_a_split_that_waits_for_them_holds_nobody_who_comes_later(self) -> None:
        other, customer = self.told_apart()
        links = [MappingFactory(customer=customer) for _ in range(2)]
        splitting = split_customer.__wrapped__  # type: ignore[attr-defined]  # begins no second time

        done = met_by(
            lambda: splitting(customer_id=customer.pk, mapping_ids=[links[0].pk], actor=MACHINE),
            first=lambda: lock_customers([other.pk]),
            then=lambda: lock_customers([customer.pk]),
        )

        assert frozenset({other.pk, done.customer.pk}) in different_pairs([other.pk, done.customer.pk])
