"""Whole files to one table: the same values as one by one, columns told apart, refusals in one sentence."""

from __future__ import annotations

import csv
import datetime as dt
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from resolution.batch.facts import examine
from resolution.batch.load import Loaded, load_files
from resolution.batch.reader import open_table
from resolution.batch.sheet import read_sheet
from resolution.batch.table import Row
from resolution.errors import IdentityError, InvalidInput, NotFound
from resolution.matching.normalise.profile import build_profile
from resolution.types import Profile

GIVEN = (
    "Anna", "James", "Maria", "Robert", "Linda", "David", "Susan", "Thomas", "Karen", "Mark", "Nancy", "Paul",
    "Laura", "Kevin", "Sarah", "Brian", "Sandra", "George", "Donna", "Edward", "Carol", "Ronald", "Ruth",
)  # fmt: skip
FAMILY = (
    "Smith", "Nguyen", "Garcia", "Johnson", "Kovacs", "Silva", "Jensen", "Schmidt", "Nowak", "Ivanov",
    "Rossi", "Martin", "Brown", "Wilson", "Moore", "Fischer", "Huber", "Kelly", "Murphy", "Walsh",
    "Lopez", "Diaz",
)  # fmt: skip
TOWNS = ("Berlin", "Leeds", "Delft", "Lyon", "Turin", "Porto", "Gdansk", "Bergen")


def people(rows: int = 200, seed: int = 3) -> list[dict[str, Any]]:
    """Generated records with every field, messy here and there."""
    rng = random.Random(seed)
    return [_person(rng, number) for number in range(rows)]


def _person(rng: random.Random, number: int) -> dict[str, Any]:
    given, family = rng.choice(GIVEN), rng.choice(FAMILY)
    day = dt.date(1940, 1, 1) + dt.timedelta(days=rng.randrange(20_000))
    record = {
        "record_id": f"r{number:05d}",
        "given_name": rng.choice([given, given.upper(), f"Dr. {given}", "guest", ""]),
        "family_name": rng.choice([family, f"{family} jr", "Guest", f"van {family}", ""]),
        "name": rng.choice([f"{given} {family}", f"{family}, {given}", "", "customer"]),
        "email": rng.choice(
            [f"{given}.{family}{number}@Mail.example", "none", "", f"{given}.{family}+x@gmail.com"]
        ),
        "phone": rng.choice([f"+49 30 90182{number:04d}", f"030 90182{number:04d}", "0000000", ""]),
        "birth_date": rng.choice(
            [day.isoformat(), day.strftime("%m/%d/%Y"), day.strftime("%d/%m/%Y"), "1900-01-01", ""]
        ),
        "address": rng.choice([f"{number} High St", f"Hauptstr. {number}", "", "xxx", f"{number}"]),
        "postcode": rng.choice([f"{10000 + rng.randrange(900)}", "LS1 4AP", "", "00000"]),
        "city": rng.choice([*TOWNS, "", "n/a"]),
        "country": rng.choice(["DE", "us", "United Kingdom", "", "Nowhere"]),
        "company": rng.choice(["Acme GmbH & Co. KG", "", "unknown"]),
        "external_id": rng.choice([f"LC{number % 90}", "", f"crm:{number}", f"N {number}", "na"]),
        "handle": rng.choice([f"@{given}", "", "no one"]),
    }
    return {field: value or None for field, value in record.items()}


def parquet(path: Path, rows: Sequence[Mapping[str, Any]] | pa.Table) -> Path:
    pq.write_table(rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(list(rows)), path)
    return path


def text_file(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding, newline="")
    return path


def fields(loaded: Loaded) -> dict[str, str]:
    return {fact.column: fact.field for fact in loaded.columns}


def without_extras(profile: Profile) -> Profile:
    return replace(profile, extras=())


class TestTheTable:
    def test_has_the_values_that_records_have_one_by_one(self, tmp_path: Path) -> None:
        rows = people(600)

        loaded = load_files([parquet(tmp_path / "a.parquet", rows)])

        for number, row in enumerate(rows):
            expected = build_profile(row["record_id"], [{key: value or "" for key, value in row.items()}])
            assert loaded.profile(number) == expected

    def test_is_the_same_from_csv_as_from_parquet(self, tmp_path: Path) -> None:
        whole = pa.Table.from_pylist(people(300))
        pa_csv.write_csv(whole, tmp_path / "a.csv")

        one, other = (
            load_files([path]) for path in (parquet(tmp_path / "a.parquet", whole), tmp_path / "a.csv")
        )

        assert [one.profile(row) for row in range(300)] == [other.profile(row) for row in range(300)]

    def test_keeps_several_mailboxes_and_numbers_of_a_record_each_once(self, tmp_path: Path) -> None:
        path = text_file(
            tmp_path / "a.csv",
            "name,email,contact_email_1,home_phone,mobile\n"
            "Anna Smith,a@x.example,b@x.example,+49 30 901820001,+49 30 901820001\n"
            "Bo Brown,,c@x.example,,+49 30 901820002\n",
        )

        first, second = map(load_files([path]).profile, (0, 1))

        assert first.emails == ("a@x.example", "b@x.example")
        assert first.phones == ("+4930901820001",)
        assert second.emails == ("c@x.example",)

    def test_reads_dates_in_the_order_that_the_whole_file_shows(self, tmp_path: Path) -> None:
        days = [dt.date(1960, 1, 1) + dt.timedelta(days=37 * number) for number in range(200)]
        rows = [
            {"name": f"Anna Smith{n}", "born": day.strftime("%d.%m.%Y"), "country": "US"}
            for n, day in enumerate(days)
        ]

        loaded = load_files([parquet(tmp_path / "a.parquet", rows)])

        assert [loaded.profile(n).birth_dates for n in range(1, 200)] == [(d.isoformat(),) for d in days[1:]]

    def test_takes_the_country_of_all_phones_where_there_is_no_column_for_it(self, tmp_path: Path) -> None:
        rows = [{"name": "Anna Smith", "phone": f"+49 30 90182{n:04d}"} for n in range(40)]
        rows.append({"name": "Bo Brown", "phone": "030 901829999"})

        loaded = load_files([parquet(tmp_path / "a.parquet", rows)])

        assert loaded.profile(40).phones == ("+4930901829999",)
        assert loaded.notes == ("a.parquet names no country; phones and dates were read as in DE.",)

    def test_says_how_full_each_field_is(self, tmp_path: Path) -> None:
        path = text_file(tmp_path / "a.csv", "name,email\nAnna Smith,a@x.example\nBo Brown,none\nCy Young,\n")

        facts = {fact.field: fact for fact in load_files([path]).completeness}

        assert facts["email"].filled == pytest.approx(1 / 3)
        assert (facts["email"].distinct, facts["email"].unusable) == (1, 1)

    def test_needs_no_django(self) -> None:
        code = "import sys, resolution.batch.load; assert 'django.db' not in sys.modules"
        subprocess.run([sys.executable, "-c", code], check=True)


class TestSeveralFiles:
    def test_of_different_layouts_share_their_fields(self, tmp_path: Path) -> None:
        one = text_file(tmp_path / "a.csv", "id,first_name,last_name,sex\n1,Anna,Smith,f\n2,Bo,Brown,m\n")
        other = text_file(tmp_path / "b.csv", "Nr;Vorname;Name;Mail\n7;Anna;Smith;a@x.example\n8;Bo;Brown;\n")

        loaded = load_files([one, other])

        assert loaded.sources.tolist() == [0, 0, 1, 1]
        assert loaded.profile(0).names == loaded.profile(2).names
        assert loaded.profile(2).emails == ("a@x.example",)
        assert loaded.profile(3).names == loaded.profile(1).names

    def test_one_with_whole_names_writes_them_as_the_other_does(self, tmp_path: Path) -> None:
        """The parts of one name have one number, whichever column they came from."""
        apart, whole = tmp_path / "apart.csv", tmp_path / "whole.csv"
        apart.write_text("first_name,last_name,email\nAnna,Quux,a@x.de\n")
        whole.write_text("full_name,email\nAnna Quux,b@y.de\n")
        names = load_files([apart, whole]).table.columns["name"]

        assert names.first[0] == names.first[1]
        for part in ("given", "family"):
            assert len(set(names.part(part).texts)) == len(names.part(part).texts)

    def test_with_the_same_ids_have_them_under_their_names(self, tmp_path: Path) -> None:
        paths = [
            text_file(tmp_path / f"{name}.csv", "id,email\n1,a@x.example\n2,b@x.example\n") for name in "ab"
        ]

        assert load_files(paths).ids.tolist() == ["a:1", "a:2", "b:1", "b:2"]


class TestIds:
    @pytest.mark.parametrize("ids", [[1, 2, 3], ["a", "b", "c"], [1.0, 2.0, 3.0]])
    def test_of_any_type_are_text(self, ids: list[Any], tmp_path: Path) -> None:
        table = pa.table({"key": ids, "email": ["a@x.example", "b@x.example", "c@x.example"]})

        loaded = load_files([parquet(tmp_path / "a.parquet", table)], id_column="key")

        assert loaded.ids.tolist() == [str(one).removesuffix(".0") for one in ids] == list(loaded.table.keys)

    def test_are_row_numbers_where_there_are_none(self, tmp_path: Path) -> None:
        path = text_file(tmp_path / "file.csv", "email,name\na@x.example,Anna\nb@x.example,Bo\n")

        assert load_files([path]).ids.tolist() == ["file:1", "file:2"]

    def test_come_from_a_column_that_looks_like_one(self, tmp_path: Path) -> None:
        path = text_file(tmp_path / "a.csv", "email,crm_row_ref\na@x.example,X-1\nb@x.example,X-2\n")

        assert load_files([path]).ids.tolist() == ["X-1", "X-2"]

    @pytest.mark.parametrize("option", ["", "id"])
    def test_that_come_twice_are_refused_with_an_example(self, option: str, tmp_path: Path) -> None:
        path = text_file(tmp_path / "a.csv", "id,email\n1,a@x.example\n1,b@x.example\n2,c@x.example\n")

        with pytest.raises(InvalidInput, match=r"“id” holds an id more than once, as “1” 2 times; make"):
            load_files([path], id_column=option)

    def test_that_are_blank_are_refused_when_named(self, tmp_path: Path) -> None:
        path = text_file(tmp_path / "a.csv", "key,email\n1,a@x.example\n,b@x.example\n")

        with pytest.raises(InvalidInput, match="“key” is blank in 1 of 2 rows"):
            load_files([path], id_column="key")

    def test_of_customers_that_rows_share_link_the_rows(self, tmp_path: Path) -> None:
        path = text_file(tmp_path / "a.csv", "customer_id,email\n17,a@x.example\n17,b@x.example\n18,\n")

        loaded = load_files([path])

        assert loaded.profile(0).external_ids == loaded.profile(1).external_ids == ("id:17",)
        assert loaded.ids.tolist() == ["a:1", "a:2", "a:3"]
        assert "more than once" in loaded.notes[0]

    def test_of_two_systems_are_told_apart(self, tmp_path: Path) -> None:
        path = text_file(
            tmp_path / "a.csv", "rec_id,Kundennummer,ssn\n1,K1,900\n2,K2,901\n3,,902\n", encoding="utf-8"
        )

        assert load_files([path]).profile(0).external_ids == ("id:K1", "ssn:900")


class TestExtras:
    def test_p8_a_filler_is_no_value(self, tmp_path: Path) -> None:
        rows = [{"first_name": "Anna", "sex": sex} for sex in ("m", "f", "N/A", "f", "m", "#N/A")]
        loaded = load_files([parquet(tmp_path / "a.parquet", rows)])

        assert [dict(loaded.profile(row).extras).get("sex") for row in range(6)] == [*"mf", None, *"fm", None]

    def rows(self, **more: Any) -> list[dict[str, Any]]:
        rng = random.Random(5)
        return [
            {
                "first_name": rng.choice(GIVEN),
                "last_name": rng.choice(FAMILY),
                "sex": rng.choice("mf"),
                "Geburtsort": rng.choice(TOWNS),
                "constant": "x",
                "created": dt.datetime(2020, 1, 1) + dt.timedelta(hours=number),
                "note_text": f"a long remark on what happened at the shop on day {rng.randrange(50)}",
                "trade": f"trade of {rng.choice(FAMILY)}",
                "spent": rng.random() * 100,
                **more,
            }
            for number in range(400)
        ]

    def test_are_what_else_tells_people_apart(self, tmp_path: Path) -> None:
        loaded = load_files([parquet(tmp_path / "a.parquet", self.rows())])

        extras = {field.removeprefix("extra:") for field in loaded.table.columns if "extra:" in field}
        assert extras == {"sex", "birth_place", "trade"}
        assert dict(loaded.profile(0).extras)["sex"] in {"m", "f"}

    def test_can_be_named_and_dropped(self, tmp_path: Path) -> None:
        path = parquet(tmp_path / "a.parquet", self.rows())

        loaded = load_files([path], mapping=[("extra:spending", "spent"), ("extra:sex", "")])

        assert "extra:spending" in loaded.table.columns
        assert "extra:sex" not in loaded.table.columns

    def test_leave_out_a_region_that_the_city_tells(self, tmp_path: Path) -> None:
        rows = [
            {**row, "city": TOWNS[number % 8], "state": f"S{number % 8 // 2}", "district": f"D{number % 5}"}
            for number, row in enumerate(self.rows())
        ]
        path = parquet(
            tmp_path / "a.parquet", [{k: v for k, v in row.items() if k != "district"} for row in rows]
        )

        loaded = load_files([path])

        assert fields(loaded)["state"] == ""
        assert "state says nothing that city and postcode do not say" in loaded.notes[0]

    def test_keep_a_region_that_says_more(self, tmp_path: Path) -> None:
        rows = [{**row, "city": TOWNS[n % 8], "state": f"S{n % 5}"} for n, row in enumerate(self.rows())]

        assert "extra:region" in load_files([parquet(tmp_path / "a.parquet", rows)]).table.columns


class TestSharedValues:
    def test_of_too_many_people_are_no_evidence(self, tmp_path: Path) -> None:
        rows = [
            {
                "first_name": given,
                "last_name": family,
                "phone": "+49 30 901820001",
                "email": f"p{n}@x.example",
            }
            for n, (given, family) in enumerate(zip(GIVEN, FAMILY, strict=False))
        ]

        loaded = load_files([parquet(tmp_path / "a.parquet", rows)])

        (fact,) = loaded.shared_values
        assert (fact.field, fact.value, fact.records) == ("phone", "+4930901820001", len(rows))
        assert loaded.profile(0).phones == ()
        assert loaded.profile(0).emails == ("p0@x.example",)

    def test_are_not_those_of_one_person_with_many_records(self, tmp_path: Path) -> None:
        rows = [
            {"first_name": "Anna", "last_name": family, "phone": "+49 30 901820001"}
            for family in ["Smith"] * 30 + list(FAMILY)
        ]

        assert load_files([parquet(tmp_path / "a.parquet", rows)]).shared_values == ()


class TestOddFiles:
    def refusal(self, path: Path, **options: Any) -> str:
        with pytest.raises(IdentityError) as caught:
            load_files([path], **options)
        return str(caught.value)

    def test_without_rows_are_refused(self, tmp_path: Path) -> None:
        table = pa.table({"email": pa.array([], pa.string())})

        assert "no rows" in self.refusal(parquet(tmp_path / "a.parquet", table))
        assert "no rows" in self.refusal(text_file(tmp_path / "a.csv", "email,name\n"))
        assert "is empty" in self.refusal(text_file(tmp_path / "b.csv", ""))

    def test_that_are_not_there_or_broken_are_refused(self, tmp_path: Path) -> None:
        broken = tmp_path / "b.parquet"
        broken.write_bytes(b"PAR1 and no more")

        with pytest.raises(NotFound, match="There is no file"):
            load_files([tmp_path / "none.csv"])
        assert "is a folder" in self.refusal(tmp_path)
        assert "broken Parquet file" in self.refusal(broken)

    def test_with_broken_pages_are_refused(self, tmp_path: Path) -> None:
        path = parquet(tmp_path / "a.parquet", people(2000))
        content = bytearray(path.read_bytes())
        content[200:3000] = b"\xff" * 2800
        path.write_bytes(content)

        assert "broken Parquet file" in self.refusal(path)

    def test_without_a_named_column_are_refused(self, tmp_path: Path) -> None:
        path = parquet(tmp_path / "a.parquet", people(5))

        assert "no column “key” to take the ids from" in self.refusal(path, id_column="key")
        assert "No file has a column “mail” for email" in self.refusal(path, mapping=[("email", "mail")])
        assert "no field “shoe”" in self.refusal(path, mapping=[("shoe", "email")])

    def test_with_two_columns_of_one_name_are_refused(self, tmp_path: Path) -> None:
        table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["email", "email"])

        assert "names “email” twice" in self.refusal(parquet(tmp_path / "a.parquet", table))

    def test_that_describe_nobody_are_refused(self, tmp_path: Path) -> None:
        table = pa.table({"shade": ["a", "b"], "weight": [1.5, 2.5]})

        assert "None of the columns (shade, weight)" in self.refusal(parquet(tmp_path / "a.parquet", table))

    def test_of_one_row_and_of_nulls_are_read(self, tmp_path: Path) -> None:
        table = pa.table(
            {"email": ["a@x.example"], "phone": pa.nulls(1), "city": pa.array([None], pa.string())}
        )

        loaded = load_files([parquet(tmp_path / "a.parquet", table)])

        assert loaded.profile(0) == Profile("a:1", emails=("a@x.example",))

    def test_with_columns_of_every_type_are_read_as_text(self, tmp_path: Path) -> None:
        table = pa.table(
            {
                "email": ["a@x.example", None],
                "phone": pa.array([493090182000, None], pa.int64()),
                "postcode": [10115.0, float("nan")],
                "date_of_birth": [dt.date(1980, 2, 13), None],
                "seen": pa.array([dt.datetime(2020, 1, 1), None], pa.timestamp("us", tz="UTC")),
                "tags": [["a", "b"], None],
                "more": [{"x": 1}, None],
                "whole": pa.array(["x", None]).dictionary_encode(),
                "flag": [True, None],
                "wait": pa.array([dt.timedelta(1), None]),
            }
        )

        loaded = load_files([parquet(tmp_path / "a.parquet", table)])

        assert loaded.profile(0).birth_dates == ("1980-02-13",)
        assert loaded.profile(0).addresses[0].postcode == "10115"
        assert loaded.profile(1).addresses == ()
        assert {fact.column: fact.example for fact in loaded.columns}["tags"] == '["a", "b"]'

    def test_with_rows_that_are_ragged_keep_the_others(self, tmp_path: Path) -> None:
        path = text_file(tmp_path / "a.csv", "id,email\n1,a@x.example\n2,b@x.example,more\n3,c@x.example\n")

        loaded = load_files([path])

        assert loaded.ids.tolist() == ["1", "3"]
        assert [(entry.line, entry.reason) for entry in loaded.refusals[0]] == [
            (3, "3 values where 2 columns are")
        ]
        assert "1 row of a.csv could not be read; rejects.csv says which and why." in loaded.notes

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
    def test_of_any_encoding_are_read(self, encoding: str, tmp_path: Path) -> None:
        path = text_file(tmp_path / "a.csv", "Vorname;Straße\nJürgen;Höhenweg 3\n", encoding)

        assert load_files([path]).profile(0).names[0].given == "jurgen"

    def test_with_enormous_values_are_read(self, tmp_path: Path) -> None:
        rows = [
            {"email": "a@x.example", "name": "x" * 1_000_000},
            {"email": "b@x.example", "name": "Bo Brown"},
        ]

        assert load_files([parquet(tmp_path / "a.parquet", rows)]).profile(1).names[0].family == "brown"

    def test_with_text_that_is_not_utf_8_refuse_those_rows(self, tmp_path: Path) -> None:
        bad = pa.StringArray.from_buffers(
            2, pa.array([0, 2, 13], pa.int32()).buffers()[1], pa.py_buffer(b"\xff\xfea@x.example")
        )

        loaded = load_files([parquet(tmp_path / "a.parquet", pa.table({"email": bad}))])

        assert loaded.profile(0).emails == ("a@x.example",)
        assert loaded.refusals[0][0].reason == "bytes that are not UTF-8 text"

    def test_of_one_record_many_times_are_read(self, tmp_path: Path) -> None:
        table = pa.table({"name": ["Anna Smith"] * 100_000, "email": ["a@x.example"] * 100_000})

        loaded = load_files([parquet(tmp_path / "a.parquet", table)])

        assert len(loaded.table) == 100_000
        assert loaded.table.columns["name"].values[0].given == "anna"


class TestParquet:
    def test_has_the_texts_of_every_row_however_they_are_stored(self, tmp_path: Path) -> None:
        """Few values and many, numbered by whoever wrote them, in several groups of rows, or none at all."""
        few, many = ["Köln ", None, "", "Bonn"] * 2_000, [f"{n:_>400}" for n in range(8_000)]
        table = pa.table(
            {
                "few": few,
                "many.of them": many,
                "large": pa.array(few, pa.large_string()),
                "numbered": pa.array(few).dictionary_encode(),
                "numbers": pa.array([1, None, 2, 1] * 2_000).dictionary_encode(),
                "several": pa.array([["x"]] * 8_000),
                "": pa.nulls(8_000, pa.string()),
            }
        )
        path = tmp_path / "a.parquet"
        pq.write_table(table, path, row_group_size=3_000)

        sheet = read_sheet(path)

        rows, cities = np.arange(8_000), ["Köln", "", "", "Bonn"] * 2_000
        assert [texts.at(rows) for texts in sheet.texts] == [
            cities, many, cities, cities, ["1", "", "2", "1"] * 2_000, ['["x"]'] * 8_000, [""] * 8_000,
        ]  # fmt: skip
        assert sheet.texts[0].distinct == sheet.texts[3].distinct == 2
        assert sheet.types[0] == sheet.types[3] == pa.string()

    def test_of_texts_that_are_one_when_they_are_cut_has_them_once(self, tmp_path: Path) -> None:
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table({"email": ["x" * 1_000_000 + end for end in "abc"]}), path)

        assert read_sheet(path).texts[0].distinct == 1


class TestCleanCsv:
    @pytest.mark.parametrize(
        "text",
        [
            "a,email\n1,x\n\n2,y\n",
            "a,email\r\n1,x\r\n,\r\n2,y",
            '\n\na,email\n"1 ""one""",x\n2,"y,z"\n',
            'a,email\n"1"x,y\n2 "two",z\n',
            'a,email\n"1\n2",x\n3,y\n',
            "a,email\n1,x\n   \n2,y\n",
            "sep=,\na,email\n1,x\n",
            'a,email\n"1,x\n2,y\n3,z\n',
            "\ufeffa,email\n1,é\n",
        ],
    )
    def test_is_read_as_the_careful_reader_does(self, text: str, tmp_path: Path) -> None:
        path = text_file(tmp_path / "a.csv", text)
        rows = [row.values for row in open_table(examine(path)).rows() if isinstance(row, Row)]

        found = [texts.at(np.arange(len(rows))) for texts in read_sheet(path).texts]

        assert list(zip(*found, strict=True)) == [tuple(value.strip() for value in row) for row in rows]

    def test_with_blank_and_quoted_values_has_every_row(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows(
                [["id", "email"], *([str(n), "" if n % 3 else f"{n}@x.example"] for n in range(3000))]
            )

        assert len(load_files([path])) == 3000


class TestGuesses:
    def test_of_columns_without_a_name_that_says_anything(self, tmp_path: Path) -> None:
        rng = random.Random(11)
        rows = [
            {
                "col1": rng.choice(GIVEN),
                "col2": rng.choice(FAMILY),
                "col3": f"{rng.choice(GIVEN)}{n}@x.example".lower(),
                "col4": f"+49 30 90182{n:04d}",
                "col5": (dt.date(1940, 1, 1) + dt.timedelta(days=rng.randrange(20_000))).isoformat(),
                "col6": f"{rng.randrange(1, 90)} {rng.choice(FAMILY)} Street",
                "col7": f"{rng.choice('LMB')}S{rng.randrange(9)} {rng.randrange(9)}AP",
                "col8": rng.choice(["DE", "FR", "GB"]),
                "col9": f"{rng.choice(FAMILY)} {rng.choice(GIVEN)} {rng.choice(('GmbH', 'Ltd', 'SL', ''))}",
                "col10": f"LC{10_000_000 + 7919 * (n % 280)}",
                "col11": rng.choice(["red", "green"]),
            }
            for n in range(300)
        ]

        found = fields(load_files([parquet(tmp_path / "a.parquet", rows)]))

        assert list(found.values()) == [
            "given_name", "family_name", "email", "phone", "birth_date", "address", "postcode", "country",
            "company", "external_id", "",
        ]  # fmt: skip

    def test_of_codes_under_a_name_that_says_what_they_are_are_not_made(self, tmp_path: Path) -> None:
        rows = [{"email": f"a{n}@x.example", "order_ref": f"LC{10_000_000 + n % 280}"} for n in range(300)]

        assert fields(load_files([parquet(tmp_path / "a.parquet", rows)]))["order_ref"] == ""

    def test_of_a_column_of_whole_names(self, tmp_path: Path) -> None:
        rng = random.Random(12)
        rows = [{"who": f"{rng.choice(GIVEN)} {rng.choice(FAMILY)}", "x": rng.random()} for _ in range(300)]

        assert fields(load_files([parquet(tmp_path / "a.parquet", rows)]))["who"] == "name"


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["utf-8", "cp1251"])
    def test_cyrillic_is_read(self, encoding: str, tmp_path: Path) -> None:
        path = text_file(tmp_path / "a.csv", "Имя;Фамилия\nАнна;Иванова\n", encoding)

        assert load_files([path]).profile(0).names[0].family == "ivanova"

    def test_western_letters_stay_western(self, tmp_path: Path) -> None:
        path = text_file(tmp_path / "a.csv", "Vorname;Nachname\nJürgen;Müßig\nÅsa;Öberg\n", "cp1252")

        assert [load_files([path]).profile(row).names[0].family for row in (0, 1)] == ["mussig", "oberg"]


class TestCellsOfSeveralValues:
    """What one column holds of several fields, or several values of one."""

    def test_a_whole_address_gives_street_postcode_and_city(self, tmp_path: Path) -> None:
        path = text_file(
            tmp_path / "a.csv",
            "Name;Anschrift\nAnna Smith;Hauptstr. 5, 10115 Berlin\nB. Low;Am Weg 2, 80331 München\n"
            "C. Li;Ring 9, 50667 Köln\n",
        )
        loaded = load_files([path])

        [address] = loaded.profile(0).addresses
        assert (address.street, address.house, address.postcode, address.city) == (
            "hauptstrasse", "5", "10115", "berlin",
        )  # fmt: skip
        assert loaded.notes[0].startswith(
            "The column Anschrift of a.csv holds street, postcode and city in one"
        )

    def test_a_postcode_with_its_town_gives_both(self, tmp_path: Path) -> None:
        path = text_file(
            tmp_path / "a.csv", "Name;PLZ Ort\nAnna Smith;10115 Berlin\nB. Low;Ulm\nC. Li;50667 Köln\n"
        )
        loaded = load_files([path])

        places = [(found.postcode, found.city) for row in range(3) for found in loaded.profile(row).addresses]
        assert places == [("10115", "berlin"), ("", "ulm"), ("50667", "koln")]

    def test_a_dropped_city_is_not_taken_from_an_address(self, tmp_path: Path) -> None:
        path = text_file(
            tmp_path / "a.csv", "Name;PLZ Ort\nA. B;10115 Berlin\nB. L;89073 Ulm\nC. L;50667 Köln\n"
        )
        loaded = load_files([path], mapping=[("city", "")])

        assert {found.city for row in range(3) for found in loaded.profile(row).addresses} == {""}

    def test_mailboxes_and_numbers_of_one_cell_are_values_of_one_record(self, tmp_path: Path) -> None:
        path = text_file(
            tmp_path / "a.csv", "name,mail,tel\nAnna,a@x.org; b@y.org,+49301234567 / +49307654321\n"
        )
        profile = load_files([path]).profile(0)

        assert profile.emails == ("a@x.org", "b@y.org")
        assert profile.phones == ("+49301234567", "+49307654321")


class TestColumnsWithoutAName:
    def rows(self, count: int, **more: str) -> list[dict[str, str]]:
        return [
            {"first_name": GIVEN[number % len(GIVEN)], "last_name": FAMILY[number % len(FAMILY)]}
            | {column: text.format(number) for column, text in more.items()}
            for number in range(count)
        ]

    def test_that_hold_ids_of_customers_link_their_rows(self, tmp_path: Path) -> None:
        rows = [row for row in self.rows(60, col9="LC{:05d}") for _ in range(2)]
        loaded = load_files([parquet(tmp_path / "a.parquet", rows)])

        assert fields(loaded)["col9"] == "external_id"
        assert loaded.profile(0).external_ids == loaded.profile(1).external_ids == ("id:LC00000",)

    def test_that_hold_ids_can_be_dropped(self, tmp_path: Path) -> None:
        rows = [row for row in self.rows(60, col9="LC{:05d}") for _ in range(2)]
        loaded = load_files([parquet(tmp_path / "a.parquet", rows)], mapping=[("external_id", "")])

        assert fields(loaded)["col9"] != "external_id"

    def test_that_hold_companies_are_known(self, tmp_path: Path) -> None:
        firms = ("Ltd", "GmbH", "SARL", "Corporation", "& Sons")
        rows = [
            row | {"col7": f"{row['last_name']} {n} {firms[n % 5]}"} for n, row in enumerate(self.rows(60))
        ]
        loaded = load_files([parquet(tmp_path / "a.parquet", rows)])

        assert fields(loaded)["col7"] == "company"

    def test_that_hold_mailboxes_and_numbers_give_both(self, tmp_path: Path) -> None:
        rows = [
            {"name": "Anna", "Kontakt": text}
            for text in ("a@x.org", "b@y.org", "+49301234567", "+49307654321")
        ]
        loaded = load_files([parquet(tmp_path / "a.parquet", rows)])

        assert [loaded.profile(row).emails for row in (0, 2)] == [("a@x.org",), ()]
        assert [loaded.profile(row).phones for row in (0, 2)] == [(), ("+49301234567",)]
