"""manage.py evaluate: what it says of clusters and pairs, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

CLUSTERS: dict[str, list[object]] = {"id": [1, 2, 3, 4, 5], "cluster_id": ["x", "x", "y", "y", "z"]}
TRUTH: dict[str, list[object]] = {"record_id": ["5", "4", "3", "2", "1"], "true_cluster": [2, 2, 1, 1, 1]}
PAIRS: dict[str, list[object]] = {
    "id_a": [1, 3, 2, 5],
    "id_b": [2, 4, 3, 1],
    "match_weight": [9.5, 7.0, 2.0, -1.0],
    "band": ["auto", "auto", "review", "review"],
}


def parquet(path: Path, columns: dict[str, list[object]]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def csv(path: Path, columns: dict[str, list[object]]) -> Path:
    rows = [columns, *zip(*columns.values(), strict=True)]
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


@pytest.fixture
def clusters(tmp_path: Path) -> Path:
    return parquet(tmp_path / "clusters.parquet", CLUSTERS)


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    return csv(tmp_path / "truth.csv", TRUTH)


def say(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    call_command("evaluate", *map(str, arguments))
    return " ".join(capsys.readouterr().out.split())


def refusal(*arguments: object) -> str:
    with pytest.raises(CommandError) as refused:
        call_command("evaluate", *map(str, arguments))
    return str(refused.value)


class TestClusters:
    def test_figures_are_those_worked_out_by_hand(
        self, capsys: pytest.CaptureFixture[str], clusters: Path, truth: Path
    ) -> None:
        said = say(capsys, clusters, truth)

        assert "Clusters of 5 records" in said
        assert "│ pairwise │ 0.5000 │ 0.2500 │ 0.3333 │ 1 │ 2 │ 4 │" in said
        assert "│ B-cubed │ 0.8000 │ 0.5333 │ 0.6400 │" in said

    def test_columns_can_be_named(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        found = csv(tmp_path / "a.csv", {"key": [1, 2], "grp": ["a", "a"]})
        true = parquet(tmp_path / "b.parquet", {"who": [1.0, 2.0], "person": ["a", "a"]})
        options = ("--id", "key", "--cluster", "grp", "--truth-id", "who", "--truth-cluster", "person")

        assert "│ pairwise │ 1.0000 │ 1.0000 │ 1.0000 │" in say(capsys, found, true, *options)

    def test_ids_of_any_type_compare_as_text(
        self, capsys: pytest.CaptureFixture[str], clusters: Path, tmp_path: Path
    ) -> None:
        floats = {"id": [1.0, 2.0, 3.0, 4.0, 5.0], "cluster_id": CLUSTERS["cluster_id"]}
        assert "│ 1.0000 │ 1.0000 │ 1.0000 │" in say(
            capsys, clusters, parquet(tmp_path / "t.parquet", floats)
        )


class TestPairs:
    def test_each_band_and_the_best_threshold(
        self, capsys: pytest.CaptureFixture[str], clusters: Path, truth: Path, tmp_path: Path
    ) -> None:
        said = say(capsys, clusters, truth, "--pairs", parquet(tmp_path / "pairs.parquet", PAIRS))

        assert "│ auto │ 2 │ 1 │ 0.5000 │ 0.2500 │" in said
        assert "│ review │ 2 │ 1 │ 0.5000 │ 0.2500 │" in said
        assert "│ +2.00 │ 0.6667 │ 0.5000 │ 0.5714 │" in said

    def test_no_pairs_at_all(
        self, capsys: pytest.CaptureFixture[str], clusters: Path, truth: Path, tmp_path: Path
    ) -> None:
        none = tmp_path / "pairs.csv"
        none.write_text("id_a,id_b,match_weight,band\n")
        assert "Best single threshold" in say(capsys, clusters, truth, "--pairs", none)

    def test_a_stranger_is_refused(self, clusters: Path, truth: Path, tmp_path: Path) -> None:
        strange = parquet(tmp_path / "pairs.parquet", PAIRS | {"id_b": [2, 4, 77, 1]})
        assert "names 1 record (77) that the labelled files do not" in refusal(
            clusters, truth, "--pairs", strange
        )

    @pytest.mark.parametrize(
        ("weights", "words"),
        [
            (["9.5", "much", "2", "1"], "must hold numbers"),
            ([9.5, None, 2.0, 1.0], "holds no number in 1 of 4 rows"),
        ],
    )
    def test_weights_that_are_no_numbers_are_refused(
        self, clusters: Path, truth: Path, tmp_path: Path, weights: list[object], words: str
    ) -> None:
        strange = parquet(tmp_path / "pairs.parquet", PAIRS | {"match_weight": weights})
        assert words in refusal(clusters, truth, "--pairs", strange)


class TestRefusals:
    def test_a_missing_file(self, clusters: Path, tmp_path: Path) -> None:
        assert "There is no file" in refusal(clusters, tmp_path / "none.csv")

    def test_a_broken_file(self, clusters: Path, truth: Path, tmp_path: Path) -> None:
        broken = tmp_path / "broken.parquet"
        broken.write_bytes(clusters.read_bytes()[:-20])
        assert "is a broken Parquet file" in refusal(broken, truth)

    def test_a_row_with_too_many_values(self, clusters: Path, tmp_path: Path) -> None:
        torn = tmp_path / "torn.csv"
        torn.write_text("record_id,true_cluster\n1,a\n2,b,c\n")
        assert "line 3: 3 values where 2 columns are" in refusal(clusters, torn)

    def test_a_missing_column(self, clusters: Path, truth: Path, tmp_path: Path) -> None:
        assert "has no column who; its columns are id, cluster_id" in refusal(clusters, truth, "--id", "who")
        other = parquet(tmp_path / "o.parquet", {"id": [1], "who": [2]})
        assert "has no column true_cluster or cluster_id" in refusal(clusters, other)

    def test_records_that_only_one_file_names(self, clusters: Path, tmp_path: Path) -> None:
        other = csv(tmp_path / "t.csv", {"id": [1, 2, 9], "true_cluster": [1, 1, 2]})

        said = refusal(clusters, other)

        assert "t.csv names 1 record (9) that" in said
        assert "clusters.parquet names 3 records (3, 4, 5) that" in said
        assert said.endswith("both files must name the same records.")

    def test_an_id_that_stands_twice(self, clusters: Path, tmp_path: Path) -> None:
        twice = csv(tmp_path / "t.csv", {"id": [1, 1], "true_cluster": [1, 2]})
        assert "names 1 record (1) several times" in refusal(clusters, twice)

    def test_an_id_that_is_blank(self, clusters: Path, tmp_path: Path) -> None:
        blank = parquet(tmp_path / "t.parquet", {"id": [1, None], "true_cluster": [1, 2]})
        assert "Column id of" in refusal(clusters, blank)
        assert "is empty in 1 of 2 rows" in refusal(clusters, blank)

    def test_ids_that_are_no_text(self, clusters: Path, tmp_path: Path) -> None:
        nested = parquet(tmp_path / "t.parquet", {"id": [[1], [2]], "true_cluster": [1, 2]})
        assert "cannot be compared as text" in refusal(clusters, nested)


class TestBesideOneAnother:
    def test_the_pairs_of_the_run_are_judged_too(
        self, capsys: pytest.CaptureFixture[str], clusters: Path, truth: Path
    ) -> None:
        assert "Pairs by band" not in say(capsys, clusters, truth)
        parquet(clusters.with_name("pairs.parquet"), PAIRS)

        assert "Pairs by band" in say(capsys, clusters, truth)
