"""The workbench: what it shows, what its buttons do, and that a refusal loses nothing of the form."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from customers.models import Customer, Mapping
from resolution.models import Conflict, Judgement, MergePolicy, MergeProposal
from resolution.selectors.workbench import FIRST_COLUMNS
from resolution.services import queue
from resolution.services.judge import judge_pair
from resolution.services.link import link_customer_identifier
from resolution.services.profiles import update_profile
from tests.factories import (
    ConflictFactory,
    CustomerFactory,
    MappingFactory,
    UserFactory,
    actor_for,
    auditor,
    steward,
)
from tests.resolution.admin.conftest import SignIn
from tests.resolution.admin.forms import members_form, workbench_form

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair() -> list[Customer]:
    return [
        CustomerFactory(given_name="Anna", family_name="Smith", email="anna@example.com", city="Leeds"),
        CustomerFactory(given_name="Ann", family_name="Smith", email="ann@example.org", city="Leeds"),
    ]


@pytest.fixture
def conflict(pair: list[Customer], sara: User) -> Conflict:
    return claimed(ConflictFactory(members=pair), sara)


def claimed(conflict: Conflict, user: User) -> Conflict:
    return queue.claim(conflict_id=conflict.pk, actor=actor_for(user))


def address(conflict: Conflict) -> str:
    return reverse("resolution:workbench", args=[conflict.pk])


class TestPage:
    def test_marks_the_characters_that_differ(self, as_steward: Client, conflict: Conflict) -> None:
        text = as_steward.get(address(conflict)).content.decode()

        assert "Ann<mark>a</mark>" in text
        assert "<mark>Leeds" not in text

    def test_shows_the_evidence_of_each_field_with_its_weight(
        self, as_steward: Client, conflict: Conflict
    ) -> None:
        answer = as_steward.get(address(conflict))

        step = next(
            row for row in answer.context["workbench"].pairs[0].steps if row.evidence.field == "family_name"
        )
        text = answer.content.decode()
        assert step.evidence.detail in text
        assert f"+{step.evidence.weight:.1f}" in text

    def test_says_what_was_decided_before_and_what_changed_since(
        self, as_steward: Client, conflict: Conflict, pair: list[Customer], sara: User
    ) -> None:
        judge_pair(
            left_id=pair[0].pk, right_id=pair[1].pk, verdict="related", relation="household", reason="",
            actor=actor_for(sara), conflict=conflict,
        )  # fmt: skip
        MappingFactory(customer=pair[0])

        text = as_steward.get(address(conflict)).content.decode()

        assert "Decided before, data changed:" in text
        assert "(one household)" in text
        assert "since then e-mail changed" in text

    def test_p3_comparing_three_leads_to_the_two_that_were_told_apart(
        self, as_steward: Client, pair: list[Customer], sara: User
    ) -> None:
        judge_pair(
            left_id=pair[0].pk, right_id=pair[1].pk, verdict="different", reason="", actor=actor_for(sara)
        )
        members = [str(row.pk) for row in (*pair, CustomerFactory())]

        text = as_steward.get(reverse("resolution:compare"), {"member": members}).content.decode()

        left, right = sorted(str(row.pk) for row in pair)
        assert "withdraw that judgement first" in text
        assert f"?member={left}&amp;member={right}" in text

    def test_names_what_a_merge_would_withdraw_before_the_act(
        self, as_steward: Client, conflict: Conflict, pair: list[Customer], sara: User
    ) -> None:
        judge_pair(
            left_id=pair[0].pk, right_id=pair[1].pk, verdict="different", reason="", actor=actor_for(sara),
            conflict=conflict,
        )  # fmt: skip

        text = as_steward.get(address(conflict)).content.decode()

        assert "A merge is not possible as it stands:" not in text
        assert "sara judged" in text
        assert "; the merge withdraws that." in text

    def test_a_typed_value_that_is_too_long_is_refused_in_a_sentence_and_kept(
        self, as_steward: Client, conflict: Conflict
    ) -> None:
        form = workbench_form(conflict, "same", **{"pick-name": "typed", "typed-name": "x" * 256})

        answer = as_steward.post(address(conflict), form)

        assert answer.status_code == 409
        assert b"The typed name has 256 characters; at most 255 fit." in answer.content
        assert not MergeProposal.objects.exists()

    def test_a_word_on_a_group_says_which_pairs_it_left(self, as_steward: Client, sara: User) -> None:
        members = [CustomerFactory(name=name) for name in ("Anna", "Ann", "Eve")]
        judge_pair(
            left_id=members[0].pk, right_id=members[1].pk, verdict="same", reason="", actor=actor_for(sara)
        )
        conflict = claimed(ConflictFactory(members=members), sara)

        answer = as_steward.post(address(conflict), workbench_form(conflict, "different"), follow=True)

        assert b"Left as judged before: Anna and Ann (sara: the same)." in answer.content

    def test_related_may_be_said_with_how(self, as_steward: Client, conflict: Conflict) -> None:
        as_steward.post(address(conflict), workbench_form(conflict, "related", relation="shared_contact"))

        judgement = Judgement.objects.get()
        assert (judgement.verdict, judgement.relation) == ("related", "shared_contact")

    def test_other_words_pass_over_the_relation(self, as_steward: Client, conflict: Conflict) -> None:
        as_steward.post(address(conflict), workbench_form(conflict, "different", relation="household"))

        assert Judgement.objects.get().relation == ""

    def test_a_preview_takes_the_picks_and_keeps_the_form(
        self, as_steward: Client, conflict: Conflict, pair: list[Customer]
    ) -> None:
        form = workbench_form(
            conflict, "preview", **{"pick-given_name": str(pair[1].pk), "pick-email": "typed"},
            **{"typed-email": "new@example.com"}, reason="they called",
        )  # fmt: skip
        answer = as_steward.post(address(conflict), form)

        results = {row.field: row.result for row in answer.context["workbench"].fields}
        assert answer.status_code == 200
        assert results["given_name"] == "Ann"
        assert results["email"] == "new@example.com"
        assert 'value="they called"' in answer.content.decode()
        assert not MergeProposal.objects.exists()

    def test_shows_any_number_of_customers(self, as_steward: Client, sara: User) -> None:
        many = claimed(ConflictFactory(members=CustomerFactory.create_batch(4, name="Ann")), sara)

        answer = as_steward.get(address(many))

        assert len(answer.context["workbench"].columns) == 4
        assert answer.content.decode().count("Belongs to it") == 4

    def test_numbers_the_columns_that_have_a_key_and_names_the_others(
        self, as_steward: Client, sara: User
    ) -> None:
        members = [CustomerFactory(name=f"Ann {letter}") for letter in "abcdefg"]
        many = claimed(ConflictFactory(members=members), sara)

        answer = as_steward.get(address(many))

        text, columns = answer.content.decode(), answer.context["workbench"].columns

        assert re.findall(r'class="key-number" aria-hidden="true">(\d+)<', text) == list("12345")
        named = set(re.findall(r'<td class="cell[^"]*" data-label="([^"]*)"', text))
        assert named == {*"12345", *(column.name for column in columns[5:])}

    def test_a_member_can_be_left_out_and_taken_back(self, as_steward: Client, sara: User) -> None:
        many = claimed(ConflictFactory(members=CustomerFactory.create_batch(3, name="Ann")), sara)
        form = workbench_form(many, "preview")
        left = form["member"].pop()

        text = as_steward.post(address(many), form).content.decode()

        assert "Left out:" in text
        assert f'name="member" value="{left}" data-preview-on-change' in text

    @pytest.mark.parametrize("number", [13, 51, 200])
    def test_of_many_the_first_stand_side_by_side_and_the_rest_can_be_taken_in(
        self, as_steward: Client, sara: User, number: int
    ) -> None:
        many = claimed(ConflictFactory(members=CustomerFactory.create_batch(number, name="Ann")), sara)

        answer = as_steward.get(address(many))

        text = answer.content.decode()
        assert answer.status_code == 200
        assert text.count("Belongs to it") == FIRST_COLUMNS
        assert text.count('type="checkbox" name="member"') == number
        assert f"are said of all {number}" in text
        for word in ("same", "different", "park", "release"):
            assert f'name="action" value="{word}"' in text

    def test_more_of_them_come_in_as_they_are_ticked(self, as_steward: Client, sara: User) -> None:
        many = claimed(ConflictFactory(members=CustomerFactory.create_batch(51, name="Ann")), sara)

        answer = as_steward.post(address(many), workbench_form(many, "preview"))

        assert answer.status_code == 200
        assert len(answer.context["workbench"].columns) == 51
        assert "The 66 strongest of 1,275 pairs." in answer.content.decode()

    def test_one_of_many_is_parked_and_skipped(self, as_steward: Client, sara: User) -> None:
        many = claimed(ConflictFactory(members=CustomerFactory.create_batch(200)), sara)
        day = (timezone.now() + timedelta(days=3)).date().isoformat()

        as_steward.post(address(many), workbench_form(many, "release", member=[]))
        many.refresh_from_db()
        assert many.state == "open"

        claimed(many, sara)
        as_steward.post(address(many), workbench_form(many, "park", member=[], until=day))
        many.refresh_from_db()
        assert many.state == "parked"

    def test_a_merge_takes_those_side_by_side_and_leaves_the_question_of_the_others(
        self, as_steward: Client, sara: User
    ) -> None:
        many = claimed(ConflictFactory(members=CustomerFactory.create_batch(51)), sara)
        shown = as_steward.get(address(many)).context["workbench"].columns
        form = workbench_form(many, "same", member=[column.customer_id for column in shown])

        as_steward.post(address(many), form | {"survivor": shown[0].customer_id})

        assert MergeProposal.objects.get().members.count() == FIRST_COLUMNS

    def test_more_than_can_be_merged_at_once_are_refused_and_keep_the_page(
        self, as_steward: Client, sara: User
    ) -> None:
        many = claimed(ConflictFactory(members=CustomerFactory.create_batch(101)), sara)

        answer = as_steward.post(address(many), workbench_form(many, "same"))

        assert answer.status_code == 400
        assert "101 customers were given; at most 100 are proposed at once." in answer.content.decode()
        assert 'name="action" value="park"' in answer.content.decode()
        assert not MergeProposal.objects.exists()

    def test_there_is_no_page_for_an_unknown_conflict(self, as_steward: Client) -> None:
        answer = as_steward.get(reverse("resolution:workbench", args=[987654]))

        assert answer.status_code == 404
        assert "There is no conflict 987654" in answer.content.decode()

    @pytest.mark.parametrize(
        "field",
        [
            {"version": "x"},
            {"version": "9" * 5000},
            {"version": "²"},
            {"member": "not-an-id"},
            {"survivor": "\0"},
        ],
    )
    def test_a_broken_form_is_refused_with_a_sentence(
        self, as_steward: Client, conflict: Conflict, field: dict[str, str]
    ) -> None:
        answer = as_steward.post(address(conflict), workbench_form(conflict, "same") | field)

        assert answer.status_code == 400
        assert (
            "open the page again" in answer.content.decode() or "is no customer id" in answer.content.decode()
        )


class TestStaleTab:
    def test_has_nothing_to_press_once_another_took_the_conflict(
        self, as_steward: Client, conflict: Conflict
    ) -> None:
        form = workbench_form(conflict, "same")
        Conflict.objects.update(assignee=steward(username="tom"))

        text = as_steward.post(address(conflict), form).content.decode()

        assert "tom has it until" in text
        assert "Back to the queue" in text
        for gone in ('name="survivor"', 'value="preview"', "What you filled in is still here"):
            assert gone not in text

    def test_keeps_what_was_filled_in_when_the_claim_can_be_taken_up_again(
        self, as_steward: Client, conflict: Conflict
    ) -> None:
        form = workbench_form(conflict, "different", reason="two people")
        Conflict.objects.update(leased_until=timezone.now())

        text = as_steward.post(address(conflict), form).content.decode()

        assert "Claim it again" in text
        assert 'value="two people"' in text
        assert 'name="survivor"' in text
        assert 'value="preview"' not in text


class TestDecide:
    @pytest.mark.parametrize("word", ["different", "related", "unsure"])
    def test_writes_the_verdict_and_closes_the_conflict(
        self, as_steward: Client, conflict: Conflict, word: str
    ) -> None:
        answer = as_steward.post(address(conflict), workbench_form(conflict, word, reason="two people"))

        conflict.refresh_from_db()
        assert answer.status_code == 302
        assert (conflict.state, conflict.outcome) == ("done", word)
        assert Judgement.objects.get().verdict == word
        assert Judgement.objects.get().reason == "two people"

    def test_opens_the_next_one_i_hold(self, as_steward: Client, conflict: Conflict, sara: User) -> None:
        following = claimed(ConflictFactory(), sara)

        answer = as_steward.post(address(conflict), workbench_form(conflict, "different"))

        assert answer["Location"] == address(following)

    def test_goes_home_after_the_last_one(self, as_steward: Client, conflict: Conflict) -> None:
        answer = as_steward.post(address(conflict), workbench_form(conflict, "different"))

        assert answer["Location"] == reverse("admin:index")

    def test_proposes_the_merge_as_it_was_filled_in(
        self, as_steward: Client, conflict: Conflict, pair: list[Customer]
    ) -> None:
        form = workbench_form(
            conflict,
            "same",
            survivor=str(pair[1].pk),
            reason="same phone",
            **{"pick-given_name": str(pair[0].pk)},
        )
        answer = as_steward.post(address(conflict), form, follow=True)

        proposal = MergeProposal.objects.get()
        assert proposal.survivor_id == pair[1].pk
        assert proposal.picks == {"given_name": str(pair[0].pk)}
        assert proposal.comment == "same phone"
        assert reverse("resolution:proposal", args=[proposal.pk]) in answer.content.decode()

    def test_p9_who_works_conflicts_but_may_not_propose_says_no_same(
        self, sign_in: SignIn, pair: list[Customer]
    ) -> None:
        clerk = UserFactory()
        for name in ("view_conflict", "work_conflicts"):
            clerk.user_permissions.add(Permission.objects.get(codename=name))
        conflict = claimed(ConflictFactory(members=pair), clerk)
        client = sign_in(clerk)

        assert 'value="same"' not in client.get(address(conflict)).content.decode()
        assert client.post(address(conflict), workbench_form(conflict, "same")).status_code == 403
        assert not MergeProposal.objects.exists()

    def test_parks_until_a_day(self, as_steward: Client, conflict: Conflict) -> None:
        day = (timezone.now() + timedelta(days=3)).date()

        as_steward.post(address(conflict), workbench_form(conflict, "park", until=day.isoformat()))

        conflict.refresh_from_db()
        assert conflict.state == "parked"
        assert conflict.parked_until is not None
        assert conflict.parked_until.date() == day

    @pytest.mark.parametrize("day", ["", "soon", "2026-02-30", "1999-01-01"])
    def test_a_day_that_cannot_be_is_refused(self, as_steward: Client, conflict: Conflict, day: str) -> None:
        answer = as_steward.post(address(conflict), workbench_form(conflict, "park", until=day))

        conflict.refresh_from_db()
        assert answer.status_code == 400
        assert conflict.state == "claimed"

    def test_skipping_gives_it_back(self, as_steward: Client, conflict: Conflict) -> None:
        as_steward.post(address(conflict), workbench_form(conflict, "release"))

        conflict.refresh_from_db()
        assert (conflict.state, conflict.assignee) == ("open", None)

    def test_an_unknown_button_is_refused(self, as_steward: Client, conflict: Conflict) -> None:
        answer = as_steward.post(address(conflict), workbench_form(conflict, "explode"))

        assert answer.status_code == 400
        assert "does not decide conflict" in answer.content.decode()


class TestIdentifierConflict:
    @pytest.fixture
    def contested(self, sara: User) -> tuple[Conflict, Mapping, uuid.UUID]:
        owned = MappingFactory(verified=True)
        claimant = CustomerFactory(name="Bea")
        asked = link_customer_identifier(
            customer_id=claimant.pk, channel=owned.channel, identifier_type="email",
            value=owned.normalised, actor=actor_for(sara),
        )  # fmt: skip
        return claimed(Conflict.objects.get(pk=asked.conflict_id), sara), owned, claimant.pk

    def test_names_owner_and_claimant(
        self, as_steward: Client, contested: tuple[Conflict, Mapping, uuid.UUID]
    ) -> None:
        text = as_steward.get(address(contested[0])).content.decode()

        assert ">owner</span>" in text
        assert ">claims it</span>" in text
        assert contested[1].normalised in text

    def test_moves_the_identifier(
        self, as_steward: Client, contested: tuple[Conflict, Mapping, uuid.UUID]
    ) -> None:
        conflict, owned, claimant = contested

        as_steward.post(address(conflict), workbench_form(conflict, "move_identifier"))

        assert Mapping.objects.owned().get(normalised=owned.normalised).customer_id == claimant

    def test_keeps_it_with_its_owner(
        self, as_steward: Client, contested: tuple[Conflict, Mapping, uuid.UUID]
    ) -> None:
        conflict, owned, _ = contested

        as_steward.post(address(conflict), workbench_form(conflict, "keep_owner"))

        conflict.refresh_from_db()
        assert conflict.outcome == "kept"
        assert Mapping.objects.owned().get(normalised=owned.normalised).customer_id == owned.customer_id


class TestStaleForm:
    def test_says_what_changed_and_loses_nothing(
        self, as_steward: Client, conflict: Conflict, pair: list[Customer]
    ) -> None:
        form = workbench_form(conflict, "same", reason="same phone", **{"pick-given_name": str(pair[1].pk)})
        tom = actor_for(steward(username="tom"))
        update_profile(customer_id=pair[0].pk, version=1, changes={"city": "York"}, actor=tom)

        answer = as_steward.post(address(conflict), form)

        text = answer.content.decode()
        assert answer.status_code == 409
        assert "City" in text
        assert "York" in text
        assert 'value="same phone"' in text
        assert answer.context["workbench"].fields[1].result == "Ann"
        assert not MergeProposal.objects.exists()

    def test_can_be_sent_again_once_seen(
        self, as_steward: Client, conflict: Conflict, pair: list[Customer]
    ) -> None:
        stale = workbench_form(conflict, "same")
        tom = actor_for(steward(username="tom"))
        update_profile(customer_id=pair[0].pk, version=1, changes={"city": "York"}, actor=tom)
        seen = as_steward.post(address(conflict), stale).context["workbench"]

        versions = {f"version-{column.customer_id}": column.version for column in seen.columns}
        answer = as_steward.post(address(conflict), stale | versions | {"version": seen.conflict.version})

        assert answer.status_code == 302
        assert MergeProposal.objects.get().state == "pending"

    def test_a_conflict_that_changed_since_is_not_decided(
        self, as_steward: Client, conflict: Conflict
    ) -> None:
        form = workbench_form(conflict, "different") | {"version": conflict.version - 1}

        answer = as_steward.post(address(conflict), form)

        conflict.refresh_from_db()
        assert answer.status_code == 409
        assert "has changed since you opened it" in answer.content.decode()
        assert conflict.state == "claimed"


class TestExpiredClaim:
    def test_keeps_the_form_and_offers_to_claim_again(self, as_steward: Client, conflict: Conflict) -> None:
        form = workbench_form(conflict, "different", reason="two people")
        Conflict.objects.update(leased_until=timezone.now() - timedelta(seconds=1))

        answer = as_steward.post(address(conflict), form)

        text = answer.content.decode()
        assert answer.status_code == 409
        assert "is not yours (any more)" in text
        assert 'value="claim"' in text
        assert 'value="two people"' in text
        assert not Judgement.objects.exists()

    def test_claiming_again_goes_on_with_the_same_form(self, as_steward: Client, conflict: Conflict) -> None:
        Conflict.objects.update(leased_until=timezone.now() - timedelta(seconds=1))

        form = workbench_form(conflict, "claim", reason="two people")
        answer = as_steward.post(address(conflict), form)

        assert answer.status_code == 200
        assert 'value="two people"' in answer.content.decode()
        assert 'value="different"' in answer.content.decode()
        assert answer.context["workbench"].conflict.mine

    def test_says_who_took_it_meanwhile(self, as_steward: Client, conflict: Conflict) -> None:
        form = workbench_form(conflict, "different")
        Conflict.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        claimed(conflict, steward(username="tom"))

        answer = as_steward.post(address(conflict), form)

        assert answer.status_code == 409
        assert "tom has it until" in answer.content.decode()
        assert 'value="claim"' not in answer.content.decode()


class TestCompare:
    def test_puts_any_customers_side_by_side(self, as_steward: Client, pair: list[Customer]) -> None:
        answer = as_steward.get(reverse("resolution:compare"), {"member": [str(row.pk) for row in pair]})

        assert answer.status_code == 200
        assert "Propose merge" in answer.content.decode()

    def test_proposes_a_merge_without_a_conflict(self, as_steward: Client, pair: list[Customer]) -> None:
        form = {"action": "propose", **members_form(pair), "reason": "asked by the customer"}

        as_steward.post(reverse("resolution:compare"), form)

        assert MergeProposal.objects.get().conflict is None

    def test_p9_an_address_proposes_nothing(self, as_steward: Client, pair: list[Customer]) -> None:
        MergePolicy.objects.filter(rule="everything").update(enabled=False)
        form = {"action": "propose", **members_form(pair)}

        answer = as_steward.get(reverse("resolution:compare"), form)

        assert answer.status_code == 200
        assert not MergeProposal.objects.exists()
        assert Customer.objects.active().count() == 2

    def test_p9_who_may_not_propose_is_refused(self, sign_in: SignIn, pair: list[Customer]) -> None:
        form = {"action": "propose", **members_form(pair)}

        answer = sign_in(auditor()).post(reverse("resolution:compare"), form)

        assert answer.status_code == 403
        assert not MergeProposal.objects.exists()

    def test_one_customer_alone_is_refused(self, as_steward: Client, pair: list[Customer]) -> None:
        answer = as_steward.get(reverse("resolution:compare"), {"member": [str(pair[0].pk)]})

        assert answer.status_code == 400

    @pytest.mark.parametrize("word", ["same", "different", "related", "unsure"])
    def test_of_two_each_word_may_be_said(
        self, as_steward: Client, pair: list[Customer], word: str, sara: User
    ) -> None:
        page = as_steward.get(reverse("resolution:compare"), {"member": [str(row.pk) for row in pair]})
        assert f'name="action" value="{word}"' in page.content.decode()

        form = members_form(pair) | {"action": word, "reason": "they said so", "relation": "household"}
        answer = as_steward.post(reverse("resolution:compare"), form, follow=True)

        judgement = Judgement.objects.get()
        assert (judgement.verdict, judgement.reason, judgement.judged_by) == (word, "they said so", sara)
        assert judgement.relation == ("household" if word == "related" else "")
        assert f"Recorded as “{judgement.get_verdict_display().lower()}”." in answer.content.decode()

    def test_same_withdraws_what_forbade_their_merge(
        self, as_steward: Client, pair: list[Customer], sara: User
    ) -> None:
        judge_pair(
            left_id=pair[0].pk, right_id=pair[1].pk, verdict="different", reason="", actor=actor_for(sara)
        )
        as_steward.post(reverse("resolution:compare"), members_form(pair) | {"action": "same"})
        as_steward.post(reverse("resolution:compare"), members_form(pair) | {"action": "propose"})
        assert MergeProposal.objects.get().state == "pending"

    def test_p9_who_took_a_different_back_does_not_merge_alone(
        self, as_steward: Client, pair: list[Customer], lena: User
    ) -> None:
        MergePolicy.objects.filter(rule="everything").update(enabled=False)
        judge_pair(
            left_id=pair[0].pk, right_id=pair[1].pk, verdict="different", reason="", actor=actor_for(lena)
        )
        as_steward.post(reverse("resolution:compare"), members_form(pair) | {"action": "same"})

        page = as_steward.get(reverse("resolution:compare"), {"member": [str(row.pk) for row in pair]})
        as_steward.post(reverse("resolution:compare"), members_form(pair) | {"action": "propose"})

        assert "Merge at once" not in page.content.decode()
        proposal = MergeProposal.objects.get()
        assert (proposal.state, proposal.reasons[0]["rule"]) == ("pending", "hard_conflict")

    def test_of_three_no_word_is_said(self, as_steward: Client, pair: list[Customer]) -> None:
        three = [*pair, CustomerFactory()]
        answer = as_steward.post(reverse("resolution:compare"), members_form(three) | {"action": "same"})
        assert "3 customers were given; a word is said of two." in answer.content.decode()
        assert 'name="action" value="same"' not in answer.content.decode()
        assert not Judgement.objects.exists()

    def test_a_customer_changed_since_it_was_seen_is_not_judged(
        self, as_steward: Client, pair: list[Customer], sara: User
    ) -> None:
        form = members_form(pair) | {"action": "different", "reason": "two people"}
        update_profile(customer_id=pair[0].pk, version=1, changes={"city": "York"}, actor=actor_for(sara))

        answer = as_steward.post(reverse("resolution:compare"), form)

        assert answer.status_code == 409
        assert 'value="two people"' in answer.content.decode()
        assert not Judgement.objects.exists()

    @pytest.mark.parametrize("word", ["same", "different", "related", "unsure"])
    def test_a_merged_customer_is_not_judged_and_says_whom_to_judge_instead(
        self, as_steward: Client, pair: list[Customer], word: str
    ) -> None:
        merged = CustomerFactory(status=Customer.Status.MERGED, merged_into=CustomerFactory())

        answer = as_steward.post(
            reverse("resolution:compare"), members_form([pair[0], merged]) | {"action": word}
        )

        assert answer.status_code == 409
        assert f"{merged.pk} was merged into {merged.canonical_id}" in answer.content.decode()
        assert not Judgement.objects.exists()

    def test_an_erased_customer_is_not_judged(self, as_steward: Client, pair: list[Customer]) -> None:
        erased = CustomerFactory(status=Customer.Status.ERASED)

        answer = as_steward.post(
            reverse("resolution:compare"), members_form([pair[0], erased]) | {"action": "different"}
        )

        assert answer.status_code == 409
        assert f"Customer {erased.pk} was erased" in answer.content.decode()
        assert not Judgement.objects.exists()

    def test_a_customer_is_not_judged_against_itself(self, as_steward: Client, pair: list[Customer]) -> None:
        answer = as_steward.post(
            reverse("resolution:compare"), members_form([pair[0], pair[0]]) | {"action": "different"}
        )

        assert answer.status_code == 400
        assert "1 different customers were given; a comparison takes 2 to 100." in answer.content.decode()
        assert not Judgement.objects.exists()

    def test_a_merge_of_a_merged_and_an_erased_customer_is_refused_naming_both(
        self, as_steward: Client
    ) -> None:
        merged = CustomerFactory(name="Ann", status=Customer.Status.MERGED, merged_into=CustomerFactory())
        erased = CustomerFactory(status=Customer.Status.ERASED)

        answer = as_steward.post(
            reverse("resolution:compare"), members_form([merged, erased]) | {"action": "propose"}
        )

        text = answer.content.decode()
        assert answer.status_code == 409
        assert f"Ann ({merged.pk}) was already merged into {merged.merged_into_id}; merge that one." in text
        assert f"Customer {erased.pk} was erased; only the id remains." in text
        assert not MergeProposal.objects.exists()

    @pytest.mark.parametrize("turned", [False, True])
    def test_a_merge_that_waits_already_is_refused_naming_the_proposal(
        self, as_steward: Client, pair: list[Customer], turned: bool
    ) -> None:
        as_steward.post(reverse("resolution:compare"), members_form(pair) | {"action": "propose"})
        first = MergeProposal.objects.get()
        members = pair[::-1] if turned else pair

        answer = as_steward.post(reverse("resolution:compare"), members_form(members) | {"action": "propose"})

        assert answer.status_code == 409
        assert f"Proposal {first.pk} would merge" in answer.content.decode()
        assert MergeProposal.objects.count() == 1

    def test_who_works_no_conflicts_says_no_word(self, sign_in: SignIn, pair: list[Customer]) -> None:
        form = members_form(pair) | {"action": "different"}
        answer = sign_in(auditor()).post(reverse("resolution:compare"), form)
        assert answer.status_code == 403
        assert not Judgement.objects.exists()
