"""The sets of other shapes: what they keep, what they rename, and that they hide the truth."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.accuracy import read_truth, true_pairs
from benchmarks.shapes import Shape, census, customer_shapes, febrl4, write_shape


@pytest.fixture(scope="module")
def shapes() -> dict[str, Shape]:
    return customer_shapes(600, seed=3)


class TestCustomerShapes:
    def test_the_same_seed_gives_the_same_sets(self, shapes: dict[str, Shape]) -> None:
        again = customer_shapes(600, seed=3)
        assert all(again[name].table.equals(shape.table) for name, shape in shapes.items())

    def test_full_names_keep_both_names(self, shapes: dict[str, Shape]) -> None:
        columns = shapes["full_name"].table.column_names
        assert "name" in columns
        assert not {"first_name", "last_name"} & set(columns)

    def test_german_dates_are_written_the_german_way(self, shapes: dict[str, Shape]) -> None:
        days = shapes["german"].table["Geburtsdatum"].drop_null().to_pylist()
        assert days
        assert all(day[2] == day[5] == "." for day in days)

    def test_a_file_of_two_names_a_person_once(self, shapes: dict[str, Shape]) -> None:
        table = shapes["two_files"].table
        told = list(zip(table["source"].to_pylist(), table["true_cluster"].to_pylist(), strict=True))
        assert len(told) == len(set(told))
        assert {source for source, _ in told} == {"a", "b"}

    def test_every_record_of_names_and_email_has_an_email(self, shapes: dict[str, Shape]) -> None:
        assert shapes["names_email"].table["email"].null_count == 0


class TestCensus:
    def test_has_several_people_at_most_homes(self) -> None:
        table = census(500, seed=3)
        assert table.num_rows == 500
        people, homes = (len(table[column].unique()) for column in ("true_cluster", "household_id"))
        assert people > 2 * homes

    def test_knows_no_email_and_no_phone(self) -> None:
        assert not {"email", "phone"} & set(census(50, seed=3).column_names)


class TestFebrl4:
    HEAD = "rec_id, given_name, surname, soc_sec_id\n"

    def test_joins_both_files_and_reads_who_is_who(self, tmp_path: Path) -> None:
        (tmp_path / "dataset4a.csv").write_text(f"{self.HEAD}rec-7-org, ann, , 12\n")
        (tmp_path / "dataset4b.csv").write_text(f"{self.HEAD}rec-7-dup-0, anne, smith, 12\n")
        table = febrl4(tmp_path)
        assert table["true_cluster"].to_pylist() == ["7", "7"]
        assert table["source"].to_pylist() == ["a", "b"]
        assert table["surname"].to_pylist() == [None, "smith"]


class TestWriteShape:
    def test_writes_the_truth_apart(self, tmp_path: Path, shapes: dict[str, Shape]) -> None:
        write_shape(tmp_path, "two_files", shapes["two_files"], seed=1)
        seen = pq.read_table(tmp_path / "two_files.parquet")
        assert not {"true_cluster", "household_id"} & set(seen.column_names)
        assert len(seen["record_id"].unique()) == seen.num_rows
        parts = [pq.read_table(tmp_path / f"two_files.{source}.parquet").num_rows for source in "ab"]
        assert sum(parts) == seen.num_rows
        assert true_pairs(read_truth(tmp_path / "two_files.parquet")) > 0
