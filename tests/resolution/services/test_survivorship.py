"""Which value a field keeps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from resolution.services.survivorship import ADDRESS, TYPED, Candidate, Pick, choose, choose_address
from resolution.types import FieldChoice

OLD, NEW = datetime(2020, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)


def one(customer: str, value: str, **facts: object) -> Candidate:
    return Candidate(customer, value, **{"fullness": len(value), **facts})


class TestChoose:
    def test_takes_the_only_value_there_is(self) -> None:
        choice = choose("email", [one("a", ""), one("b", "b@x.org")], survivor="a")
        assert (choice.value, choice.source, choice.rule, choice.before) == ("b@x.org", "b", "only", "")

    def test_an_empty_value_never_wins_even_when_newer_and_more_trusted(self) -> None:
        blank = one("a", "", trust=100, seen_at=NEW, verified=True)
        assert choose("email", [blank, one("b", "b@x.org", seen_at=OLD)], survivor="a").value == "b@x.org"

    def test_nobody_having_a_value_leaves_it_empty(self) -> None:
        choice = choose("email", [one("a", ""), one("b", "")], survivor="a")
        assert (choice.value, choice.source, choice.rule) == ("", "a", "empty")

    def test_equal_values_are_the_survivors_own(self) -> None:
        choice = choose("city", [one("a", "Bonn", seen_at=NEW), one("b", "Bonn", seen_at=OLD)], survivor="b")
        assert (choice.source, choice.rule) == ("b", "equal")

    def test_a_verified_value_beats_a_trusted_channel(self) -> None:
        rivals = [one("a", "a@x.org", verified=True), one("b", "b@x.org", trust=100)]
        choice = choose("email", rivals, survivor="b")
        assert (choice.value, choice.rule) == ("a@x.org", "verified")

    def test_a_trusted_channel_beats_a_more_recent_value(self) -> None:
        rivals = [one("a", "Bonn", trust=80, seen_at=OLD), one("b", "Berlin", trust=50, seen_at=NEW)]
        choice = choose("city", rivals, survivor="b")
        assert (choice.value, choice.rule) == ("Bonn", "trusted")

    def test_a_more_recent_value_beats_a_longer_one(self) -> None:
        rivals = [one("a", "Bad Godesberg", seen_at=OLD), one("b", "Bonn", seen_at=NEW)]
        choice = choose("city", rivals, survivor="a")
        assert (choice.value, choice.rule) == ("Bonn", "recent")

    def test_of_values_alike_in_all_else_the_longer_wins(self) -> None:
        choice = choose("name", [one("a", "A. Smith"), one("b", "Anna Smith")], survivor="a")
        assert (choice.value, choice.rule) == ("Anna Smith", "longest")

    def test_the_survivor_keeps_its_own_when_nothing_else_speaks(self) -> None:
        choice = choose("city", [one("a", "Bonn"), one("b", "Köln")], survivor="b")
        assert (choice.value, choice.rule) == ("Köln", "survivor")

    def test_the_oldest_customer_decides_when_the_survivor_has_no_value(self) -> None:
        choice = choose("city", [one("c", "Bonn"), one("b", "Köln"), one("a", "")], survivor="a")
        assert (choice.value, choice.rule) == ("Köln", "oldest")

    def test_the_order_of_the_candidates_decides_nothing(self) -> None:
        rivals = [one("a", ""), one("b", "Köln"), one("c", "Bonn")]
        assert choose("city", rivals, survivor="a") == choose("city", rivals[::-1], survivor="a")

    def test_a_person_picks_a_weaker_value(self) -> None:
        rivals = [one("a", "a@x.org", verified=True), one("b", "b@x.org")]
        choice = choose("email", rivals, survivor="a", pick="b")
        assert (choice.value, choice.source, choice.rule) == ("b@x.org", "b", "picked")

    def test_a_person_may_pick_an_empty_value(self) -> None:
        assert choose("email", [one("a", "a@x.org"), one("b", "")], survivor="a", pick="b").value == ""

    def test_a_person_may_type_a_third_value(self) -> None:
        choice = choose("name", [one("a", "A"), one("b", "B")], survivor="a", pick={"typed": "Anna"})
        assert (choice.value, choice.source, choice.rule, choice.before) == ("Anna", "typed", "picked", "A")


def address(
    *members: Mapping[str, object], picks: Mapping[str, Pick] | None = None
) -> dict[str, FieldChoice]:
    """The address of customers a, b, … with these parts and facts; a survives."""
    parts = {
        name: [_part(name, key, dict(member)) for key, member in zip("abcdef", members, strict=False)]
        for name in ADDRESS
    }
    return choose_address(parts, survivor="a", picks=picks or {})


def _part(name: str, customer: str, member: dict[str, Any]) -> Candidate:
    values = {part: str(member.pop(part, "")) for part in ADDRESS}
    return Candidate(customer, values[name], fullness=sum(map(len, values.values())), **member)


def told(chosen: dict[str, FieldChoice], *names: str) -> list[tuple[str, str, str]]:
    return [(chosen[name].value, chosen[name].source, chosen[name].rule) for name in names]


BONN = {"address": "Am Markt 1", "postcode": "53111", "city": "Bonn"}
KOELN = {"address": "Domhof 2", "city": "Köln", "country": "DE"}
places = st.fixed_dictionaries(
    {name: st.sampled_from(["", name[0], name[1]]) for name in ADDRESS}
    | {"verified": st.booleans(), "trust": st.integers(0, 1), "seen_at": st.sampled_from([OLD, NEW])}
)


class TestChooseAddress:
    def test_parts_that_speak_for_different_customers_go_with_the_stronger_address(self) -> None:
        chosen = address(BONN | {"seen_at": OLD}, KOELN | {"seen_at": NEW})
        assert told(chosen, "address", "city") == [("Domhof 2", "b", "recent"), ("Köln", "b", "recent")]

    def test_a_gap_is_not_filled_from_another_address(self) -> None:
        chosen = address(BONN, KOELN | {"trust": 90})
        assert told(chosen, "postcode", "country") == [("", "b", "together"), ("DE", "b", "only")]

    def test_the_same_address_told_more_fully_is_taken(self) -> None:
        chosen = address({"city": "Bonn", "seen_at": NEW}, BONN | {"seen_at": OLD})
        assert told(chosen, "address", "city") == [("Am Markt 1", "b", "only"), ("Bonn", "b", "equal")]

    def test_a_mere_country_is_no_address_where_somebody_has_one(self) -> None:
        chosen = address({"country": "AT", "seen_at": NEW}, KOELN | {"seen_at": OLD})
        assert told(chosen, "city", "country") == [("Köln", "b", "only"), ("DE", "b", "longest")]

    def test_a_country_alone_is_kept_where_nobody_has_more(self) -> None:
        chosen = address({}, {"country": "AT"})
        assert told(chosen, "country", "city") == [("AT", "b", "only"), ("", "a", "empty")]

    def test_who_picks_a_street_takes_its_address(self) -> None:
        chosen = address(BONN, KOELN, picks={"address": "b"})
        assert told(chosen, "address", "city", "postcode") == [
            ("Domhof 2", "b", "picked"), ("Köln", "b", "together"), ("", "b", "together"),
        ]  # fmt: skip

    def test_a_person_may_pick_a_part_of_another_or_type_one(self) -> None:
        chosen = address(BONN, KOELN, picks={"country": "b", "postcode": {TYPED: "53113"}})
        assert told(chosen, "city", "country", "postcode") == [
            ("Bonn", "a", "longest"), ("DE", "b", "picked"), ("53113", TYPED, "picked"),
        ]  # fmt: skip

    @given(st.lists(places, min_size=2, max_size=4))
    def test_every_part_is_of_one_customer(self, members: list[dict[str, object]]) -> None:
        chosen = address(*members)
        result = [chosen[name].value for name in ADDRESS]
        assert result in [[member[name] for name in ADDRESS] for member in members]

    @given(st.lists(places, min_size=2, max_size=4))
    def test_somewhere_is_told_where_anybody_tells_it(self, members: list[dict[str, object]]) -> None:
        chosen = address(*members)
        for names in (ADDRESS, ADDRESS[:3]):
            known = any(member[name] for member in members for name in names)
            assert any(chosen[name].value for name in names) == known
