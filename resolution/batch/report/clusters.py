"""The customers found: how large they are, and the largest by name."""

from __future__ import annotations

from collections.abc import Iterable

from resolution.batch.report import words
from resolution.batch.report.bars import length_bar, log_bar
from resolution.batch.report.markup import Html, Inside, tag
from resolution.batch.report.tables import bar_column, empty, folded, number_column, table, words_column
from resolution.batch.run_facts import ClusterFact, RunFacts

# Sizes up to here have a row of their own; larger ones share rows.
_LAST_OWN_SIZE = 6
_STEPS = (10, 20, 50, 100, 200, 500, 1_000, 10_000, 100_000)


def clusters(facts: RunFacts) -> Inside:
    """Show how many customers have how many records, and the largest ones."""
    return _sizes(facts), _doubtful(facts), _largest(facts)


def group_sizes(sizes: Iterable[tuple[int, int]]) -> list[tuple[str, int, int]]:
    """Sum (records, customers) by size, large sizes together: the size in words, customers, records."""
    sums: dict[tuple[int, int], tuple[int, int]] = {}
    for size, number in sorted(sizes):
        span = _span_of(size)
        customers, records = sums.get(span, (0, 0))
        sums[span] = customers + number, records + size * number
    return [(_span_words(*span), *both) for span, both in sums.items()]


def _span_of(size: int) -> tuple[int, int]:
    if size <= _LAST_OWN_SIZE:
        return size, size
    low = _LAST_OWN_SIZE
    for high in _STEPS:
        if size <= high:
            return low + 1, high
        low = high
    return low + 1, 0


def _span_words(low: int, high: int) -> str:
    if not high:
        return f"{words.count(low)} and more"
    return words.count(low) if low == high else f"{words.count(low)} to {words.count(high)}"


def _sizes(facts: RunFacts) -> Inside:
    rows = group_sizes(facts.clusters.sizes)
    if not rows:
        return empty("There are no customers to count.")
    most = max(customers for _, customers, _ in rows)
    records = sum(number for _, _, number in rows)
    columns = [
        words_column("Records"), bar_column("Customers, each hairline ten times more"),
        number_column("Customers"), bar_column("Share of records"), number_column("Records"),
    ]  # fmt: skip
    cells: list[list[Inside]] = [
        [
            name,
            log_bar(customers, most),
            words.count(customers),
            length_bar(number, records),
            words.count(number),
        ]
        for name, customers, number in rows
    ]
    return table("Customers by number of records", columns, cells, kind="bars")


def _largest(facts: RunFacts) -> Inside:
    if not facts.clusters.largest:
        return tag("h3", "Largest customers"), empty("No customer has more than one record.")
    return (
        tag("h3", "Largest customers"),
        tag("p", "A very large customer is more often a shared address or a test account than a person."),
        [_cluster(entry) for entry in facts.clusters.largest],
    )


def _doubtful(facts: RunFacts) -> Inside:
    """The customers to look at before any other: links among their records contradict each other."""
    shown = facts.clusters.doubtful
    if not shown:
        return None
    more = facts.clusters.held_back - len(shown)
    return (
        tag("h3", "Customers worth a check"),
        tag("p", "Their records were linked, and yet something in them does not fit."),
        [_cluster(entry) for entry in shown],
        tag("p", f"and {words.count(more)} more", class_="faint") if more > 0 else None,
    )


def _cluster(entry: ClusterFact) -> Html:
    who = (f" {entry.who} ", tag("span", entry.id, class_="faint")) if entry.who else f" customer {entry.id}"
    head = (tag("b", words.many(entry.size, "record"), class_="number"), who)
    why = (" ", tag("span", entry.why, class_="band band-mild")) if entry.why else None
    left_out = entry.size - len(entry.members)
    more = (
        tag("li", f"and {words.count(left_out)} more", class_="faint")
        if left_out > 0 and entry.members
        else None
    )
    members = tag("ol", (tag("li", member) for member in entry.members), more, class_="members")
    return tag(
        "div", folded((head, why), members if entry.members else empty("Its records are not listed here."))
    )
