"""Sample pairs, field by field: a waterfall from the prior to the match weight."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from resolution.batch.report import words
from resolution.batch.report.bars import axis, drawing, line_at, percent
from resolution.batch.report.charts import legend
from resolution.batch.report.markup import Html, Inside, tag
from resolution.batch.report.scales import Linear, nice_ticks, spread
from resolution.batch.report.tables import empty, folded
from resolution.batch.run_facts import PairSample, RunFacts

_BANDS = {
    "auto": "linked",
    "sample": "linked, worth a check by sample",
    "review": "worth a look",
    "none": "let go",
}
_NAMES, _SIDES = ("given_name", "family_name"), ("left", "right")
FIRST, LAST = "prior", "match weight"
_NOTICEABLE = 0.05
_THICK = 14


@dataclass(frozen=True, slots=True)
class Step:
    """One row of a waterfall: its name, both values, why, and from which weight to which it leads."""

    name: str
    left: str
    right: str
    why: str
    start: float
    end: float
    is_total: bool = False

    @property
    def weight(self) -> float:
        return self.end - self.start


def pairs(facts: RunFacts) -> Inside:
    """Show sample pairs as waterfalls, the first of each band unfolded."""
    if not facts.samples:
        return empty("No pair was kept, so there is none to show.")
    key = legend(
        ("fill-for", "for one customer"),
        ("fill-against", "against"),
        ("fill-total", "prior and match weight"),
    )
    seen: set[str] = set()
    shown = []
    scale = _scale_of(facts)
    for sample in facts.samples:
        shown.append(_pair(sample, facts, scale, opened=sample.band not in seen))
        seen.add(sample.band)
    return (
        tag(
            "p",
            "Each pair starts at the prior; every field adds or takes off its weight; where the steps end is"
            " the match weight. The dashed line is the threshold.",
        ),
        tag("p", key),
        shown,
    )


def _scale_of(facts: RunFacts) -> Linear:
    """One scale for all samples, so that their bars compare."""
    steps = [step for sample in facts.samples for step in steps_of(sample, facts.model.prior)]
    places = [place for step in steps for place in (step.start, step.end)]
    return Linear(*spread(places, around=[0.0, facts.threshold.weight]), start=3, end=97)


def steps_of(sample: PairSample, prior: float) -> list[Step]:
    """Lead from the prior over each field to the match weight; what does not add up gets its own step."""
    weights = [row.weight for row in sample.rows]
    places = [*itertools.accumulate(weights, initial=prior)]
    steps = [Step(FIRST, "", "", "before any field is looked at", 0.0, prior, is_total=True)]
    steps += [
        Step(words.field_name(row.field), row.left, row.right, row.detail or row.level, start, end)
        for row, start, end in zip(sample.rows, places, places[1:], strict=False)
    ]
    if abs(sample.weight - places[-1]) >= _NOTICEABLE:
        steps.append(Step("together", "", "", "fields that say the same twice", places[-1], sample.weight))
    return [*steps, Step(LAST, "", "", _chance(sample), 0.0, sample.weight, is_total=True)]


def _chance(sample: PairSample) -> str:
    return f"odds {words.odds(sample.weight)}, {words.share(sample.probability)} likely one customer"


def _pair(sample: PairSample, facts: RunFacts, scale: Linear, *, opened: bool) -> Html:
    band = tag("span", _BANDS.get(sample.band, sample.band), class_=f"band {_band_class(sample.band)}")
    head = (
        tag("b", words.weight(sample.weight), class_="number"),
        " ",
        band,
        " ",
        _who(sample),
    )
    steps = steps_of(sample, facts.model.prior)
    return tag(
        "div",
        folded(head, _waterfall(sample, steps, scale, facts.threshold.weight), opened=opened),
        class_="pair",
    )


def _who(sample: PairSample) -> Inside:
    """Both records by their names, where they have any, and their ids."""
    ids = f"{sample.a} and {sample.b}"
    left, right = (_name(getattr(row, side) for row in sample.rows if row.field in _NAMES) for side in _SIDES)
    names = " and ".join(dict.fromkeys(filter(None, (left, right))))
    return (f"{names} ", tag("span", ids, class_="faint")) if names else ids


def _name(parts: Iterable[str]) -> str:
    return " ".join(filter(None, parts))


def _band_class(band: str) -> str:
    return {"auto": "band-main", "sample": "band-main", "review": "band-mild"}.get(band, "band-quiet")


def _waterfall(sample: PairSample, steps: Sequence[Step], scale: Linear, threshold: float) -> Html:
    ticks = [
        (scale.at(tick), words.weight(tick, places=0)) for tick in nice_ticks(scale.low, scale.high, most=5)
    ]
    heads = ("Field", sample.a, sample.b, "Why", "Weight", axis(ticks))
    kinds = ("field", "left", "right", "why", "number", "bar")
    head_row = (
        tag("th", head, scope="col", role="columnheader", class_=kind)
        for head, kind in zip(heads, kinds, strict=True)
    )
    body = [_step_row(step, scale, threshold) for step in steps]
    caption = f"How {sample.a} and {sample.b} come to {words.weight(sample.weight)}"
    return tag(
        "table",
        tag("caption", caption, class_="unseen"),
        tag("thead", tag("tr", head_row, role="row"), role="rowgroup"),
        tag("tbody", body, role="rowgroup"),
        class_="waterfall",
        role="table",
    )


def _step_row(step: Step, scale: Linear, threshold: float) -> Html:
    weight = step.end if step.is_total else step.weight
    return tag(
        "tr",
        tag("th", step.name, scope="row", role="rowheader", class_="field"),
        tag("td", _value(step, step.left), role="cell", class_="left"),
        tag("td", _value(step, step.right), role="cell", class_="right"),
        tag("td", step.why, role="cell", class_="why"),
        tag("td", words.weight(weight), role="cell", class_="number"),
        tag("td", step_bar(step, scale, threshold), role="cell", class_="bar"),
        role="row",
        class_="total" if step.is_total else None,
    )


def _value(step: Step, value: str) -> Inside:
    """A value that may break after its @; a dash for one that only this side lacks."""
    before, at, after = value.partition("@")
    missing = words.MISSING if step.left or step.right else ""
    return (before, at, tag("wbr") if at else None, after) if value else missing


def step_bar(step: Step, scale: Linear, threshold: float) -> Html:
    """Draw one step, with a thread from the step before and one on to the next."""
    if not math.isfinite(step.start + step.end):
        return drawing(height="100%", class_="step")
    start, end = scale.at(step.start), scale.at(step.end)
    is_first, is_last = step.name == FIRST, step.name == LAST
    kind = "fill-total" if step.is_total else "fill-for" if step.end >= step.start else "fill-against"
    left, width = min(start, end), max(abs(end - start), 0.4)
    return drawing(
        line_at(scale.at(0), class_="zero"),
        line_at(scale.at(threshold), class_="marker"),
        None if is_first else _thread(end if step.is_total else start, "0", "50%"),
        None if is_last else _thread(end, "50%", "100%"),
        tag(
            "rect",
            x=percent(left),
            width=percent(width),
            y="50%",
            height=_THICK,
            transform=f"translate(0 -{_THICK // 2})",
            class_=kind,
        ),
        height="100%",
        class_="step",
    )


def _thread(place: float, top: str, bottom: str) -> Html:
    return tag("line", x1=percent(place), x2=percent(place), y1=top, y2=bottom, class_="thread")
