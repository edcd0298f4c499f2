"""Which pairs were compared at all: the way from all pairs to linked ones, the rules, the largest blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from resolution.batch.report import words
from resolution.batch.report.bars import log_bar, stacked_bar
from resolution.batch.report.charts import legend
from resolution.batch.report.markup import Inside, tag
from resolution.batch.report.tables import bar_column, empty, number_column, table, words_column
from resolution.batch.run_facts import BlockFact, RuleFact, RunFacts

_TREATED = {"compared": "all pairs compared", "refined": "refined by further fields"}


def blocking(facts: RunFacts) -> Inside:
    """Show how few of all pairs were compared, which rule found them, and the largest blocks by name."""
    return (
        tag(
            "p",
            "Comparing every record with every other would take too long. Only pairs that share a block, such"
            " as the same e-mail address, are compared; a pair no rule finds cannot be linked.",
        ),
        _funnel(facts),
        _rules(facts),
        _blocks(facts),
        _shared(facts),
    )


def _funnel(facts: RunFacts) -> Inside:
    counts = facts.counts
    possible = math.comb(counts.records, 2)
    if not possible:
        return empty("There are no two records to compare.")
    steps = [
        ("all possible pairs", possible),
        ("found by a rule", counts.candidate_pairs),
        ("scored", counts.pairs_scored),
        ("written to pairs.parquet", counts.pairs_kept),
        ("linked", counts.linked_pairs),
    ]
    rows = [
        (name, log_bar(number, possible), words.count(number), _one_in(possible, number))
        for name, number in steps
    ]
    columns = [
        words_column("Pairs"), bar_column("Each hairline: ten times more"), number_column("Number"),
        number_column("Of all pairs"),
    ]  # fmt: skip
    return table("From all pairs to linked ones", columns, rows, kind="bars")


def _one_in(whole: int, part: int) -> str:
    if part == whole:
        return "all"
    return f"1 in {words.count(whole / part)}" if part else words.MISSING


def _rules(facts: RunFacts) -> Inside:
    rules = facts.blocking.rules
    if not rules:
        return empty("No blocking rule was applied.")
    most = max(rule.pairs for rule in rules)
    if not most:
        return empty("No two records share anything that a rule goes by.")
    columns = [
        words_column("Rule"), bar_column("Pairs"), number_column("New pairs"), number_column("Pairs"),
        number_column("Blocks"), number_column("Largest"), number_column("Refined"),
    ]  # fmt: skip
    key = legend(("fill-main", "found by no earlier rule"), ("fill-pale", "found before"))
    return table(
        "Pairs by rule, in the order applied",
        columns,
        [_rule(rule, most) for rule in rules if rule.pairs],
        legend=key,
        kind="bars rules",
    ), _idle(rules)


def _idle(rules: Sequence[RuleFact]) -> Inside:
    names = [words.field_name(rule.rule) for rule in rules if not rule.pairs]
    return tag("p", f"No pair came from: {', '.join(names)}.", class_="faint") if names else None


def _rule(rule: RuleFact, most: int) -> list[Inside]:
    parts = [(float(rule.new_pairs), "fill-main"), (float(rule.pairs - rule.new_pairs), "fill-pale")]
    refined = (
        f"{words.many(rule.refined_blocks, 'block')}, {words.many(rule.refined_records, 'record')}"
        if rule.refined_blocks
        else words.MISSING
    )
    return [
        (words.field_name(rule.rule), tag("small", rule.what) if rule.what else None),
        stacked_bar(parts, most),
        words.count(rule.new_pairs),
        words.count(rule.pairs),
        words.count(rule.blocks),
        words.count(rule.largest),
        refined,
    ]


def _blocks(facts: RunFacts) -> Inside:
    blocks = facts.blocking.largest_blocks
    if not blocks:
        return empty("No block holds more than one record.")
    columns = [
        words_column("Shared value"), words_column("Rule"), number_column("Records"), words_column("Treated"),
    ]  # fmt: skip
    return table("Largest blocks", columns, map(_block, blocks))


def _block(block: BlockFact) -> list[Inside]:
    treated = _TREATED.get(block.treated, block.treated)
    return [block.key, words.field_name(block.rule), words.count(block.records), treated]


def _shared(facts: RunFacts) -> Inside:
    shared = facts.blocking.shared_values
    if not shared:
        return empty("No value is shared by so many records that it had to lose weight.")
    columns = [words_column("Value"), words_column("Field"), number_column("Records")]
    rows = [(entry.value, words.field_name(entry.field), words.count(entry.records)) for entry in shared]
    return (
        table("Values many records share", columns, rows),
        tag("p", "Such a value belongs to a switchboard or a form, so agreeing on it says little."),
    )
