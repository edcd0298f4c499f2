"""What was read: files, columns, how full the fields are."""

from __future__ import annotations

from resolution.batch.report import words
from resolution.batch.report.bars import length_bar
from resolution.batch.report.markup import Inside, tag
from resolution.batch.report.tables import bar_column, empty, number_column, table, words_column
from resolution.batch.run_facts import ColumnFact, CompletenessFact, RunFacts

_HOW = {
    "given": "told by an option",
    "name": "by its name",
    "content": "by its content",
    "not used": "not used",
}


def inputs(facts: RunFacts) -> Inside:
    """Show the files and what each of their columns was taken for."""
    return _files(facts), _columns(facts)


def _files(facts: RunFacts) -> Inside:
    if not facts.inputs:
        return empty("No file was read.")
    columns = [words_column("File"), words_column("Kind"), number_column("Rows")]
    rows = [
        (tag("span", file.path, class_="path"), file.kind, words.count(file.rows)) for file in facts.inputs
    ]
    return table("Files read", columns, rows)


def _columns(facts: RunFacts) -> Inside:
    if not facts.columns:
        return empty("No column was read.")
    columns = [
        words_column("Column"), words_column("Read as"), words_column("Decided"), words_column("Example"),
        number_column("Filled"), number_column("Distinct"),
    ]  # fmt: skip
    return table("Columns and what each was read as", columns, map(_column, facts.columns))


def _column(use: ColumnFact) -> list[Inside]:
    field = words.field_name(use.field) if use.field else tag("span", "–", class_="faint")
    how = _HOW.get(use.how, use.how)
    return [use.column, field, how, use.example, words.share(use.filled), words.count(use.distinct)]


def completeness(facts: RunFacts) -> Inside:
    """Show how many records have each field: what is empty can neither link nor separate."""
    if not facts.completeness:
        return empty("No field was measured.")
    columns = [
        words_column("Field"), bar_column("Records with it"), number_column("Filled"),
        number_column("Distinct values"), number_column("Unusable"),
    ]  # fmt: skip
    return (
        tag(
            "p",
            "A missing value is no evidence: it neither links nor separates. Unusable values (placeholders,"
            " numbers that no telephone has) count as missing.",
        ),
        table("Share of records with a usable value", columns, map(_field, facts.completeness), kind="bars"),
    )


def _field(entry: CompletenessFact) -> list[Inside]:
    return [
        words.field_name(entry.field),
        length_bar(entry.filled, 1),
        words.share(entry.filled),
        words.count(entry.distinct),
        words.count(entry.unusable),
    ]
