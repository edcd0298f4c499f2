"""The match model: what each level of each comparison weighs. Versioned, checked, plain JSON.

A level has three probabilities: `m` among pairs that are one person, `u` among two people picked at
random, and `household` among two people of one home (or of one firm, or of one name in one family). The
classic weight of a level is log2(m/u). Household pairs agree on name, address and phone without being one
person; the third column lets the kernel say so instead of adding those agreements up. Exact names weigh by
how common the name is. (Fellegi & Sunter 1969; the third class is a mixture of two kinds of "not the
same".)
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from resolution.matching.comparisons import FIELD_LEVELS, extra
from resolution.matching.table import EXTRA

FORMAT = 1
DEFAULT_MODEL = Path(__file__).parent / "models" / "default.json"

# Fields whose exact level weighs by the value's own frequency.
FREQUENCY_FIELDS = ("given_name", "family_name")


class ModelRefused(ValueError):
    """The artefact is no usable model; the message names the field, what it holds and what is wanted."""


@dataclass(frozen=True, slots=True)
class Level:
    """One answer of a comparison with its probability in each of the three classes."""

    name: str
    m: float
    u: float
    household: float

    @property
    def weight(self) -> float:
        """Log2 odds for one person against two people at random."""
        return math.log2(self.m / self.u)

    @property
    def household_weight(self) -> float:
        """Log2 odds for two people of one home against two people at random."""
        return math.log2(self.household / self.u)


@dataclass(frozen=True, slots=True)
class Frequencies:
    """How often a value occurs, as a share of people; `default` for values not listed.

    Nothing counts as rarer than `floor`, since a very rare name is often a typo.
    """

    values: Mapping[str, float]
    default: float
    floor: float

    def share_of(self, value: str) -> float:
        return max(self.values.get(value, self.default), self.floor)

    def share_of_either(self, value: str, first_counts: bool) -> float:
        """The share of a value, or that of its first word when this is the commoner and counts."""
        share = self.share_of(value)
        return max(share, self.share_of(value.split()[0])) if first_counts and " " in value else share

    @property
    def rarest(self) -> float:
        """The smallest share that any value can have."""
        return max(min(self.default, *self.values.values(), self.default), self.floor)


@dataclass(frozen=True, eq=False)
class MatchModel:
    """A whole model. The priors are log2 odds of a random pair against two unrelated people.

    `exclusive_systems` names the systems of external ids that give one person one id only.
    """

    name: str
    version: str
    prior: float
    household_prior: float
    comparisons: Mapping[str, tuple[Level, ...]]
    frequencies: Mapping[str, Frequencies]
    exclusive_systems: tuple[str, ...] = ()
    notes: str = ""


def load_model(path: Path | str | None = None) -> MatchModel:
    """Read and check a model artefact; without a path the shipped one. Raises ModelRefused."""
    return _shipped_model() if path is None else _read_model(Path(path))


@lru_cache(1)
def _shipped_model() -> MatchModel:
    return _read_model(DEFAULT_MODEL)


def _read_model(path: Path) -> MatchModel:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ModelRefused(
            f"{path.name} cannot be read as a model: {problem}. Give a JSON model artefact."
        ) from problem
    return from_json(data)


def save_model(model: MatchModel, path: Path | str) -> None:
    """Check a model and write its artefact."""
    check_model(model)
    text = json.dumps(as_json(model), indent=1, ensure_ascii=False)
    Path(path).write_text(_one_line_lists(text) + "\n", encoding="utf-8")


def _one_line_lists(text: str) -> str:
    """Keep the three numbers of a level on one line, as a person reads them."""
    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text)


def as_json(model: MatchModel) -> dict[str, Any]:
    """Write a model as plain data; `from_json` gives the same model back."""
    return {
        "format": FORMAT,
        "name": model.name,
        "version": model.version,
        "notes": model.notes,
        "prior": model.prior,
        "household_prior": model.household_prior,
        "exclusive_systems": list(model.exclusive_systems),
        "comparisons": {
            field: {level.name: [level.m, level.u, level.household] for level in levels}
            for field, levels in model.comparisons.items()
        },
        "frequencies": {
            field: {"default": table.default, "floor": table.floor, "values": dict(table.values)}
            for field, table in model.frequencies.items()
        },
    }


def from_json(data: Any) -> MatchModel:
    """Build a checked model of plain data. Raises ModelRefused, naming the field."""
    read = _Reader(data, "model")
    if read.number("format") != FORMAT:
        raise ModelRefused(f"model.format is {data['format']!r}; this version reads format {FORMAT}.")
    model = MatchModel(
        name=read.text("name"),
        version=read.text("version"),
        notes=read.text("notes", ""),
        prior=read.number("prior"),
        household_prior=read.number("household_prior"),
        exclusive_systems=tuple(read.texts("exclusive_systems")),
        comparisons=_read_comparisons(read.inner("comparisons")),
        frequencies=_read_frequencies(read.inner("frequencies")),
    )
    check_model(model)
    return model


def _read_comparisons(read: _Reader) -> dict[str, tuple[Level, ...]]:
    return {field: _read_levels(read.inner(field)) for field in read.data}


def _read_levels(read: _Reader) -> tuple[Level, ...]:
    return tuple(Level(name, *read.three_numbers(name)) for name in read.data)


def _read_frequencies(read: _Reader) -> dict[str, Frequencies]:
    tables = {field: read.inner(field) for field in read.data}
    return {
        field: Frequencies(
            values={value: table.inner("values").number(value) for value in table.inner("values").data},
            default=table.number("default"),
            floor=table.number("floor"),
        )
        for field, table in tables.items()
    }


@dataclass(frozen=True, slots=True)
class _Reader:
    """Typed reading of JSON data that names the place of whatever is wrong."""

    data: Any
    place: str

    def __post_init__(self) -> None:
        if not isinstance(self.data, dict):
            raise ModelRefused(f"{self.place} is {type(self.data).__name__}; an object is wanted.")

    def value(self, key: str) -> Any:
        if key not in self.data:
            raise ModelRefused(f"{self.place}.{key} is missing.")
        return self.data[key]

    def inner(self, key: str) -> _Reader:
        return _Reader(self.value(key), f"{self.place}.{key}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.value(key) if default is None else self.data.get(key, default)
        if not isinstance(value, str):
            raise ModelRefused(f"{self.place}.{key} is {value!r}; a text is wanted.")
        return value

    def texts(self, key: str) -> list[str]:
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ModelRefused(f"{self.place}.{key} is {value!r}; a list of texts is wanted.")
        return value

    def number(self, key: str) -> float:
        return _number(self.value(key), f"{self.place}.{key}")

    def three_numbers(self, key: str) -> tuple[float, float, float]:
        value = self.value(key)
        if not isinstance(value, list) or len(value) != 3:
            raise ModelRefused(
                f"{self.place}.{key} is {value!r}; three numbers [m, u, household] are wanted."
            )
        m, u, household = (_number(item, f"{self.place}.{key}") for item in value)
        return m, u, household


def _number(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ModelRefused(f"{place} is {value!r}; a finite number is wanted.")
    return float(value)


def check_model(model: MatchModel) -> None:
    """Refuse a model that the kernel cannot evaluate. Raises ModelRefused, naming the field."""
    if not model.name or not model.version:
        raise ModelRefused("model.name and model.version must not be blank.")
    for place, prior in (("prior", model.prior), ("household_prior", model.household_prior)):
        if not prior < 0:
            raise ModelRefused(f"model.{place} is {prior}; log2 odds below 0 are wanted.")
    for field, wanted in FIELD_LEVELS.items():
        _check_levels(field, model.comparisons.get(field, ()), wanted)
    extras = [field for field in model.comparisons if field.startswith(EXTRA)]
    for field in extras:
        _check_levels(field, model.comparisons[field], extra.LEVELS)
    for field in model.comparisons.keys() - FIELD_LEVELS.keys() - set(extras):
        raise ModelRefused(
            f"model.comparisons.{field} is no comparison; known are: {', '.join(FIELD_LEVELS)}."
        )
    for field in (*FREQUENCY_FIELDS, *model.frequencies):
        _check_frequencies(field, model.frequencies.get(field))


def _check_levels(field: str, levels: tuple[Level, ...], wanted: tuple[str, ...]) -> None:
    place = f"model.comparisons.{field}"
    if tuple(level.name for level in levels) != wanted:
        raise ModelRefused(f"{place} must have the levels {', '.join(wanted)}, in this order.")
    for level in levels:
        if not all(0 < share <= 1 for share in (level.m, level.u, level.household)):
            raise ModelRefused(f"{place}.{level.name} must have m, u and household above 0 and up to 1.")
    if sum(level.m for level in levels) > 1.001:
        raise ModelRefused(f"{place} has levels whose m add up to more than 1.")


def _check_frequencies(field: str, table: Frequencies | None) -> None:
    place = f"model.frequencies.{field}"
    if table is None:
        raise ModelRefused(f"{place} is missing.")
    if not (0 < table.floor <= 1 and 0 < table.default <= 1):
        raise ModelRefused(f"{place} must have a floor and a default above 0 and up to 1.")
    for value, share in table.values.items():
        if not 0 < share <= 1:
            raise ModelRefused(f"{place}.values.{value} is {share}; a share above 0 and up to 1 is wanted.")
