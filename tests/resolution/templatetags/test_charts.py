"""The geometry of the charts."""

from __future__ import annotations

from resolution.selectors.pair_evidence import PairEvidence, Step
from resolution.templatetags import charts
from resolution.types import FieldEvidence


def pair(*weights: float) -> PairEvidence:
    steps, at = [], 0.0
    for weight in weights:
        evidence = FieldEvidence(field="name", level="exact", detail="same", weight=weight)
        steps.append(Step(evidence=evidence, label="Name", start=at, end=at + weight))
        at += weight
    return PairEvidence("a", "Ann", "b", "Anna", at, 0.5, "review", tuple(steps), "")


class TestMeter:
    def test_is_as_long_as_its_share(self) -> None:
        assert charts.meter(25, 100) == {"percent": "25.0"}

    def test_shows_a_little_for_a_little_and_nothing_for_nothing(self) -> None:
        assert charts.meter(1, 100_000) == {"percent": "1.5"}
        assert charts.meter(0, 100) == {"percent": "0.0"}
        assert charts.meter(0, 0) == {"percent": "0.0"}


class TestWeightBar:
    def test_grows_to_the_right_for_and_to_the_left_against(self) -> None:
        assert charts.weight_bar(6.0) == {"x": "50.0", "length": "25.0", "tone": "for"}
        assert charts.weight_bar(-6.0) == {"x": "25.0", "length": "25.0", "tone": "against"}

    def test_never_leaves_its_frame(self) -> None:
        assert charts.weight_bar(10.0, 20) == {"x": "50.0", "length": "25.0", "tone": "for"}
        assert charts.weight_bar(400.0) == {"x": "50.0", "length": "50.0", "tone": "for"}


class TestWaterfall:
    def test_each_step_begins_where_the_one_above_ended(self) -> None:
        drawn = charts.waterfall(pair(-10.0, 15.0, 5.0))

        spans = [(float(step["x"]), float(step["x"]) + float(step["length"])) for step in drawn["steps"]]
        assert spans == [(0.0, 50.0), (0.0, 75.0), (75.0, 100.0)]
        assert drawn["zero"] == "50.0"

    def test_the_sum_reaches_from_nothing_to_the_weight(self) -> None:
        total = charts.waterfall(pair(-10.0, 15.0, 5.0))["total"]

        assert (total["x"], total["length"], total["tone"]) == ("50.0", "50.0", "for")

    def test_no_evidence_at_all_is_drawn_too(self) -> None:
        assert charts.waterfall(pair())["steps"] == []
