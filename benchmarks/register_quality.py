"""How right the register is after import and find_duplicates: links and review pairs, from the labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

from benchmarks.ground import Figure, fresh_database, make_channel, say, sets_at_hand, truth_of

SETS = ("febrl3", "customers_10k", "customers_100k")
REGIONS = {"febrl3": "AU"}
THRESHOLD_OF_THE_REFERENCE = 0.7
# The plain composite takes minutes on the candidates of a larger set.
COMPARED_WITH_THE_REFERENCE = ("febrl3", "customers_10k")


@dataclass(frozen=True)
class Quality:
    """Pairs found, how many of them are right, and how many there are."""

    found: int
    right: int
    true: int

    def __str__(self) -> str:
        precision = self.right / self.found if self.found else 1.0
        recall = self.right / self.true if self.true else 1.0
        return f"precision {precision:.4f}, recall {recall:.4f}"


def measure(sets: tuple[str, ...] = SETS) -> Iterator[Figure]:
    """Take each set through import and find_duplicates and compare with its labels."""
    for name, path in sets_at_hand(sets):
        say(f"quality on {name}")
        truth = truth_of(path)
        reference = _of_the_reference(path, name, truth) if name in COMPARED_WITH_THE_REFERENCE else ""
        with fresh_database(f"quality_{name}"):
            _resolve(path, name)
            yield from _figures(name, truth, str(reference))


def _resolve(path: Path, name: str) -> None:
    """What a user does: import a file, which resolves it as it comes, then look over the whole register."""
    from resolution.services.find_duplicates import find_duplicates
    from resolution.types import Actor

    _import(path, name, resolve=True)
    find_duplicates(actor=Actor.machine("benchmark"))


def _import(path: Path, name: str, *, resolve: bool) -> None:
    from resolution.services.importing import import_file, open_file
    from resolution.types import Actor

    opened = open_file(path=path, channel=make_channel(region=REGIONS.get(name, "")))
    import_file(opened, actor=Actor.machine("benchmark"), resolve=resolve)


def _of_the_reference(path: Path, name: str, truth: dict[str, str]) -> Quality:
    """Let the reference judge our candidates, in a register where nobody is merged yet."""
    with fresh_database(f"quality_{name}"):
        _import(path, name, resolve=False)
        return _judged_by_reference(_candidates(), _true_pairs(truth))


def _candidates() -> list[tuple[str, str]]:
    """The candidate pairs of the register by record id."""
    from customers.models import SourceRecord
    from resolution.batch.pipeline import candidates_of_register

    key_of = dict(SourceRecord.objects.values_list("customer_id", "source_key"))
    with candidates_of_register() as pairs:
        return [(key_of[left], key_of[right]) for left, right in pairs]


def _true_pairs(truth: dict[str, str]) -> set[tuple[str, str]]:
    return {pair for records in _by(truth).values() for pair in combinations(sorted(records), 2)}


def _figures(name: str, truth: dict[str, str], reference: str) -> Iterator[Figure]:
    customer_of = _customers()
    true_pairs = _true_pairs(truth)
    linked = {pair for records in _by(customer_of).values() for pair in combinations(sorted(records), 2)}
    automatic = Quality(len(linked), len(linked & true_pairs), len(true_pairs))
    yield Figure(f"automatic links, {name}", str(automatic), reference, f"{len(true_pairs):,} true pairs")
    yield _review(name, truth, customer_of, true_pairs - linked)


def _customers() -> dict[str, str]:
    from customers.models import SourceRecord

    return {key: str(owner) for key, owner in SourceRecord.objects.values_list("source_key", "customer_id")}


def _by(labels: dict[str, str]) -> dict[str, list[str]]:
    members: defaultdict[str, list[str]] = defaultdict(list)
    for key, label in labels.items():
        members[label].append(key)
    return members


def _review(
    name: str, truth: dict[str, str], customer_of: dict[str, str], missed: set[tuple[str, str]]
) -> Figure:
    """A question is right when its customers have a person in common; recall is of the pairs links missed."""
    people: defaultdict[str, set[str]] = defaultdict(set)
    for record, customer in customer_of.items():
        people[customer].add(truth[record])
    asked = _asked()
    right = sum(bool(people[left] & people[right]) for left, right in asked)
    between = {frozenset(pair) for pair in asked}
    caught = sum(frozenset((customer_of[a], customer_of[b])) in between for a, b in missed)
    share = caught / len(missed) if missed else 1.0
    return Figure(
        f"review pairs, {name}",
        f"precision {right / len(asked) if asked else 1.0:.4f}, recall {share:.4f} of what links missed",
        "",
        f"{len(asked):,} pairs asked, {len(missed):,} true pairs not linked",
    )


def _asked() -> list[tuple[str, str]]:
    from resolution.models import Conflict

    waiting = Conflict.objects.exclude(state="done").prefetch_related("members")
    members = [[str(entry.customer_id) for entry in conflict.members.all()] for conflict in waiting]
    return [pair for group in members for pair in combinations(sorted(group), 2)]


def _judged_by_reference(candidates: list[tuple[str, str]], true_pairs: set[tuple[str, str]]) -> Quality:
    """The plain composite of the identifiers at its own threshold, on the very candidates we score."""
    from resolution.matching.comparisons.simple import composite_match_score

    told = _identities()
    found = {
        (min(pair), max(pair))
        for pair in candidates
        if composite_match_score(told[pair[0]], told[pair[1]]) >= THRESHOLD_OF_THE_REFERENCE
    }
    return Quality(len(found), len(found & true_pairs), len(true_pairs))


def _identities() -> dict[str, dict[str, str]]:
    from customers.models import SourceRecord

    told = {}
    for key, data in SourceRecord.objects.values_list("source_key", "data"):
        name = f"{data.get('given_name', '')} {data.get('family_name', '')}".strip()
        kinds = product(("email", "phone", "external_id"), (data,))
        told[key] = {kind: row[kind] for kind, row in kinds if row.get(kind)} | (
            {"name": name} if name else {}
        )
    return told
