"""Which merges need a second person: a reason for each rule, none when no rule applies."""

from __future__ import annotations

from typing import Any

import pytest

from resolution.services.second_person import Circumstances, Rules, circumstances_of, needs_second_person
from tests.resolution.services.test_merge_plan import facts, plan

BY_RULE = Rules(everything=False)
OFF = Rules(everything=False, hard_conflict=False, typed_value=False, many_records=None, vip="", bulk=False)


def rules_named(merge: Circumstances, rules: Rules = BY_RULE) -> list[str]:
    return [reason.rule for reason in needs_second_person(merge, rules)]


class TestNeedsSecondPerson:
    def test_a_plain_merge_passes(self) -> None:
        assert rules_named(Circumstances(records=49)) == []

    @pytest.mark.parametrize(
        ("merge", "rule", "sentence"),
        [
            ({"hard_conflict": True}, "hard_conflict", "contradicts their being one"),
            ({"typed": ("birth_date", "city")}, "typed_value", "Typed by hand: birth date, city."),
            ({"records": 1_250}, "many_records", "1,250 records move; from 50 on"),
            ({"marks": ("blocked", "vip")}, "vip", "marked “vip”"),
            ({"bulk": True}, "bulk", "together with others"),
        ],
    )
    def test_each_rule_gives_its_reason_and_none_when_it_is_off(
        self, merge: dict[str, Any], rule: str, sentence: str
    ) -> None:
        [reason] = needs_second_person(Circumstances(**merge), BY_RULE)
        assert (reason.rule, sentence in reason.sentence) == (rule, True)
        assert rules_named(Circumstances(**merge), OFF) == []

    def test_everything_is_a_reason_of_its_own_beside_the_others(self) -> None:
        assert rules_named(Circumstances(), Rules()) == ["everything"]
        assert rules_named(Circumstances(bulk=True), Rules()) == ["everything", "bulk"]


class TestCircumstances:
    def test_come_from_the_plan_and_its_members(self) -> None:
        anna = facts("a", interactions=3, attributes={"vip": True, "blocked": "no", "tier": ""})
        ann = facts("b", interactions=2, attributes={"vip": False})
        made = plan(anna, ann, survivor_id="a", picks={"city": {"typed": "Ulm"}})
        merge = circumstances_of(made, [anna, ann], hard_conflict=True)
        assert merge == Circumstances(True, ("city",), 2, ("vip",))

    def test_are_read_as_they_were_stored(self) -> None:
        merge = Circumstances(True, ("city",), 7, ("vip",), True)
        assert Circumstances.read(merge.stored()) == merge
