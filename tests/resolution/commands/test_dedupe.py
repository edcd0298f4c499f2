"""manage.py dedupe: files in, clusters out; a wrong turn ends in a sentence and leaves nothing half done."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

from resolution.batch import dedupe as stages
from resolution.management.commands import dedupe as command
from tests.resolution.batch.files import ANNA, ANNA_AGAIN, BORIS, CLARA, HEADER, csv_text, stranger, write

RESULTS = {"clusters.parquet", "model.json", "pairs.parquet", "report.html", "report.json"}


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return write(tmp_path / "people.csv", ANNA, ANNA_AGAIN, BORIS, CLARA)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred strangers, the first fifty with a second record that lacks the e-mail address."""
    rows = [stranger(number) for number in range(100)]
    again = [(f"again{row[0]}", *row[1:3], "", *row[4:]) for row in rows[:50]]
    return write(tmp_path_factory.mktemp("crowd") / "crowd.csv", *rows, *again)


def dedupe(*given: object) -> Path:
    """Run the command into a folder beside its first file, or the one that is given."""
    out = given[given.index("--out") + 1] if "--out" in given else Path(str(given[0])).parent / "out"
    told = () if "--out" in given else ("--out", out)
    call_command("dedupe", *map(str, (*given, *told)))
    return Path(str(out))


def refusal(*given: object) -> str:
    with pytest.raises(CommandError) as refused:
        dedupe(*given)
    return " ".join(str(refused.value).split())


def clusters(out: Path) -> dict[str, str]:
    table = pq.read_table(out / "clusters.parquet").to_pydict()
    return dict(zip(table["id"], table["cluster_id"], strict=True))


def pairs(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / "pairs.parquet").to_pylist()
    return rows


class TestResults:
    def test_every_file_is_written_and_nothing_else(self, people: Path) -> None:
        out = dedupe(people)

        assert {path.name for path in out.iterdir()} == RESULTS
        assert clusters(out) == {"r1": "r1", "r2": "r1", "r3": "r3", "r4": "r4"}

    def test_a_pair_has_its_weight_its_levels_and_their_weights(self, people: Path) -> None:
        [pair] = pairs(dedupe(people))

        assert (pair["id_a"], pair["id_b"], pair["level_email"]) == ("r1", "r2", "exact")
        assert pair["match_probability"] > 0.99
        prior = json.loads((people.parent / "out" / "model.json").read_text())["prior"]
        total = prior + sum(value for name, value in pair.items() if name.startswith("weight_"))
        assert total == pytest.approx(pair["match_weight"], abs=1e-3)

    def test_the_guess_is_printed_and_said_in_the_report(
        self, people: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = dedupe(people)

        said = capsys.readouterr().out
        assert "first_name" in said
        assert "given_name" in said
        assert "4 records are 3 customers" in said
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
        assert report["counts"]["clusters"] == 3
        assert {"load", "block", "train", "score", "cluster", "write"} == set(report["timings"])
        assert report["peak_memory_mib"] > 0

    def test_parquet_gives_what_csv_gives(self, people: Path) -> None:
        rows = [dict(zip(HEADER, row, strict=True)) for row in (ANNA, ANNA_AGAIN, BORIS, CLARA)]
        pq.write_table(pa.Table.from_pylist(rows), people.parent / "people.parquet")

        assert clusters(dedupe(people)) == clusters(dedupe(people.parent / "people.parquet"))

    def test_results_of_another_run_are_replaced(self, people: Path) -> None:
        dedupe(people)
        again = write(people.parent / "fewer.csv", BORIS, CLARA)

        assert set(clusters(dedupe(again))) == {"r3", "r4"}

    def test_a_strange_row_is_told_and_the_rest_goes_on(self, people: Path) -> None:
        with people.open("a", encoding="utf-8") as file:
            file.write("r9,too,few\n")
        out = dedupe(people)

        assert set(clusters(out)) == {"r1", "r2", "r3", "r4"}
        assert "rejects.csv" in {path.name for path in out.iterdir()}


class TestSeveralFiles:
    def test_link_only_joins_across_files_and_never_within(self, tmp_path: Path) -> None:
        one = write(tmp_path / "one.csv", ANNA, ANNA_AGAIN, BORIS)
        two = write(tmp_path / "two.csv", ("t1", *ANNA[1:]), ("t3", *BORIS[1:]))
        found = clusters(dedupe(one, two, "--link-only"))

        assert found["t3"] == found["r3"]
        assert found["r1"] != found["r2"]
        assert found["t1"] in {found["r1"], found["r2"]}

    def test_ids_that_two_files_share_get_the_names_of_their_files(self, tmp_path: Path) -> None:
        one, two = write(tmp_path / "one.csv", ANNA, BORIS), write(tmp_path / "two.csv", ANNA, CLARA)
        found = clusters(dedupe(one, two))

        assert set(found) == {"one:r1", "one:r3", "two:r1", "two:r4"}
        assert found["two:r1"] == "one:r1"

    def test_link_only_needs_two(self, people: Path) -> None:
        assert refusal(people, "--link-only") == "--link-only needs two files or more; one was given."


class TestCopies:
    def test_many_copies_of_one_record_are_one_customer(self, tmp_path: Path) -> None:
        copies = [(f"c{number}", *ANNA[1:]) for number in range(3_000)]
        out = dedupe(write(tmp_path / "copies.csv", *copies, BORIS))

        assert len(set(clusters(out).values())) == 2
        found = pairs(out)
        assert len(found) == 2_999
        assert {pair["id_a"] for pair in found} == {"c0"}

    def test_copies_make_what_they_say_no_commoner(self, tmp_path: Path) -> None:
        path = tmp_path / "copies.csv"
        row = ",Anna,Smith,anna@smith.example,+4915123456789\n"
        path.write_text("id,first_name,last_name,email,phone\n" + "".join(f"{n}{row}" for n in range(5_000)))

        assert len(set(clusters(dedupe(path)).values())) == 1

    def test_what_many_people_could_say_joins_nobody(self, tmp_path: Path) -> None:
        path = tmp_path / "bare.csv"
        path.write_text("id,first_name,city\n" + "".join(f"{n},Anna,Berlin\n" for n in range(500)))

        assert len(set(clusters(dedupe(path)).values())) == 500

    def test_a_record_like_them_finds_its_copies(self, tmp_path: Path) -> None:
        copies = [(f"c{number}", *ANNA[1:]) for number in range(200)]
        alike = ("x", "Anna", "Smithers", "anna.smithers@post.example", "", "1980-02-13", "", "", "DE")
        found = clusters(dedupe(write(tmp_path / "copies.csv", *copies, alike, BORIS)))

        assert found["x"] == "c0"


class TestOptions:
    def test_a_model_used_again_gives_the_same_weights(self, crowd: Path) -> None:
        first = pairs(dedupe(crowd))
        again = dedupe(crowd, "--model", crowd.parent / "out" / "model.json", "--out", crowd.parent / "again")

        assert pairs(again) == first
        assert json.loads((again / "model.json").read_text())["name"] == "learnt from crowd"
        assert "a model that was given" in (again / "report.html").read_text()
        assert len(first) >= 50

    def test_keep_changes_what_is_written_and_nothing_else(self, crowd: Path) -> None:
        usual = dedupe(crowd)
        few = dedupe(crowd, "--keep", "1000", "--out", crowd.parent / "few")
        many = dedupe(crowd, "--keep", "-60", "--out", crowd.parent / "many")

        assert clusters(few) == clusters(usual) == clusters(many)
        assert pairs(few) == []
        assert len(pairs(many)) > len(pairs(usual))

    def test_a_threshold_may_be_below_nought(self, people: Path) -> None:
        assert clusters(dedupe(people, "--threshold", "-2", "--keep", "-6"))["r2"] == "r1"
        assert clusters(dedupe(people, "--threshold", "500"))["r2"] == "r2"

    def test_delimiter_and_encoding_can_be_named(self, tmp_path: Path) -> None:
        path = tmp_path / "people.csv"
        path.write_bytes("id^name\n1^Łukasz Żak\n2^Ann Low\n".encode("cp1250"))
        out = dedupe(path, "--delimiter", "^", "--encoding", "cp1250")

        assert set(clusters(out)) == {"1", "2"}
        assert json.loads((out / "report.json").read_text())["columns"][1]["example"] == "Łukasz Żak"

    def test_labels_are_learnt_from(self, crowd: Path) -> None:
        path = crowd.parent / "labels.csv"
        path.write_text("id_a,id_b,same\n" + "".join(f"p{n},againp{n},1\n" for n in range(40)))
        out = dedupe(crowd, "--labels", path, "--out", crowd.parent / "labelled")

        assert clusters(out)["againp7"] == "p7"

    def test_several_mappings_may_follow_one_option(self, tmp_path: Path) -> None:
        path = tmp_path / "odd.csv"
        path.write_text(csv_text(ANNA, ANNA_AGAIN, header=["k", *(f"c{place}" for place in range(8))]))
        out = dedupe(path, "--id", "k", "--map", "given_name=c0", "family_name=c1", "--map", "email=c2")

        assert clusters(out) == {"r1": "r1", "r2": "r1"}

    @pytest.mark.parametrize(("ids", "asked"), [(("r1", "r2"), "r1,r2"), (("a,b", "c,d"), "a,b,c,d")])
    def test_a_pair_is_explained_whatever_its_ids(
        self, tmp_path: Path, ids: tuple[str, str], asked: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = write(tmp_path / "two.csv", (ids[0], *ANNA[1:]), (ids[1], *ANNA[1:]))
        dedupe(path, "--explain", asked)

        said = capsys.readouterr().out
        assert "same mailbox" in said
        assert "one cluster" in said

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--threshold", "nan"], "--threshold is nan; a match weight such as 2.5 or -4 is wanted."),
            (["--keep", "inf"], "--keep is inf; a match weight"),
            (["--seed", "-1"], "--seed is -1; a whole number from 0 on is wanted."),
            (["--engine", "abacus"], "There is no engine 'abacus'; there is duckdb."),
            (["--encoding", "klingon"], "There is no encoding “klingon”"),
            (["--delimiter", "::"], "“::” is not one character"),
            (["--explain", "r1"], "is not two ids with a comma between"),
            (["--explain", "r1,zz"], "There is no record 'zz' to explain; ids are such as 'r1'."),
            (["--explain", "r1,r1"], "--explain names the record 'r1' twice; two records are wanted."),
            (["--map", "shoe=first_name"], "There is no field “shoe”"),
            (["--map", "email=nowhere"], "No file has a column “nowhere”"),
            (["--map", "email"], "'email' is not FIELD=COLUMN"),
            (["--id", "nowhere"], "has no column “nowhere”"),
            (["--model", "nowhere.json"], "There is no model file nowhere.json"),
            (["--labels", "nowhere.csv"], "There is no file nowhere.csv"),
            (["--labels", "l.csv", "--model", "m.json"], "leave one of them out"),
        ],
    )
    def test_what_cannot_be_is_refused(self, people: Path, options: list[str], said: str) -> None:
        assert said in refusal(people, *options)
        assert not (people.parent / "out").exists()

    @pytest.mark.parametrize("text", ["not json", "[1, 2]", '{"a": 1}'])
    def test_a_model_that_is_none_is_refused_by_name(self, people: Path, text: str) -> None:
        model = people.parent / "odd.json"
        model.write_text(text)

        assert f"{model} is no model to use" in refusal(people, "--model", model)


class TestOddInput:
    def test_an_empty_name_of_the_folder(self, people: Path) -> None:
        with pytest.raises(CommandError, match="it is empty; name a folder"):
            call_command("dedupe", str(people), "--out", "")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "is empty"),
            (csv_text(), "has no rows"),
            (csv_text(ANNA, ANNA), "holds an id more than once"),
            ("a,b\n1,2\n3,4\n", "say which is which with --map"),
        ],
    )
    def test_a_file_that_cannot_serve_is_refused(self, tmp_path: Path, text: str, said: str) -> None:
        (tmp_path / "odd.csv").write_text(text)

        assert said in refusal(tmp_path / "odd.csv")

    def test_a_missing_file_and_a_folder_are_refused(self, tmp_path: Path) -> None:
        assert "There is no file" in refusal(tmp_path / "none.csv")
        assert "is a folder" in refusal(tmp_path, "--out", tmp_path / "out")

    @pytest.mark.parametrize(
        "rows",
        [
            [ANNA],
            [("n1", *[""] * 8), ("n2", *[""] * 8)],
            [("m1", "5", "true", "NaN", "3.5", "null", "[]", "{}", "-"), ("m2", *["0"] * 8)],
            [("h1", "x" * 900_000, "Y", "z" * 900_000, "1" * 900_000, "9999999999-99-99", "", "", ""), BORIS],
        ],
        ids=["one row", "nothing filled", "mixed types", "very long"],
    )
    def test_odd_rows_are_customers_of_their_own(self, tmp_path: Path, rows: list[tuple[str, ...]]) -> None:
        found = clusters(dedupe(write(tmp_path / "odd.csv", *rows)))

        assert len(set(found.values())) == len(found)

    @pytest.mark.parametrize("ids", [[1, 2], [1.5, 2.5], [True, False], [-1, 2**63 - 1], [[1], [2]]])
    def test_ids_of_any_type_are_taken_as_text(self, tmp_path: Path, ids: list[Any]) -> None:
        columns = {
            "key": ids,
            "first_name": ["Anna"] * 2,
            "last_name": ["Smithers"] * 2,
            "email": ["a.s@p.example"] * 2,
        }
        pq.write_table(pa.table(columns), tmp_path / "typed.parquet")

        assert len(clusters(dedupe(tmp_path / "typed.parquet", "--id", "key"))) == 2


class TestStopping:
    def test_an_interrupt_ends_in_a_sentence_and_leaves_nothing(
        self, people: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*_: object, **__: object) -> None:
            signal.raise_signal(signal.SIGTERM)

        monkeypatch.setattr(command, "write_report", interrupted)
        with pytest.raises(CommandError, match=r"Stopped\. Nothing in .* was changed") as stopped:
            dedupe(people)

        assert stopped.value.returncode == 130
        assert not (people.parent / "out").exists()

    def test_a_folder_that_cannot_be_is_told_before_the_work(
        self, people: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stages, "load_files", lambda *_, **__: pytest.fail("the work began"))

        assert "cannot be written" in refusal(people, "--out", people)

    def test_too_little_memory_is_told(self, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object, **__: object) -> None:
            raise MemoryError

        monkeypatch.setattr(stages, "score_candidates", full)

        assert "not enough memory" in refusal(people)
