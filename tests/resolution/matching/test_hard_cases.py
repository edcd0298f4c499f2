"""The cases that matchers are known to fail on, through the whole file engine, among a crowd of customers."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest

from resolution.matching.blocking import MAX_BLOCK
from resolution.matching.candidates import candidate_pairs
from resolution.matching.decide import Policy
from resolution.matching.groups import cluster_rows
from resolution.matching.kernel import score_pair
from resolution.matching.model import MatchModel, load_model
from resolution.matching.table import table_of
from resolution.matching.thresholds import choose_threshold
from resolution.matching.training import train
from resolution.types import Profile
from tests.resolution.matching.generated import crowd_of, known_people, scored
from tests.resolution.matching.people import person

HOME = {"address": "12 High St", "city": "Newton", "postcode": "CA19 8GX", "phone": "020 7946 0123"}
BORN = {"birth_date": "1980-02-03"}
MAIL = {"email": "a.quux84@x.de"}
CROWD = 1_200


@dataclass(frozen=True)
class Engine:
    """A model learnt from a crowd and a firm of it, and the threshold chosen there."""

    staff: list[Profile]
    model: MatchModel
    threshold: float

    def clusters_of(self, profiles: list[Profile]) -> list[set[str]]:
        """The clusters of several that profiles come to."""
        table = table_of(profiles)
        links = scored(self.model, table, candidate_pairs(table))
        labels = cluster_rows(self.model, table, links, self.threshold).labels
        return [
            {profiles[row].key for row in np.flatnonzero(labels == label)}
            for label in np.flatnonzero(np.bincount(labels) > 1)
        ]

    def come_together(self, *records: dict[str, str]) -> bool:
        """Whether records end in one cluster, all of them."""
        profiles = [person(f"r{place}", **record) for place, record in enumerate(records)]
        return self.clusters_of(profiles) == [{profile.key for profile in profiles}]

    def are_certain(self, one: dict[str, str], other: dict[str, str]) -> bool:
        """Whether policy would link two records without a person."""
        left, right = person("one", **one), person("other", **other)
        return score_pair(self.model, left, right).weight >= Policy().sample


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    crowd = crowd_of(CROWD, 5, tmp_path_factory.mktemp("crowd"))
    names = {name.family: name.given for profile in crowd for name in profile.names if name.given}
    staff = [
        person(f"s{place}", name=f"{given} {family}", phone="020 7946 0999", company="Foods Ltd")
        for place, (family, given) in enumerate(sorted(names.items())[:560:8])
    ]
    table = table_of([*staff, *crowd])
    candidates = candidate_pairs(table)
    model = train(table, candidates, base=load_model()).model
    chosen = choose_threshold(scored(model, table, candidates).weight)
    assert chosen is not None
    return Engine(staff, model, chosen.weight)


class TestDifferentPeople:
    def test_seventy_at_one_switchboard(self, engine: Engine) -> None:
        assert len(engine.staff) == 70
        assert engine.clusters_of(engine.staff) == []

    def test_blank_names(self, engine: Engine) -> None:
        blank = [
            person(f"b{place}", name=text) for place, text in enumerate(("", " ", "-", "N/A", "Test", ""))
        ]
        assert engine.clusters_of(blank) == []

    def test_strangers_with_a_mailbox_that_is_nobodys(self, engine: Engine) -> None:
        names = ("Anna Smith", "Peter Jones", "Ulla Berg", "Boris Kahn")
        assert engine.clusters_of([person(name, name=name, email="test@test.com") for name in names]) == []

    def test_twins_of_one_home_are_a_question_at_most(self, engine: Engine) -> None:
        twins = {"family_name": "Quux", **HOME, **BORN}
        assert not engine.are_certain({**twins, "given_name": "Anna"}, {**twins, "given_name": "Peter"})

    def test_father_and_son_of_one_name_are_a_question_at_most(self, engine: Engine) -> None:
        both = {"name": "John Smith", **HOME}
        assert not engine.are_certain(
            {**both, "birth_date": "1950-06-17"}, {**both, "birth_date": "1984-11-02"}
        )

    def test_a_couple_of_one_home_and_phone(self, engine: Engine) -> None:
        anna = {"name": "Anna Quux", "birth_date": "1980-02-03", **HOME}
        assert not engine.come_together(anna, {"name": "Peter Quux", "birth_date": "1978-11-20", **HOME})

    def test_people_who_had_one_phone_after_another(self, engine: Engine) -> None:
        number = {"phone": "07700 900123"}
        before = person("before", name="Anna Quux", city="Leeds", birth_date="1950-06-17", **number)
        after = person("after", name="Peter Zeller", city="Bath", birth_date="1984-11-02", **number)
        assert engine.clusters_of([before, after]) == []

    def test_namesakes_in_two_towns(self, engine: Engine) -> None:
        one = {"name": "John Smith", "city": "Leeds", "phone": "07700 900123", "birth_date": "1950-06-17"}
        other = {"name": "John Smith", "city": "Bath", "phone": "07700 911999", "birth_date": "1984-11-02"}
        assert not engine.come_together(one, other)


class TestOnePerson:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (
                {"given_name": "Zoltan", "family_name": "Quux"},
                {"given_name": "Quux", "family_name": "Zoltan"},
            ),
            ({"name": "Bob Quux"}, {"name": "Robert Quux"}),
            ({"name": "Юстин Игнатов"}, {"name": "Yustin Ignatov"}),
            ({"name": "Ирина Щукина"}, {"name": "Irina Shchukina"}),
            ({"name": "山田太郎"}, {"name": "山田太郎"}),
            ({"name": "Maria Garcia Lopez"}, {"name": "Maria Garcia"}),
            ({"name": "Anna Quux-Zeller"}, {"name": "Anna Zeller"}),
            ({"name": "Anna van der Quux"}, {"name": "Anna Vanderquux"}),
            ({"name": "Jürgen Müßig"}, {"name": "Juergen Muessig"}),
        ],
        ids=lambda record: "-".join(record.values()),
    )
    def test_under_two_names(self, engine: Engine, one: dict[str, str], other: dict[str, str]) -> None:
        assert engine.come_together({**one, **BORN, **MAIL}, {**other, **BORN, **MAIL})

    def test_day_and_month_swapped(self, engine: Engine) -> None:
        same = {"name": "Zoltan Quux", **MAIL}
        assert engine.come_together(
            {**same, "birth_date": "1980-02-03"}, {**same, "birth_date": "1980-03-02"}
        )

    def test_father_and_son_of_one_name_without_birth_dates_cannot_be_told_apart(
        self, engine: Engine
    ) -> None:
        """All that is known of both is the same: nothing speaks for two people."""
        assert engine.come_together(
            {"name": "Zoltan Quux", **HOME, **MAIL}, {"name": "Zoltan Quux", **HOME, **MAIL}
        )

    def test_who_moved_and_kept_phone_and_birth_date(self, engine: Engine) -> None:
        same = {"name": "Zoltan Quux", "phone": "07700 900123", **BORN}
        assert engine.come_together({**same, "city": "Leeds"}, {**same, "city": "Bath"})


class TestGiantBlock:
    def test_ten_thousand_records_of_one_value_cost_next_to_nothing(self) -> None:
        """Neither the 50 million pairs they could make nor anything of that size is ever held."""
        shared = {"phones": ("+442079460999",), "emails": ("office@firm.example",)}
        table = table_of([Profile(f"p{row}", **shared) for row in range(10_000)])
        tracemalloc.start()
        begun = time.perf_counter()
        found = candidate_pairs(table)
        took, (_, peak) = time.perf_counter() - begun, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(found.pairs) == 0
        assert took < 5
        assert peak < 50_000_000
        [phone] = [entry for entry in found.joined if entry.tokens == ("phone",)]
        assert (phone.largest, phone.refined_rows) == (10_000, 10_000)

    def test_finer_keys_still_bring_the_likeliest_together(self, engine: Engine) -> None:
        shared = {"phones": ("+442079460999",)}
        people = [
            Profile(profile.key, names=profile.names, birth_dates=profile.birth_dates, **shared)
            for profile in known_people(4, MAX_BLOCK)
        ]
        together = [
            keys for keys in engine.clusters_of(people) if len({key.split(".")[0] for key in keys}) == 1
        ]
        assert len(together) > 0.7 * MAX_BLOCK
