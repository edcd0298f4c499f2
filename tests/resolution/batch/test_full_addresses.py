"""Whole addresses in one column."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolution.batch.full_addresses import Taken, take_apart
from resolution.batch.load import load_files
from resolution.types import Address


class TestTakeApart:
    @pytest.mark.parametrize(
        ("text", "line", "postcode", "city"),
        [
            ("12 High St, Newton CA19 8GX", "12 High St", "CA19 8GX", "Newton"),
            ("12 High St Newton CA19 8GX", "12 High St Newton", "CA19 8GX", ""),
            ("Hauptstr. 3, 10115 Berlin", "Hauptstr. 3", "10115", "Berlin"),
            ("Hauptstr. 3, 10115 Berlin, Deutschland", "Hauptstr. 3", "10115", "Berlin"),
            ("12 Main St, Springfield, IL 62704-1234, USA", "12 Main St", "62704-1234", "Springfield"),
            ("12 rue de la Paix 75002 Paris", "12 rue de la Paix", "75002", "Paris"),
            ("Mühlweg 4, Top 25, 28928 Salzburg", "Mühlweg 4, Top 25", "28928", "Salzburg"),
            ("Kerkstraat 12, 1234 AB Amsterdam", "Kerkstraat 12", "1234 AB", "Amsterdam"),
            ("ul. Polna 3/4, 00-950 Warszawa", "ul. Polna 3/4", "00-950", "Warszawa"),
            ("47739, Cypress", "", "47739", "Cypress"),
            ("97363", "", "97363", ""),
            ("12345 Sunset Blvd, Los Angeles", "12345 Sunset Blvd", "", "Los Angeles"),
            ("1234 Main Street", "1234 Main Street", "", ""),
        ],
    )
    def test_reads_the_end(self, text: str, line: str, postcode: str, city: str) -> None:
        assert take_apart(text) == Taken(line, postcode, city)

    @given(text=st.text(max_size=60))
    @settings(max_examples=200, deadline=None)
    def test_no_text_breaks_it_and_nothing_is_made_up(self, text: str) -> None:
        letters = set(text)
        assert set("".join(take_apart(text))) <= letters | {",", " "}


def load(folder: Path, *lines: str) -> tuple[Address, ...]:
    path = folder / "people.csv"
    path.write_text("\n".join(("name;address", *(f"Anna Quux;{line}" for line in lines))) + "\n")
    loaded = load_files([path])
    return tuple(loaded.profile(row).addresses[0] for row in range(len(lines)))


class TestColumn:
    def test_of_whole_addresses_gives_postcodes_and_towns(self, tmp_path: Path) -> None:
        found = load(tmp_path, "Hauptstr. 3, 10115 Berlin", "10117 Berlin", "Berlin", "Hauptstr. 3")
        assert [(entry.street, entry.house, entry.postcode, entry.city) for entry in found] == [
            ("hauptstrasse", "3", "10115", "berlin"),
            ("", "", "10117", "berlin"),
            ("", "", "", "berlin"),
            ("hauptstrasse", "3", "", ""),
        ]

    def test_of_street_lines_is_left_as_it_is(self, tmp_path: Path) -> None:
        found = load(tmp_path, "Hauptstr. 3, Hof", "High Street 10115", "Mühlweg 4", "Mühlweg 4, 2. Stock")
        assert {entry.postcode for entry in found} == {""}
        assert {entry.city for entry in found} == {""}
