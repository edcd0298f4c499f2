"""Why two customers are, or are not, one person."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from resolution.errors import InvalidInput
from resolution.matching.decide import band_of
from resolution.matching.kernel import score_pair
from resolution.selectors.customers import get_canonical
from resolution.selectors.judgements import verdicts_on_pairs
from resolution.selectors.match_model import live_model, live_policy
from resolution.selectors.profiles import load_profiles
from resolution.types import Band, PairScore


@dataclass(frozen=True, slots=True)
class Explanation:
    """The score of two live customers, what policy does at it, and what a person last said of them, if any.

    `verdict_fresh` tells whether the values that person compared are still the same.
    """

    left_id: uuid.UUID
    right_id: uuid.UUID
    score: PairScore
    band: Band
    verdict: str = ""
    verdict_fresh: bool = False


def explain_pair(left_id: uuid.UUID, right_id: uuid.UUID) -> Explanation:
    """Score two customers as a run would. Merged ids stand for their survivor.

    Raises UnknownCustomer, CustomerErased, InvalidInput when both are one customer.
    """
    left, right = get_canonical(left_id).pk, get_canonical(right_id).pk
    if left == right:
        raise InvalidInput(
            f"{left_id} and {right_id} are one customer ({left}); give two.", customer=str(left)
        )
    profiles = load_profiles([left, right])
    score = score_pair(live_model(), profiles[left], profiles[right])
    band = band_of(live_policy(), score)
    said = verdicts_on_pairs([left, right]).get(frozenset((left, right)))
    if said is None:
        return Explanation(left, right, score, band)
    return Explanation(left, right, score, band, verdict=said.word, verdict_fresh=said.fresh)
