"""Three plain scores between 0 and 1 for callers that have two values and no model.

Links are decided by the kernel's weights; these serve quick checks, search and simple comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping

from rapidfuzz.distance import Indel

from resolution.matching.identifiers import IDENTIFIER_TYPES, TYPE_ALIASES, normalise_identifier
from resolution.matching.normalise.company import normalise_company
from resolution.matching.normalise.name import parse_name
from resolution.matching.normalise.phone import are_one_national_number
from resolution.matching.normalise.text import fold_text

DEFAULT_WEIGHTS: Mapping[str, float] = {"email": 0.4, "phone": 0.3, "name": 0.2, "external_id": 0.1}

# Where a near miss is likelier a slip than another person. Ids and phones in a row belong to different
# people.
FUZZY_TYPES = frozenset({"name", "company", "email"})


def exact_match_identifiers(identifier1: str, identifier2: str, id_type: str) -> float:
    """Say 1.0 when two values are one identifier once made canonical, else 0.0.

    A blank, junk or too short value identifies nobody and matches nothing, itself included. Two phone
    numbers of which only one tells its country match when the national number is whole and the same.
    """
    left, right = canonical_value(identifier1, id_type), canonical_value(identifier2, id_type)
    if not left or not right:
        return 0.0
    if identifies_phone(id_type) and are_one_national_number(left, right):
        return 1.0
    return 1.0 if left == right else 0.0


def canonical_value(value: str, id_type: str) -> str:
    """Make a value canonical by its type; of a type not known here, fold case and spaces only."""
    if id_type in IDENTIFIER_TYPES or id_type in TYPE_ALIASES:
        return normalise_identifier(id_type, value).normalised
    if id_type == "name":
        name = parse_name(value)
        return f"{name.given} {name.family}".strip() if name else ""
    return normalise_company(value) if id_type == "company" else fold_text(value)


def identifies_phone(id_type: str) -> bool:
    return TYPE_ALIASES.get(id_type, id_type) == "phone"


def fuzzy_match_identifiers(identifier1: str, identifier2: str, threshold: float = 0.85) -> float:
    """Give the share of letters two texts have in common in order, 0.0 when it is below `threshold`.

    Case, accents and spaces do not count; a blank text is like nothing. Raises ValueError for a threshold
    outside 0 to 1.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"The threshold is {threshold}; a share from 0 to 1 is wanted.")
    left, right = fold_text(identifier1), fold_text(identifier2)
    if not left or not right:
        return 0.0
    similarity = Indel.normalized_similarity(left, right)
    return similarity if similarity >= threshold else 0.0


def composite_match_score(
    identities1: Mapping[str, str | None],
    identities2: Mapping[str, str | None],
    weights: Mapping[str, float] | None = None,
) -> float:
    """Average the scores of the types that both sides have, by weight; 0.0 when they share none.

    A type that is blank, junk or missing on a side is no evidence and does not count. Identities are
    {type: value}; `weights` {type: weight of 0 or more}, DEFAULT_WEIGHTS when None.
    """
    score = total = 0.0
    for id_type, weight in (DEFAULT_WEIGHTS if weights is None else weights).items():
        left, right = identities1.get(id_type) or "", identities2.get(id_type) or ""
        if canonical_value(left, id_type) and canonical_value(right, id_type):
            score += weight * _score_one(left, right, id_type)
            total += weight
    return score / total if total else 0.0


def _score_one(left: str, right: str, id_type: str) -> float:
    exact = exact_match_identifiers(left, right, id_type)
    if exact or id_type not in FUZZY_TYPES:
        return exact
    return fuzzy_match_identifiers(canonical_value(left, id_type), canonical_value(right, id_type))
