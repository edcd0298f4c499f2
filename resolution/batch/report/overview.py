"""The head of the report: one sentence, a few numbers, what deserves a look."""

from __future__ import annotations

from collections.abc import Iterator

from resolution.batch.report import words
from resolution.batch.report.markup import Html, tag
from resolution.batch.report.tables import empty
from resolution.batch.run_facts import RunFacts

# Names that many have are no candidates for a rule about rare ones, which surprises nobody.
_RARE = "rare"
_SPARSE = 0.2
_MUCH_UNLINKABLE = 0.01


def headline(facts: RunFacts) -> str:
    """Say the outcome in plain words."""
    counts = facts.counts
    if not counts.records:
        return "The files hold no records"
    people = words.many(counts.clusters, "customer")
    outcome = f"{words.many(counts.records, 'record')} {'is' if counts.records == 1 else 'are'} {people}"
    if not counts.review_pairs:
        return f"{outcome}; no pair is left to look at"
    verb = "is" if counts.review_pairs == 1 else "are"
    return f"{outcome}; {words.many(counts.review_pairs, 'pair')} {verb} worth a look"


def provenance(facts: RunFacts) -> str:
    """Say when the run was, with what, and how long it took."""
    total = sum(facts.timings.values())
    parts = [
        words.moment(facts.started),
        f"Identity Desk {facts.version}",
        f"engine {facts.engine}",
        words.duration(total) if total else "",
        f"at most {words.memory(facts.peak_memory_mib)} of memory" if facts.peak_memory_mib else "",
    ]
    return " · ".join(part for part in parts if part)


def key_numbers(facts: RunFacts) -> Html:
    """Lay out the few numbers everybody asks for."""
    counts = facts.counts
    repeats = max(counts.records - counts.clusters, 0)
    numbers = [
        (words.count(counts.records), "records", f"{words.count(counts.usable_records)} of them usable"),
        (words.count(counts.clusters), "customers", f"{words.count(counts.several)} of several records"),
        (words.count(repeats), "repeated records", _share_of(repeats, counts.records)),
        (words.count(counts.linked_pairs), "pairs linked", _at_weight(facts)),
        (words.count(counts.review_pairs), "pairs to look at", _held_back(facts)),
        (words.count(counts.largest_cluster), "records in the largest customer", ""),
    ]
    return tag("dl", (_number(*entry) for entry in numbers), class_="numbers")


def _number(value: str, name: str, remark: str) -> Html:
    return tag(
        "div",
        tag("dt", name),
        tag("dd", value, class_="value"),
        tag("dd", remark, class_="remark") if remark else None,
    )


def _share_of(part: int, whole: int) -> str:
    return f"{words.share(part / whole)} of all" if whole else ""


def _at_weight(facts: RunFacts) -> str:
    return f"at weight {words.weight(facts.threshold.weight)} and above"


def _held_back(facts: RunFacts) -> str:
    held = facts.clusters.held_back
    return f"and {words.many(held, 'customer')} to check" if held else ""


def attention(facts: RunFacts) -> Html:
    """List what deserves a look before the outcome is used."""
    sentences = [*facts.notes, *remarks(facts)]
    if not sentences:
        return empty("Nothing stands out.")
    return tag("ul", (tag("li", sentence) for sentence in sentences), class_="remarks")


def remarks(facts: RunFacts) -> Iterator[str]:
    """Say, a sentence each, what of the outcome may surprise."""
    counts = facts.counts
    idle = counts.records - counts.usable_records
    if idle > 0:
        yield f"{words.many(idle, 'record')} could not be compared: nothing usable is filled in."
    yield from _remarks_on_blocks(facts)
    if counts.cut_groups:
        yield (
            f"{words.many(counts.cut_groups, 'group')} of linked records did not hold together"
            " and came apart again."
        )
    share = unlinkable_at(facts)
    if share is not None and share >= _MUCH_UNLINKABLE:
        yield (
            f"{words.share(share)} of the records hold too little to be linked at all,"
            " even against an exact copy of themselves."
        )
    sparse = [words.field_name(entry.field) for entry in facts.completeness if entry.filled < _SPARSE]
    if sparse:
        yield f"Hardly ever filled: {', '.join(sparse)}."


def expectation(facts: RunFacts) -> str:
    """Say how good the model expects the links to be; empty where it cannot tell."""
    threshold = facts.threshold
    if threshold.precision is None or threshold.recall is None:
        return ""
    return (
        f"By its own estimate {words.share(threshold.precision)} of the linked pairs are right, and"
        f" {words.share(threshold.recall)} of the right pairs among those compared are linked."
    )


def _remarks_on_blocks(facts: RunFacts) -> Iterator[str]:
    refined = [
        entry
        for entry in facts.blocking.largest_blocks
        if entry.treated == "refined" and not entry.rule.startswith(_RARE)
    ]
    if refined:
        largest = max(refined, key=lambda entry: entry.records)
        yield (
            f"{words.many(largest.records, 'record')} share “{largest.key}”: too many to compare each with"
            " each, so further fields had to agree too."
        )


def unlinkable_at(facts: RunFacts) -> float | None:
    """The share of records that cannot reach the threshold; None when it was not worked out."""
    below = [point for point in facts.unlinkable if point.weight <= facts.threshold.weight]
    return max(below, key=lambda point: point.weight).share if below else None
