"""manage.py import_customers: what it says, and what it refuses."""

from __future__ import annotations

import signal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

from customers.models import Customer
from resolution.management.commands import import_customers as command
from resolution.models import ImportRun
from tests.factories import ChannelFactory
from tests.resolution.batch.files import ANNA, ANNA_AGAIN, BORIS, csv_text, write

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _channel(settings: object, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path / "var"  # type: ignore[attr-defined]
    ChannelFactory(code="crm", default_region="DE")


def say(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    call_command("import_customers", *map(str, arguments), "--channel", "crm")
    return " ".join(capsys.readouterr().out.split())


class TestSays:
    def test_how_it_reads_the_columns_and_what_it_did(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        said = say(capsys, write(tmp_path / "a.csv", ANNA, ANNA_AGAIN, BORIS, ("ragged",)))

        assert "│ first_name │ given_name │ name │ Anna │" in said
        assert "│ rows read │ 4" in said
        assert "│ new customers │ 3" in said
        assert "│ refused │ 1" in said
        assert "│ linked at once │ 1" in said
        assert "line 5: 1 values where 9 columns are" in said
        assert "Refused rows are in" in said

    def test_birth_dates_it_could_not_read(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        unread = ("r9", "Zoe", "Quux", "zoe@quux.example", "", "31/31/1990", "Rome", "00100", "IT")
        said = say(capsys, write(tmp_path / "a.csv", ANNA, unread, BORIS))

        assert "│ refused │ 0" in said
        assert "│ birth dates not read │ 1" in said
        assert "line 3, column birth_date: taken in without it: birth_date “31/31/1990” was not used" in said
        assert "Refused rows and birth dates not read are in" in said

    def test_what_would_happen_on_a_dry_run(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        said = say(capsys, write(tmp_path / "a.csv", ANNA, BORIS), "--dry-run")

        assert "Would happen" in said
        assert "│ new customers │ 2" in said
        assert not Customer.objects.exists()

    def test_control_characters_of_a_file_by_their_names(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "a\x1b[2J.csv"
        path.write_text("name,email,\x1b]0;owned\x07\nAn\x1b[31mna,a@b.example,x\u202ey\n")

        call_command("import_customers", str(path), "--channel", "crm", "--dry-run")
        said = capsys.readouterr().out

        assert not {"\x1b", "\x07", "\u202e"} & {*said}
        assert "An\\x1b[31mna" in said
        assert "a\\x1b[2J.csv" in said

    def test_nothing_new_for_the_same_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = write(tmp_path / "a.csv", ANNA, BORIS)
        say(capsys, path)

        assert "│ unchanged │ 2" in say(capsys, path)


class TestTakes:
    def test_a_semicolon_file_in_utf_16(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "a.csv"
        path.write_bytes(csv_text(ANNA, BORIS, delimiter=";").encode("utf-16"))

        say(capsys, path)

        assert set(Customer.objects.values_list("given_name", flat=True)) == {"Anna", "Boris"}

    def test_a_parquet_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "a.parquet"
        people = {"id": [1, 2], "fname": ["Anna", "Bo"], "mail": ["a@b.example", None]}
        pq.write_table(pa.table(people), path)

        say(capsys, path)

        assert dict(Customer.objects.values_list("given_name", "email")) == {"Anna": "a@b.example", "Bo": ""}

    def test_columns_by_map(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "a.csv"
        path.write_text("A,B,C\nAnna,Smithers,x\n")

        say(capsys, path, "--map", "given_name=A", "--map", "family_name=B")

        assert Customer.objects.get().display_name == "Anna Smithers"

    def test_rejects_where_it_is_told(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        rejects = tmp_path / "elsewhere" / "bad.csv"

        say(capsys, write(tmp_path / "a.csv", ANNA, ("ragged",)), "--rejects", rejects)

        assert "1 values where 9 columns are" in rejects.read_text()


class TestRefuses:
    """Each in one sentence, with nothing written; a CommandError ends the process with status 1."""

    @pytest.fixture
    def parquet(self, tmp_path: Path) -> Path:
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table({"contact": ["a@b.example"], "town": ["Berlin"]}), path)
        return path

    def _refused(self, *arguments: object) -> str:
        with pytest.raises(CommandError) as refusal:
            call_command("import_customers", *map(str, arguments))
        assert refusal.value.returncode == 1
        assert not Customer.objects.exists()
        assert not ImportRun.objects.exists()
        return str(refusal.value)

    def test_an_unknown_channel(self, tmp_path: Path) -> None:
        said = self._refused(write(tmp_path / "a.csv", ANNA), "--channel", "fax")

        assert said == "There is no channel “fax”. Known channels: crm."

    def test_a_parquet_without_the_named_column(self, parquet: Path) -> None:
        said = self._refused(parquet, "--channel", "crm", "--map", "email=mail")

        assert said == "The file has no column “mail” for email; its columns are contact, town."

    def test_a_map_to_an_unknown_field(self, parquet: Path) -> None:
        said = self._refused(parquet, "--channel", "crm", "--map", "shoe_size=town")

        assert said.startswith("There is no field “shoe_size” to map to; the fields are record_id,")

    def test_a_map_without_an_equals_sign(self, parquet: Path) -> None:
        assert "is not FIELD=COLUMN" in self._refused(parquet, "--channel", "crm", "--map", "email")

    def test_an_empty_file(self, tmp_path: Path) -> None:
        path = tmp_path / "empty.csv"
        path.touch()

        assert self._refused(path, "--channel", "crm").endswith(
            "is empty; a file with a header and rows is wanted."
        )

    def test_a_header_alone(self, tmp_path: Path) -> None:
        said = self._refused(write(tmp_path / "a.csv"), "--channel", "crm")

        assert said.endswith("holds a header and no rows; there is nothing to import.")

    def test_a_folder(self, tmp_path: Path) -> None:
        assert "is a folder" in self._refused(tmp_path, "--channel", "crm")

    def test_two_columns_of_one_name(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text("email,email\na@b.example,c@d.example\n")

        assert "a.csv names “email” twice" in self._refused(path, "--channel", "crm")

    def test_a_batch_of_no_rows(self, parquet: Path) -> None:
        assert "not a number of rows" in self._refused(parquet, "--channel", "crm", "--batch", "0")


class TestRejects:
    def test_never_go_over_the_file_that_is_imported(self, tmp_path: Path) -> None:
        file = write(tmp_path / "a.csv", ANNA, ("ragged",))
        before = file.read_text()
        with pytest.raises(CommandError, match="which is being imported; name another file"):
            call_command("import_customers", str(file), "--channel", "crm", "--rejects", str(file))
        assert file.read_text() == before
        assert not ImportRun.objects.exists()

    def test_that_cannot_be_written_are_told_so(self, tmp_path: Path) -> None:
        file = write(tmp_path / "a.csv", ANNA, ("ragged",))
        with pytest.raises(CommandError, match="cannot be written"):
            call_command("import_customers", str(file), "--channel", "crm", "--rejects", str(tmp_path))


class TestStopped:
    @pytest.mark.parametrize(
        ("options", "sentence"),
        [((), "the same command goes on from there"), (("--dry-run",), "Nothing was changed")],
    )
    def test_ends_with_a_sentence(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], sentence: str
    ) -> None:
        def interrupted(*given: object, **options: object) -> None:
            signal.raise_signal(signal.SIGTERM)

        monkeypatch.setattr(command, "_run", interrupted)
        file = write(tmp_path / "a.csv", ANNA)

        with pytest.raises(CommandError, match=sentence) as stopped:
            call_command("import_customers", str(file), "--channel", "crm", *options)

        assert stopped.value.returncode == 130
