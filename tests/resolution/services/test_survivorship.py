"""Which value a field keeps."""

from __future__ import annotations

from datetime import UTC, datetime

from resolution.services.survivorship import Candidate, choose

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
