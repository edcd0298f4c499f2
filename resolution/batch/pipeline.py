"""Candidates → profiles → scores → groups, for some customers or for the whole register; reads only.

candidates   pairs that share a blocking key few enough customers have (SQL)
profiles     what matching knows of each, kept on a shelf
scores       the kernel's, from the review band upwards
groups       customers that hold together, and the questions policy may not settle alone
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations, islice
from typing import Any, TypeVar

from django.db import connection

from customers.models import Channel, SourceRecord
from resolution.batch.caches import trim_caches
from resolution.batch.shelf import ProfileShelf
from resolution.batch.sql import read_sql
from resolution.matching.blocking import MAX_BLOCK, MAX_CHANCE_BLOCK
from resolution.matching.clusters import connected, group_customers
from resolution.matching.kernel import score_pairs
from resolution.matching.key_numbers import number_keys
from resolution.matching.model import MatchModel
from resolution.selectors.judgements import different_pairs, verdicts_on_pairs
from resolution.selectors.match_model import live_model, live_policy
from resolution.selectors.profiles import load_profiles
from resolution.types import Group, PairScore, Profile

IdPair = tuple[uuid.UUID, uuid.UUID]
SomePair = TypeVar("SomePair", bound=tuple[Any, Any])

PAIRS_A_CHUNK = 8_000
CUSTOMERS_A_LOT = 10_000
FORMER_KEY = "a key of former rules"
# From how many customers on a key is skipped, and those with a lower limit.
_LIMITS = {"most": MAX_BLOCK + 1, "most_by_chance": MAX_CHANCE_BLOCK + 1}
# A person who said one of these of a pair did not call it one customer.
_NOT_ONE = frozenset({"different", "related", "unsure"})


@dataclass(slots=True)
class Counts:
    """How much was compared: pairs, blocks skipped for their size, pairs left out as one clean source's."""

    pairs: int = 0
    skipped_blocks: int = 0
    same_source: int = 0


@dataclass(frozen=True, slots=True)
class Later:
    """Whose turn has not come: customers made after an id by the import into a channel.

    An import takes rows in ahead of comparing them; this way its outcome does not depend on how far ahead.
    """

    after: uuid.UUID
    channel_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Findings:
    """What a comparison came to, before anything is written."""

    groups: list[Group]
    counts: Counts


@dataclass(slots=True)
class Comparison:
    """One walk from candidates to groups; `shelf` may live longer than one walk.

    `model` is the one in force when the walk begins, whatever is promoted meanwhile, or another to be tried.
    `seen` has the version of each customer with a score, as it was compared first. Nobody of `later` is a
    candidate.
    """

    shelf: ProfileShelf = field(default_factory=ProfileShelf)
    model: MatchModel = field(default_factory=live_model)
    counts: Counts = field(default_factory=Counts)
    seen: dict[uuid.UUID, int] = field(default_factory=dict)
    later: Later | None = None

    def compare_some(self, ids: Collection[uuid.UUID]) -> Findings:
        """Compare these customers with all their candidates."""
        with candidates_of(ids, self.counts, self.later) as pairs:
            return self.compare(pairs)

    def replace(self, changed: Collection[uuid.UUID], profiles: Mapping[uuid.UUID, Profile]) -> None:
        """Know customers that this very walk has changed as they are now; without a profile, no more.

        Must run inside the change, with the customers locked.
        """
        self.forget(changed)
        self.shelf.put(profiles)

    def forget(self, changed: Collection[uuid.UUID]) -> None:
        """Know nothing of customers any more: who is compared again is compared as of then."""
        self.shelf.drop(changed)
        for key in changed:
            self.seen.pop(key, None)

    def undoing(self, changed: Collection[uuid.UUID]) -> Callable[[], None]:
        """What makes the comparison know of a change that is rolled back only what it knew before it."""
        seen = {key: self.seen[key] for key in changed if key in self.seen}

        def undo() -> None:
            self.forget(changed)
            self.seen.update(seen)

        return undo

    def compare(
        self, pairs: Iterable[IdPair], *, watch: Callable[[int], None] = lambda done: None
    ) -> Findings:
        """Score candidate pairs, each given once, and group what holds together."""
        return self.group(list(self.score(pairs, watch=watch)))

    def group(self, scores: Sequence[PairScore]) -> Findings:
        """Find out which of the customers of scored pairs hold together."""
        apart = _kept_apart(scores)
        groups = group_customers(
            scores,
            policy=live_policy(),
            score=self._score_some,
            different=apart.pairs,
            told_apart=apart.told,
            again=apart.again,
        )
        return Findings(groups, self.counts)

    def score(
        self, pairs: Iterable[IdPair], *, watch: Callable[[int], None] = lambda done: None
    ) -> Iterator[PairScore]:
        """Score candidate pairs and give those in the review band and above it."""
        clean = _clean_channels()
        for chunk in chunks(pairs, PAIRS_A_CHUNK):
            ids = {key for pair in chunk for key in pair}
            profiles = self.shelf.take(ids)
            sources = _clean_sources(ids) if clean else {}
            wanted = [
                pair
                for pair in chunk
                if not sources.get(pair[0], frozenset()) & sources.get(pair[1], frozenset())
            ]
            self.counts.pairs += len(wanted)
            self.counts.same_source += len(chunk) - len(wanted)
            known = ((profiles[a], profiles[b]) for a, b in wanted if a in profiles and b in profiles)
            scores = list(score_pairs(self.model, known, floor=live_policy().review))
            self._note_versions(scores)
            yield from scores
            trim_caches()
            watch(self.counts.pairs)

    def _note_versions(self, scores: Iterable[PairScore]) -> None:
        for text in {key for score in scores for key in (score.left, score.right)}:
            key = uuid.UUID(text)
            self.seen.setdefault(key, self.shelf.version(key))

    def _score_some(self, pairs: Sequence[tuple[str, str]]) -> Iterator[PairScore]:
        for chunk in chunks(pairs, PAIRS_A_CHUNK):
            wanted = [(uuid.UUID(left), uuid.UUID(right)) for left, right in chunk]
            profiles = self.shelf.take({key for pair in wanted for key in pair})
            yield from score_pairs(self.model, ((profiles[left], profiles[right]) for left, right in wanted))


@contextmanager
def candidates_of(
    ids: Collection[uuid.UUID], counts: Counts, later: Later | None = None
) -> Iterator[Iterator[IdPair]]:
    """Pairs of candidates with at least one among `ids`, each once; notes the blocks that were too large."""
    with connection.cursor() as cursor:
        cursor.execute(read_sql("take_settling"), {"ids": list(ids)})
        apart = {"after": later.after if later else None, "channel": later.channel_id if later else None}
        cursor.execute(read_sql("blocks_of_settling"), {**_LIMITS, **apart})
        cursor.execute("SELECT count(*) FROM settling_blocks WHERE large")
        counts.skipped_blocks += cursor.fetchone()[0]
    with _streamed_pairs("pairs_of_settling", {}) as pairs:
        yield pairs


@contextmanager
def candidates_of_register() -> Iterator[Iterator[IdPair]]:
    """Pairs of candidates over the whole register, each once."""
    with _streamed_pairs("pairs_of_register", _LIMITS) as pairs:
        yield pairs


@contextmanager
def _streamed_pairs(stage: str, given: Mapping[str, Any]) -> Iterator[Iterator[IdPair]]:
    """Read the pairs of a stage by a server's cursor: memory stays flat."""
    connection.ensure_connection()
    with connection.connection.cursor(name="candidates", withhold=True) as cursor:
        cursor.itersize = PAIRS_A_CHUNK
        cursor.execute(read_sql(stage), given)
        yield iter(cursor)


def largest_blocks(rows: int = 10) -> list[tuple[str, int]]:
    """The keys most customers share, in words, and how many do, the largest first."""
    with connection.cursor() as cursor:
        cursor.execute(read_sql("largest_blocks"), {"rows": rows})
        blocks = cursor.fetchall()
    names: dict[int, str] = {}
    for profile in load_profiles({example for _, _, example in blocks}).values():
        names |= number_keys(profile)
    return [(names.get(key, FORMER_KEY), customers) for key, customers, _ in blocks]


def count_large_blocks() -> int:
    """How many keys too many customers share; their finer keys are compared by instead."""
    with connection.cursor() as cursor:
        cursor.execute(read_sql("large_blocks"), _LIMITS)
        return cursor.fetchone()[0]


@dataclass(slots=True)
class _Apart:
    """Pairs that may not become one; those a person told apart; those to be asked about again."""

    pairs: set[frozenset[str]] = field(default_factory=set)
    told: set[frozenset[str]] = field(default_factory=set)
    again: set[frozenset[str]] = field(default_factory=set)

    def add_judged(self, ids: Collection[uuid.UUID]) -> None:
        """Keep apart what people did not call one; where the data changed since, they are asked again."""
        self.told |= _named(different_pairs(ids))
        verdicts = verdicts_on_pairs(ids)
        stale = {pair for pair, verdict in verdicts.items() if not verdict.fresh}
        unsure = {pair for pair, verdict in verdicts.items() if verdict.word == "unsure"}
        not_one = {pair for pair, verdict in verdicts.items() if verdict.word in _NOT_ONE}
        self.pairs |= self.told | _named(not_one - (stale & unsure))
        self.again |= _named(stale & not_one)


def _named(pairs: Iterable[frozenset[uuid.UUID]]) -> set[frozenset[str]]:
    return {frozenset(map(str, pair)) for pair in pairs}


def _kept_apart(scores: Sequence[PairScore]) -> _Apart:
    """What may not become one: a person said so, or one clean source has both."""
    clean = _clean_channels()
    apart = _Apart()
    for components in _lots(connected(scores)):
        ids = {uuid.UUID(key) for component in components for key in component}
        apart.add_judged(ids)
        if clean:
            apart.pairs |= _parted_by_source(components, _clean_sources(ids))
    return apart


def _lots(components: Iterable[set[str]]) -> Iterator[list[set[str]]]:
    """Whole components together, a bounded number of customers at a time unless one has more by itself."""
    lot: list[set[str]] = []
    held = 0
    for component in components:
        lot.append(component)
        held += len(component)
        if held >= CUSTOMERS_A_LOT:
            yield lot
            lot, held = [], 0
    if lot:
        yield lot


def _parted_by_source(
    components: Iterable[set[str]], sources: Mapping[uuid.UUID, Collection[Any]]
) -> set[frozenset[str]]:
    """Two records of one clean source that a third one could bring together."""
    apart: set[frozenset[str]] = set()
    for component in components:
        by_source: dict[Any, list[str]] = {}
        for key in component:
            for source in sources.get(uuid.UUID(key), ()):
                by_source.setdefault(source, []).append(key)
        for members in by_source.values():
            apart.update(map(frozenset, combinations(members, 2)))
    return apart


def _clean_channels() -> bool:
    return Channel.objects.filter(free_of_duplicates=True).exists()


def _clean_sources(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, frozenset[Any]]:
    """Customer → the channels free of duplicates in themselves that have a record of it."""
    rows = SourceRecord.objects.filter(channel__free_of_duplicates=True, customer__in=ids)
    found: dict[uuid.UUID, set[Any]] = {}
    for customer_id, channel_id in rows.values_list("customer_id", "channel_id"):
        found.setdefault(customer_id, set()).add(channel_id)
    return {key: frozenset(value) for key, value in found.items()}


def chunks(pairs: Iterable[SomePair], size: int) -> Iterator[list[SomePair]]:
    """Cut pairs into lists of at most `size`."""
    rest = iter(pairs)
    while chunk := list(islice(rest, size)):
        yield chunk


def count_outcomes(groups: Iterable[Group]) -> Counter[str]:
    """Count the groups that merge (`merges`) and the customers that takes away (`merged`)."""
    holding = [group for group in groups if merges(group)]
    return Counter(merges=len(holding), merged=sum(len(group.members) - 1 for group in holding))


def merges(group: Group) -> bool:
    """Tell whether a group holds together well enough to be merged without asking."""
    return len(group.members) > 1 and bool(group.edges) and not group.why
