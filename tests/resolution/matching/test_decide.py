"""Decisions: bands, the margin, hard conflicts and verdicts that win over any weight."""

from __future__ import annotations

import dataclasses

import pytest

from resolution.matching.decide import Policy, band_of, decide
from resolution.types import Band, PairScore

POLICY = Policy(auto=10, sample=6, review=0, margin=3)


def pair(right: str, weight: float, hard_conflict: str = "") -> PairScore:
    return PairScore("new", right, weight, (), hard_conflict)


class TestPolicy:
    def test_bands_out_of_order_are_refused(self) -> None:
        with pytest.raises(ValueError, match="auto 5, sample 6 and review 0 are not in order"):
            Policy(auto=5, sample=6, review=0)

    def test_a_negative_margin_is_refused(self) -> None:
        with pytest.raises(ValueError, match="margin is -1"):
            Policy(margin=-1)


class TestBandOf:
    @pytest.mark.parametrize(
        ("weight", "band"),
        [(10, Band.AUTO), (9.99, Band.SAMPLE), (6, Band.SAMPLE), (0, Band.REVIEW), (-0.01, Band.NONE)],
    )
    def test_a_band_begins_at_its_weight(self, weight: float, band: Band) -> None:
        assert band_of(POLICY, pair("a", weight)) is band

    def test_a_hard_conflict_is_never_linked(self) -> None:
        assert band_of(POLICY, pair("a", 99, "two passports")) is Band.REVIEW
        assert band_of(POLICY, pair("a", -5, "two passports")) is Band.NONE


class TestDecide:
    def test_links_the_one_that_leads_by_the_margin(self) -> None:
        decision = decide(POLICY, [pair("b", 8.9), pair("a", 12), pair("c", -9)])
        assert (decision.band, decision.best) == (Band.AUTO, pair("a", 12))
        assert decision.rivals == (pair("b", 8.9),)

    def test_two_that_fit_go_to_a_person(self) -> None:
        decision = decide(POLICY, [pair("a", 12), pair("b", 9.1)])
        assert decision.band is Band.REVIEW
        assert decision.reason == "Several candidates fit: 2 lie within 3 of the best weight 12.0."

    def test_nobody_near_is_nobody(self) -> None:
        decision = decide(POLICY, [pair("a", -1)])
        assert (decision.band, decision.best) == (Band.NONE, None)
        assert decision.reason.startswith("Nobody comes near")
        assert decide(POLICY, []).best is None

    def test_a_hard_conflict_goes_to_a_person(self) -> None:
        decision = decide(POLICY, [pair("a", 40, "two different ids of passport")])
        assert decision.band is Band.REVIEW
        assert decision.reason == "Hard conflict: two different ids of passport."

    def test_p3_a_pair_judged_different_is_no_candidate_at_any_weight(self) -> None:
        different = {frozenset(("new", "a"))}
        decision = decide(POLICY, [pair("a", 60), pair("b", 7)], different=different)
        assert (decision.band, decision.best) == (Band.SAMPLE, pair("b", 7))
        alone = decide(POLICY, [pair("a", 60)], different=different)
        assert alone.band is Band.NONE
        assert "judged different" in alone.reason

    def test_p7_the_order_of_candidates_does_not_matter(self) -> None:
        scores = [pair("b", 12), pair("a", 12), pair("c", 3)]
        assert decide(POLICY, scores) == decide(POLICY, scores[::-1])
        assert decide(POLICY, scores).best == pair("a", 12)

    def test_gives_a_reason_for_every_band(self) -> None:
        decisions = [decide(POLICY, [pair("a", weight)]) for weight in (20, 7, 1)]
        assert len({decision.reason for decision in decisions}) == 3
        assert all(dataclasses.asdict(decision)["reason"].endswith(".") for decision in decisions)
