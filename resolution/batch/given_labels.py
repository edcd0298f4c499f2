"""Answers an analyst already has: pairs that are one person or not, or records and whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from resolution.batch.facts import examine
from resolution.batch.reader import open_table
from resolution.batch.table import Row, Table
from resolution.errors import InvalidInput
from resolution.matching.table import Rows

# Pairs of rows, and whether they are one person.
Labels = list[tuple[int, int, bool]]

_LEFT = ("id_a", "left", "a", "record_id_l", "id_l", "unique_id_l", "id1", "record_id_a")
_RIGHT = ("id_b", "right", "b", "record_id_r", "id_r", "unique_id_r", "id2", "record_id_b")
_VERDICT = ("same", "match", "is_match", "label", "verdict", "clerical_match_score")
_RECORD = ("record_id", "id", "unique_id")
_CLUSTER = ("cluster_id", "true_cluster", "cluster", "person", "person_id", "entity_id")
_YES = frozenset({"1", "1.0", "true", "t", "yes", "y", "same", "match"})
_NO = frozenset({"0", "0.0", "false", "f", "no", "n", "different", "nonmatch", "non-match", "distinct"})


def read_labels(path: Path, ids: Sequence[str], candidates: tuple[Rows, Rows]) -> Labels:
    """Read labels of pairs (two ids and a verdict) or of clusters (id and cluster), CSV or Parquet.

    Of clusters, the candidate pairs with both sides labelled become labels. Raises InvalidInput when the
    columns or the ids do not fit.
    """
    table = open_table(examine(path), delimiter="")
    columns = {name.lower(): place for place, name in enumerate(table.names)}
    rows = [entry.values for entry in table.rows() if isinstance(entry, Row)]
    place = {key: number for number, key in enumerate(ids)}
    if (left := _find(columns, _LEFT)) is not None and (right := _find(columns, _RIGHT)) is not None:
        found = _of_pairs(path, rows, (left, right, _find(columns, _VERDICT)), place)
    elif (record := _find(columns, _RECORD)) is not None and (
        cluster := _find(columns, _CLUSTER)
    ) is not None:
        found = _of_clusters({row[record]: row[cluster] for row in rows}, place, candidates)
    else:
        raise InvalidInput(_no_columns(path, table), path=str(path))
    if not found:
        raise InvalidInput(
            f"None of the {len(rows):,} labels in {path} speaks of two records that were compared; ids"
            f" must be written as in clusters.parquet, such as {next(iter(ids), '')[:80]!r}.",
            path=str(path),
        )
    return found


def _no_columns(path: Path, table: Table) -> str:
    return (
        f"{path} has the columns {', '.join(table.names)[:300]}; labels need id_a, id_b and same (1 or 0), or"
        " record_id and cluster_id."
    )


def _find(columns: Mapping[str, int], names: Sequence[str]) -> int | None:
    return next((columns[name] for name in names if name in columns), None)


def _of_pairs(
    path: Path,
    rows: Sequence[Sequence[str]],
    places: tuple[int, int, int | None],
    place: Mapping[str, int],
) -> Labels:
    left, right, verdict = places
    found = []
    for number, row in enumerate(rows, start=1):
        word = row[verdict].strip().lower() if verdict is not None else "1"
        if word not in _YES and word not in _NO:
            raise InvalidInput(
                f"Label {number} of {path} says {word[:40]!r}; 1 (one person) or 0 (not) is wanted.",
                path=str(path),
            )
        if row[left] in place and row[right] in place and row[left] != row[right]:
            found.append((place[row[left]], place[row[right]], word in _YES))
    return found


def _of_clusters(
    cluster_of: Mapping[str, str], place: Mapping[str, int], candidates: tuple[Rows, Rows]
) -> Labels:
    numbers: dict[str, int] = {}
    label = np.full(len(place), -1, dtype=np.int64)
    for key, cluster in cluster_of.items():
        if key in place:
            label[place[key]] = numbers.setdefault(cluster, len(numbers))
    left, right = candidates
    known = np.flatnonzero((label[left] >= 0) & (label[right] >= 0))
    same = label[left[known]] == label[right[known]]
    return list(zip(left[known].tolist(), right[known].tolist(), same.tolist(), strict=True))
