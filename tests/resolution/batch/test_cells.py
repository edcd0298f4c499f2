"""Cells with more than one value in them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from resolution.batch.cells import holds_places, of_other_kind, one_value_each, places_apart
from resolution.batch.sheet import Texts, as_texts


def column(*cells: str) -> Texts:
    return as_texts(pa.chunked_array([pa.array(cells, pa.string())]))


def rows(columns: list[Texts]) -> list[tuple[str, ...]]:
    count = len(columns[0].codes)
    return list(zip(*(texts.at(np.arange(count)) for texts in columns), strict=True))


def places(*cells: str, streets: bool = True) -> list[tuple[str, ...]]:
    parts = places_apart(column(*cells), streets=streets)
    return rows([parts["address"], parts["postcode"], parts["city"]])


class TestSeveralValues:
    @pytest.mark.parametrize(
        "cell",
        [
            "a@x.org; b@y.org", "a@x.org,b@y.org", "a@x.org / b@y.org", "a@x.org\nb@y.org", "a@x.org|b@y.org",
            "a@x.org b@y.org", '["a@x.org", "b@y.org"]', "A <a@x.org>, B <b@y.org>",
        ],
    )  # fmt: skip
    def test_each_mailbox_has_a_column(self, cell: str) -> None:
        columns = one_value_each("email", column(cell, "c@z.org", ""))

        assert rows(columns) == [("a@x.org", "b@y.org"), ("c@z.org", ""), ("", "")]

    @pytest.mark.parametrize(
        "cell",
        [
            "+49 30 1234567; +49 30 7654321", "+49 30 1234567, +49 30 7654321",
            "+49 30 1234567 / +49 30 7654321", "+49 30 1234567\n+49 30 7654321",
            "+49 30 1234567 oder +49 30 7654321",
        ],
    )  # fmt: skip
    def test_each_number_has_a_column(self, cell: str) -> None:
        assert rows(one_value_each("phone", column(cell))) == [("+49 30 1234567", "+49 30 7654321")]

    @pytest.mark.parametrize(
        "cell",
        ["030/1234567", "+44-7700-900-123;ext=5", "0049 (0)30 / 12 34 56 78", "+1 (212) 555-0100 ext 12"],
    )
    def test_one_number_stays_as_it_is(self, cell: str) -> None:
        assert rows(one_value_each("phone", column(cell))) == [(cell,)]

    def test_a_cell_gives_no_more_than_a_few(self) -> None:
        cell = "; ".join(f"a{number}@x.org" for number in range(500))

        assert len(one_value_each("email", column(cell))) == 8

    def test_other_fields_stay_whole(self) -> None:
        assert rows(one_value_each("company", column("Smith; Jones"))) == [("Smith; Jones",)]


class TestOtherKinds:
    def test_numbers_among_mailboxes_are_found(self) -> None:
        found = of_other_kind("email", column("a@x.org", "+49 30 1234567", "", "none"))

        assert found is not None
        assert rows([found]) == [("",), ("+49 30 1234567",), ("",), ("",)]

    def test_mailboxes_among_numbers_are_found(self) -> None:
        found = of_other_kind("phone", column("a@x.org", "+49 30 1234567"))

        assert found is not None
        assert rows([found]) == [("a@x.org",), ("",)]

    def test_a_column_of_one_kind_has_none(self) -> None:
        assert of_other_kind("email", column("a@x.org", "n/a", "")) is None


class TestPlaces:
    @pytest.mark.parametrize(
        ("line", "parts"),
        [
            ("Hauptstr. 5, 10115 Berlin, Deutschland", ("Hauptstr. 5", "10115", "Berlin")),
            ("Hauptstr. 5 10115 Berlin", ("Hauptstr. 5", "10115", "Berlin")),
            ("Bahnhofstrasse 1, CH-8001 Zürich", ("Bahnhofstrasse 1", "8001", "Zürich")),
            ("Keizersgracht 1, 1015 CJ Amsterdam", ("Keizersgracht 1", "1015 CJ", "Amsterdam")),
            ("221B Baker Street\nLondon\nNW1 6XE", ("221B Baker Street", "NW1 6XE", "London")),
            ("9 Penn Ave NW, Washington, DC 20500, USA", ("9 Penn Ave NW", "20500", "Washington")),
            ("25 Martin Place, Sydney NSW 2000", ("25 Martin Place", "2000", "Sydney")),
            ("ul. Nowa 1, 00-624 Warszawa", ("ul. Nowa 1", "00-624", "Warszawa")),
            ("5 Main St, 10115", ("5 Main St", "10115", "")),
            ("5 Main St, Leeds", ("5 Main St", "", "Leeds")),
            ("1200 Broadway", ("1200 Broadway", "", "")),
            ("10115", ("", "10115", "")),
        ],
    )
    def test_are_told_from_their_street(self, line: str, parts: tuple[str, ...]) -> None:
        assert places(line) == [parts]

    def test_a_line_is_a_place_where_another_cell_has_its_town(self) -> None:
        found = places("5 Main St, 10115 Berlin", "10117 Berlin", "Berlin", "1200 Broadway")

        assert found[1:] == [("", "10117", "Berlin"), ("", "", "Berlin"), ("1200 Broadway", "", "")]

    def test_alone_need_no_other_cell(self) -> None:
        assert places("10115 Berlin", "Leeds, LS1 4AP", "Ulm", "", streets=False) == [
            ("", "10115", "Berlin"), ("", "LS1 4AP", "Leeds"), ("", "", "Ulm"), ("", "", ""),
        ]  # fmt: skip

    def test_street_lines_hold_none(self) -> None:
        assert not holds_places(column("1200 Broadway", "5 Main St", "Hauptstr. 12, Flat 3"), streets=True)

    def test_postcodes_hold_no_towns(self) -> None:
        assert not holds_places(column("10115", "LS1 4AP", "00-624"), streets=False)
