"""P10 by exhaustion: readers and writers of one identifier, in every order their steps can take.

A reader looks up, reads the table, fills. A writer changes the table, fences, commits, releases. Whatever the
order, a reader is told an owner who owned the identifier at some moment between its first and its last step.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count

import pytest
from django_redis import get_redis_connection

from customers.ids import uuid7
from customers.models import Channel, Customer
from customers.models import Mapping as Link
from customers.services import register
from resolution.services import audit, cache, resolve
from resolution.services.blocks import block_value
from resolution.services.erase import erase_customer
from resolution.services.link import link_customer_identifier, unlink_customer_identifier
from resolution.services.merge import merge_customers, merge_in_bulk
from resolution.services.resolve import resolve_customer_identity
from resolution.services.split import split_customer
from resolution.services.unmerge import undo_merge
from resolution.types import Actor, Group
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory, MessageFactory
from tests.resolution.services.interleavings import Stepper, interleavings

ACTOR = Actor(kind="user", name="ada")
numbers = count()


@dataclass(slots=True)
class Register:
    """One identifier and everybody who has owned it, the present owner last."""

    key: cache.IdentifierKey = field(
        default_factory=lambda: (uuid.uuid4(), "email", f"{next(numbers)}@post.example")
    )
    owners: list[uuid.UUID] = field(default_factory=lambda: [uuid.uuid4()])


Steps = Generator[None, None, None]


def read(register: Register) -> Steps:
    """Look up, read the table, fill; each answer is held against the owners of the meantime."""
    begun = len(register.owners) - 1
    found = cache.look_up(register.key)
    if isinstance(found, cache.Hit):
        assert found.customer_id in register.owners[begun:], "the cache told of a former owner"
        return
    yield
    owner = register.owners[-1]
    yield
    cache.fill(register.key, owner, found.lease)


def write(register: Register) -> Steps:
    token = cache.fence(frozenset({register.key}))
    yield
    register.owners.append(uuid.uuid4())
    yield
    cache.release(frozenset({register.key}), token)


def write_and_die(register: Register) -> Steps:
    """Commit and never release: the fence goes away by itself."""
    token = cache.fence(frozenset({register.key}))
    yield
    register.owners.append(uuid.uuid4())
    yield
    forget_fence(register.key, token)


def die_before_commit(register: Register) -> Steps:
    token = cache.fence(frozenset({register.key}))
    yield
    yield
    forget_fence(register.key, token)


def forget_fence(key: cache.IdentifierKey, token: str) -> None:
    """What the server does with a fence after `fence_seconds`."""
    client, name = get_redis_connection("default"), cache._entry_name(key)
    if client.get(name) == token.encode():
        client.delete(name)


def play(
    register: Register, actors: Mapping[str, Callable[[Register], Steps]], order: tuple[str, ...]
) -> None:
    """Take the steps in this order, then read twice: the first may fill, the second is served."""
    running = {name: actor(register) for name, actor in actors.items()}
    for name in order:
        next(running[name], None)
    for _ in range(2):
        for _ in read(register):
            pass


def one_after_the_other(order: tuple[str, ...]) -> bool:
    """Whether the second writer fences after the first has committed: the rows' locks see to that."""
    first = [place for place, name in enumerate(order) if name == "writer"]
    second = [place for place, name in enumerate(order) if name == "second writer"]
    return second[0] > first[1]


class TestEveryOrderOfSteps:
    @pytest.mark.parametrize("writer", [write, write_and_die, die_before_commit])
    def test_p10_two_readers_beside_a_writer_are_never_told_of_a_former_owner(
        self, writer: Callable[[Register], Steps]
    ) -> None:
        actors = {"reader": read, "second reader": read, "writer": writer}
        orders = list(interleavings(dict.fromkeys(actors, 3)))
        for order in orders:
            play(Register(), actors, order)
        assert len(orders) == 1_680

    def test_p10_a_reader_beside_two_writers_is_never_told_of_a_former_owner(self) -> None:
        actors = {"reader": read, "writer": write, "second writer": write}
        orders = [order for order in interleavings(dict.fromkeys(actors, 3)) if one_after_the_other(order)]
        for order in orders:
            play(Register(), actors, order)
        assert len(orders) == 336

    def test_p10_a_cache_that_forgets_its_fences_would_be_caught(self) -> None:
        def write_without_fence(register: Register) -> Steps:
            yield
            register.owners.append(uuid.uuid4())
            yield

        actors = {"reader": read, "writer": write_without_fence}
        with pytest.raises(AssertionError, match="former owner"):
            for order in interleavings(dict.fromkeys(actors, 3)):
                play(Register(), actors, order)


# --- the services themselves, each step on a connection of its own ---


@dataclass(frozen=True, slots=True)
class Scene:
    """One identifier, the act that gives it another owner, and who that is (None: nobody)."""

    value: str
    before: uuid.UUID
    act: Callable[[], object]
    after: uuid.UUID | None
    steps_to_commit: int = 3

    @property
    def until_then(self) -> set[uuid.UUID | None]:
        return {self.before} if self.steps_to_commit == 3 else {self.before, None}


def merge_scene(channel: Channel) -> Scene:
    link = owned_link(channel)
    survivor = CustomerFactory()
    members = [survivor.pk, link.customer_id]

    def act() -> object:
        return merge_customers(member_ids=members, survivor_id=survivor.pk, actor=ACTOR)

    return Scene(link.normalised, link.customer_id, act, survivor.pk)


def unmerge_scene(channel: Channel) -> Scene:
    scene = merge_scene(channel)
    merge = scene.act()

    def act() -> object:
        return undo_merge(merge_id=merge.pk, actor=ACTOR)  # type: ignore[attr-defined]

    return Scene(scene.value, scene.after or scene.before, act, scene.before)


def move_scene(channel: Channel) -> Scene:
    link = owned_link(channel, confidence_score=Decimal("0.50"))
    claimant = CustomerFactory()
    return Scene(link.normalised, link.customer_id, lambda: claim(channel, link, claimant), claimant.pk)


def unlink_scene(channel: Channel) -> Scene:
    link = owned_link(channel)
    return Scene(link.normalised, link.customer_id, lambda: unlink(link), None)


def unlink_and_link_scene(channel: Channel) -> Scene:
    link = owned_link(channel)
    claimant = CustomerFactory()

    def act() -> None:
        unlink(link)
        claim(channel, link, claimant)

    return Scene(link.normalised, link.customer_id, act, claimant.pk, steps_to_commit=4)


def block_scene(channel: Channel) -> Scene:
    link = owned_link(channel)

    def act() -> object:
        return block_value(value=link.normalised, type="email", actor=ACTOR)

    return Scene(link.normalised, link.customer_id, act, None)


def erase_scene(channel: Channel) -> Scene:
    link = owned_link(channel)

    def act() -> object:
        return erase_customer(customer_id=link.customer_id, reason="Request 7", actor=ACTOR)

    return Scene(link.normalised, link.customer_id, act, None)


def merge_in_bulk_scene(channel: Channel) -> Scene:
    """A batch merges the owner into a customer who has written more often."""
    link, often_heard = owned_link(channel), MessageFactory(channel=channel).customer
    group = Group((str(often_heard.pk), str(link.customer_id)), ())

    def act() -> None:
        with audit.change(ACTOR) as trail:
            merge_in_bulk(trail, [group])

    return Scene(link.normalised, link.customer_id, act, often_heard.pk)


def split_scene(channel: Channel) -> Scene:
    """The new owner is issued an id that is known beforehand."""
    link = owned_link(channel)
    MappingFactory(customer=link.customer, channel=channel)
    new = uuid7()

    def act() -> object:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(
                register, "create_customer", lambda fields: Customer.objects.create(pk=new, **fields)
            )
            return split_customer(customer_id=link.customer_id, mapping_ids=[link.pk], actor=ACTOR)

    return Scene(link.normalised, link.customer_id, act, new)


def owned_link(channel: Channel, **fields: object) -> Link:
    return MappingFactory(customer=CustomerFactory(), channel=channel, **fields)


def unlink(link: Link) -> None:
    unlink_customer_identifier(customer_id=link.customer_id, mapping_id=link.pk, actor=ACTOR)


def claim(channel: Channel, link: Link, claimant: Customer) -> None:
    link_customer_identifier(
        customer_id=claimant.pk, channel=channel, identifier_type="email", value=link.normalised, actor=ACTOR
    )


@pytest.fixture
def stepper(monkeypatch: pytest.MonkeyPatch) -> Stepper:
    """Readers halt before they read the table and fill, writers before they fence, commit and release."""
    stepper = Stepper()
    monkeypatch.setattr(resolve, "find_owners", stepper.before(resolve.find_owners))
    monkeypatch.setattr(cache, "fill", stepper.before(cache.fill))
    monkeypatch.setattr(cache, "fence", stepper.around(cache.fence))
    monkeypatch.setattr(cache, "release", stepper.before(cache.release))
    return stepper


@pytest.mark.django_db(transaction=True)
class TestServices:
    @pytest.mark.parametrize(
        "make_scene",
        [
            merge_scene, merge_in_bulk_scene, unmerge_scene, move_scene, unlink_scene, unlink_and_link_scene,
            block_scene, erase_scene, split_scene,
        ],
    )  # fmt: skip
    def test_p10_a_reader_beside_an_act_is_never_told_of_a_former_owner(
        self, stepper: Stepper, make_scene: Callable[[Channel], Scene]
    ) -> None:
        channel = ChannelFactory()

        for order in interleavings({"reader": 3, "writer": 4}):
            scene = make_scene(channel)

            def ask(value: str = scene.value) -> uuid.UUID | None:
                return resolve_customer_identity(
                    channel=channel, identifier_type="email", value=value, min_confidence=Decimal(0)
                )

            stepper.play({"reader": ask, "writer": scene.act}, order)
            told = stepper.result("reader")
            assert told == scene.after or (not begun_after_commit(order, scene) and told in scene.until_then)
            assert [ask(), ask()] == [scene.after, scene.after], order


def begun_after_commit(order: tuple[str, ...], scene: Scene) -> bool:
    return order[: order.index("reader")].count("writer") >= scene.steps_to_commit
