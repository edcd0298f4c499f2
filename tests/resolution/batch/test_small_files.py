"""Files of a few records through the whole tool: what it tells of them never reaches beyond them."""

from __future__ import annotations

from pathlib import Path

import pytest

from resolution.batch.dedupe import Options, Outcome, dedupe_files
from resolution.batch.dedupe_facts import facts_of
from resolution.batch.run_facts import RunFacts
from tests.resolution.batch.files import ANNA, person, write

DOUBTFUL = 13


def told(outcome: Outcome) -> RunFacts:
    return facts_of(outcome, version="1", started="now", options={}, timings={}, peak=1)


@pytest.mark.parametrize("records", [1, 2])
def test_one_record_or_two_are_enough(tmp_path: Path, records: int) -> None:
    path = write(tmp_path / "few.csv", *[person(number) for number in range(records)])
    outcome = dedupe_files(Options((path,)))
    assert outcome.clusters.labels.tolist() == list(range(records))


def test_a_doubtful_cluster_of_a_small_file_is_told_by_its_ids(tmp_path: Path) -> None:
    """The numbers of its pairs are no rows of the file."""
    districts = (f"Ort{letter}" for letter in "abcdefghijklm")
    same = [
        (f"again{number}", *ANNA[1:6], f"{ANNA[6]} {district}", *ANNA[7:])
        for number, district in enumerate(districts)
    ]
    path = write(tmp_path / "small.csv", *same, *[person(number) for number in range(6)])
    outcome = dedupe_files(Options((path,), threshold=0.0))
    assert [len(rows) for rows, _ in outcome.clusters.doubtful] == [DOUBTFUL]
    [cluster] = [entry for entry in told(outcome).clusters.largest if entry.size > 1]
    assert cluster.why == f"it is large ({DOUBTFUL} records)."
