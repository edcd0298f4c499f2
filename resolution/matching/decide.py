"""What policy does about weights: bands, the margin to the second best, hard conflicts and human verdicts.

Bands are on the weight (log2 odds), not on the probability, which saturates.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from resolution.types import Band, Decision, PairScore


@dataclass(frozen=True, slots=True)
class Policy:
    """The lowest weight of each band and the lead the best candidate must have, all in log2 odds.

    Raises ValueError when the bands are not in order.
    """

    auto: float = 6.0
    sample: float = 4.0
    review: float = -3.0
    margin: float = 3.0

    def __post_init__(self) -> None:
        if not self.auto >= self.sample >= self.review:
            raise ValueError(
                f"The bands auto {self.auto}, sample {self.sample} and review {self.review} are not in "
                "order; each must be at least the next."
            )
        if self.margin < 0:
            raise ValueError(f"The margin is {self.margin}; 0 or more is wanted.")


def band_of(policy: Policy, score: PairScore) -> Band:
    """Tell a pair's band. A hard conflict is never linked without a person, whatever it weighs."""
    if score.weight < policy.review:
        return Band.NONE
    if score.hard_conflict or score.weight < policy.sample:
        return Band.REVIEW
    return Band.AUTO if score.weight >= policy.auto else Band.SAMPLE


def decide(
    policy: Policy, scores: Sequence[PairScore], *, different: Collection[frozenset[str]] = ()
) -> Decision:
    """Decide what to do with a record, given its scored candidates.

    `different` holds the pairs of keys that a person judged different; they are no candidates at any weight.
    """
    near = sorted((score for score in scores if band_of(policy, score) is not Band.NONE), key=_rank)
    open_pairs = [score for score in near if pair_of(score) not in different]
    if not open_pairs:
        return Decision(Band.NONE, None, reason=_why_nobody(len(near)))
    best, rivals = open_pairs[0], tuple(open_pairs[1:])
    band = band_of(policy, best)
    if best.hard_conflict:
        return Decision(Band.REVIEW, best, rivals, f"Hard conflict: {best.hard_conflict}.")
    if band is not Band.REVIEW and rivals and best.weight - rivals[0].weight < policy.margin:
        return Decision(Band.REVIEW, best, rivals, _why_several(policy, best, rivals))
    return Decision(band, best, rivals, _REASONS[band])


def pair_of(score: PairScore) -> frozenset[str]:
    """The two keys of a score, in no order."""
    return frozenset((score.left, score.right))


def _rank(score: PairScore) -> tuple[float, str, str]:
    return -score.weight, score.right, score.left


def _why_nobody(judged: int) -> str:
    if not judged:
        return "Nobody comes near enough to be the same customer."
    return f"Of those that come near, all ({judged}) were judged different people."


def _why_several(policy: Policy, best: PairScore, rivals: Sequence[PairScore]) -> str:
    near = 1 + sum(best.weight - rival.weight < policy.margin for rival in rivals)
    return (
        f"Several candidates fit: {near} lie within {policy.margin:g} of the best weight {best.weight:.1f}."
    )


_REASONS = {
    Band.AUTO: "The best candidate is certain enough to link at once.",
    Band.SAMPLE: "The best candidate is certain enough to link; a sample of these is checked by a person.",
    Band.REVIEW: "The best candidate is likely, but a person must decide.",
}
