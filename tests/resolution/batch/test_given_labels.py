"""Labels an analyst brings: pairs or clusters, in the words people use; what is of no use is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resolution.batch.given_labels import Labels, read_labels
from resolution.errors import InvalidInput

IDS = ["a", "b", "c"]
CANDIDATES = np.array([0, 0, 1]), np.array([1, 2, 2])


def read(tmp_path: Path, text: str) -> Labels:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return read_labels(path, IDS, CANDIDATES)


class TestLabels:
    @pytest.mark.parametrize("word", ["1", "true", "YES", "same", "match", "1.0"])
    def test_yes_is_said_in_many_words(self, tmp_path: Path, word: str) -> None:
        assert read(tmp_path, f"id_a,id_b,same\na,b,{word}\n") == [(0, 1, True)]

    @pytest.mark.parametrize("word", ["0", "False", "no", "different", "distinct"])
    def test_so_is_no(self, tmp_path: Path, word: str) -> None:
        assert read(tmp_path, f"id_a,id_b,same\na,b,{word}\n") == [(0, 1, False)]

    def test_of_clusters_the_compared_pairs_are_labels(self, tmp_path: Path) -> None:
        found = read(tmp_path, "record_id,cluster_id\na,x\nb,x\nc,y\n")

        assert found == [(0, 1, True), (0, 2, False), (1, 2, False)]

    def test_labels_of_other_records_are_passed_over(self, tmp_path: Path) -> None:
        assert read(tmp_path, "id_a,id_b,same\na,zz,1\na,c,1\nb,b,1\n") == [(0, 2, True)]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("x,y\n1,2\n", "has the columns x, y; labels need id_a, id_b and same"),
            ("id_a,id_b,same\na,b,perhaps\n", "says 'perhaps'; 1 .one person. or 0"),
            ("id_a,id_b,same\nq,r,1\n", "None of the 1 labels"),
            ("record_id,cluster_id\na,x\n", "two records that were compared"),
        ],
    )
    def test_what_is_of_no_use_is_refused(self, tmp_path: Path, text: str, said: str) -> None:
        with pytest.raises(InvalidInput, match=said):
            read(tmp_path, text)
