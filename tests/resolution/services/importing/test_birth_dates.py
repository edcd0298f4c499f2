"""Birth dates of a file that cannot be read: their rows come in, and each is told."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from customers.models import Channel, Customer, SourceRecord
from resolution.models import ImportRun
from resolution.services.importing import Summary, import_file, open_file, preview_import
from resolution.types import Actor
from tests.factories import ChannelFactory
from tests.resolution.batch.files import person, write

pytestmark = pytest.mark.django_db
LOST = ("31/31/1990", "2999-01-01", "1849-12-31", "soon")
PASSED_OVER = ("", "n/a", "1900-01-01", "01.01.1900", "0000-00-00")
COUNT = "birth_dates_unread"


@pytest.fixture(autouse=True)
def _channel(settings: object, tmp_path: Path) -> Channel:
    settings.VAR_DIR = tmp_path / "var"  # type: ignore[attr-defined]
    return ChannelFactory(code="crm", default_region="DE")


def born(tmp_path: Path, *days: str) -> Path:
    return write(tmp_path / "a.csv", *(person(number, date_of_birth=day) for number, day in enumerate(days)))


def take_in(path: Path, **options: int) -> Summary:
    opened = open_file(path=path, channel="crm", mapping=[("birth_date", "date_of_birth")])
    return import_file(opened, actor=Actor.machine("test import"), resolve=False, **options)


def told_of(summary: Summary) -> list[dict[str, str]]:
    assert summary.rejects
    return list(csv.DictReader(summary.rejects.read_text().splitlines()))


class TestUnreadBirthDates:
    @pytest.mark.parametrize("day", LOST)
    def test_p6_the_row_comes_in_with_what_it_said_kept_and_told(self, day: str, tmp_path: Path) -> None:
        summary = take_in(born(tmp_path, "1980-02-13", day))

        assert (summary.rows["created"], summary.rows["refused"], summary.counts()[COUNT]) == (2, 0, 1)
        assert Customer.objects.filter(birth_date=None).count() == 1
        assert SourceRecord.objects.get(source_key="p1").data["birth_date"] == day
        [row] = told_of(summary)
        assert (row["line"], row["column"], row["date_of_birth"]) == ("3", "birth_date", day)
        assert f"taken in without it: birth_date “{day}” was not used" in row["reason"]

    def test_the_first_is_named_and_all_are_counted_over_the_batches(self, tmp_path: Path) -> None:
        summary = take_in(born(tmp_path, "1980-02-13", *LOST), batch=2)

        assert ImportRun.objects.get().counts[COUNT] == len(LOST)
        assert summary.unread
        assert (summary.unread.line, len(told_of(summary))) == (3, len(LOST))

    @pytest.mark.parametrize("day", PASSED_OVER)
    def test_p8_nothing_is_told_of_a_blank_or_a_placeholder(self, day: str, tmp_path: Path) -> None:
        summary = take_in(born(tmp_path, day))

        assert (summary.counts()[COUNT], summary.unread, summary.rejects) == (0, None, None)

    def test_one_that_a_changed_row_brings_takes_nothing_away_and_is_told(self, tmp_path: Path) -> None:
        take_in(born(tmp_path, "1980-02-13"))
        summary = take_in(born(tmp_path, "31/31/1990"))

        assert str(Customer.objects.get().birth_date) == "1980-02-13"
        assert (summary.rows["updated"], summary.counts()[COUNT]) == (1, 1)

    def test_the_preview_counts_them_too(self, tmp_path: Path) -> None:
        take_in(born(tmp_path, "1980-02-13"))
        path = born(tmp_path, "soon", "31/31/1990")
        opened = open_file(path=path, channel="crm", mapping=[("birth_date", "date_of_birth")])

        assert preview_import(opened).counts()[COUNT] == 2
