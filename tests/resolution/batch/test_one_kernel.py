"""Three drivers, one kernel: online look-up, the register's batch and the file tool judge pairs alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from customers.models import SourceRecord
from resolution.batch.dedupe import Options, Outcome, dedupe_files
from resolution.batch.pipeline import Comparison, candidates_of_register
from resolution.matching.comparisons import FIELD_LEVELS
from resolution.matching.comparisons.answers import SILENT
from resolution.matching.decide import band_of
from resolution.matching.model import load_model, save_model
from resolution.selectors.candidates import score_candidates
from resolution.selectors.match_model import live_policy
from resolution.selectors.profiles import load_profiles
from resolution.services.importing import import_file, open_file
from resolution.types import Actor, PairScore
from tests.factories import ChannelFactory
from tests.resolution.batch.files import ANNA, ANNA_AGAIN, BORIS, CLARA, person, write

pytestmark = pytest.mark.django_db

# Pair of records → weight to a thousandth of a bit, level of each field, band.
Judged = dict[frozenset[str], tuple[float, dict[str, str], str]]


def people(path: Path) -> Path:
    """The same, the likely, housemates, namesakes, swaps and slips."""
    boris = dict(zip(("record_id", "first_name", "last_name"), BORIS, strict=False))
    rows: list[tuple[str, ...]] = [ANNA, ANNA_AGAIN, BORIS, CLARA]
    rows.append(("r4", boris["last_name"], boris["first_name"], *BORIS[3:5], "1955-11-03", *BORIS[6:]))
    rows.append(("r5", "Ann", "Smithers", "", ANNA[4], "", *ANNA[6:]))
    rows.append(("r6", "Peter", "Smithers", "", ANNA[4], "1979-05-06", *ANNA[6:]))
    rows.append(("r7", "Clara", "Vandermeer", "", "", "", "Delft", "", "NL"))
    rows.append(("r8", "Klara", "van der Meer", "clara@vandermeer.example", "", "1991-07-17", "", "", "NL"))
    for number in range(6):
        rows.append(person(number))
        rows.append(person(number, record_id=f"again{number}", email="", city="Bonn"))
    return write(path, *[(f"{place:02}", *row[1:]) for place, row in enumerate(rows)])


def names_of_customers() -> dict[str, str]:
    rows = SourceRecord.objects.values_list("customer", "source_key")
    return {str(customer): key for customer, key in rows}


def judged(scores: Iterable[PairScore]) -> Judged:
    names, policy = names_of_customers(), live_policy()
    return {
        frozenset((names[score.left], names[score.right])): (
            round(score.weight, 3),
            {row.field: row.level for row in score.fields if row.field not in ("prior", "household")},
            band_of(policy, score).value,
        )
        for score in scores
    }


def judged_online() -> Judged:
    found: Judged = {}
    for profile in load_profiles(list(SourceRecord.objects.values_list("customer", flat=True))).values():
        found |= judged(score_candidates(profile, floor=live_policy().review))
    return found


def judged_by_file(outcome: Outcome) -> Judged:
    kept, policy = outcome.kept, live_policy()
    found: Judged = {}
    for place in np.flatnonzero(kept.weight >= policy.review):
        keys = [str(outcome.loaded.ids[rows[place]]) for rows in (kept.left, kept.right)]
        levels = {
            field: FIELD_LEVELS[field][numbers[place]]
            for field, numbers in kept.levels.items()
            if numbers[place] != SILENT
        }
        weight = float(kept.weight[place])
        band = band_of(policy, PairScore(*keys, weight, ())).value
        found[frozenset(keys)] = (round(weight, 3), levels, band)
    return found


def clusters_of_file(outcome: Outcome) -> set[frozenset[str]]:
    labels = outcome.clusters.labels
    found = (frozenset(map(str, outcome.loaded.ids[labels == label])) for label in np.unique(labels))
    return {keys for keys in found if len(keys) > 1}


def further_copies(outcome: Outcome) -> list[int]:
    """Rows that say what an earlier one says, which the file tool pairs with that one alone."""
    seen: set[Any] = set()
    found = []
    for row in range(len(outcome.loaded)):
        content = replace(outcome.loaded.profile(row), key="")
        if content in seen:
            found.append(row)
        seen.add(content)
    return found


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = people(tmp_path / "people.csv")
    channel: Any = ChannelFactory(code="crm", default_region="DE")
    import_file(open_file(path=path, channel=channel), actor=Actor.machine("proof"), resolve=False)
    return path


class TestThreeDrivers:
    def test_p7_give_equal_weights_levels_and_decisions(self, sheet: Path, tmp_path: Path) -> None:
        save_model(load_model(), tmp_path / "model.json")
        policy = live_policy()
        options = Options(
            (sheet,), id_column="record_id", model=tmp_path / "model.json", threshold=policy.sample,
            keep=policy.review,
        )  # fmt: skip
        outcome = dedupe_files(options)
        comparison = Comparison()
        with candidates_of_register() as candidates:
            scores = list(comparison.score(candidates))

        batch = judged(scores)
        assert {band for _, _, band in batch.values()} == {"auto", "sample", "review"}
        assert judged_online() == batch
        by_file = judged_by_file(outcome)
        copies = {str(outcome.loaded.ids[row]) for row in further_copies(outcome)}
        assert by_file.items() <= batch.items()
        assert all(keys & copies for keys in batch.keys() - by_file.keys())

        names = names_of_customers()
        groups = comparison.group(scores).groups
        joined = {frozenset(names[key] for key in group.members) for group in groups}
        assert clusters_of_file(outcome) == {keys for keys in joined if len(keys) > 1}
