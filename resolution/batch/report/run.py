"""The run itself: time, memory, settings; and how to read the report."""

from __future__ import annotations

from resolution.batch.report import words
from resolution.batch.report.bars import length_bar
from resolution.batch.report.markup import Inside, tag
from resolution.batch.report.tables import bar_column, empty, number_column, table, words_column
from resolution.batch.run_facts import RunFacts

_READING = (
    (
        "Match weight",
        "Log2 odds that two records are one customer. 0 is even odds; each +1 doubles them; +10 is about a"
        " thousand to one, −10 one to a thousand.",
    ),
    (
        "Prior",
        "Where every pair starts: two records picked at random are hardly ever one customer, so the prior is"
        " far below 0.",
    ),
    (
        "Level",
        "One answer of comparing one field: exact, close, different and so on. A level adds log2(m/u), the"
        " share of that answer among records of one person (m) over its share among two people at random (u)."
        " A rare surname in common weighs more than a frequent one. A missing value adds nothing.",
    ),
    (
        "Home",
        "Two people of one home share a name, an address, a telephone without being one person. The third"
        " share lets such agreements count once instead of adding up.",
    ),
    (
        "Threshold",
        "Pairs at or above it are linked; linked pairs are followed from record to record, and a group that"
        " does not hold together is cut, or named as worth a check.",
    ),
    (
        "Source",
        "I. P. Fellegi and A. B. Sunter, A theory for record linkage, Journal of the American Statistical"
        " Association 64 (1969), 1183–1210.",
    ),
)


def timings(facts: RunFacts) -> Inside:
    """Show where the time went."""
    if not facts.timings:
        return empty("No time was taken.")
    longest, total = max(facts.timings.values()), sum(facts.timings.values())
    columns = [words_column("Stage"), bar_column("Time"), number_column("Took"), number_column("Share")]
    rows: list[list[Inside]] = [
        [
            words.field_name(stage),
            length_bar(seconds, longest),
            words.duration(seconds),
            _share(seconds, total),
        ]
        for stage, seconds in facts.timings.items()
    ]
    return tag("p", _sum(facts, total)), table("Time by stage", columns, rows, kind="bars")


def _sum(facts: RunFacts, total: float) -> str:
    speed = f", {words.count(facts.counts.records / total)} records a second" if total else ""
    peak = f" Memory rose to {words.memory(facts.peak_memory_mib)}." if facts.peak_memory_mib else ""
    return f"{words.duration(total)} in all{speed}.{peak}"


def _share(seconds: float, total: float) -> str:
    return words.share(seconds / total if total else 0.0)


def settings(facts: RunFacts) -> Inside:
    """List what the run was told."""
    if not facts.options:
        return empty("Every option had its default.")
    columns = [words_column("Option"), words_column("Value")]
    return table("Options of this run", columns, list(facts.options.items()))


def reading(_: RunFacts) -> Inside:
    """Explain the few words the report cannot do without."""
    return tag("dl", ((tag("dt", term), tag("dd", text)) for term, text in _READING), class_="reading")
