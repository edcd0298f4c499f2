"""The sets of other shapes: what they keep, what they rename, and that they hide the truth."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.accuracy import read_truth, true_pairs
from benchmarks.rough_shapes import firms
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


class TestRoughShapes:
    def test_unnamed_columns_say_nothing(self, shapes: dict[str, Shape]) -> None:
        names = set(shapes["unnamed"].table.column_names) - {"true_cluster", "household_id"}
        assert names == {f"col{number}" for number in range(len(names))}

    def test_one_column_has_the_whole_address(self, shapes: dict[str, Shape]) -> None:
        table = shapes["one_address"].table
        assert not {"city", "postcode", "country"} & set(table.column_names)
        assert any(", " in line for line in table["address"].drop_null().to_pylist())

    def test_gaps_are_many_and_leave_something(self, shapes: dict[str, Shape]) -> None:
        whole, gaps = shapes["swapped"].table, shapes["gaps"].table
        assert 0.3 < gaps.num_rows / whole.num_rows <= 1
        assert gaps["email"].null_count / gaps.num_rows > whole["email"].null_count / whole.num_rows

    def test_few_people_have_a_second_record(self, shapes: dict[str, Shape]) -> None:
        people = shapes["few_duplicates"].table["true_cluster"]
        assert len(people.unique()) > 0.95 * len(people)

    def test_swapped_names_are_those_of_two_channels(self, shapes: dict[str, Shape]) -> None:
        swapped, straight = shapes["swapped"].table, shapes["one_address"].table
        changed = [
            channel
            for channel, one, other in zip(
                swapped["channel"].to_pylist(),
                swapped["first_name"].to_pylist(),
                straight["first_name"].to_pylist(),
                strict=True,
            )
            if one != other
        ]
        assert set(changed) == {"web", "shop"}

    def test_firms_have_no_people(self) -> None:
        table = firms(200, seed=3)
        assert table.num_rows == 200
        assert not {"first_name", "last_name", "name"} & set(table.column_names)
        assert true_pairs_of(table) > 0


def true_pairs_of(table: pa.Table) -> int:
    counts = table["true_cluster"].value_counts().field("counts").to_numpy()
    return int((counts * (counts - 1) // 2).sum())


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
