"""The model artefact: it survives a round trip, and a broken one is refused by the name of what is wrong."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from resolution.matching.comparisons import FIELD_LEVELS
from resolution.matching.kernel import score_pair
from resolution.matching.model import ModelRefused, as_json, from_json, load_model, save_model
from tests.resolution.matching.people import person


@pytest.fixture
def artefact() -> dict[str, Any]:
    """The shipped model as plain data, free to be broken."""
    return copy.deepcopy(as_json(load_model()))


def broken(artefact: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Put a value at "a.b.c"."""
    *way, last = path.split(".")
    inner = artefact
    for step in way:
        inner = inner[step]
    inner[last] = value
    return artefact


class TestShippedModel:
    def test_has_every_comparison_and_weighs_agreement_above_disagreement(self) -> None:
        model = load_model()
        assert model.comparisons.keys() == FIELD_LEVELS.keys()
        for levels in model.comparisons.values():
            assert levels[0].weight > 0 > levels[-1].weight

    def test_a_common_name_says_less_than_a_rare_one(self) -> None:
        table = load_model().frequencies["family_name"]
        assert table.share_of("smith") > table.share_of("zimmermann") > table.share_of("zygmuntowski") / 2
        assert table.share_of("zygmuntowski") >= table.floor

    def test_another_given_name_is_strong_evidence_against(self) -> None:
        different = load_model().comparisons["given_name"][-1]
        assert different.weight < -4
        assert different.weight < different.household_weight


class TestRoundTrip:
    def test_p7_a_saved_model_scores_the_same(self, tmp_path: Path) -> None:
        model = load_model()
        save_model(model, tmp_path / "model.json")
        again = load_model(tmp_path / "model.json")
        left, right = (
            person("a", name="Anna Smith", email="a@x.de"),
            person("b", name="Ann Smith", email="a@x.de"),
        )
        assert as_json(again) == as_json(model)
        assert score_pair(again, left, right) == score_pair(model, left, right)

    def test_a_database_row_may_hold_it(self) -> None:
        data = json.loads(json.dumps(as_json(load_model())))
        assert as_json(from_json(data)) == data


class TestRefusals:
    @pytest.mark.parametrize(
        ("path", "value", "message"),
        [
            ("format", 2, "model.format is 2; this version reads format 1"),
            ("name", "", "model.name and model.version must not be blank"),
            ("version", 3, "model.version is 3; a text is wanted"),
            ("prior", 1.0, "model.prior is 1.0; log2 odds below 0"),
            ("prior", "low", "model.prior is 'low'; a finite number"),
            ("household_prior", True, "model.household_prior is True; a finite number"),
            ("exclusive_systems", "crm", "model.exclusive_systems is 'crm'; a list of texts"),
            ("comparisons", [], "model.comparisons is list; an object"),
            ("comparisons.email.exact", [0.5, 0.1], "model.comparisons.email.exact is .*; three numbers"),
            ("comparisons.email.exact", [0.5, 0, 0.1], "model.comparisons.email.exact must have m, u"),
            ("comparisons.email.exact", [0.9, 0.1, 0.1], "model.comparisons.email has levels whose m add up"),
            ("comparisons.email.exact", [float("nan"), 0.1, 0.1], "model.comparisons.email.exact is nan"),
            ("comparisons.phone", {}, "model.comparisons.phone must have the levels exact, national, close"),
            ("comparisons.shoe_size", {}, "model.comparisons.shoe_size is no comparison"),
            ("frequencies.given_name.floor", 0, "model.frequencies.given_name must have a floor"),
            ("frequencies.given_name.values.anna", 7, "model.frequencies.given_name.values.anna is 7"),
        ],
    )
    def test_name_the_field(self, artefact: dict[str, Any], path: str, value: object, message: str) -> None:
        with pytest.raises(ModelRefused, match=message):
            from_json(broken(artefact, path, value))

    @pytest.mark.parametrize("path", ["name", "comparisons", "frequencies", "prior"])
    def test_name_what_is_missing(self, artefact: dict[str, Any], path: str) -> None:
        del artefact[path]
        with pytest.raises(ModelRefused, match=f"model.{path} is missing"):
            from_json(artefact)

    def test_name_a_comparison_that_is_missing(self, artefact: dict[str, Any]) -> None:
        del artefact["comparisons"]["phone"]
        with pytest.raises(ModelRefused, match=r"model\.comparisons\.phone must have the levels"):
            from_json(artefact)

    @pytest.mark.parametrize("text", ["", "{", "[1]", "\udcff"])
    def test_name_the_file_or_its_content(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "broken.json"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(ModelRefused, match=r"broken\.json|model is list"):
            load_model(path)

    def test_name_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ModelRefused, match=r"none\.json cannot be read"):
            load_model(tmp_path / "none.json")
