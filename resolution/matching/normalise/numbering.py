"""How a country reads bare digits: the numbering plans of `phonenumbers`, compiled once and applied to text.

The library's own parser spends its time on punctuation, on look-ups and on objects. Here the punctuation is
gone already, and a plan is what the library knows of a region, in the form the reading needs. The results are
the library's, digit for digit; a test holds the two together over every region.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS, PhoneMetadata
from phonenumbers.phonemetadata import PhoneNumberDesc

_LONGEST_CODE = 3
# A national number is of so many digits, whatever the plan.
_FEWEST, _MOST = 2, 17
# The kinds of number a plan describes; mobile numbers come in only where they differ from fixed lines.
_KINDS = ("fixed_line", "premium_rate", "toll_free", "shared_cost", "voip", "personal_number")
_RARE_KINDS = ("pager", "uan", "voicemail")

_CODES = {str(code): regions for code, regions in COUNTRY_CODE_TO_REGION_CODE.items()}


class Number(NamedTuple):
    """A number with its country: the calling code and the national digits, leading zeros kept."""

    code: str
    national: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What one region knows about its numbers. A pattern of None matches nothing."""

    code: str
    abroad: re.Pattern[str] | None
    trunk: re.Pattern[str] | None
    trunk_rule: str
    national: re.Pattern[str] | None
    lengths: frozenset[int]
    local_lengths: frozenset[int]

    def is_national(self, digits: str) -> bool:
        """Tell whether digits are in the plan at large."""
        return self.national is not None and self.national.fullmatch(digits) is not None

    def is_whole(self, digits: str) -> bool:
        """Tell whether a national number has a length that can be dialled from anywhere."""
        return len(digits) in self.lengths and len(digits) not in self.local_lengths

    def is_too_long(self, digits: str) -> bool:
        """Tell whether digits are more than any number of the plan has."""
        return len(digits) not in self.local_lengths and len(digits) > max(self.lengths)


@lru_cache(None)
def plan_of(region: str) -> Plan | None:
    """Give the plan of a region (ISO alpha-2, upper case); None for one without."""
    metadata = PhoneMetadata.metadata_for_region(region) if region in SUPPORTED_REGIONS else None
    return _plan(metadata) if metadata else None


@lru_cache(None)
def main_plan_of(code: str) -> Plan:
    """Give the plan of a calling code's leading region, which stands for all that share the code."""
    return _plan(_metadata(code, _CODES[code][0]))


def code_of(digits: str) -> str:
    """Read the calling code that international digits begin with; empty when none does."""
    return _code_that_starts(digits[:_LONGEST_CODE])


@lru_cache(None)
def _code_that_starts(digits: str) -> str:
    starts = (digits[:length] for length in range(1, len(digits) + 1))
    return next((start for start in starts if start in _CODES), "")


def read_international(digits: str, region: str = "") -> Number | None:
    """Read what stood behind a plus; where no code begins it, by the region's customs after all."""
    if code := code_of(digits):
        return _number(code, digits[len(code) :], main_plan_of(code))
    plan = plan_of(region)
    code, rest = _code_and_rest(digits, plan) if plan else ("", "")
    return _number(code, rest, main_plan_of(code)) if code else None


def read_national(digits: str, region: str) -> Number | None:
    """Read digits the way they are dialled in a region, from the prefix for calls abroad to the trunk's."""
    plan = plan_of(region)
    if plan is None:
        return None
    code, rest = _code_and_rest(digits, plan)
    if code:
        return _number(code, rest, main_plan_of(code))
    return _number(plan.code, rest, plan) if rest else None


def is_valid(number: Number) -> bool:
    """Tell whether a number is not only of a possible length, but of a kind its country gives out."""
    regions = _CODES[number.code]
    home = regions[0] if len(regions) == 1 else _home_of(number, regions)
    return bool(home) and _is_of_a_kind(number.national, number.code, home)


def _number(code: str, digits: str, plan: Plan) -> Number | None:
    national = _national_digits(digits, plan)
    fits = len(digits) >= _FEWEST and _FEWEST <= len(national) <= _MOST
    return Number(code, national) if fits and main_plan_of(code).is_whole(national) else None


def _national_digits(digits: str, plan: Plan) -> str:
    """Take off the trunk prefix, unless what is left would be no whole number."""
    shorter = _without_trunk(digits, plan)
    return shorter if plan.is_whole(shorter) or plan.is_too_long(shorter) else digits


def _without_trunk(digits: str, plan: Plan) -> str:
    found = plan.trunk.match(digits) if plan.trunk and digits else None
    if not found or plan.trunk is None:
        return digits
    if plan.trunk_rule and found.groups()[-1] is not None:
        shorter = plan.trunk.sub(plan.trunk_rule, digits, count=1)
    else:
        shorter = digits[found.end() :]
    return digits if plan.is_national(digits) and not plan.is_national(shorter) else shorter


def _code_and_rest(digits: str, plan: Plan) -> tuple[str, str]:
    """Split off a calling code; an empty code with all digits where none is written, with none if unknown."""
    abroad = _dialled_abroad(digits, plan)
    if abroad is not None:
        code = code_of(abroad) if len(abroad) > _FEWEST else ""
        return code, abroad[len(code) :] if code else ""
    rest = _behind_own_code(digits, plan) if digits.startswith(plan.code) else ""
    return (plan.code, rest) if rest else ("", digits)


def _dialled_abroad(digits: str, plan: Plan) -> str | None:
    """What follows the prefix for calls abroad; None without one. No calling code begins with a zero."""
    found = plan.abroad.match(digits) if plan.abroad else None
    if not found or digits[found.end() :].startswith("0"):
        return None
    return digits[found.end() :]


def _behind_own_code(digits: str, plan: Plan) -> str:
    """What follows the country's own code without a plus; empty where the plan reads the whole as well."""
    rest = _without_trunk(digits[len(plan.code) :], plan)
    better = plan.is_national(rest) and not plan.is_national(digits)
    return rest if better or plan.is_too_long(digits) else ""


def _metadata(code: str, region: str) -> PhoneMetadata:
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(int(code), region)
    if metadata is None:
        raise LookupError(f"no numbering plan of +{code} in {region}")
    return metadata


def _plan(metadata: PhoneMetadata) -> Plan:
    general = metadata.general_desc or PhoneNumberDesc()
    return Plan(
        code=str(metadata.country_code),
        abroad=_pattern(metadata.international_prefix),
        trunk=_pattern(metadata.national_prefix_for_parsing),
        trunk_rule=metadata.national_prefix_transform_rule or "",
        national=_pattern(general.national_number_pattern),
        lengths=frozenset(general.possible_length),
        local_lengths=frozenset(general.possible_length_local_only),
    )


def _pattern(text: str | None) -> re.Pattern[str] | None:
    return re.compile(text) if text else None


def _home_of(number: Number, regions: tuple[str, ...]) -> str:
    """The region among those of one code that a number belongs to."""
    for region in regions:
        leading = _leading_digits(number.code, region)
        if leading.match(number.national) if leading else _is_of_a_kind(number.national, number.code, region):
            return region
    return ""


@lru_cache(None)
def _leading_digits(code: str, region: str) -> re.Pattern[str] | None:
    return _pattern(_metadata(code, region).leading_digits)


def _is_of_a_kind(national: str, code: str, region: str) -> bool:
    general, *kinds = _kinds(code, region)
    return _fits(national, general) and any(_fits(national, kind) for kind in kinds)


Kind = tuple[frozenset[int], re.Pattern[str]]


def _fits(national: str, kind: Kind) -> bool:
    lengths, pattern = kind
    return (not lengths or len(national) in lengths) and pattern.fullmatch(national) is not None


@lru_cache(None)
def _kinds(code: str, region: str) -> tuple[Kind, ...]:
    """The general description of a region's numbers, then each kind it has."""
    metadata = _metadata(code, region)
    names = (*_KINDS, *_RARE_KINDS, *(() if metadata.same_mobile_and_fixed_line_pattern else ("mobile",)))
    descriptions = (metadata.general_desc, *(getattr(metadata, name) for name in names))
    return tuple(_described(descriptions))


def _described(descriptions: tuple[PhoneNumberDesc | None, ...]) -> Iterator[Kind]:
    for description in descriptions:
        if description is not None and description.national_number_pattern:
            lengths = frozenset(description.possible_length)
            yield lengths, re.compile(description.national_number_pattern)
