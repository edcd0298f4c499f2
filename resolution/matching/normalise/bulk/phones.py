"""Phone numbers in bulk: plain numbers by their country's plan, group by group."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from resolution.matching.normalise import junk
from resolution.matching.normalise.bulk.columns import (
    Mapper,
    among,
    any_of,
    as_strings,
    in_process,
    is_short,
    matches,
    only,
    replaced,
    settled_columns,
)
from resolution.matching.normalise.numbering import Plan, code_of, main_plan_of, plan_of
from resolution.matching.normalise.phone import (
    LONGEST,
    LONGEST_TEXT,
    PLAIN_EXTENSION,
    PLAIN_NUMBER,
    SHORTEST,
    normalise_phone,
)

# A group smaller than this is not worth its own patterns.
_SMALLEST_GROUP = 200
_PLAIN = f"(?i)^{PLAIN_NUMBER}(?:{PLAIN_EXTENSION})? *$"
# Whatever repeats or counts does so within its first digits.
_FIRST = 4
_SUSPECTS = [f"{number:04}" for number in range(10_000) if junk.is_junk_phone(f"{number:04}")]


def bulk_phones(values: pa.Array, regions: pa.Array, mapper: Mapper = in_process) -> pa.Array:
    """Write each number as E.164, or as national digits without a region, as `normalise_phone` does."""
    values, regions = as_strings(values), pc.fill_null(as_strings(regions), "")
    return settled_columns((values, regions), (_numbers(values, regions),), _number, mapper)[0]


def _number(row: tuple[str, ...]) -> tuple[str]:
    return (normalise_phone.__wrapped__(*row).value,)


def _numbers(values: pa.Array, regions: pa.Array) -> pa.Array:
    """The numbers of plain spelling whose reading is beyond doubt; null for the rest."""
    plain = pc.and_(is_short(values, LONGEST_TEXT), matches(values, _PLAIN))
    text = replaced(only(values, plain), f"(?i){PLAIN_EXTENSION} *$", "")
    digits = pc.replace_substring_regex(text, "[^0-9]+", "")
    sensible = pc.and_(is_short(digits, LONGEST), pc.greater_equal(pc.binary_length(digits), SHORTEST))
    digits = only(digits, pc.and_not(sensible, _look_filled(digits)))
    has_plus = pc.fill_null(pc.match_substring(values, "+"), False)
    return pc.coalesce(
        _by_group(only(digits, has_plus), _calling_codes(digits), _international),
        _by_group(only(digits, pc.invert(has_plus)), regions, _national),
    )


def _look_filled(digits: pa.Array) -> pa.Array:
    return pc.fill_null(among(pc.utf8_slice_codeunits(digits, 0, _FIRST), _SUSPECTS), False)


def _calling_codes(digits: pa.Array) -> pa.Array:
    starts = pc.utf8_slice_codeunits(digits, 0, 3).dictionary_encode()
    codes = pa.array([code_of(start) for start in starts.dictionary.to_pylist()], pa.string())
    return codes.take(starts.indices)


Reader = Callable[[pa.Array, str], pa.Array]


def _by_group(digits: pa.Array, groups: pa.Array, read: Reader) -> pa.Array:
    """Read the digits of each large group in its own way."""
    result = pa.nulls(len(digits), pa.string())
    groups = only(groups, pc.is_valid(digits))
    for group in _large_groups(groups):
        mask = pc.fill_null(pc.equal(groups, group), False)
        result = pc.replace_with_mask(result, mask, read(digits.filter(mask), group))
    return result


def _large_groups(groups: pa.Array) -> Iterator[str]:
    for entry in pc.value_counts(groups.drop_null()).to_pylist():
        if entry["counts"] >= _SMALLEST_GROUP:
            yield entry["values"]


def _international(digits: pa.Array, code: str) -> pa.Array:
    """Numbers that were written with a plus and this calling code."""
    if not code:
        return pa.nulls(len(digits), pa.string())
    plan = main_plan_of(code)
    national = pc.utf8_slice_codeunits(digits, len(code))
    usable = pc.and_not(_are_usable(national, plan), _begin_with(national, plan.trunk))
    return only(_written(code, national), usable)


def _national(digits: pa.Array, region: str) -> pa.Array:
    """Numbers that were written as one dials them in a region; with none known they stay as they are."""
    plan = plan_of(region.upper())
    abroad = pc.starts_with(digits, "00")
    if plan is None:
        return only(digits, pc.invert(abroad))
    trunk = _begin_with(digits, plan.trunk)
    national = digits if plan.trunk_rule else _without_trunk(digits, plan)
    unclear = any_of(
        abroad,
        _begin_with(digits, plan.abroad),
        pc.starts_with(digits, plan.code),
        trunk if plan.trunk_rule else _lose_their_sense(digits, national, trunk, plan),
    )
    usable = pc.and_(_are_usable(national, plan), _are_usable(national, main_plan_of(plan.code)))
    return only(_written(plan.code, national), pc.and_not(usable, unclear))


def _written(code: str, national: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(f"+{code}", national, "")


def _without_trunk(digits: pa.Array, plan: Plan) -> pa.Array:
    return replaced(digits, f"^(?:{plan.trunk.pattern})", "") if plan.trunk else digits


def _lose_their_sense(digits: pa.Array, national: pa.Array, trunk: pa.Array, plan: Plan) -> pa.Array:
    """Tell which numbers are in the plan with what looked like a trunk prefix, and not without it."""
    if plan.national is None:
        return trunk
    pattern = f"^(?:{plan.national.pattern})$"
    return pc.and_not(matches(only(digits, trunk), pattern), matches(only(national, trunk), pattern))


def _begin_with(digits: pa.Array, pattern: re.Pattern[str] | None) -> pa.Array:
    return matches(digits, f"^(?:{pattern.pattern})") if pattern else pa.array([False] * len(digits))


def _are_usable(national: pa.Array, plan: Plan) -> pa.Array:
    """Tell which national digits are whole numbers and no fillers."""
    lengths = pc.binary_length(national)
    whole = pc.is_in(lengths, value_set=pa.array(sorted(plan.lengths - plan.local_lengths), lengths.type))
    significant = pc.ascii_ltrim(national, "0")
    short = pc.less(pc.binary_length(significant), _FIRST)
    return pc.and_not(whole, pc.or_(short, _look_filled(significant)))
