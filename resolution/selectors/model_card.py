"""One match model as its page shows it: what each level weighs beside the live model's, what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from resolution.errors import ModelUnusable
from resolution.matching.model import Level, MatchModel
from resolution.models import StoredModel
from resolution.selectors.comparison import ComparisonCard, comparison_card
from resolution.selectors.labels import field_label
from resolution.selectors.match_model import live_model, live_version, read_artefact

_SAME_WEIGHT = 0.05  # log2 odds; less does not show at one decimal


@dataclass(frozen=True, slots=True)
class LevelRow:
    """One level of a comparison: its shares, its weight, and the live model's where that differs."""

    label: str
    m: float
    u: float
    household: float
    weight: float
    live_weight: float | None


@dataclass(frozen=True, slots=True)
class FieldRows:
    label: str
    levels: tuple[LevelRow, ...]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model's weights, metrics as (section, rows) and comparison; `fault` says why weights are missing."""

    row: StoredModel
    metrics: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    comparison: ComparisonCard | None
    live_version: str
    fields: tuple[FieldRows, ...] = ()
    priors: tuple[tuple[str, float, float | None], ...] = ()
    names: tuple[tuple[str, int], ...] = ()
    fault: str = ""

    @property
    def shipped(self) -> bool:
        return self.row.pk is None

    @property
    def changed(self) -> int:
        """How many levels weigh otherwise than in the live model."""
        return sum(level.live_weight is not None for field in self.fields for level in field.levels)


def model_card(row: StoredModel) -> ModelCard:
    """Return everything the page of a model shows."""
    card = ModelCard(
        row=row,
        metrics=tuple(_metrics(row.metrics)),
        comparison=comparison_card(row),
        live_version=live_version(),
    )
    try:
        model = read_artefact(row)
    except ModelUnusable as error:
        return replace(card, fault=str(error))
    live = _live_beside(row)
    return replace(
        card,
        fields=tuple(_fields(model, live)),
        priors=tuple(_priors(model, live)),
        names=tuple((field_label(name), len(table.values)) for name, table in model.frequencies.items()),
    )


def _live_beside(row: StoredModel) -> MatchModel | None:
    """The live model to compare with; none for itself or where it cannot be read."""
    if row.state == StoredModel.State.LIVE:
        return None
    try:
        return live_model()
    except ModelUnusable:
        return None


def _fields(model: MatchModel, live: MatchModel | None) -> Iterator[FieldRows]:
    for name, levels in model.comparisons.items():
        known = {level.name: level for level in live.comparisons.get(name, ())} if live else {}
        yield FieldRows(field_label(name), tuple(_level(level, known.get(level.name)) for level in levels))


def _level(level: Level, live: Level | None) -> LevelRow:
    differs = live is not None and abs(live.weight - level.weight) >= _SAME_WEIGHT
    return LevelRow(
        label=level.name.replace("_", " "),
        m=level.m,
        u=level.u,
        household=level.household,
        weight=level.weight,
        live_weight=live.weight if live and differs else None,
    )


def _priors(model: MatchModel, live: MatchModel | None) -> Iterator[tuple[str, float, float | None]]:
    for label, name in (("One person", "prior"), ("One household", "household_prior")):
        mine, theirs = getattr(model, name), getattr(live, name) if live else None
        differs = theirs is not None and abs(theirs - mine) >= _SAME_WEIGHT
        yield label, mine, theirs if differs else None


def _metrics(metrics: Mapping[str, Any]) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    for section, facts in metrics.items():
        if isinstance(facts, Mapping) and facts:
            yield field_label(section), tuple(_flat(facts))


def _flat(facts: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Every fact as label and text, nested ones under "outer · inner"; a share with its interval."""
    for name, fact in facts.items():
        label = f"{before}{field_label(name) if not before else name.replace('_', ' ')}"
        if isinstance(fact, Mapping) and {"share", "low", "high"} <= fact.keys():
            yield label, "{share} % ({low} to {high})".format(**_percents(fact))
        elif isinstance(fact, Mapping):
            yield from _flat(fact, f"{label} · ")
        else:
            yield label, _text(fact)


def _percents(fact: Mapping[str, float]) -> dict[str, str]:
    return {name: f"{100 * value:.1f}" for name, value in fact.items()}


def _text(fact: Any) -> str:
    match fact:
        case None:
            return "not known"
        case bool():
            return "yes" if fact else "no"
        case int():
            return f"{fact:,}"
        case float():
            return f"{fact:,.4g}"
        case list():
            return ", ".join(_text(entry) for entry in fact)
        case _:
            return str(fact)
