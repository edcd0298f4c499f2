"""Files as programs write them, read as one shape."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from resolution.batch.csv_table import LONGEST_FIELD, NOT_CLOSED
from resolution.batch.facts import examine
from resolution.batch.reader import open_table
from resolution.batch.table import Refusal, Row, Table
from resolution.errors import InvalidInput, NotFound


def table_of(path: Path, *, encoding: str = "", delimiter: str = "") -> Table:
    return open_table(examine(path, encoding=encoding), delimiter=delimiter)


def values(path: Path, **options: str) -> list[tuple[str, ...]]:
    return [row.values for row in table_of(path, **options).rows() if isinstance(row, Row)]


def refusals(path: Path) -> list[Refusal]:
    return [row for row in table_of(path).rows() if isinstance(row, Refusal)]


class TestCsv:
    @pytest.mark.parametrize(
        "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
    )
    def test_is_read_in_every_usual_encoding(self, tmp_path: Path, encoding: str) -> None:
        path = tmp_path / "people.csv"
        path.write_bytes("Vorname;Nachname\nJörg;Müller\nZoë;Šmit\n".encode(encoding))

        assert values(path) == [("Jörg", "Müller"), ("Zoë", "Šmit")]
        assert table_of(path).names == ("Vorname", "Nachname")

    def test_of_another_encoding_is_read_when_it_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_bytes("Imię;Nazwisko\nZdzisław;Żak\n".encode("iso-8859-2"))

        assert values(path, encoding="iso-8859-2") == [("Zdzisław", "Żak")]

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_delimiter_is_found_although_values_hold_others(self, tmp_path: Path, delimiter: str) -> None:
        path = tmp_path / "people.csv"
        lines = [["name", "address", "email"], ["Anna", '"12, High St; flat 3"', "a@b.example"]]
        path.write_text("\n".join(delimiter.join(line) for line in lines))

        assert values(path) == [("Anna", "12, High St; flat 3", "a@b.example")]

    def test_delimiter_can_be_given_by_its_name(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text("name\temail\nAnna\ta@b.example\n")

        assert values(path, delimiter="tab") == [("Anna", "a@b.example")]

    def test_without_a_header_its_first_row_is_a_row(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text("Anna,anna@b.example\nBert,bert@b.example\n")

        assert table_of(path).names == ("column_1", "column_2")
        assert len(values(path)) == 2

    def test_lines_are_counted_as_an_editor_counts_them(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text('name,note\nAnna,"two\nlines"\n\nBert,x\n')

        assert [row.line for row in table_of(path).rows()] == [2, 5]

    def test_ragged_rows_are_refused_with_line_and_widths(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text("name,email\nAnna,a@b.example\nBert\nCarl,c@b.example,more\n")

        assert [(entry.line, entry.reason) for entry in refusals(path)] == [
            (3, "1 values where 2 columns are"),
            (4, "3 values where 2 columns are"),
        ]
        assert values(path) == [("Anna", "a@b.example")]

    def test_a_huge_field_is_refused_and_later_rows_are_read(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text(f"name,email\nAnna,{'x' * (LONGEST_FIELD + 1)}\nBert,b@b.example\n")

        [refusal] = refusals(path)
        assert refusal.line == 2
        assert "more than 1,000,000 characters" in refusal.reason
        assert values(path) == [("Bert", "b@b.example")]

    def test_bytes_that_are_not_of_a_named_encoding_refuse_their_row_only(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_bytes(b"name,email\nJ\xf6rg,j@b.example\nAnna,a@b.example\n")

        rows = list(table_of(path, encoding="utf-8").rows())

        assert isinstance(rows[0], Refusal)
        assert rows[1] == Row(3, ("Anna", "a@b.example"))

    def test_with_one_column_is_a_table_of_one_column(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text("email\na@b.example\nc@d.example\n")

        assert values(path) == [("a@b.example",), ("c@d.example",)]


class TestStrayQuotationMarks:
    """Whatever a quotation mark tears open, every line is read or refused."""

    HEADER = "given,family,email,city"

    def _file(self, tmp_path: Path, lines: list[str]) -> Path:
        path = tmp_path / "people.csv"
        path.write_text("\n".join([self.HEADER, *lines]) + "\n")
        return path

    def _people(self, count: int) -> list[str]:
        return [f"Given{number},Family{number},p{number}@b.example,Town" for number in range(count)]

    def test_p6_a_mark_closed_two_rows_later_costs_its_two_lines(self, tmp_path: Path) -> None:
        lines = self._people(20)
        lines[10], lines[12] = '"' + lines[10], lines[12].replace(",", '",', 1)
        path = self._file(tmp_path, lines)

        refused = refusals(path)

        assert [(entry.line, entry.reason) for entry in refused] == [(12, NOT_CLOSED), (14, NOT_CLOSED)]
        assert refused[0].raw == ('"Given10', "Family10", "p10@b.example", "Town")
        assert len(values(path)) == 18
        assert ("Given11", "Family11", "p11@b.example", "Town") in values(path)

    @pytest.mark.parametrize("row", [0, 100, 2998, 2999])
    def test_p6_a_mark_that_is_never_closed_costs_its_line(self, tmp_path: Path, row: int) -> None:
        lines = self._people(3000)
        lines[row] = '"' + lines[row]
        path = self._file(tmp_path, lines)

        assert [entry.line for entry in refusals(path)] == [row + 2]
        assert len(values(path)) == 2999

    def test_p6_a_mark_closed_in_another_column_costs_its_lines(self, tmp_path: Path) -> None:
        lines = self._people(6)
        lines[1], lines[3] = '"' + lines[1], lines[3].replace(",T", '",T')
        path = self._file(tmp_path, lines)

        assert [entry.line for entry in refusals(path)] == [3, 5]
        assert len(values(path)) == 4

    def test_p6_marks_that_open_two_rows_cost_both_and_no_third(self, tmp_path: Path) -> None:
        lines = self._people(6)
        lines[1], lines[3] = '"' + lines[1], '"' + lines[3]
        path = self._file(tmp_path, lines)

        assert [entry.line for entry in refusals(path)] == [3, 5]
        assert len(values(path)) == 4

    def test_p6_a_file_of_one_column_loses_nobody(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text('email\na@b.example\n"b@b.example\nc@b.example\nd@b.example"\ne@b.example\n')

        assert [entry.line for entry in refusals(path)] == [3, 5]
        assert values(path) == [("a@b.example",), ("c@b.example",), ("e@b.example",)]

    def test_a_value_that_runs_over_lines_is_one_value(self, tmp_path: Path) -> None:
        address = 'Flat 2, rear\n5 High St, ""Old Mill""\n\nLeeds, LS1'
        lines = ["Anna,Smith,a@b.example," + f'"{address}"', f'"{address}",Smith,"b@b.example",x']
        path = self._file(tmp_path, lines)

        assert refusals(path) == []
        assert [row[2] for row in values(path)] == ["a@b.example", "b@b.example"]
        assert values(path)[0][3] == address.replace('""', '"')

    def test_a_note_of_two_lines_in_two_columns_is_one_value(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text('name,note\nAnna,"Dear all\nsincerely, Anna"\n')

        assert values(path) == [("Anna", "Dear all\nsincerely, Anna")]

    def test_a_lone_mark_inside_a_value_is_part_of_it(self, tmp_path: Path) -> None:
        path = self._file(tmp_path, ['Anna,Smith,a@b.example,5" pipe'])

        assert values(path) == [("Anna", "Smith", "a@b.example", '5" pipe')]

    def test_a_header_may_run_over_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text('"given\nname",email\nAnna,a@b.example\n')

        assert table_of(path).names == ("given name", "email")
        assert values(path) == [("Anna", "a@b.example")]


class TestDelimiterLine:
    @pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
    def test_names_the_delimiter_and_is_no_row(self, tmp_path: Path, first: str) -> None:
        path = tmp_path / "people.csv"
        path.write_text(f"{first}\r\nname;note\r\nAnna;a,b,c\r\nBert;d,e,f\r\n", newline="")

        table = table_of(path)

        assert (table.names, table.expected) == (("name", "note"), 2)
        assert list(table.rows()) == [Row(3, ("Anna", "a,b,c")), Row(4, ("Bert", "d,e,f"))]

    def test_may_name_one_that_is_never_guessed(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text("sep=^\nname^email\nAnna^a@b.example\n")

        assert values(path) == [("Anna", "a@b.example")]


class TestParquet:
    def test_cells_of_every_kind_become_the_text_a_person_would_write(self, tmp_path: Path) -> None:
        path = tmp_path / "people.parquet"
        cells = {
            "text": pa.array(["Anna", None]),
            "whole": pa.array([12_025_550_100.0, None]),
            "number": pa.array([1.5, float("nan")]),
            "day": pa.array([0, None], pa.date32()),
            "bytes": pa.array(["é".encode(), None], pa.binary()),
            "list": pa.array([["a", "b"], None]),
        }
        pq.write_table(pa.table(cells), path)

        assert values(path) == [
            ("Anna", "12025550100", "1.5", "1970-01-01", "é", '["a", "b"]'),
            ("", "", "", "", "", ""),
        ]

    def test_bytes_that_are_no_text_refuse_their_row(self, tmp_path: Path) -> None:
        path = tmp_path / "people.parquet"
        pq.write_table(pa.table({"name": pa.array([b"\xff\xfe\xff", b"Anna"], pa.binary())}), path)

        assert [entry.reason for entry in refusals(path)] == ["bytes that are not UTF-8 text"]
        assert values(path) == [("Anna",)]

    def test_sixteen_bytes_that_are_no_text_are_a_uuid(self, tmp_path: Path) -> None:
        path = tmp_path / "people.parquet"
        keys = [uuid.UUID(int=number << 120 | 7) for number in (128, 255)]
        pq.write_table(pa.table({"id": pa.array([key.bytes for key in keys], pa.binary(16))}), path)

        assert values(path) == [(str(key),) for key in keys]

    def test_that_is_broken_is_refused_in_a_sentence(self, tmp_path: Path) -> None:
        path = tmp_path / "people.parquet"
        path.write_bytes(b"PAR1" + b"nonsense" * 20 + b"PAR1")

        with pytest.raises(InvalidInput, match="is a broken Parquet file"):
            table_of(path)


class TestWhatCannotBeRead:
    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match=r"There is no file .*nobody\.csv"):
            examine(tmp_path / "nobody.csv")

    def test_a_folder_is_told_from_a_file(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="is a folder; name one CSV or Parquet file in it"):
            examine(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"  \n\n"])
    def test_an_empty_file_is_refused(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "empty.csv"
        path.write_bytes(content)

        with pytest.raises(InvalidInput, match="is empty"):
            examine(path)

    @pytest.mark.skipif(sys.platform != "linux", reason="needs a file that exists and refuses to be read")
    def test_an_unreadable_file_says_what_the_system_said(self) -> None:
        with pytest.raises(InvalidInput, match=r"cannot be read \(Input/output error\)"):
            examine(Path("/proc/self/mem"))

    def test_a_workbook_is_refused_with_what_to_do(self, tmp_path: Path) -> None:
        path = tmp_path / "people.xlsx"
        path.write_bytes(b"PK\x03\x04 and so on")

        with pytest.raises(InvalidInput, match="an Excel workbook; save it as CSV or Parquet first"):
            examine(path)

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            ('[{"name": "Anna"}]', "JSON"),
            ('{"name": "Anna"}\n{"name": "Boris"}\n', "JSON"),
            ("<!DOCTYPE html><title>Not found</title>", "a web page or XML"),
        ],
    )
    def test_other_formats_are_refused_by_their_name(self, tmp_path: Path, content: str, what: str) -> None:
        path = tmp_path / "people.csv"
        path.write_text(content)

        with pytest.raises(InvalidInput, match=f"is {what}; save it as CSV or Parquet first"):
            examine(path)

    def test_a_header_in_brackets_is_no_json(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text("[name],[email]\nAnna,a@b.example\n")

        assert examine(path).kind == "csv"

    def test_an_unknown_encoding_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text("name\nAnna\n")

        with pytest.raises(InvalidInput, match="There is no encoding “klingon”"):
            examine(path, encoding="klingon")

    def test_two_columns_of_one_name_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text("name,email,name\nAnna,a@b.example,Smith\n")

        with pytest.raises(InvalidInput, match=r"people\.csv names “name” twice, in columns 1 and 3"):
            table_of(path)

    def test_a_delimiter_of_two_characters_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_text("name::email\nAnna::a@b.example\n")

        with pytest.raises(InvalidInput, match="“::” is not one character"):
            table_of(path, delimiter="::")
