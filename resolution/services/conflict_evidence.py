"""Pair scores as a conflict stores them."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from resolution.types import FieldEvidence, PairScore

MOST_EVIDENCE = 20


def evidence_of(scores: Iterable[PairScore]) -> list[dict[str, Any]]:
    """Return pair scores as a conflict stores them, strongest first: the fields of PairScore, JSON-ready."""
    ordered = sorted(scores, key=lambda score: score.weight, reverse=True)
    return [
        _columns_of(score, fields=[_columns_of(part) for part in score.fields])
        for score in ordered[:MOST_EVIDENCE]
    ]


def _columns_of(value: PairScore | FieldEvidence, **replaced: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__} | replaced


def scores_in(evidence: Iterable[Mapping[str, Any]]) -> tuple[PairScore, ...]:
    """Return the pair scores that `evidence_of` stored."""
    return tuple(
        PairScore(**{**entry, "fields": tuple(FieldEvidence(**part) for part in entry["fields"])})
        for entry in evidence
    )


def without(evidence: Iterable[dict[str, Any]], gone: Collection[uuid.UUID]) -> list[dict[str, Any]]:
    """Return stored pair scores but those of these customers."""
    names = set(map(str, gone))
    return [entry for entry in evidence if names.isdisjoint((entry["left"], entry["right"]))]
