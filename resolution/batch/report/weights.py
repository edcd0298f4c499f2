"""The model and its weights: what each level says, how weights spread, what a threshold gives."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from resolution.batch.report import charts, words
from resolution.batch.report.bars import axis, box, drawing, hairlines, line_at, percent
from resolution.batch.report.charts import DataTable, Marker, Series, legend
from resolution.batch.report.markup import Html, Inside, tag
from resolution.batch.report.scales import Linear, nice_ticks, spread
from resolution.batch.report.tables import (
    bar_column,
    empty,
    frame,
    header_row,
    number_column,
    row,
    words_column,
)
from resolution.batch.run_facts import ComparisonFact, LevelFact, ModelFacts, RunFacts

_METHODS = {
    "given": "The weights are those of a model that was given; nothing was learnt from these records.",
    "shipped": "How often answers agree is taken from general experience, shipped with Identity Desk; how"
    " common each name is, and the prior, are learnt from these records.",
    "trained": "The weights were learnt from these records without labels (expectation maximisation).",
    "labels": "The weights were learnt from these records and from pairs that people labelled.",
}
_THICK = 14


def model(facts: RunFacts) -> Inside:
    """Show where the weights come from and what each level of each field says."""
    used = facts.model
    return _origin(used), _levels_of(used)


def _origin(used: ModelFacts) -> Inside:
    training = f" It took {words.many(used.iterations, 'round')}." if used.iterations else ""
    rules = f" Pairs for it came from: {', '.join(map(words.field_name, used.rules))}." if used.rules else ""
    name = f" Model: {used.name}." if used.name else ""
    return (
        tag("p", _METHODS.get(used.method, f"Method: {used.method}."), training, rules, name),
        _prior(used) if used.comparisons else None,
        tag("ul", (tag("li", note) for note in used.notes), class_="remarks") if used.notes else None,
    )


def _prior(used: ModelFacts) -> Html:
    return tag(
        "p",
        f"Before any field is looked at, two records picked at random are one customer with odds of about"
        f" {words.odds(used.prior)}: a prior of {words.weight(used.prior)}.",
    )


def _levels_of(used: ModelFacts) -> Inside:
    if not used.comparisons:
        return empty("The model has no comparisons to show.")
    scale = _scale_of(used)
    columns = [
        words_column("Level"), bar_column(_weight_ticks(scale)), number_column("Weight"), number_column("m"),
        number_column("u"), number_column("home"), number_column("Pairs"),
    ]  # fmt: skip
    caption = "Weight of each level, by field"
    bodies = [
        tag(
            "tbody",
            _field_row(entry, len(columns)),
            (row(columns, _level(level, scale)) for level in entry.levels),
        )
        for entry in used.comparisons
    ]
    key = legend(
        ("fill-for", "for one customer"),
        ("fill-against", "against"),
        ("swatch-ring", "two people of one home"),
    )
    return (
        tag(
            "p",
            "m: share of this answer among records of one person. u: among two people at random. home: among"
            " two people of one home. The weight is log2(m/u): each +1 doubles the odds.",
        ),
        frame(
            caption,
            tag("caption", caption, key),
            tag("thead", header_row(columns)),
            bodies,
            kind="bars levels",
        ),
    )


def _scale_of(used: ModelFacts) -> Linear:
    weights = [
        weight for entry in used.comparisons for level in entry.levels for weight in _weights_of(level)
    ]
    return Linear(*spread(weights, around=[0.0]), start=3, end=97)


def _weights_of(level: LevelFact) -> Iterator[float]:
    yield level.weight
    home = home_weight(level)
    if home is not None:
        yield home


def home_weight(level: LevelFact) -> float | None:
    """Log2 odds of the level for two people of one home against two at random; None where a share is 0."""
    return math.log2(level.household / level.u) if level.household > 0 and level.u > 0 else None


def _weight_ticks(scale: Linear) -> Html:
    return axis([(scale.at(tick), words.weight(tick, places=0)) for tick in _ticks_of(scale, most=4)])


def _ticks_of(scale: Linear, *, most: int = 8) -> list[float]:
    return nice_ticks(scale.low, scale.high, most=most)


def _field_row(entry: ComparisonFact, width: int) -> Html:
    head = tag("th", words.field_name(entry.field), scope="rowgroup", colspan=width)
    return tag("tr", head, class_="group")


def _level(level: LevelFact, scale: Linear) -> list[Inside]:
    return [
        (words.field_name(level.level), tag("small", level.what) if level.what else None),
        weight_bar(level, scale),
        words.weight(level.weight),
        words.share(level.m),
        words.share(level.u),
        words.share(level.household),
        words.count(level.count),
    ]


def weight_bar(level: LevelFact, scale: Linear) -> Html:
    """A bar from zero to the level's weight, and a ring where it stands for people of one home."""
    home = home_weight(level)
    return drawing(
        hairlines(map(scale.at, _ticks_of(scale))),
        line_at(scale.at(0), class_="zero"),
        signed_box(0, level.weight, scale) if math.isfinite(level.weight) else None,
        tag("circle", cx=percent(scale.at(home)), cy=_THICK / 2, r=3.5, class_="ring")
        if home is not None
        else None,
    )


def signed_box(start: float, weight: float, scale: Linear) -> Html:
    """A bar from `start` by `weight`, coloured by its sign."""
    kind = "fill-for" if weight >= 0 else "fill-against"
    return box(scale.at(start), scale.at(start + weight), height=_THICK, class_=kind)


def histogram(facts: RunFacts) -> Inside:
    """Show how the weights of all pairs spread, and where the threshold cuts."""
    edges, counts = facts.histogram.edges, facts.histogram.counts
    if not sum(counts):
        return empty("No pair was scored, so there are no weights to show.")
    x = Linear(*spread(edges, around=[facts.threshold.weight]))
    entries = [("fill-main", "linked"), ("fill-mild", "worth a look"), ("fill-quiet", "let go")]
    shown = entries if facts.threshold.review is not None else [entries[0], entries[2]]
    columns = [words_column("From"), words_column("To"), number_column("Pairs")]
    rows = [
        (words.weight(left), words.weight(right), words.count(number))
        for left, right, number in facts.histogram.bins()
    ]
    return charts.figure(
        "histogram",
        "Pairs by match weight",
        f"{words.many(sum(counts), 'pair')} between weights {words.weight(edges[0])} and"
        f" {words.weight(edges[-1])}, the number of pairs on a scale of powers of ten; below each weight the"
        " odds it stands for.",
        (
            charts.histogram_bars(facts.histogram, x, lambda left: _kind_at(left, facts)),
            charts.weight_axis(x),
            charts.markers(_markers(facts), x),
        ),
        legend(*shown),
        DataTable("Pairs by match weight", columns, rows),
    )


def _kind_at(weight: float, facts: RunFacts) -> str:
    if weight >= facts.threshold.weight:
        return "fill-main"
    review = facts.threshold.review
    return "fill-mild" if review is not None and weight >= review else "fill-quiet"


def _markers(facts: RunFacts) -> list[Marker]:
    entries = [Marker(facts.threshold.weight, f"linked from {words.weight(facts.threshold.weight)}")]
    review = facts.threshold.review
    if review is not None and review < facts.threshold.weight:
        entries.append(Marker(review, f"worth a look from {words.weight(review)}"))
    return entries


def threshold(facts: RunFacts) -> Inside:
    """Show what linking at each weight would be expected to give."""
    curve = facts.threshold.curve
    if not curve:
        return empty("Without scored pairs no precision or recall can be expected.")
    if len(curve) == 1:
        return _expected(facts), empty("All pairs have one weight, so there is no other threshold to choose.")
    precision = [(point.weight, point.precision) for point in curve]
    recall = [(point.weight, point.recall) for point in curve]
    columns = [words_column("Linked from"), number_column("Precision"), number_column("Recall")]
    rows = [(words.weight(p.weight), words.share(p.precision), words.share(p.recall)) for p in curve]
    return (
        _expected(facts),
        charts.figure(
            "threshold",
            "Expected precision and recall by threshold",
            "Two lines over match weight: precision, which rises with the threshold, and recall, which"
            " falls.",
            _share_lines(
                facts, [Series("precision", precision, "line-main"), Series("recall", recall, "line-other")]
            ),
            legend(("swatch-line line-main", "precision"), ("swatch-line line-other", "recall")),
            DataTable("Expected precision and recall by threshold", columns, rows),
        ),
    )


def _expected(facts: RunFacts) -> Inside:
    chosen = facts.threshold
    return tag(
        "p",
        f"Pairs are linked from weight {words.weight(chosen.weight)}. There the model expects a precision of"
        f" {words.share(chosen.precision)} (linked pairs that are right), a recall of"
        f" {words.share(chosen.recall)} (true pairs, of those compared, that are linked) and an F1 of"
        f" {words.share(chosen.f1)}. These are the model's own expectations, not a measurement: label a"
        " sample to measure.",
    )


def _share_lines(facts: RunFacts, series: Sequence[Series]) -> Inside:
    points = [point for entry in series for point in entry.points]
    x = Linear(*spread([at for at, _ in points], around=[facts.threshold.weight]))
    y = Linear(0, 1, start=charts.HEIGHT, end=0)
    return (
        charts.lines(series, x, y),
        charts.weight_axis(x),
        charts.markers(_markers(facts)[:1], x),
    )


def unlinkable(facts: RunFacts) -> Inside:
    """Show how many records hold too little to be linked at each weight."""
    if not facts.unlinkable:
        return empty("It was not worked out which records hold too little to be linked.")
    points = [(point.weight, point.share) for point in facts.unlinkable]
    columns = [words_column("Linked from"), number_column("Records out of reach")]
    rows = [(words.weight(at), words.share(share)) for at, share in points]
    return (
        tag(
            "p",
            "Each record is compared with an exact copy of itself. Where even that does not reach a weight,"
            " the record holds too little to be linked there.",
        ),
        charts.figure(
            "unlinkable-chart",
            "Records that cannot be linked, by threshold",
            "One rising line over match weight: the share of records that could not reach it.",
            _share_lines(facts, [Series("out of reach", points, "line-main")]),
            None,
            DataTable("Records that cannot be linked, by threshold", columns, rows),
        ),
    )
