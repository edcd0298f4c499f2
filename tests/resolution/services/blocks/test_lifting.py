"""A block lifted: the value is evidence again."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from customers.models import Customer
from resolution.errors import NotFound, Refused
from resolution.matching.key_numbers import key_number
from resolution.models import AuditEntry, BlockedValue, BlockingKey, Conflict
from resolution.selectors.profiles import load_profiles
from resolution.services.blocks import retire_block
from resolution.services.importing import import_file, open_file
from resolution.services.profiles import create_customer, update_profile
from resolution.services.resolve import create_or_resolve_customer
from tests.factories import ChannelFactory, CustomerFactory
from tests.resolution.batch.files import stranger, write
from tests.resolution.services.blocks.scene import ACTOR, TILL, block, joined, person
from tests.resolution.services.promises import keys_out_of_date
from tests.resolution.services.waiting import met_by

pytestmark = pytest.mark.django_db


class TestLifting:
    def test_the_value_is_evidence_again_and_links_stay_ended(self) -> None:
        someone = person(1)
        row = block()

        lifted = retire_block(block_id=row.pk, reason="It was hers.", actor=ACTOR)

        assert (lifted.state, lifted.retired_by) == ("retired", "lena")
        assert someone.mappings.get().status == "ended"
        assert load_profiles([someone.pk])[someone.pk].phones == (TILL,)
        assert BlockingKey.objects.filter(customer=someone, key=key_number(f"ph:{TILL}")).exists()
        assert AuditEntry.objects.filter(action="unblock").count() == 2

    @pytest.mark.parametrize(
        ("type", "value", "written"),
        [
            ("phone", TILL, {"phone": "+49 (0)30 123456789"}),
            ("phone", TILL, {"phone": "030 / 123 456 789 ext. 12", "country": "DE"}),
            ("phone", TILL, {"phone": "٠٣٠ ١٢٣٤٥٦٧٨٩", "country": "DE"}),
            ("phone", "+18005557673", {"phone": "1-800-555-ROSE", "country": "US"}),
            ("phone", "+4930*", {"phone": "030 123456789", "country": "DE"}),
            ("phone", "*456789", {"phone": "030 12 34 56 789", "country": "DE"}),
            ("email", "anna.smith@post.example", {"email": "Anna Smith <Anna.Smith+News@POST.example>"}),
            ("email", "annasmith@gmail.com", {"email": "Anna.Smith@googlemail.com"}),
            ("email", "till*@gmail.com", {"email": "Till.7+a@GoogleMail.com"}),
            ("email", "anna@xn--mller-kva.example", {"email": "anna@Müller.example"}),
            ("", "anna@post.example", {"email": "ANNA@post.example"}),
            ("", "*1234567*", {"phone": "+49 30 1234567-89"}),
        ],
    )
    def test_who_was_made_with_it_meanwhile_has_its_keys_however_it_was_written(
        self, type: str, value: str, written: dict[str, str]
    ) -> None:
        row = block(value, type=type)
        made = create_customer(fields={"name": "Anna", **written}, actor=ACTOR)
        joined(made, CustomerFactory(name="Anna"))
        other = create_customer(fields={"email": "eve@post.example", "phone": "+49401111111"}, actor=ACTOR)

        retire_block(block_id=row.pk, actor=ACTOR)

        assert keys_out_of_date() == []
        told = AuditEntry.objects.filter(action="unblock", customer__isnull=False)
        assert [entry.customer.canonical_id for entry in told if entry.customer] == [
            Customer.objects.get(pk=made.pk).canonical_id
        ]
        assert Customer.objects.get(pk=other.pk).version == 1

    def test_a_pattern_reaches_who_has_it_in_a_field_however_it_was_written(self) -> None:
        someone = create_customer(fields={"phone": "030 123456789", "country": "DE"}, actor=ACTOR)

        row = block("+4930*")

        assert row.reach["customers"] == 1
        assert not BlockingKey.objects.filter(customer=someone).exists()

    def test_who_came_with_it_meanwhile_has_its_keys(self, tmp_path: Path) -> None:
        row = block()
        message = {"customer_phone": TILL, "sender_name": "Anna Smithers"}
        create_or_resolve_customer(channel=ChannelFactory(), message=message, actor=ACTOR)
        path = write(tmp_path / "people.csv", *(stranger(number, phone=TILL) for number in range(3)))
        import_file(open_file(path=path, channel=ChannelFactory()), actor=ACTOR)

        retire_block(block_id=row.pk, actor=ACTOR)

        assert keys_out_of_date() == []

    def test_what_another_block_covers_stays_blocked(self) -> None:
        row, wider = block(), block("+4930*")
        someone = create_customer(fields={"name": "Anna", "phone": TILL}, actor=ACTOR)

        retire_block(block_id=row.pk, actor=ACTOR)
        assert load_profiles([someone.pk])[someone.pk].phones == ()
        retire_block(block_id=wider.pk, actor=ACTOR)

        assert keys_out_of_date() == []

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("lifted_first", [True, False])
    def test_one_who_is_written_with_it_at_that_moment_has_its_keys(self, lifted_first: bool) -> None:
        row, someone = block(), CustomerFactory(name="Anna")

        def lift() -> object:
            return retire_block(block_id=row.pk, actor=ACTOR)

        def write_it() -> object:
            create_customer(fields={"phone": TILL}, actor=ACTOR)
            return update_profile(customer_id=someone.pk, version=1, changes={"phone": TILL}, actor=ACTOR)

        first, second = (lift, write_it) if lifted_first else (write_it, lift)
        met_by(second, first=first, then=lambda: None)

        assert keys_out_of_date() == []

    def test_it_may_be_blocked_again_and_both_rows_stay(self) -> None:
        retire_block(block_id=block().pk, actor=ACTOR)
        block()
        assert list(BlockedValue.objects.order_by("pk").values_list("state", flat=True)) == [
            "retired",
            "live",
        ]

    def test_lifting_twice_is_refused(self) -> None:
        row = block()
        retire_block(block_id=row.pk, actor=ACTOR)
        with pytest.raises(Refused, match="was lifted by lena already"):
            retire_block(block_id=row.pk, actor=ACTOR)

    def test_an_unknown_one_is_not_found(self) -> None:
        with pytest.raises(NotFound, match="no blocked value 99"):
            retire_block(block_id=99, actor=ACTOR)


class TestQuestionsAboutMerges:
    """What was asked because the value alone held a customer together."""

    ALIKE: ClassVar[dict[str, str]] = {"given_name": "Anna"}

    def test_one_that_holds_together_with_the_value_is_asked_about_no_more(self) -> None:
        joined(person(1, **self.ALIKE), person(2, **self.ALIKE))
        row = block()
        assert Conflict.objects.get().state == "open"

        retire_block(block_id=row.pk, actor=ACTOR)

        closed = Conflict.objects.get()
        assert (closed.state, closed.outcome) == ("done", "closed")
        told = AuditEntry.objects.get(action="decide").metadata["reason"]
        assert told.startswith(f"The value {TILL}, which was blocked, is evidence again.")

    def test_one_that_does_not_tells_that_it_was_weighed_with_it(self) -> None:
        joined(person(1), person(2))
        lifted = block()
        before = Conflict.objects.get()

        retire_block(block_id=lifted.pk, actor=ACTOR)

        now = Conflict.objects.get()
        assert (now.state, now.version) == ("open", before.version + 1)
        assert "is evidence again. Even with it the 2 records" in now.reason

    def test_what_another_block_covers_is_asked_as_before(self) -> None:
        joined(person(1, **self.ALIKE), person(2, **self.ALIKE))
        row = block()
        block("+4930*")
        asked = Conflict.objects.get(identifier_value=TILL)

        retire_block(block_id=row.pk, actor=ACTOR)

        assert Conflict.objects.get(pk=asked.pk).state == "open"
