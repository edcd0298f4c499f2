"""A model trained on profiles: what the register itself tells of how common names are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from resolution.matching.model import FREQUENCY_FIELDS, Frequencies, MatchModel
from resolution.types import Profile

# A name is counted when so many profiles bear it; below that its share says little.
_SEEN_OFTEN = 5


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model and what was learnt on the way, JSON-ready."""

    model: MatchModel
    facts: dict[str, Any] = field(default_factory=dict)


def train_on_profiles(
    profiles: Iterable[Profile],
    *,
    base: MatchModel,
    seed: int = 1,
    labels: Iterable[tuple[str, str, bool]] = (),
) -> Trained:
    """Estimate the shares of names from profiles; everything else stays as in `base`.

    `labels` are (key, key, whether they are one).
    """
    seen: dict[str, Counter[str]] = {name: Counter() for name in FREQUENCY_FIELDS}
    number = 0
    for profile in profiles:
        number += 1
        seen["given_name"].update({name.given for name in profile.names if name.given})
        seen["family_name"].update({name.family for name in profile.names if name.family})
    frequencies = {name: _shares(base.frequencies[name], counts) for name, counts in seen.items()}
    facts = {"profiles": number, "labels": len(list(labels)), "seed": seed}
    return Trained(replace(base, frequencies=frequencies), facts)


def _shares(base: Frequencies, counts: Counter[str]) -> Frequencies:
    total = counts.total()
    often = {value: count / total for value, count in counts.items() if count >= _SEEN_OFTEN}
    return replace(base, values={**base.values, **often})
