"""The faults of the simple way to match customers, each with a test in which that way would fail.

Where a fault is a rule, the old rule stands here beside ours and both are asked about the input on which they
differ. Where it is a way to write, today's behaviour is asserted and the docstring names the old one.
"""

from __future__ import annotations

from difflib import SequenceMatcher

import pytest

from customers.models import Channel, Customer, Mapping
from resolution.matching.candidates import candidate_pairs
from resolution.matching.identifiers import normalise_identifier
from resolution.matching.kernel import score_pair
from resolution.matching.model import load_model
from resolution.matching.table import table_of
from resolution.models import AuditEntry, Conflict
from resolution.services import keys
from resolution.services.erase import erase_customer
from resolution.services.judge import judge_pair
from resolution.services.link import link_customer_identifier, unlink_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.resolve import create_or_resolve_customer, resolve_customer_identity
from resolution.services.unmerge import undo_merge
from resolution.types import Actor
from tests.concurrency import all_at_once
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory, MessageFactory
from tests.resolution.matching.people import person

ACTOR = Actor(kind="user", name="ada")
ANNA = {"name": "Anna Smithers", "email": "anna@post.example", "birth_date": "1980-02-13"}


def digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdigit())


def same_phone_the_old_way(one: str, other: str) -> bool:
    """One number is the end of the other."""
    return digits(one).endswith(digits(other)) or digits(other).endswith(digits(one))


def alike_the_old_way(one: dict[str, str], other: dict[str, str]) -> float:
    """The share of fields that agree among those that either side has."""
    asked = one.keys() | other.keys()
    return sum(one.get(name) == other.get(name) for name in asked) / len(asked)


class TestRules:
    @pytest.mark.parametrize("short", ["", "n/a", "8", "0018"])
    def test_p8_the_end_of_a_number_is_not_the_number(self, short: str) -> None:
        whole = "+44 20 7946 0018"

        assert same_phone_the_old_way(whole, short)
        assert normalise_identifier("phone", whole, region="GB").usable
        assert not normalise_identifier("phone", short, region="GB").usable

    def test_p8_what_one_side_does_not_say_is_no_disagreement(self) -> None:
        silent = {name: value for name, value in ANNA.items() if name != "birth_date"}
        saying = score_pair(load_model(None), person("one", **ANNA), person("other", **silent))
        both_silent = score_pair(load_model(None), person("one", **silent), person("other", **silent))

        assert alike_the_old_way(ANNA, silent) < alike_the_old_way(silent, silent)
        assert saying.weight == both_silent.weight

    def test_nobody_is_compared_with_everybody(self) -> None:
        """The old way ran a text comparison over every pair there is."""
        people = [person(f"p{place}", name=f"{word} {word}son") for place, word in enumerate(WORDS)]
        every_pair = len(people) * (len(people) - 1) // 2

        assert len(candidate_pairs(table_of(people)).pairs) < every_pair / 10

    def test_the_weight_of_two_likenesses_is_not_the_same(self) -> None:
        """The old way linked whatever passed the bar with one constant confidence."""
        close = {**ANNA, "name": "Ana Smithers"}
        far = {"name": "Ana Smithers", "city": "Bonn"}
        ours = [
            score_pair(load_model(None), person("one", **ANNA), person("o", **row)) for row in (close, far)
        ]

        assert SequenceMatcher(None, "Anna Smithers", "Ana Smithers").ratio() > 0.85  # passes both times
        assert ours[0].weight > ours[1].weight + 5


WORDS = (
    "Abel", "Bodo", "Cuno", "Dirk", "Egon", "Fritz", "Gerd", "Hugo", "Ivo", "Jupp", "Kuno", "Ludwig",
    "Moritz", "Norbert", "Otto", "Paul", "Quirin", "Rolf", "Sven", "Till", "Udo", "Veit",
)  # fmt: skip


@pytest.fixture
def web() -> Channel:
    return ChannelFactory(code="web")


@pytest.mark.django_db
class TestWrites:
    def test_p1_an_identifier_in_use_moves_to_nobody_without_a_word(self, web: Channel) -> None:
        """Of old an upsert gave a verified identifier to whoever claimed it last, silently."""
        owned = MappingFactory(channel=web, verified=True)

        outcome = link_customer_identifier(
            customer_id=CustomerFactory().pk, channel=web, identifier_type="email",
            value=owned.normalised, actor=ACTOR,
        )  # fmt: skip

        assert Mapping.objects.owned().get(normalised=owned.normalised).customer_id == owned.customer_id
        assert Conflict.objects.get(pk=outcome.conflict_id).kind == "verified_identifier"

    def test_p1_an_identifier_is_found_however_it_is_written(self, web: Channel) -> None:
        """Of old the look-up compared raw values, and what matched as equal was not found as such."""
        link = MappingFactory(channel=web, channel_identifier="Anna@Post.Example")

        for value in ("anna@post.example", "  ANNA@post.EXAMPLE "):
            found = resolve_customer_identity(channel=web, identifier_type="email", value=value)
            assert found == link.customer_id

    def test_p4_a_merge_that_fails_half_way_has_changed_nothing(
        self, web: Channel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of old a merge committed in pieces: what had moved before it failed stayed moved."""
        links = [MappingFactory(channel=web), MappingFactory(channel=web)]
        before = list(Mapping.objects.order_by("pk").values())

        def fail(*_: object) -> None:
            raise RuntimeError

        with monkeypatch.context() as patch, pytest.raises(RuntimeError):
            patch.setattr("resolution.services.audit._write", fail)
            merge_customers(member_ids=[link.customer_id for link in links], actor=ACTOR)

        assert list(Mapping.objects.order_by("pk").values()) == before
        assert set(Customer.objects.values_list("status", flat=True)) == {"active"}

    def test_p4_an_identifier_on_both_sides_is_folded_and_comes_back(self, web: Channel) -> None:
        """Of old a merge broke on it, and none could be undone."""
        owned = MappingFactory(channel=web)
        shared = MappingFactory(channel=web, channel_identifier=owned.normalised, status="shared")

        merge = merge_customers(member_ids=[owned.customer_id, shared.customer_id], actor=ACTOR)
        assert list(Mapping.objects.current().values_list("customer", flat=True)) == [merge.survivor_id]
        undo_merge(merge_id=merge.pk, actor=ACTOR)

        assert set(Mapping.objects.current().values_list("pk", "customer")) == {
            (owned.pk, owned.customer_id), (shared.pk, shared.customer_id),
        }  # fmt: skip

    def test_a_single_weak_candidate_is_not_linked_unseen(self, web: Channel) -> None:
        """Of old one candidate that looked a little alike got the message, and nobody heard of it."""
        known = CustomerFactory(name="Anna Smithers", city="Bonn")
        keys.rebuild_keys([known.pk])
        message = {"customer_name": "Anna Smithers", "customer_email": "other@post.example"}

        answer = create_or_resolve_customer(channel=web, message=message, actor=ACTOR)

        assert answer.status != "matched"
        assert answer.customer_id != str(known.pk)

    def test_p5_taking_an_identifier_off_is_told(self, web: Channel) -> None:
        """Of old the trail had no word for it."""
        link = MappingFactory(channel=web)

        unlink_customer_identifier(customer_id=link.customer_id, mapping_id=link.pk, actor=ACTOR)

        row = AuditEntry.objects.get(action="unlink")
        assert (row.customer_id, row.identifier_value) == (link.customer_id, link.normalised)

    def test_p2_p5_the_trail_knows_whose_it_was_when_they_are_erased(self) -> None:
        """Of old deleting a customer took its rows of the trail along, or their customer."""
        one, other = CustomerFactory(), CustomerFactory()
        judge_pair(left_id=one.pk, right_id=other.pk, verdict="different", reason="", actor=ACTOR)

        erase_customer(customer_id=one.pk, reason="Request 7", actor=ACTOR)

        assert AuditEntry.objects.get(action="judge").customer_id == min(one.pk, other.pk)
        assert Customer.objects.get(pk=one.pk).status == "erased"


@pytest.mark.django_db(transaction=True)
class TestTogether:
    def test_p1_p6_two_first_messages_at_once_make_one_customer(self, web: Channel) -> None:
        """Of old each looked, found nobody, and made somebody."""
        message = {"customer_email": "anna@post.example", "content": "Hello"}

        answers = all_at_once(
            [lambda: create_or_resolve_customer(channel=web, message=message, actor=ACTOR)] * 4
        )

        assert len({answer.customer_id for answer in answers}) == Customer.objects.count() == 1

    def test_p10_a_merge_is_known_to_the_cache(self, web: Channel) -> None:
        """Of old the cache went on telling of who was absorbed."""
        link, survivor = MappingFactory(channel=web), MessageFactory(channel=web).customer

        def ask() -> object:
            return resolve_customer_identity(channel=web, identifier_type="email", value=link.normalised)

        assert [ask(), ask()] == [link.customer_id] * 2
        merge_customers(member_ids=[link.customer_id, survivor.pk], survivor_id=survivor.pk, actor=ACTOR)
        assert [ask(), ask()] == [survivor.pk] * 2
