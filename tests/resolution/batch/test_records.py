"""A row made ready for the register."""

from __future__ import annotations

import pytest

from resolution.batch.columns import map_columns
from resolution.batch.records import Record, RecordMaker, details_of
from resolution.batch.table import Refusal, Row

NAMES = ("id", "first_name", "last_name", "email", "phone", "city", "colour")


def make(*values: str) -> Record | Refusal:
    return RecordMaker(NAMES, map_columns(NAMES, [], [])).make(Row(7, values))


def record(*values: str) -> Record:
    made = make(*values)
    assert isinstance(made, Record)
    return made


class TestMake:
    def test_keeps_what_no_field_takes(self) -> None:
        assert record("1", "Anna", "", "", "", "", "blue").data == {
            "record_id": "1",
            "given_name": "Anna",
            "other": {"colour": "blue"},
        }

    def test_takes_the_fingerprint_as_key_where_the_source_has_none(self) -> None:
        made = record("", "Anna", "Smith", "", "", "", "")

        assert (made.key, made.own_id) == (made.fingerprint, False)

    def test_gives_one_fingerprint_to_spellings_that_differ_in_spaces(self) -> None:
        left, right = record("1", " Anna ", "", "", "", "", ""), record("1", "Anna", "", "", "", "", "")

        assert left.fingerprint == right.fingerprint

    def test_takes_the_values_of_one_cell_apart(self) -> None:
        data = record("1", "Anna", "", "a@x.org;\nb@y.org", "+49 30 1234567 / +49 30 7654321", "", "").data

        assert data["email"] == ["a@x.org", "b@y.org"]
        assert data["phone"] == ["+49 30 1234567", "+49 30 7654321"]

    def test_refuses_a_nul_byte_naming_the_column(self) -> None:
        made = make("1", "An\x00na", "", "", "", "", "")

        assert isinstance(made, Refusal)
        assert (made.line, made.column, made.reason) == (7, "first_name", "a NUL byte in the value")

    def test_refuses_an_identifier_of_ten_thousand_characters(self) -> None:
        made = make("1", "Anna", "", "x" * 10_000 + "@b.example", "", "", "")

        assert isinstance(made, Refusal)
        assert (made.column, made.reason) == ("email", "10,010 characters where at most 255 fit")


class TestDetails:
    def test_p8_fillers_are_neither_shown_nor_linked(self) -> None:
        data = {"given_name": "Unknown", "family_name": "Smith", "email": "test@test.com", "phone": "000000"}

        found = details_of(data, "DE")

        assert {name: value for name, value in found.fields.items() if value} == {"family_name": "Smith"}
        assert found.usable == ()

    def test_reads_national_numbers_by_the_row_s_country_before_the_channel_s(self) -> None:
        found = details_of({"phone": "020 7946 0018", "country": "GB"}, "DE")

        assert [entry.normalised for entry in found.usable] == ["+442079460018"]

    def test_links_one_value_once_however_it_is_spelt(self) -> None:
        found = details_of({"email": ["Anna@B.example", "anna@b.example"]}, "")

        assert [entry.normalised for entry in found.usable] == ["anna@b.example"]

    @pytest.mark.parametrize(
        ("data", "somebody"),
        [
            ({"given_name": "Anna"}, True),
            ({"email": "a.smith@b.example"}, True),
            ({"country": "DE", "region": "Bavaria"}, False),
            ({"record_id": "1", "given_name": "xxx", "phone": "1234567890"}, False),
        ],
    )
    def test_tells_a_row_that_describes_nobody(self, data: dict[str, str], somebody: bool) -> None:
        assert details_of(data, "").describes_somebody is somebody
