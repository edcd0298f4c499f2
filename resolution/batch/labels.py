"""Who was found to be who, and who truly is: labelled files as arrays. Ids of any type compare as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from resolution.batch import parquet_table
from resolution.batch.facts import FileFacts, examine
from resolution.batch.reader import open_table
from resolution.batch.table import Refusal, Row, Table
from resolution.errors import InvalidInput
from resolution.matching.evaluate import Codes, Weights

RECORD_COLUMNS = ("id", "record_id")
CLUSTER_COLUMNS = ("cluster_id", "true_cluster")
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Source:
    """A file of labels and its columns of ids and of clusters; empty names are found out."""

    path: Path
    id_column: str = ""
    cluster_column: str = ""


@dataclass(frozen=True, slots=True)
class Labelled:
    """n records: their ids as text, and place by place the cluster found and the true one."""

    ids: pa.Array
    found: Codes
    truth: Codes


@dataclass(frozen=True, slots=True)
class ScoredPairs:
    """Pairs of places in the labelled records, with match weight (log2 odds) and band."""

    left: Codes
    right: Codes
    weights: Weights
    bands: NDArray[np.str_]


def read_labelled(clusters: Source, truth: Source) -> Labelled:
    """Read both files and bring them into one order.

    Raises InvalidInput or NotFound where a file or a column cannot serve, an id stands twice, or the two do
    not name the same records.
    """
    ids, found = _read_source(clusters, RECORD_COLUMNS, CLUSTER_COLUMNS)
    truth_ids, people = _read_source(truth, RECORD_COLUMNS[::-1], CLUSTER_COLUMNS[::-1])
    places = pc.index_in(truth_ids, value_set=ids)
    _check_same_records(clusters.path, truth.path, ids, truth_ids, places)
    true_codes = np.empty(len(ids), dtype=np.int64)
    true_codes[places.to_numpy(zero_copy_only=False)] = _codes(people)
    return Labelled(ids, _codes(found), true_codes)


def read_pairs(path: Path, labelled: Labelled) -> ScoredPairs:
    """Read scored pairs: columns id_a, id_b, match_weight, band. Raises InvalidInput or NotFound."""
    file = _File(path)
    left, right, weights, bands = file.columns("id_a", "id_b", "match_weight", "band")
    return ScoredPairs(
        _places(_texts(left, path, "id_a"), labelled, path),
        _places(_texts(right, path, "id_b"), labelled, path),
        _numbers(weights, path, "match_weight"),
        np.asarray(_texts(bands, path, "band").to_numpy(zero_copy_only=False), dtype=np.str_),
    )


def _read_source(source: Source, ids: Sequence[str], clusters: Sequence[str]) -> tuple[pa.Array, pa.Array]:
    file = _File(source.path)
    id_column = file.pick(source.id_column, ids)
    cluster_column = file.pick(source.cluster_column, clusters)
    keys, labels = file.columns(id_column, cluster_column)
    keys = _texts(keys, source.path, id_column)
    _check_once(keys, source.path)
    return keys, _texts(labels, source.path, cluster_column)


class _File:
    """A file of named columns, read as a whole, column by column."""

    def __init__(self, path: Path) -> None:
        self._facts: FileFacts = examine(path)
        self._table: Table = open_table(self._facts)

    def pick(self, given: str, usual: Sequence[str] = ()) -> str:
        """Give the column told, else the first of the usual ones that is there."""
        wanted = (given,) if given else usual
        found = next((name for name in wanted if name in self._table.names), None)
        if found is None:
            raise InvalidInput(
                f"{self._facts.path} has no column {' or '.join(wanted)};"
                f" its columns are {', '.join(self._table.names)[:500]}.",
                path=str(self._facts.path), wanted=list(wanted),
            )  # fmt: skip
        return found

    def columns(self, *names: str) -> list[pa.Array]:
        """Read columns whole, in the order asked for; those of a CSV file are text."""
        places = [self._table.names.index(self.pick(name)) for name in names]
        if self._facts.kind == "parquet":
            return self._columns_of_parquet(places)
        rows = [[row.values[place] for place in places] for row in self._rows()]
        return [pa.array([row[place] for row in rows], pa.string()) for place in range(len(places))]

    def _columns_of_parquet(self, places: Sequence[int]) -> list[pa.Array]:
        with parquet_table.opened(self._facts) as file:
            names = [file.schema_arrow.names[place] for place in places]
            try:
                table = file.read(columns=names)
            except (pa.ArrowException, OSError) as error:
                raise parquet_table.broken(self._facts, error) from error
        return [table.column(name) for name in names]

    def _rows(self) -> Iterator[Row]:
        for row in self._table.rows():
            if isinstance(row, Refusal):
                raise InvalidInput(f"{self._facts.path}, line {row.line}: {row.reason}.", line=row.line)
            yield row


def _texts(column: pa.Array, path: Path, name: str) -> pa.Array:
    """Write a column as text, whole floats without a point; a cell without any is refused."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    try:
        texts = _without_points(column).cast(pa.string())
    except pa.ArrowException as error:
        raise InvalidInput(
            f"Column {name} of {path} holds {column.type} values, which cannot be compared as text."
        ) from error
    blank = pc.sum(pc.fill_null(pc.equal(texts, ""), True)).as_py() or 0
    if blank:
        raise InvalidInput(f"Column {name} of {path} is empty in {blank:,} of {len(texts):,} rows; fill it.")
    return texts


def _without_points(column: pa.Array) -> pa.Array:
    if not pa.types.is_floating(column.type):
        return column
    whole = pc.all(pc.equal(column, pc.floor(column))).as_py()
    return column.cast(pa.int64()) if whole else column


def _numbers(column: pa.Array, path: Path, name: str) -> Weights:
    try:
        numbers = column.cast(pa.float64())
    except pa.ArrowException as error:
        words = str(error).splitlines()[0][:120]
        raise InvalidInput(f"Column {name} of {path} must hold numbers ({words}).") from error
    values: Weights = np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
    missing = int(np.isnan(values).sum())
    if missing:
        raise InvalidInput(f"Column {name} of {path} holds no number in {missing:,} of {values.size:,} rows.")
    return values


def _codes(labels: pa.Array) -> Codes:
    return np.asarray(labels.dictionary_encode().indices, dtype=np.int64)


def _places(keys: pa.Array, labelled: Labelled, path: Path) -> Codes:
    places = pc.index_in(keys, value_set=labelled.ids)
    strangers = keys.filter(pc.is_null(places)).unique()
    if len(strangers):
        raise InvalidInput(f"{path} names {_some(strangers)} that the labelled files do not.")
    return np.asarray(places.to_numpy(zero_copy_only=False), dtype=np.int64)


def _check_once(ids: pa.Array, path: Path) -> None:
    counted = pc.value_counts(ids)
    twice = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    if len(twice):
        raise InvalidInput(f"{path} names {_some(twice)} several times; one row a record is wanted.")


def _check_same_records(
    clusters: Path, truth: Path, ids: pa.Array, truth_ids: pa.Array, places: pa.Array
) -> None:
    unknown = truth_ids.filter(pc.is_null(places))
    untold = ids.filter(pc.invert(pc.is_in(ids, value_set=truth_ids)))
    sides = ((unknown, truth, clusters), (untold, clusters, truth))
    found = [f"{one} names {_some(ids)} that {other} does not" for ids, one, other in sides if len(ids)]
    if found:
        raise InvalidInput(f"{' and '.join(found)}; both files must name the same records.")


def _some(ids: pa.Array) -> str:
    """Count ids and name the first few."""
    shown = ", ".join(str(key)[:60] for key in ids[:_EXAMPLES].to_pylist())
    noun = "record" if len(ids) == 1 else "records"
    return f"{len(ids):,} {noun} ({shown}{', …' if len(ids) > _EXAMPLES else ''})"
