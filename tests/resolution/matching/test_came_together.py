"""The parts that a customer's identifiers fall into without a value."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from resolution.matching.blocked import Blocked, Blocklist
from resolution.matching.came_together import LinkFact, Value, parts_without

PHONE = Value("phone", "+4930123456789")
BLOCK = Blocked("phone", PHONE.text)
NOBODYS = Blocklist((BLOCK,))
ONE, TWO = uuid.UUID(int=1), uuid.UUID(int=2)


def mail(name: str) -> Value:
    return Value("email", f"{name}@x.org")


def came(value: Value, *beside: Value, record: uuid.UUID = ONE) -> LinkFact:
    """A link that was made because what came with it was known."""
    return LinkFact(uuid.uuid4(), record, value, frozenset({value, *beside}), by_itself=False)


def parts(
    links: Sequence[LinkFact],
    *acts: Sequence[Value],
    block: Blocked = BLOCK,
    others: Sequence[Blocked] = (),
) -> list[list[str]]:
    """The parts by their texts; what a link came with is an act as well."""
    came = [*(link.beside for link in links), *acts]
    found = parts_without(links, came, block, Blocklist((block, *others)))
    return [[link.value.text for link in part] for part in found]


class TestPartsWithout:
    def test_two_that_only_the_value_brought_together_fall_apart(self) -> None:
        links = [came(mail("a"), PHONE), came(mail("b"), PHONE)]
        assert parts(links) == [["a@x.org"], ["b@x.org"]]

    def test_the_value_itself_is_no_part(self) -> None:
        links = [came(PHONE), came(mail("a"), PHONE), came(mail("b"), PHONE)]
        assert parts(links) == [["a@x.org"], ["b@x.org"]]

    def test_one_act_that_brought_both_holds_them(self) -> None:
        links = [came(mail("a"), PHONE), came(mail("b"), PHONE)]
        assert parts(links, [mail("a"), mail("b")]) == [["a@x.org", "b@x.org"]]

    def test_two_are_held_over_a_third_that_is_no_link_any_more(self) -> None:
        links = [came(mail("a"), PHONE), came(mail("b"), PHONE)]
        gone = mail("gone")
        assert parts(links, [mail("a"), gone], [gone, mail("b")]) == [["a@x.org", "b@x.org"]]

    def test_what_came_by_what_leaves_leaves_with_it_and_the_larger_part_is_first(self) -> None:
        links = [came(mail("a"), PHONE), came(mail("b"), PHONE), came(mail("c"), mail("b"))]
        assert parts(links) == [["b@x.org", "c@x.org"], ["a@x.org"]]

    def test_of_equal_parts_the_one_that_stays_is_first(self) -> None:
        links = [came(mail(name), PHONE) for name in "abc"]
        assert parts(links) == [["a@x.org"], ["b@x.org"], ["c@x.org"]]

    def test_what_a_person_linked_stays(self) -> None:
        by_hand = LinkFact(uuid.uuid4(), ONE, mail("b"), frozenset({mail("b"), PHONE}))
        links = [came(mail("a"), PHONE), by_hand]
        assert parts(links) == [["a@x.org", "b@x.org"]]

    def test_what_came_without_the_value_did_not_lean_on_it(self) -> None:
        links = [came(mail("a"), PHONE), came(mail("b"), mail("gone"))]
        assert parts(links) == [["a@x.org", "b@x.org"]]

    def test_what_came_with_it_only_later_did_not_lean_on_it_either(self) -> None:
        links = [came(mail("a"), PHONE), came(mail("b"))]
        assert parts(links, [mail("b"), PHONE]) == [["a@x.org", "b@x.org"]]

    def test_a_value_blocked_before_holds_nothing(self) -> None:
        till = Value("handle", "till")
        links = [came(mail("a"), PHONE, till), came(mail("b"), PHONE, till)]
        assert len(parts(links)) == 1
        assert len(parts(links, others=[Blocked("", "till")])) == 2

    def test_a_pattern_takes_every_value_it_covers(self) -> None:
        links = [came(mail("a"), mail("till1")), came(mail("b"), mail("till2"), mail("till1"))]
        pattern = Blocked("email", "till*@x.org", pattern=True)
        assert parts(links, block=pattern) == [["a@x.org"], ["b@x.org"]]

    def test_of_a_merged_customer_what_each_record_began_with_stays(self) -> None:
        links = [
            came(mail("a"), PHONE),
            came(mail("b"), PHONE, record=TWO),
            came(mail("c"), PHONE, record=TWO),
        ]
        assert parts(links) == [["a@x.org", "b@x.org"], ["c@x.org"]]

    def test_a_key_of_a_source_is_never_the_blocked_value(self) -> None:
        key = Value("record_id", PHONE.text, "crm")
        links = [came(mail("a"), key), came(mail("b"), key)]
        assert parts(links, block=Blocked("", PHONE.text)) == [["a@x.org", "b@x.org"]]


VALUES = [PHONE, *map(mail, "abcde")]
FACTS = st.builds(
    LinkFact,
    id=st.uuids(),
    record=st.sampled_from((ONE, TWO)),
    value=st.sampled_from(VALUES),
    beside=st.frozensets(st.sampled_from(VALUES)),
    by_itself=st.booleans(),
)
LINKS = st.lists(FACTS, unique_by=lambda link: link.value)
ACTS = st.lists(st.lists(st.sampled_from(VALUES)), max_size=5)


class TestAnyLinks:
    @given(LINKS, ACTS)
    def test_every_link_but_the_values_own_is_in_one_part(
        self, links: list[LinkFact], acts: list[list[Value]]
    ) -> None:
        found = parts_without(links, acts, BLOCK, NOBODYS)
        inside = [link.id for part in found for link in part]
        assert sorted(inside) == sorted(link.id for link in links if link.value != PHONE)
        assert all(found)

    @given(LINKS, ACTS)
    def test_what_came_in_one_act_is_in_one_part(
        self, links: list[LinkFact], acts: list[list[Value]]
    ) -> None:
        found = parts_without(links, acts, BLOCK, NOBODYS)
        place = {link.value: number for number, part in enumerate(found) for link in part}
        assert all(len({place[value] for value in act if value in place}) <= 1 for act in acts)

    @given(LINKS, ACTS)
    def test_without_a_link_that_came_with_the_value_there_is_one_part(
        self, links: list[LinkFact], acts: list[list[Value]]
    ) -> None:
        innocent = [link for link in links if link.by_itself or PHONE not in link.beside]
        assert len(parts_without(innocent, acts, BLOCK, NOBODYS)) <= 1

    @given(LINKS, ACTS, st.lists(st.sampled_from(VALUES)))
    def test_another_act_never_makes_more_parts(
        self, links: list[LinkFact], acts: list[list[Value]], another: list[Value]
    ) -> None:
        before = parts_without(links, acts, BLOCK, NOBODYS)
        assert len(parts_without(links, [*acts, another], BLOCK, NOBODYS)) <= len(before)

    @given(LINKS, ACTS, st.randoms())
    def test_the_order_of_acts_does_not_matter(
        self, links: list[LinkFact], acts: list[list[Value]], chance: Random
    ) -> None:
        found = parts_without(links, acts, BLOCK, NOBODYS)
        chance.shuffle(acts)
        assert parts_without(links, acts, BLOCK, NOBODYS) == found
