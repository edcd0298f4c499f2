"""Phone numbers in bulk: plain numbers by their country's plan, group by group."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from resolution.matching.normalise import junk
from resolution.matching.normalise.bulk.columns import (
    Mapper,
    among,
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
    DECIMAL,
    LONGEST,
    LONGEST_TEXT,
    PLAIN_EXTENSION,
    PLAIN_NUMBER,
    SHORTEST,
    normalise_phone,
)

# A group smaller than this is not worth its own patterns.
SMALLEST_GROUP = 200
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
    plain = pc.and_not(plain, matches(values, DECIMAL))
    text = replaced(only(values, plain), f"(?i){PLAIN_EXTENSION} *$", "")
    digits = pc.replace_substring_regex(text, "[^0-9]+", "")
    sensible = pc.and_(is_short(digits, LONGEST), pc.greater_equal(pc.binary_length(digits), SHORTEST))
    digits = only(digits, pc.and_not(sensible, _look_filled(digits)))
    has_plus = pc.fill_null(pc.match_substring(values, "+"), False)
    abroad = pc.fill_null(pc.starts_with(digits, "00"), False)
    international = pc.if_else(abroad, pc.utf8_slice_codeunits(digits, 2), only(digits, has_plus))
    national = only(digits, pc.invert(pc.or_(has_plus, abroad)))
    return pc.coalesce(
        _by_group(international, _calling_codes(international), _international),
        _by_group(national, regions, _national),
    )


def _look_filled(digits: pa.Array) -> pa.Array:
    return pc.fill_null(among(pc.utf8_slice_codeunits(digits, 0, _FIRST), _SUSPECTS), False)


def _calling_codes(digits: pa.Array) -> pa.Array:
    starts = pc.utf8_slice_codeunits(digits, 0, 3).dictionary_encode()
    codes = pa.array([code_of(start) for start in starts.dictionary.to_pylist()], pa.string())
    return codes.take(starts.indices)


Reader = Callable[[pa.Array, str], pa.Array]


def _by_group(digits: pa.Array, groups: pa.Array, read: Reader) -> pa.Array:
    """Read the digits of each large group in its own way; null for the rest."""
    encoded = only(groups, pc.is_valid(digits)).dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    found, places, done = [pa.nulls(1, pa.string())], np.zeros(len(digits), dtype=np.int64), 1
    for number, group in enumerate(encoded.dictionary.to_pylist()):
        rows = np.flatnonzero(codes == number)
        if len(rows) >= SMALLEST_GROUP:
            found.append(read(digits.take(pa.array(rows)), group))
            places[rows] = np.arange(done, done + len(rows))
            done += len(rows)
    return pa.concat_arrays(found).take(pa.array(places))


def _international(digits: pa.Array, code: str) -> pa.Array:
    """Numbers that were written with a plus or "00" and this calling code."""
    if not code:
        return pa.nulls(len(digits), pa.string())
    plan = main_plan_of(code)
    national = pc.utf8_slice_codeunits(digits, len(code))
    usable = pc.and_not(_are_usable(national, plan), _begin_with(national, plan.trunk))
    return only(_written(code, national), usable)


def _national(digits: pa.Array, region: str) -> pa.Array:
    """Numbers that were written as one dials them in a region; with none known they stay as they are."""
    plan = plan_of(region.upper())
    if plan is None:
        return digits
    outward = _begin_with(digits, plan.abroad)
    coded = pc.fill_null(pc.starts_with(digits, plan.code), False)
    return pc.coalesce(
        _local(only(digits, pc.invert(pc.or_(outward, coded))), plan),
        _coded(only(digits, pc.and_not(coded, outward)), plan),
    )


def _local(digits: pa.Array, plan: Plan) -> pa.Array:
    """Numbers without a calling code, their trunk prefix taken off."""
    trunk = _begin_with(digits, plan.trunk)
    national = digits if plan.trunk_rule else _without_trunk(digits, plan)
    kept = pc.and_not(_are_national(only(digits, trunk), plan), _are_national(only(national, trunk), plan))
    usable = pc.and_(_are_usable(national, plan), _are_usable(national, main_plan_of(plan.code)))
    return only(_written(plan.code, national), pc.and_not(usable, trunk if plan.trunk_rule else kept))


def _coded(digits: pa.Array, plan: Plan) -> pa.Array:
    """Numbers with the country's own code and no plus, where the plan has no other reading."""
    main, rest = main_plan_of(plan.code), pc.utf8_slice_codeunits(digits, len(plan.code))
    better = pc.and_not(_are_national(rest, plan), _are_national(digits, plan))
    too_long = pc.and_not(
        pc.greater(pc.binary_length(digits), max(plan.lengths)), _have_length(digits, plan.local_lengths)
    )
    trunk = pc.or_(_begin_with(rest, plan.trunk), _begin_with(rest, main.trunk))
    usable = pc.and_(_are_usable(rest, main), pc.or_(better, too_long))
    return only(_written(plan.code, rest), pc.and_not(usable, trunk))


def _written(code: str, national: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(f"+{code}", national, "")


def _without_trunk(digits: pa.Array, plan: Plan) -> pa.Array:
    return replaced(digits, f"^(?:{plan.trunk.pattern})", "") if plan.trunk else digits


def _are_national(digits: pa.Array, plan: Plan) -> pa.Array:
    if plan.national is None:
        return pa.repeat(False, len(digits))
    return matches(digits, f"^(?:{plan.national.pattern})$")


def _begin_with(digits: pa.Array, pattern: re.Pattern[str] | None) -> pa.Array:
    return matches(digits, f"^(?:{pattern.pattern})") if pattern else pa.repeat(False, len(digits))


def _are_usable(national: pa.Array, plan: Plan) -> pa.Array:
    """Tell which national digits are whole numbers and no fillers."""
    whole = _have_length(national, plan.lengths - plan.local_lengths)
    significant = pc.ascii_ltrim(national, "0")
    short = pc.less(pc.binary_length(significant), _FIRST)
    return pc.and_not(whole, pc.or_(short, _look_filled(significant)))


def _have_length(digits: pa.Array, lengths: frozenset[int]) -> pa.Array:
    found = pc.binary_length(digits)
    return pc.is_in(found, value_set=pa.array(sorted(lengths), found.type))
