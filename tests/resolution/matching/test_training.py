"""A model learnt from records: the same from the same, near what was drawn, and refused where it misleads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.make_customers import make_customers
from benchmarks.shapes import census
from resolution.matching.comparisons import FIELD_LEVELS
from resolution.matching.kernel import score_rows
from resolution.matching.mixture import FEWEST_PAIRS
from resolution.matching.model import MatchModel, as_json, check_model, load_model
from resolution.matching.training import Trained, choose_by_labels, surprise, train, train_on_profiles
from resolution.types import Profile
from tests.resolution.matching.generated import SHARES, Ground, deduped, ground_of, known_people
from tests.resolution.matching.people import person

PEOPLE = 600


@pytest.fixture(scope="module")
def customers(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return ground_of(make_customers(2_000, 1, jobs=1), tmp_path_factory.mktemp("customers"))


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """Without given names little but the home is known, and it looks like one person."""
    return ground_of(census(600, 7).drop_columns(["first_name"]), tmp_path_factory.mktemp("homes"))


@pytest.fixture(scope="module")
def trained(customers: Ground) -> Trained:
    return train(customers.table, customers.candidates, base=load_model())


@pytest.fixture(scope="module")
def known() -> Trained:
    """Learnt from people whose shares are known."""
    return train_on_profiles(
        known_people(5, PEOPLE, ("telling", "constant", "random")), base=load_model(), seed=1
    )


def shares(model: MatchModel, field: str) -> Mapping[str, float]:
    return {level.name: level.m for level in model.comparisons[field]}


def exact_weight(model: MatchModel, field: str, value: str) -> float:
    """What an agreement on a value of an extra column adds."""
    return float(np.log2(model.comparisons[field][0].m / model.frequencies[field].share_of(value)))


def labels_of(ground: Ground, *, true: bool) -> list[tuple[int, int, bool]]:
    """A label for every tenth candidate pair, the truth or its opposite."""
    left, right = (rows[::10] for rows in ground.candidates.rows())
    same = ground.person[left] == ground.person[right]
    return [
        (one, other, answer is true)
        for one, other, answer in zip(left.tolist(), right.tolist(), same.tolist(), strict=True)
    ]


class TestSameSeed:
    def test_p7_gives_the_same_model_to_the_byte(self, customers: Ground, trained: Trained) -> None:
        again = train(customers.table, customers.candidates, base=load_model())
        assert json.dumps(as_json(again.model)) == json.dumps(as_json(trained.model))
        assert again.facts == trained.facts

    def test_the_model_can_be_kept(self, trained: Trained) -> None:
        assert trained.method == "trained"
        check_model(trained.model)


class TestKnownShares:
    @pytest.mark.parametrize("field", SHARES)
    def test_m_is_found_again(self, known: Trained, field: str) -> None:
        assert known.method == "trained"
        assert shares(known.model, field)["exact"] == pytest.approx(SHARES[field], abs=0.05)

    def test_u_of_a_plain_column_is_how_often_strangers_agree(self, known: Trained) -> None:
        exact = known.model.comparisons["extra:telling"][0]
        assert exact.u == pytest.approx(1 / 40, rel=0.3)
        assert exact.m == pytest.approx(0.98**2, abs=0.05)

    def test_the_prior_expects_the_pairs_there_are(self, known: Trained) -> None:
        records = 2 * PEOPLE
        expected = 2.0**known.model.prior * records * (records - 1) / 2
        assert expected == pytest.approx(PEOPLE, rel=0.15)


class TestExtraColumns:
    def test_a_telling_one_gets_weight_both_ways(self, known: Trained) -> None:
        assert exact_weight(known.model, "extra:telling", "town07x") > 4
        assert known.model.comparisons["extra:telling"][-1].weight < -3

    @pytest.mark.parametrize(("field", "value"), [("constant", "everywhere"), ("random", "cedar")])
    def test_one_that_tells_nothing_gets_next_to_none(self, known: Trained, field: str, value: str) -> None:
        assert abs(exact_weight(known.model, f"extra:{field}", value)) < 0.3

    def test_disagreeing_by_chance_says_next_to_nothing(self, known: Trained) -> None:
        assert abs(known.model.comparisons["extra:random"][-1].weight) < 0.3


class TestHouseholds:
    def test_people_of_one_home_come_apart(self, customers: Ground, trained: Trained) -> None:
        labels = deduped(trained.model, customers.table, customers.candidates).labels
        left, right = np.triu_indices(len(labels), 1)
        linked, same = labels[left] == labels[right], customers.person[left] == customers.person[right]
        housemates = ~same & (customers.home[left] == customers.home[right])
        assert housemates.sum() > 500
        assert (linked & housemates).sum() <= 0.03 * housemates.sum()
        assert (linked & same).sum() >= 0.96 * same.sum()
        assert (linked & same).sum() >= 0.96 * linked.sum()

    def test_homes_taken_for_people_are_refused(self, homes: Ground) -> None:
        found = train(homes.table, homes.candidates, base=load_model())
        assert found.method == "believed"
        [note] = found.facts["notes"]
        assert note.startswith("Learning was rejected: it came to ")
        assert "taking one home for one person" in note
        assert {field: found.model.comparisons[field] for field in FIELD_LEVELS} == dict(
            load_model().comparisons
        )
        assert found.model.frequencies["family_name"].values != load_model().frequencies["family_name"].values


class TestTooLittle:
    def test_too_few_pairs_leave_the_shipped_shares(self) -> None:
        few = known_people(2, FEWEST_PAIRS // 4)
        found = train_on_profiles(few, base=load_model())
        assert found.method == "believed"
        assert found.facts["notes"][0].startswith("There are too few candidate pairs (")
        assert found.model.comparisons == load_model().comparisons

    @pytest.mark.parametrize("records", [0, 1])
    def test_one_record_or_none(self, records: int) -> None:
        found = train_on_profiles([person("a", name="Anna Smith")] * records, base=load_model())
        assert (found.method, found.facts["rules"]) == ("believed", [])
        check_model(found.model)

    def test_records_that_say_nothing(self) -> None:
        found = train_on_profiles([Profile(f"p{row}") for row in range(200)], base=load_model())
        assert found.method == "believed"
        check_model(found.model)

    def test_records_that_say_all_the_same(self) -> None:
        same = person("a", name="Anna Smith", email="anna@x.de", phone="07700 900123")
        profiles = [replace(same, key=f"p{row}") for row in range(40)]
        check_model(train_on_profiles(profiles, base=load_model()).model)


class TestLabels:
    def test_make_the_model_less_surprised(self, customers: Ground, trained: Trained) -> None:
        labels = labels_of(customers, true=True)
        found = train(customers.table, customers.candidates, base=load_model(), labels=labels)
        assert (found.method, found.facts["labels"]) == ("labels", len(labels))
        believed, learnt = found.facts["surprise_bits"]
        assert learnt < believed
        others = [label for label in labels_at_five(customers) if label not in labels]
        assert surprise(found.model, customers.table, others) < 1.05 * surprise(
            trained.model, customers.table, others
        )

    def test_picked_for_their_looks_do_not_make_housemates_look_like_one_person(
        self, customers: Ground, trained: Trained
    ) -> None:
        """Of those that are not one person, people label the ones that look it."""
        labels = [*most_alike(customers, trained, same=False), *most_alike(customers, trained, same=True)]
        found = train(customers.table, customers.candidates, base=load_model(), labels=labels)
        assert found.method == "labels"
        for field in ("given_name", "birth_date"):
            before, after = (model.comparisons[field][0].household for model in (trained.model, found.model))
            assert after < 1.5 * before

    @pytest.mark.parametrize("same", [True, False])
    def test_of_one_answer_alone_move_nothing(self, customers: Ground, trained: Trained, same: bool) -> None:
        labels = most_alike(customers, trained, same=same)
        found = train(customers.table, customers.candidates, base=load_model(), labels=labels)
        assert found.model.comparisons == trained.model.comparisons

    def test_picked_by_answer_do_not_reject_what_fits_one_of_them_better(
        self, customers: Ground, trained: Trained
    ) -> None:
        """A model readier to link loses on no and wins on yes, whatever their numbers."""
        readier = replace(trained.model, prior=trained.model.prior + 0.2)
        wrong, right = (most_alike(customers, trained, same=same) for same in (False, True))
        labels = [*wrong[50:], *right]
        found = choose_by_labels(trained.model, readier, customers.table, labels, {})
        assert found is not None
        believed, learnt = found.facts["surprise_bits"]
        assert believed < learnt
        assert found.method == "labels"

    def test_that_say_the_opposite_of_the_records_are_left_aside(
        self, customers: Ground, trained: Trained
    ) -> None:
        labels = labels_of(customers, true=False)
        found = train(customers.table, customers.candidates, base=load_model(), labels=labels)
        assert as_json(found.model) == as_json(trained.model)
        assert (found.method, found.facts["notes"][0][:26]) == ("trained", "The labels were left aside")

    def test_that_fit_the_shipped_shares_better_reject_what_was_learnt(self, homes: Ground) -> None:
        """A model that takes a home for a person is surprised by answers that tell housemates apart."""
        left, right = homes.candidates.rows()
        housemates = (homes.home[left] == homes.home[right]) & (homes.person[left] != homes.person[right])
        places = np.flatnonzero(housemates)[:120:40]
        labels = [(int(left[place]), int(right[place]), False) for place in places]
        shipped = load_model()
        credulous = replace(shipped, prior=shipped.prior + 12)
        found = choose_by_labels(shipped, credulous, homes.table, labels, {})
        assert found is not None
        believed, learnt = found.facts["surprise_bits"]
        assert believed < learnt
        assert found.method == "believed"
        assert found.facts["notes"][0].startswith("Learning was rejected: the labels fit")

    def test_of_keys_nobody_has_are_left_out(self) -> None:
        people = known_people(3, 60)
        found = train_on_profiles(people, base=load_model(), labels=[("0.0", "nobody", True)])
        assert "labels" not in found.facts


def labels_at_five(ground: Ground) -> list[tuple[int, int, bool]]:
    left, right = (rows[5::10] for rows in ground.candidates.rows())
    same = ground.person[left] == ground.person[right]
    return list(zip(left.tolist(), right.tolist(), same.tolist(), strict=True))


def most_alike(ground: Ground, trained: Trained, *, same: bool) -> list[tuple[int, int, bool]]:
    """Labels of the sixty candidate pairs of one answer that look most like one person."""
    left, right = ground.candidates.rows()
    wanted = (ground.person[left] == ground.person[right]) == same
    left, right = left[wanted], right[wanted]
    weight = np.concatenate([part.weight for part in score_rows(trained.model, ground.table, left, right)])
    picked = np.argsort(-weight, kind="stable")[:60]
    return [
        (one, other, same) for one, other in zip(left[picked].tolist(), right[picked].tolist(), strict=True)
    ]
