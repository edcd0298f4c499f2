"""Splink's model for whatever columns a set has: comparisons, and the rules that block and train."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import splink.comparison_level_library as cll
import splink.comparison_library as cl
from splink import SettingsCreator, block_on
from splink.internals.comparison_creator import ComparisonCreator
from splink.internals.comparison_level_creator import ComparisonLevelCreator

Rules = Sequence[tuple[str, ...]]

# A pair is compared when all columns of one rule agree; a rule whose columns a set lacks is left out.
BLOCKING: Rules = (
    ("email",),
    ("phone",),
    ("external_id",),
    ("last_name", "birth"),
    ("first_name", "birth"),
    ("birth", "postcode"),
    ("birth", "city"),
    ("first_name", "last_name"),
    ("last_name", "city"),
    ("first_name", "city"),
    ("last_name", "postcode"),
    ("first_name", "postcode"),
    ("last_name", "address"),
    ("first_name", "address"),
    ("address", "postcode"),
    ("name_sorted",),
    ("name", "postcode"),
    ("name", "city"),
    ("last_name", "birth_year"),
    ("first_name", "birth_year"),
)
# What a small set can afford besides.
LOOSE: Rules = (("birth",), ("address",), ("last_name",), ("first_name",), ("postcode",))
LOOSE_UP_TO = 20_000

# EM runs once on the pairs that agree in each rule; the m of a rule's own columns come from the others. Where
# people share homes and phones, rules that households fulfil too would teach that first names may differ.
TRAINING_OF_HOUSEHOLDS: Rules = (
    ("external_id",),
    ("first_name", "last_name"),
    ("last_name", "birth"),
    ("first_name", "email"),
    ("name_sorted",),
    ("email", "birth"),
)
TRAINING_OF_PEOPLE: Rules = (
    ("first_name", "last_name"),
    ("birth",),
    ("postcode",),
    ("email",),
    ("external_id",),
    ("last_name", "birth_year"),
    ("first_name", "address"),
)
# Pairs that agree so are taken for matches when the share of matches is estimated.
CERTAIN: Rules = (
    ("external_id",),
    ("email",),
    ("first_name", "last_name", "phone"),
    ("first_name", "last_name", "birth"),
    ("name_sorted", "phone"),
    ("name_sorted", "birth"),
    ("first_name", "last_name", "birth_year", "city"),
)
CERTAIN_RECALL = 0.7


def training_rules(columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Choose the rules EM is run on."""
    return of_columns(TRAINING_OF_HOUSEHOLDS if "phone" in columns else TRAINING_OF_PEOPLE, columns)


def blocking_rules(columns: Sequence[str], rows: int) -> list[tuple[str, ...]]:
    """Choose the rules that propose pairs, more of them for a small set."""
    return of_columns((*BLOCKING, *LOOSE) if rows <= LOOSE_UP_TO else BLOCKING, columns)


def of_columns(rules: Rules, columns: Iterable[str]) -> list[tuple[str, ...]]:
    """Keep the rules whose columns are all present."""
    present = set(columns)
    return [rule for rule in rules if present.issuperset(rule)]


def settings_for(columns: Sequence[str], rows: int) -> SettingsCreator:
    """Settings for a prepared table of these columns; of two files when it names a source."""
    return SettingsCreator(
        link_type="link_only" if "source_dataset" in columns else "dedupe_only",
        comparisons=list(comparisons_for(columns)),
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in blocking_rules(columns, rows)],
        retain_matching_columns=False,
        max_iterations=40,
    )


def comparisons_for(columns: Sequence[str]) -> Iterable[ComparisonCreator]:
    if "first_name" in columns:
        yield _name("first_name", "last_name")
        yield _name("last_name", "first_name")
    if "name" in columns:
        yield _whole_name()
    if "email" in columns:
        yield cl.EmailComparison("email").configure(term_frequency_adjustments=True)
    if "phone" in columns:
        yield cl.DamerauLevenshteinAtThresholds("phone", [1]).configure(term_frequency_adjustments=True)
    if "birth" in columns:
        yield _birth()
    if "birth_year" in columns:
        yield _birth_year()
    if "sex" in columns:
        yield cl.ExactMatch("sex")
    if "address" in columns:
        yield _place(
            "street" if "street" in columns else "address", "postcode" if "postcode" in columns else None
        )
    elif "postcode" in columns:
        yield cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(term_frequency_adjustments=True)
    elif "city" in columns:
        yield cl.JaroWinklerAtThresholds("city", [0.9]).configure(term_frequency_adjustments=True)
    if "external_id" in columns:
        yield cl.DamerauLevenshteinAtThresholds("external_id", [1]).configure(term_frequency_adjustments=True)


def _custom(column: str, *levels: ComparisonLevelCreator) -> ComparisonCreator:
    return cl.CustomComparison(
        output_column_name=column, comparison_levels=[cll.NullLevel(column), *levels, cll.ElseLevel()]
    )


def _exact(column: str) -> ComparisonLevelCreator:
    return cll.ExactMatchLevel(column, term_frequency_adjustments=True)


def _name(column: str, other: str) -> ComparisonCreator:
    """Equal, the names swapped, close, or one the initial of the other."""
    initial = (
        f"least(length({column}_l), length({column}_r)) = 1 and left({column}_l, 1) = left({column}_r, 1)"
    )
    return _custom(
        column,
        _exact(column),
        cll.ColumnsReversedLevel(column, other),
        cll.JaroWinklerLevel(column, 0.92),
        cll.JaroWinklerLevel(column, 0.88),
        cll.CustomLevel(initial, "initial"),
        cll.JaroWinklerLevel(column, 0.7),
    )


def _whole_name() -> ComparisonCreator:
    """Equal, equal in another order, close in any order."""
    return _custom(
        "name",
        _exact("name_sorted"),
        cll.JaroWinklerLevel("name", 0.95),
        cll.JaroWinklerLevel("name_sorted", 0.92),
        cll.JaroWinklerLevel("name", 0.88),
        cll.JaroWinklerLevel("name", 0.75),
    )


def _birth() -> ComparisonCreator:
    """Equal, a slip of one key, day and month swapped, within a month, within a year."""
    swapped = (
        "left(birth_l, 4) = left(birth_r, 4) and substr(birth_l, 6, 2) = substr(birth_r, 9, 2)"
        " and substr(birth_l, 9, 2) = substr(birth_r, 6, 2)"
    )
    near = "abs(date_diff('day', cast(birth_l as date), cast(birth_r as date)))"
    return _custom(
        "birth",
        _exact("birth"),
        cll.DamerauLevenshteinLevel("birth", 1),
        cll.CustomLevel(swapped, "day and month swapped"),
        cll.CustomLevel(f"{near} <= 31", "within a month"),
        cll.CustomLevel(f"{near} <= 366", "within a year"),
    )


def _birth_year() -> ComparisonCreator:
    apart = "abs(cast(birth_year_l as integer) - cast(birth_year_r as integer))"
    return _custom(
        "birth_year",
        _exact("birth_year"),
        cll.CustomLevel(f"{apart} = 1", "a year apart"),
        cll.CustomLevel(f"{apart} = 2", "two years apart"),
        cll.CustomLevel(f"{apart} <= 5", "five years apart"),
    )


def _place(street: str, postcode: str | None) -> ComparisonCreator:
    """Street, postcode and city as one ordered list: apart they would count one move three times."""
    parts = [part for part in (street, postcode, "city") if part]
    same_street, close_street = f"{street}_l = {street}_r", f"{_similarity(street)} >= 0.92"
    same_code = f"{postcode}_l = {postcode}_r" if postcode else "false"
    same_town = f"({same_code} or {_similarity('city')} > 0.9)"
    silent = " or ".join(f"{part}_l is null or {part}_r is null" for part in parts[:-1])
    levels = [
        cll.CustomLevel(
            " and ".join(f"({part}_l is null or {part}_r is null)" for part in parts), "nothing to compare"
        ).configure(is_null_level=True),
        cll.CustomLevel(f"{same_street} and {same_town}", "street and town"),
        cll.CustomLevel(f"{close_street} and {same_town}", "close street, same town"),
        cll.CustomLevel(same_street, "street alone"),
        cll.CustomLevel(close_street, "close street alone"),
        cll.CustomLevel(f"({silent}) and {_similarity('city')} > 0.9", "town, the rest not known"),
        cll.CustomLevel(f"{_similarity('city')} > 0.9", "town, another street"),
        cll.ElseLevel(),
    ]
    if postcode:
        levels[5:5] = [
            cll.CustomLevel(
                f"{same_code} and ({street}_l is null or {street}_r is null)", "postcode, no street"
            ),
            cll.CustomLevel(same_code, "postcode, another street"),
        ]
    return cl.CustomComparison(output_column_name="place", comparison_levels=levels)


def _similarity(column: str) -> str:
    return f"jaro_winkler_similarity({column}_l, {column}_r)"
