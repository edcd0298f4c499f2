"""Whatever was done, the trail alone tells what every customer was after each act."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import settings as profiles
from hypothesis.stateful import run_state_machine_as_test

from resolution.selectors.erasure import find_person
from resolution.services.link import link_customer_identifier, unlink_customer_identifier
from resolution.services.note import note_untold
from tests.factories import ChannelFactory, actor_for, lead, steward
from tests.resolution.services.memory import Memory
from tests.resolution.services.test_promises_hold import Acts, settle_a_town
from tests.resolution.services.test_unmerge import ACTOR
from tests.resolution.services.test_unmerge_forests import CHANCES, STEPS, Town, rolled_back

pytestmark = pytest.mark.django_db
Result = TypeVar("Result")


class RememberedActs(Acts):
    """Every act on identities; at the end the trail is asked for what was after each."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory()

    def carry_out(self, call: Callable[[], Result]) -> Result:
        result = super().carry_out(call)
        self.memory.remember()
        return result

    def about_to_erase(self, customer: uuid.UUID) -> None:
        self.memory.forget(find_person(customer).met)

    def take_everything_back(self) -> None:
        super().take_everything_back()
        self.memory.check()


class RememberedTown(Town):
    """A town whose identifiers are linked by the rules, and taken off; merges are undone in any order."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(chance)
        note_untold(actor=ACTOR)
        self.memory = Memory()
        self.shop = ChannelFactory(code="corner-shop")

    def learn(self) -> None:
        """Somebody is given an identifier, perhaps one that another has; or loses one."""
        customer = self.chance.choice(self.active())
        held = [link.pk for link in customer.mappings.current().filter(channel=self.shop)]
        if held and self.chance.random() < 0.5:
            unlink_customer_identifier(
                customer_id=customer.pk, mapping_id=self.chance.choice(held), actor=ACTOR
            )
        else:
            link_customer_identifier(
                customer_id=customer.pk,
                channel=self.shop,
                identifier_type="handle",
                value=self.chance.choice(["@Anna_Smithers", "boris_okonkwo"]),
                actor=ACTOR,
            )

    def check(self) -> None:
        self.memory.remember()


@pytest.mark.parametrize("profile", ["a few acts", pytest.param("acts", marks=pytest.mark.soak)])
def test_p5_the_trail_tells_what_was_after_every_act(profile: str, tmp_path: Path, settings: Any) -> None:
    settings.VAR_DIR = RememberedActs.folder = tmp_path
    RememberedActs.steward, RememberedActs.lead = actor_for(steward()), actor_for(lead())
    settle_a_town()
    note_untold(actor=ACTOR)
    run_state_machine_as_test(RememberedActs, settings=profiles.get_profile(profile))


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(chance=CHANCES, steps=STEPS)
def test_p5_the_trail_tells_what_was_while_forests_grow_and_fall(
    chance: random.Random, steps: list[str]
) -> None:
    with rolled_back():
        town = RememberedTown(chance)
        town.live(steps)
        town.undo_all()
        town.memory.check()
