"""Scored pairs to groups that hold together.

Bare connected components chain strangers: a joins b, b joins c, and a and c have nothing in common. Here
groups grow by falling weight, and two groups join only if their members fit each other on the whole. What
was refused, and what policy may not settle alone, comes back as questions; a group that holds badly says
so in `why`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice, product

import numpy as np

from resolution.matching.decide import Policy, band_of, pair_of
from resolution.matching.table import Rows
from resolution.types import Band, Contradiction, Group, PairScore

# A person rarely has more records; above it someone looks, and cross weights are taken from a part.
LARGE_GROUP = 12
MOST_CROSS_PAIRS = 144
SPARSE_BELOW = 0.5
# Up to this many customers that hang together, all their pairs are scored at once.
MOST_AT_ONCE = 24
JUDGED = "were judged different people"

# The scores of pairs of keys, in any order.
ScoreMany = Callable[[Sequence[tuple[str, str]]], Iterable[PairScore]]

LINKING = (Band.AUTO, Band.SAMPLE)
_NONE: frozenset[Contradiction] = frozenset()


def group_customers(
    scores: Iterable[PairScore],
    *,
    policy: Policy,
    score: ScoreMany,
    different: Container[frozenset[str]] = (),
    told_apart: Container[frozenset[str]] = (),
    again: Container[frozenset[str]] = (),
    apart_because: str = JUDGED,
) -> list[Group]:
    """Group customers by their scored pairs; the same pairs in any order give the same groups.

    A group of several members with an empty `why` may be merged; with a `why` it goes to review whole. A
    group may be of one member that only carries `questions`: pairs across groups for a person to settle,
    the strongest for each two groups, each on the group of its smaller key. `score` gives the weights of
    pairs that `scores` left out; `different` holds the pairs of keys that may not become one, such as those
    that a person judged different, and `apart_because` says so. Of these, `told_apart` are those whose
    joining by others is a contradiction, and `again` those to be asked about although they were answered.
    """
    ranked = sorted(scores, key=_rank)
    known = {pair_of(pair): pair for pair in reversed(ranked)}
    bench = _Bench(known, policy, score, different, told_apart, again, apart_because)
    edges = [
        edge for edge in ranked if band_of(policy, edge) in LINKING and pair_of(edge) not in bench.different
    ]
    bench.look_up(pair for members in connected(edges) for pair in _inner_pairs(members))
    for edge in edges:
        bench.try_to_join(edge)
    contradictions = bench.contradictions()
    return bench.groups(_questions(ranked, bench, contradictions), contradictions)


def connected(edges: Iterable[PairScore]) -> list[set[str]]:
    """The customers that pairs bring together, directly or over others."""
    found: dict[str, set[str]] = {}
    for edge in edges:
        sides = (found.setdefault(key, {key}) for key in (edge.left, edge.right))
        small, large = sorted(sides, key=len)
        if small is not large:
            large |= small
            found.update(dict.fromkeys(small, large))
    return list({id(entry): entry for entry in found.values()}.values())


def connected_rows(count: int, left: Rows, right: Rows) -> Rows:
    """Give each of `count` rows the smallest row that pairs connect it with, directly or over others."""
    labels = np.arange(count)
    while True:
        ours, theirs = labels[left], labels[right]
        apart = ours != theirs
        if not apart.any():
            return labels
        left, right = left[apart], right[apart]
        np.minimum.at(labels, np.maximum(ours, theirs)[apart], np.minimum(ours, theirs)[apart])
        while not np.array_equal(labels, labels[labels]):
            labels = labels[labels]


def _inner_pairs(members: Collection[str]) -> Iterator[tuple[str, str]]:
    if 2 < len(members) <= MOST_AT_ONCE:
        yield from combinations(sorted(members), 2)


def _rank(score: PairScore) -> tuple[float, list[str]]:
    return -score.weight, sorted((score.left, score.right))


@dataclass
class _Cluster:
    """A group in the making."""

    members: list[str]
    edges: list[PairScore] = field(default_factory=list)
    cuts: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Clash:
    """A join that a person's word forbade: whom it told apart, and the edge that would have joined them."""

    judged: tuple[str, str]
    edge: PairScore


@dataclass
class _Bench:
    """The groups so far, and what is known of pairs."""

    known: dict[frozenset[str], PairScore]
    policy: Policy
    score: ScoreMany
    different: Container[frozenset[str]]
    told_apart: Container[frozenset[str]]
    again: Container[frozenset[str]]
    apart_because: str
    cluster_of: dict[str, _Cluster] = field(default_factory=dict)
    clashes: list[_Clash] = field(default_factory=list)

    def cluster(self, key: str) -> _Cluster:
        return self.cluster_of.setdefault(key, _Cluster([key]))

    def look_up(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Ask for the scores of those pairs that are not known yet, all at once."""
        missing = [pair for pair in pairs if frozenset(pair) not in self.known]
        for score in self.score(missing) if missing else ():
            self.known[pair_of(score)] = score

    def pairs(self, wanted: Iterable[tuple[str, str]]) -> list[PairScore]:
        """The scores of pairs, each asked for once."""
        pairs = [(min(pair), max(pair)) for pair in wanted]
        self.look_up(pairs)
        return [self.known[frozenset(pair)] for pair in pairs]

    def try_to_join(self, edge: PairScore) -> None:
        """Join the two groups of an edge, or note on both why not."""
        left, right = self.cluster(edge.left), self.cluster(edge.right)
        if left is right:
            left.edges.append(edge)
            return
        judged = self.judged_apart(left, right)
        if judged and frozenset(judged) in self.told_apart:
            self.clashes.append(_Clash(judged, edge))
        refusal = f"{judged[0]} and {judged[1]} {self.apart_because}" if judged else self.refusal(left, right)
        if refusal:
            left.cuts.append(refusal)
            right.cuts.append(refusal)
        else:
            self.join(left, right, edge)

    def join(self, left: _Cluster, right: _Cluster, edge: PairScore) -> None:
        kept, gone = (left, right) if len(left.members) >= len(right.members) else (right, left)
        kept.members += gone.members
        kept.edges += [*gone.edges, edge]
        kept.cuts += gone.cuts
        self.cluster_of.update(dict.fromkeys(gone.members, kept))

    def refusal(self, left: _Cluster, right: _Cluster) -> str:
        """Why the weights of two groups forbid their becoming one; empty when they do not."""
        pairs = self.pairs(islice(_crossing(left, right), MOST_CROSS_PAIRS))
        for pair in pairs:
            if pair.hard_conflict:
                return f"{pair.left} and {pair.right} contradict each other: {pair.hard_conflict}"
        mean = sum(pair.weight for pair in pairs) / len(pairs)
        return "" if mean >= 0 else f"on the whole the members speak against it (mean weight {mean:.1f})"

    def judged_apart(self, left: _Cluster, right: _Cluster) -> tuple[str, str] | None:
        """The first pair across two groups that may not become one; looks at every pair."""
        if not self.different:
            return None
        apart = (keys for keys in _crossing(left, right) if frozenset(keys) in self.different)
        return next(apart, None)

    def contradictions(self) -> list[Contradiction]:
        """What a person's word forbade: each two groups it keeps apart once, with all that connects them."""
        found: dict[tuple[str, ...], Contradiction] = {}
        for clash in self.clashes:
            members = self.members_of(clash)
            found.setdefault(members, Contradiction(clash.judged, members, tuple(self.links(members))))
        return list(found.values())

    def members_of(self, clash: _Clash) -> tuple[str, ...]:
        """Both groups of a clash; of large ones only those who are told apart and who would join them."""
        both = {key for side in clash.judged for key in self.cluster(side).members}
        ends = {*clash.judged, clash.edge.left, clash.edge.right}
        return tuple(sorted(both if len(both) <= LARGE_GROUP else ends))

    def links(self, members: Sequence[str]) -> list[PairScore]:
        """The known pairs among these that speak for one person, strongest first, without the judged ones."""
        pairs = (self.known.get(frozenset(pair)) for pair in combinations(members, 2))
        fitting = (pair for pair in pairs if pair and pair.weight >= self.policy.review)
        return sorted((pair for pair in fitting if pair_of(pair) not in self.told_apart), key=_rank)

    def groups(
        self, questions: dict[str, list[PairScore]], contradictions: Sequence[Contradiction]
    ) -> list[Group]:
        """Finish: every group of several members or with something to ask, by its smallest key."""
        clusters = {id(cluster): cluster for cluster in self.cluster_of.values()}
        clashes = _by_key(contradictions)
        found = [self.finish(cluster, questions, clashes) for cluster in clusters.values()]
        return sorted(filter(_says_something, found), key=_smallest)

    def finish(
        self,
        cluster: _Cluster,
        questions: dict[str, list[PairScore]],
        clashes: Mapping[str, Collection[Contradiction]],
    ) -> Group:
        members = tuple(sorted(cluster.members))
        asked = tuple(sorted((pair for key in members for pair in questions.get(key, ())), key=_rank))
        reasons = list(dict.fromkeys(cluster.cuts)) if len(members) > 1 else []
        if len(members) > 1:
            reasons += self.weak_points(members)
        own = {entry for key in members for entry in clashes.get(key, ()) if key in entry.judged}
        edges = tuple(sorted(cluster.edges, key=_rank))
        return Group(members, edges, asked, held_back(reasons), tuple(sorted(own, key=_members)))

    def weak_points(self, members: tuple[str, ...]) -> Iterator[str]:
        """What makes a group doubtful though every join was allowed."""
        if len(members) > LARGE_GROUP:
            yield too_large(len(members))
            return
        supported = self.supported_pairs(members)
        possible = len(members) * (len(members) - 1) // 2
        if len(supported) < SPARSE_BELOW * possible:
            yield f"only {len(supported)} of its {possible} pairs support it"
        if bridge := _bridge(members, supported):
            yield f"it hangs on one pair, {bridge[0]} and {bridge[1]}"

    def supported_pairs(self, members: tuple[str, ...]) -> list[tuple[str, str]]:
        pairs = list(combinations(members, 2))
        scores = zip(pairs, self.pairs(pairs), strict=True)
        return [pair for pair, score in scores if score.weight >= self.policy.review]


def _crossing(left: _Cluster, right: _Cluster) -> Iterator[tuple[str, str]]:
    """The pairs across two groups, the same ones first whichever group is named first."""
    ours, theirs = sorted((sorted(left.members), sorted(right.members)))
    yield from product(ours, theirs)


def _questions(
    ranked: list[PairScore], bench: _Bench, contradictions: Sequence[Contradiction]
) -> dict[str, list[PairScore]]:
    """The strongest open pair for each two groups, by its smaller key; a contradiction asks of its own."""
    clashes = _by_key(contradictions)
    asked: dict[frozenset[int], PairScore] = {}
    for pair in ranked:
        both = pair_of(pair)
        settled = both in bench.different and both not in bench.again
        covered = clashes.get(pair.left, _NONE) & clashes.get(pair.right, _NONE)
        if settled or covered or band_of(bench.policy, pair) is Band.NONE:
            continue
        sides = frozenset((id(bench.cluster(pair.left)), id(bench.cluster(pair.right))))
        if len(sides) == 2:
            asked.setdefault(sides, pair)
    questions: dict[str, list[PairScore]] = defaultdict(list)
    for pair in asked.values():
        questions[min(pair.left, pair.right)].append(pair)
    return questions


def _bridge(members: tuple[str, ...], pairs: list[tuple[str, str]]) -> tuple[str, str] | None:
    """The first pair without which the group falls into two parts of two or more each."""
    for pair in pairs:
        part = _reachable(pair[0], [other for other in pairs if other != pair])
        if 2 <= len(part) <= len(members) - 2 and pair[1] not in part:
            return pair
    return None


def _reachable(start: str, pairs: list[tuple[str, str]]) -> set[str]:
    neighbours: dict[str, set[str]] = defaultdict(set)
    for left, right in pairs:
        neighbours[left].add(right)
        neighbours[right].add(left)
    reached, waiting = {start}, [start]
    while waiting:
        new = neighbours[waiting.pop()] - reached
        reached |= new
        waiting += new
    return reached


def _by_key(contradictions: Iterable[Contradiction]) -> dict[str, set[Contradiction]]:
    """The contradictions that each key is a member of."""
    found: dict[str, set[Contradiction]] = defaultdict(set)
    for entry in contradictions:
        for key in entry.members:
            found[key].add(entry)
    return dict(found)


def _says_something(group: Group) -> bool:
    return len(group.members) > 1 or bool(group.questions or group.contradictions)


def _members(contradiction: Contradiction) -> tuple[str, ...]:
    return contradiction.members


def _smallest(group: Group) -> str:
    return group.members[0]


def too_large(members: int) -> str:
    """Why a group of so many is doubtful."""
    return f"it is large ({members} customers)"


def held_back(reasons: list[str]) -> str:
    """Say in a sentence why a group waits for a person; empty when it does not."""
    return f"Held back: {'; '.join(reasons)}." if reasons else ""
