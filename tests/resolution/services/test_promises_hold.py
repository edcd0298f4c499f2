"""Any sequence of acts leaves the promises whole, and taking every merge back leaves what was there before.

A rule is one act: it draws what it needs, says what the model expects, and calls

    act         for an act that merges and parts nobody; what it wrote is what the model holds from then on
    carry_out   for one that does, and then tells the model who was merged or parted
    refused     for one that must not happen, and changes nothing

Each compares the trail with what changed; the invariants then ask the tables, the keys and the cache.
"""

from __future__ import annotations

import random
import sys
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test import TestCase
from hypothesis import settings as profiles
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from customers.models import Channel
from resolution.errors import (
    BlockedIdentifier,
    CustomerErased,
    MergeBlocked,
    NotFound,
    Refused,
    StaleVersion,
)
from resolution.matching.identifiers import IDENTIFIER_TYPES
from resolution.models import Conflict, Judgement, Merge, MergeProposal, ProposalBatch
from resolution.selectors.customers import fetch_customers, get_canonical
from resolution.services import audit
from resolution.services.audit import Anchor, Trail
from resolution.services.blocks import Blocking, block_value, retire_block
from resolution.services.bulk_proposals import (
    BulkProposed,
    approve_in_bulk,
    reject_in_bulk,
)
from resolution.services.conflicts import open_conflict
from resolution.services.erase import erase_customer
from resolution.services.importing import import_file, open_file
from resolution.services.judge import judge_pair
from resolution.services.keys import rebuild_keys
from resolution.services.link import link_customer_identifier, unlink_customer_identifier
from resolution.services.merge import merge_customers, merge_in_bulk
from resolution.services.profiles import create_customer, update_profile
from resolution.services.resolve import create_or_resolve_customer, resolve_identifiers
from resolution.services.split import Split, preview_split, split_customer
from resolution.services.unmerge import plan_unmerge, undo_merge
from resolution.types import Actor, Group, LinkOutcome, Resolution
from tests.factories import (
    ChannelFactory,
    CustomerFactory,
    MappingFactory,
    MessageFactory,
    SourceRecordFactory,
    TicketFactory,
    actor_for,
    lead,
    steward,
)
from tests.resolution.batch.files import csv_text
from tests.resolution.services.promises import (
    State,
    broken_promises,
    faults_of_the_register,
    faults_of_the_tables,
    is_chained,
    keys_out_of_date,
    lies_of_the_cache,
    rows_of_the_trail,
    untold_changes,
)
from tests.resolution.services.register_model import (
    CURRENT,
    HEARD,
    TABLES,
    LinkKey,
    RegisterModel,
    Row,
    differences,
    folded_into_equals,
    key_of,
)
from tests.resolution.services.register_state import register_state
from tests.resolution.services.test_bulk_proposals import propose_seen

pytestmark = pytest.mark.django_db
ACTOR = Actor(kind="user", name="ada")
Result = TypeVar("Result")

CONTACTS = [
    ("email", "one@post.example"), ("email", "two@post.example"), ("email", "three@post.example"),
    ("phone", "+4930901820001"), ("phone", "+4930901820002"),
]  # fmt: skip
HANDLES = [("handle", "anna_smithers"), ("handle", "boris_okonkwo")]
HEADER = ("record_id", "first_name", "last_name", "handle", "city")
CONFIDENCES = [Decimal("0.50"), Decimal("0.79"), Decimal("0.80"), Decimal("1.00")]
NAMES = ["", "Anna Smithers", "Boris Okonkwo"]
FEWEST = 4  # customers that no erasure leaves the town without
MOMENTS = [datetime(year, 5, 1, tzinfo=UTC) for year in (2020, 2022, 2024)]

contacts = st.sampled_from(CONTACTS)
values = st.sampled_from(CONTACTS + HANDLES)
channels = st.sampled_from(["web", "crm"])
confidences = st.sampled_from(CONFIDENCES)
verdicts = st.sampled_from(["same", "different", "different", "related", "unsure"])
names = st.sampled_from(NAMES)
fresh = map("Town {}".format, count())


def settle_a_town() -> None:
    """Six customers on two channels who have identifiers, messages, tickets and records, some in common."""
    web, crm = ChannelFactory(code="web"), ChannelFactory(code="crm")
    town = [
        CustomerFactory(name=name, city=city, attributes=attributes, last_interaction_at=heard)
        for name, city, attributes, heard in (
            ("Anna Smithers", "Bonn", {"a": 1}, MOMENTS[0]),
            ("Ann Smithers", "", {}, None),
            ("Boris Okonkwo", "Ulm", {"a": 2, "b": 2}, MOMENTS[1]),
            ("", "Bonn", {}, MOMENTS[2]),
            ("Clara Vandermeer", "", {"c": 3}, None),
            ("", "Delft", {}, None),
        )
    ]
    for channel, (kind, value), holders in (
        (web, CONTACTS[0], (0, 1)), (web, CONTACTS[3], (2, 3, 0)),
        (crm, CONTACTS[0], (4, 1)), (crm, CONTACTS[1], (5,)),
    ):  # fmt: skip
        for place, holder in enumerate(holders):
            link = MappingFactory(
                customer=town[holder], channel=channel, identifier_type=kind, channel_identifier=value,
                status="shared" if place else "active",
            )  # fmt: skip
            MessageFactory(customer=town[holder], channel=channel, mapping=link)
    TicketFactory(customer=town[1], channel=web)
    SourceRecordFactory(customer=town[2], channel=crm)
    rebuild_keys([row.pk for row in town])


def owners_in(state: State) -> dict[LinkKey, uuid.UUID]:
    return {key_of(row): row["customer_id"] for row in state["Mapping"] if row["status"] == "active"}


def is_erased(row: Row) -> bool:
    return bool(row["status"] == "erased")


def edges_judged() -> list[tuple[Any, ...]]:
    return list(Judgement.objects.order_by("pk").values_list("pk", "left", "right", "verdict"))


def asked_anew(before: State, after: State) -> set[LinkKey]:
    """The identifiers that have another owner now; nobody asks by a record's own id."""
    changed = owners_in(before).items() ^ owners_in(after).items()
    return {key for key, _ in changed if key[1] in IDENTIFIER_TYPES}


@contextmanager
def as_if_committed() -> Iterator[None]:
    """Do at the end of the block what a commit would: check deferred constraints, run what waits for it."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        yield
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


class Acts(RuleBasedStateMachine):
    """Every act on identities beside the model of what it should do; each run is rolled back to the town."""

    folder: Path
    steward: Actor
    lead: Actor

    def __init__(self) -> None:
        super().__init__()
        self.begun = transaction.savepoint()
        cache.clear()
        self.channels = {row.code: row for row in Channel.objects.all()}
        self.state, self.head = register_state(), audit.head()
        self.model = RegisterModel.of(self.state)
        self.first_state = self.state_looked_at = self.state
        self.touched_directly = False
        self.blocked: dict[tuple[str, str], int] = {}
        with as_if_committed():  # and let the cache know all there is to know
            assert faults_of_the_register() == []

    def act(self, call: Callable[[], Result]) -> Result:
        """Carry out an act that merges nobody, and note what it wrote."""
        before = self.state
        result = self.carry_out(call)
        self.model.note(before, self.state)
        self.touched_directly |= any(before[table] != self.state[table] for table in TABLES)
        return result

    def carry_out(self, call: Callable[[], Result]) -> Result:
        before = self.state
        with as_if_committed():
            result = call()
        self.state = register_state()
        told = rows_of_the_trail(self.head)
        assert is_chained(told, self.head)
        assert untold_changes(before, self.state, told) == []
        if told:
            self.head = Anchor(told[-1]["sequence"], told[-1]["hash"])
        return result

    def refused(self, why: type[Exception], call: Callable[[], object]) -> None:
        with pytest.raises(why):
            call()
        assert audit.head() == self.head

    def customer(self, data: st.DataObject) -> uuid.UUID:
        return data.draw(st.sampled_from(self.model.customers))

    def some(self, data: st.DataObject, ids: list[uuid.UUID]) -> list[uuid.UUID]:
        return data.draw(st.lists(st.sampled_from(ids), min_size=2, max_size=4, unique=True))

    def key(self, channel: str, value: tuple[str, str]) -> LinkKey:
        return (self.channels[channel].pk, *value)

    # --- customers and identifiers ---

    @rule(name=names, value=contacts)
    def create(self, name: str, value: tuple[str, str]) -> None:
        kind, text = value
        self.act(lambda: create_customer(fields={"name": name, kind: text}, actor=ACTOR))

    @rule(data=st.data())
    def update(self, data: st.DataObject) -> None:
        customer = get_canonical(self.customer(data))
        self.act(
            lambda: update_profile(
                customer_id=customer.pk, version=customer.version, changes={"city": next(fresh)}, actor=ACTOR
            )
        )

    @rule(data=st.data())
    def update_what_was_seen_earlier(self, data: st.DataObject) -> None:
        customer = get_canonical(self.customer(data))
        seen = customer.version + 1
        self.refused(
            StaleVersion,
            lambda: update_profile(
                customer_id=customer.pk, version=seen, changes={"city": next(fresh)}, actor=ACTOR
            ),
        )

    @rule(data=st.data(), channel=channels, value=values, confidence=confidences, verified=st.booleans())
    def link(
        self, data: st.DataObject, channel: str, value: tuple[str, str], confidence: Decimal, verified: bool
    ) -> None:
        customer = self.customer(data)
        expected = self.foreseen_claim(self.model.canonical(customer), self.key(channel, value), verified)

        def act() -> LinkOutcome:
            return link_customer_identifier(
                customer_id=customer,
                channel=channel,
                identifier_type=value[0],
                value=value[1],
                confidence=confidence,
                verified=verified,
                actor=ACTOR,
            )

        if value in self.blocked:
            self.refused(BlockedIdentifier, act)
        else:
            assert self.act(act).action == expected

    def foreseen_claim(self, claimant: uuid.UUID, key: LinkKey, verified: bool) -> str:
        """The rules of a claim, told once more."""
        owning = self.model.owning_link(key)
        if owning is None:
            return "linked"
        shared = self.model.shares(claimant, key) and not verified
        if self.model.owner(key) == claimant or shared:
            return "unchanged"
        if owning["verified"]:
            return "conflict_verified"
        if owning["confidence_score"] >= Decimal("0.80"):
            return "conflict_high_confidence"
        apart = self.model.told_apart(frozenset({self.model.owner(key), claimant}))
        return "conflict_contradiction" if apart else "updated"

    @precondition(lambda self: self.state["Mapping"])
    @rule(data=st.data())
    def unlink(self, data: st.DataObject) -> None:
        links = {row["id"]: row for row in self.state["Mapping"]}
        link = links[data.draw(st.sampled_from(sorted(links)))]
        customer = link["customer_id"]

        def act() -> object:
            return unlink_customer_identifier(customer_id=customer, mapping_id=link["id"], actor=ACTOR)

        if link["status"] in CURRENT:
            self.act(act)
        else:
            self.refused(NotFound, act)

    def splittable(self) -> dict[uuid.UUID, list[uuid.UUID]]:
        """The identifiers of those who own several and whom no merge that stands made."""
        owned: defaultdict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
        for row in self.state["Mapping"]:
            value = (row["identifier_type"], row["normalised"])
            if row["status"] == "active" and value not in self.blocked:
                owned[row["customer_id"]].append(row["id"])
        standing = set(self.model.survivors.values())
        return {key: links for key, links in owned.items() if len(links) > 1 and key not in standing}

    @precondition(lambda self: self.splittable())
    @rule(data=st.data(), judge_different=st.booleans())
    def split(self, data: st.DataObject, judge_different: bool) -> None:
        """Some identifiers leave as a new customer, with what came by them; the id stays with the others."""
        owned = self.splittable()
        customer = data.draw(st.sampled_from(sorted(owned)))
        some = st.lists(st.sampled_from(owned[customer]), unique=True, min_size=1)
        chosen = data.draw(some.filter(lambda links: len(links) < len(owned[customer])))
        plan = preview_split(customer_id=customer, mapping_ids=chosen)

        def act() -> Split:
            return split_customer(
                customer_id=customer, mapping_ids=chosen, judge_different=judge_different,
                fingerprint=plan.fingerprint, actor=ACTOR,
            )  # fmt: skip

        if plan.blockers:  # a source record takes its own key along, which may be the last one
            self.refused(Refused, act)
            return
        before = self.state
        new = self.act(act).customer.pk
        self.model.split(customer, new, before, self.state)
        if judge_different:
            self.model.judged(customer, new, "different")

    # --- what comes in ---

    @rule(
        channel=channels,
        given=st.lists(contacts, min_size=1, max_size=2, unique_by=lambda value: value[0]),
        name=names,
        moment=st.sampled_from(MOMENTS),
    )
    def message(self, channel: str, given: list[tuple[str, str]], name: str, moment: datetime) -> None:
        fields = {f"customer_{kind}": value for kind, value in given}
        message = {**fields, "sender_name": name, "received_at": moment.isoformat()}
        known = self.known_by(channel, given)
        answer = self.act(lambda: create_or_resolve_customer(channel=channel, message=message, actor=ACTOR))
        assert (answer.status == "matched") >= (len(known) == 1)
        assert not known or uuid.UUID(answer.customer_id or "") in known

    @rule(channel=channels, given=st.lists(values, min_size=1, max_size=2, unique=True), name=names)
    def resolve(self, channel: str, given: list[tuple[str, str]], name: str) -> None:
        known = self.known_by(channel, given)

        def act() -> Resolution:
            fields = {"name": name} if name else None
            return resolve_identifiers(channel=channel, identifiers=given, fields=fields, actor=ACTOR)

        if not name and self.blocked.keys() >= set(given):
            self.refused(BlockedIdentifier, act)
        else:
            answer = self.act(act)
            assert not known or uuid.UUID(answer.customer_id or "") in known

    def known_by(self, channel: str, given: list[tuple[str, str]]) -> set[uuid.UUID]:
        """The customers whose links are sure enough to answer by."""
        links = (self.model.owning_link(self.key(channel, value)) for value in given)
        sure = [link for link in links if link and link["confidence_score"] >= Decimal("0.80")]
        return {self.model.canonical(link["customer_id"]) for link in sure}

    @rule(
        records=st.dictionaries(st.sampled_from("abc"), st.sampled_from(HANDLES), min_size=1, max_size=2),
        named=st.booleans(),
    )
    def take_in_file(self, records: dict[str, tuple[str, str]], named: bool) -> None:
        lines = [self.line(record, handle, named) for record, (_, handle) in records.items()]
        path = self.folder / "people.csv"
        path.write_text(csv_text(*lines, header=HEADER))
        self.act(lambda: import_file(open_file(path=path, channel="crm"), actor=ACTOR, resolve=False))

    def line(self, record: str, handle: str, named: bool) -> tuple[str, ...]:
        """Say something new of a record each time.

        A value that is written, changed and written again is to an unmerge one that never changed.
        """
        given, family = (next(fresh) if named else "" for _ in range(2))
        return (record, given, family, handle, next(fresh))

    # --- people's words ---

    @rule(data=st.data(), verdict=verdicts)
    def judge(self, data: st.DataObject, verdict: str) -> None:
        pair = data.draw(st.lists(st.sampled_from(self.model.customers), min_size=2, max_size=2, unique=True))

        def act() -> object:
            return judge_pair(left_id=pair[0], right_id=pair[1], verdict=verdict, reason="", actor=ACTOR)

        if any(self.model.canonical(key) != key for key in pair):
            self.refused(Refused, act)
        else:
            self.act(act)
            self.model.judged(pair[0], pair[1], verdict)

    # --- what is blocked, and who is erased ---

    @rule(value=values)
    def block(self, value: tuple[str, str]) -> None:
        kind, text = value

        def act() -> Blocking:
            return block_value(value=text, type=kind, actor=ACTOR)

        if value in self.blocked:
            self.refused(Refused, act)
        else:
            self.blocked[value] = self.act(act).row.pk
            assert not any(
                key_of(row)[1:] == value for row in self.state["Mapping"] if row["status"] != "ended"
            )

    @precondition(lambda self: self.blocked)
    @rule(data=st.data())
    def lift(self, data: st.DataObject) -> None:
        value = data.draw(st.sampled_from(sorted(self.blocked)))
        number = self.blocked.pop(value)
        self.act(lambda: retire_block(block_id=number, actor=ACTOR))
        self.refused(Refused, lambda: retire_block(block_id=number, actor=ACTOR))

    @precondition(lambda self: self.spare_people())
    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        """All ids of a person answer so from then on, their identifiers are free, and their edges stay."""
        customer = data.draw(st.sampled_from(self.spare_people()))
        people, edges = self.model.people_of(customer), edges_judged()
        self.about_to_erase(customer)
        self.act(lambda: erase_customer(customer_id=customer, reason="Request 4711", actor=ACTOR))
        self.model.forget(people, self.state)
        assert not any(row["customer_id"] in people for row in self.state["Mapping"])
        assert edges_judged() == edges
        self.refused(CustomerErased, lambda: get_canonical(customer))

    def about_to_erase(self, customer: uuid.UUID) -> None:
        """For those who remember more than the model."""

    def spare_people(self) -> list[uuid.UUID]:
        """Whom the town can do without."""
        known = self.model.customers
        return [key for key in known if len(known) - len(self.model.people_of(key)) >= FEWEST]

    # --- merging and parting ---

    @rule(data=st.data())
    def merge(self, data: st.DataObject) -> None:
        anybody = data.draw(st.integers(0, 5)) == 0
        members = self.some(data, self.model.customers if anybody else self.several_active())
        city = st.sampled_from([{}, {"typed": next(fresh)}, {"typed": ""}, str(members[0])])
        pick = data.draw(city)
        picks = {"city": pick} if pick else {}
        survivor = data.draw(st.sampled_from([None, members[-1]]))

        def act() -> Merge:
            return merge_customers(member_ids=members, survivor_id=survivor, picks=picks, actor=ACTOR)

        if self.model.may_become_one(members):
            self.model.merged(self.carry_out(act), members)
        else:
            self.refused(MergeBlocked, act)

    @rule(data=st.data())
    def merge_what_was_seen_earlier(self, data: st.DataObject) -> None:
        members = fetch_customers(self.some(data, self.several_active()))
        seen = {key: row.version + 1 for key, row in members.items()}
        self.refused(
            StaleVersion,
            lambda: merge_customers(member_ids=list(members), expected_versions=seen, actor=ACTOR),
        )

    @rule(data=st.data())
    def merge_groups(self, data: st.DataObject) -> None:
        groups = [self.some(data, self.several_active()) for _ in range(data.draw(st.integers(1, 2)))]
        expected, taken = [], set[uuid.UUID]()
        for members in groups:
            if self.model.may_become_one(members) and not taken & set(members):
                expected.append(members)
                taken |= set(members)

        def act() -> tuple[int, ...]:
            with audit.change(ACTOR) as trail:
                named = [Group(tuple(map(str, members)), ()) for members in groups]
                return merge_in_bulk(trail, named).merges

        for number, members in zip(self.carry_out(act), expected, strict=True):
            self.model.merged(Merge.objects.get(pk=number), members)

    @precondition(lambda self: len(self.model.active) > 1)
    @rule(data=st.data())
    def propose_groups(self, data: st.DataObject) -> None:
        """Ask about some, and propose what is asked: each waits for a second person, nothing moves."""
        groups = [self.some(data, self.model.active) for _ in range(data.draw(st.integers(1, 2)))]

        def act() -> BulkProposed:
            with audit.change(ACTOR) as trail:
                asked = {self.ask(trail, members).pk for members in groups}
            return propose_seen(asked, self.steward)

        done = self.act(act)
        for row in done.draft.going:
            assert self.model.may_become_one(row.draft.act.customers)

    @staticmethod
    def ask(trail: Trail, members: list[uuid.UUID]) -> Conflict:
        roles = dict.fromkeys(members, "member")
        return open_conflict(trail, kind="likely_duplicate", members=roles, reason="They look alike.")

    @precondition(lambda self: ProposalBatch.objects.exists())
    @rule(data=st.data(), allowed=st.sampled_from([True, True, False]))
    def answer_groups(self, data: st.DataObject, allowed: bool) -> None:
        """A second person answers all of a batch; what was answered or overtaken meanwhile is left."""
        batch = data.draw(
            st.sampled_from(list(ProposalBatch.objects.order_by("pk").values_list("pk", flat=True)))
        )
        waiting = MergeProposal.objects.filter(batch=batch, state="pending").prefetch_related("members")
        wanted = {row.pk: [member.customer_id for member in row.members.all()] for row in waiting}
        answer = approve_in_bulk if allowed else reject_in_bulk
        done = self.carry_out(lambda: answer(batch_id=batch, actor=self.lead))
        assert wanted.keys() >= {row.pk for row in done.answered}
        for row in done.answered if allowed else ():
            assert self.model.may_become_one(wanted[row.pk])
            assert row.merge
            self.model.merged(row.merge, wanted[row.pk])

    def several_active(self) -> list[uuid.UUID]:
        return self.model.active if len(self.model.active) > 3 else self.model.customers

    @precondition(lambda self: self.model.survivors)
    @rule(data=st.data(), judge_different=st.sampled_from([False, False, True]))
    def unmerge(self, data: st.DataObject, judge_different: bool) -> None:
        """Take back a merge, or a member with all it had absorbed before, wherever they stand by now."""
        merge = data.draw(st.sampled_from(list(Merge.objects.order_by("pk"))))
        if merge.undone_at or merge.survivor_id in self.model.erased:
            self.refused(Refused, lambda: undo_merge(merge_id=merge.pk, actor=ACTOR))
            return
        members = self.members_of(merge)
        some = data.draw(st.lists(st.sampled_from(members), unique=True))
        self.part(merge, some, lambda sides: data.draw(st.sampled_from(sides)), judge_different)

    @staticmethod
    def members_of(merge: Merge) -> list[uuid.UUID]:
        return list(merge.members.filter(live=True).order_by("customer").values_list("customer", flat=True))

    def part(
        self, merge: Merge, some: list[uuid.UUID], choose: Callable[[list[str]], str], judge_different: bool
    ) -> None:
        """Take these members, or all, out of a merge, answering what is asked."""
        named = some or None
        leaving = some or self.members_of(merge)
        plan = plan_unmerge(merge.pk, member_ids=named)
        sides = [plan.survivor.customer_id, *(side.customer_id for side in plan.returning)]
        answers = {ask.row_id: choose(sides) for ask in plan.asks}
        self.carry_out(
            lambda: undo_merge(
                merge_id=merge.pk, member_ids=named, assign=answers, judge_different=judge_different,
                fingerprint=plan.fingerprint, actor=ACTOR,
            )
        )  # fmt: skip
        self.model.parted(leaving, plan, answers)
        if judge_different:
            for key in leaving:
                self.model.judged(merge.survivor_id, key, "different")

    # --- what holds after every act ---

    @invariant()
    def promises_hold(self) -> None:
        if self.state is self.state_looked_at:
            return
        changed = asked_anew(self.state_looked_at, self.state)
        with as_if_committed():
            assert [*faults_of_the_tables(), *keys_out_of_date(), *lies_of_the_cache(changed)] == []
        self.state_looked_at = self.state

    @invariant()
    def ids_and_owners_are_the_models(self) -> None:
        rows = self.state["Customer"]
        stands_for = {row["id"]: row["merged_into_id"] or row["id"] for row in rows if not is_erased(row)}
        assert stands_for == {key: self.model.canonical(key) for key in self.model.customers}
        assert {row["id"] for row in rows if is_erased(row)} == self.model.erased
        owners = {
            key_of(row): row["customer_id"] for row in self.state["Mapping"] if row["status"] == "active"
        }
        assert owners == {key: self.model.owner(key) for key in owners}
        active = [row for row in self.model.home["Mapping"].values() if row["status"] == "active"]
        assert len(active) == len(owners)

    @invariant()
    def who_was_told_apart_is_whom_the_model_says(self) -> None:
        live = Judgement.objects.filter(superseded_at__isnull=True, verdict="different")
        found = {frozenset(pair) for pair in live.values_list("left", "right")}
        assert found == {pair for pair, word in self.model.verdicts.items() if word == "different"}

    @invariant()
    def customers_were_last_heard_of_when_the_model_says(self) -> None:
        found = {row["id"]: row[HEARD] for row in self.state["Customer"] if row["status"] == "active"}
        assert found == self.model.last_heard(self.state)

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:  # what failed already tells nothing by its end
                self.take_everything_back()
        finally:
            transaction.savepoint_rollback(self.begun)

    def take_everything_back(self) -> None:
        """In any order, whether or not other merges stand above."""
        chance = random.Random(len(self.model.customers))
        while self.model.survivors:
            standing = (
                Merge.objects.filter(undone_at__isnull=True)
                .exclude(survivor__in=self.model.erased)
                .order_by("pk")
            )
            self.part(chance.choice(standing), [], chance.choice, judge_different=False)
            self.ids_and_owners_are_the_models()
        with as_if_committed():
            assert broken_promises() == []
        expected = self.model.expected()
        found = {table: list(self.state[table]) for table in TABLES}
        found["Mapping"] = folded_into_equals(found["Mapping"], expected["Mapping"])
        assert differences(found, expected) == []
        assert self.touched_directly or self.state == self.first_state


class TestAnySequenceOfActs:
    @pytest.fixture(autouse=True)
    def _town(self, tmp_path: Path, settings: Any) -> None:
        settings.VAR_DIR = tmp_path
        Acts.folder = tmp_path
        Acts.steward, Acts.lead = actor_for(steward()), actor_for(lead())
        settle_a_town()

    def test_p1_p2_p3_p4_p5_p10_hold_after_every_act_and_all_can_be_taken_back(self) -> None:
        run_state_machine_as_test(Acts, settings=profiles.get_profile("acts"))

    @pytest.mark.soak
    def test_p1_p2_p3_p4_p5_hold_over_many_more_acts(self) -> None:
        run_state_machine_as_test(Acts, settings=profiles.get_profile("acts in a soak"))
