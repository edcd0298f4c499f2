"""The only place rows are locked; always in key order, so that two changes cannot wait for each other.

Ids never change, so a lock leaves them free: rows that name a customer, such as those of the trail, wait for
nobody who has the customer locked and waits in turn for the trail.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, Protocol, TypeVar

from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.db.models import Model, QuerySet
from psycopg import errors as postgres

from customers.models import Customer, SourceRecord
from resolution.errors import NotFound, TryAgain, UnknownCustomer
from resolution.services import audit
from resolution.services.audit import Trail

Row = TypeVar("Row", bound=Model)


class Plan(Protocol):
    """What somebody means to do, read without locks: whom it touches, and whether it still holds."""

    def touched(self) -> Collection[uuid.UUID]: ...

    def holds(self, locked: Mapping[uuid.UUID, Customer]) -> bool: ...


SomePlan = TypeVar("SomePlan", bound=Plan)
Given = ParamSpec("Given")
Result = TypeVar("Result")

_MOST_TRIES = 5
_BLOCKLIST_LOCK = 0x1D_B10C  # any numbers no other advisory lock uses
_FILES_LOCK = 0x1D_F11E
_ERASURE_LOCK = 0x1D_E5A5
# What a plan runs into when another change, not yet committed while it was read, linked the same identifier.
_LINKED_MEANWHILE = frozenset({"p1_one_owner", "p1_one_owner_at_a_time", "mapping_once_a_customer"})


_OVERTAKING = (postgres.DeadlockDetected, postgres.SerializationFailure, postgres.ExclusionViolation)


class _Overtaken(Exception):
    """Another change came between a plan and its locks."""


def lock_customers(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Customer]:
    """Lock customers in id order and return them by id; must run inside a transaction.

    What is blocked stays as it is from before then on: whoever waits for that holds no customer. Raises
    UnknownCustomer naming the first id that does not exist.
    """
    keep_blocklist()
    found = {row.pk: row for row in lock_rows(Customer.objects.filter(pk__in=ids))}
    missing = sorted(set(ids) - set(found))
    if missing:
        raise UnknownCustomer(missing[0])
    return found


@dataclass(frozen=True, slots=True)
class _Families:
    """Customers and those merged into them, read without locks: somebody may be absorbed meanwhile."""

    named: frozenset[uuid.UUID]
    absorbed: frozenset[uuid.UUID]

    @classmethod
    def of(cls, named: frozenset[uuid.UUID]) -> _Families:
        return cls(
            named, frozenset(Customer.objects.filter(merged_into__in=named).values_list("pk", flat=True))
        )

    def touched(self) -> frozenset[uuid.UUID]:
        return self.named | self.absorbed

    def holds(self, locked: Mapping[uuid.UUID, Customer]) -> bool:
        return _Families.of(self.named).absorbed <= self.absorbed


def lock_with_absorbed(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Customer]:
    """Lock as `lock_customers` does, and with them those merged into them, whose redirects are to change.

    Raises TryAgain when others are merged into them every time.
    """
    named = frozenset(ids)
    _, locked = lock_as_planned(lambda: _Families.of(named))
    return {key: locked[key] for key in sorted(named)}


def lock_source_records(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, SourceRecord]:
    """Lock records of sources in id order, after their customers, and return those there are by id."""
    return {row.pk: row for row in lock_rows(SourceRecord.objects.filter(pk__in=ids))}


def lock_as_planned(make_plan: Callable[[], SomePlan]) -> tuple[SomePlan, dict[uuid.UUID, Customer]]:
    """Lock the customers a plan touches; if it no longer holds by then, let go of them and plan again.

    Raises TryAgain when other changes come between every time.
    """
    return _as_planned(make_plan, lambda plan, locked: (plan, locked), transaction.atomic)


def act_as_planned(
    trail: Trail,
    make_plan: Callable[[], SomePlan],
    act: Callable[[SomePlan, dict[uuid.UUID, Customer]], Result],
) -> Result:
    """Lock as planned and act; where another change links the same identifier just then, plan again too.

    What the act had done and noted is taken back before. Raises TryAgain as `lock_as_planned` does.
    """
    return _as_planned(make_plan, act, lambda: audit.attempt(trail))


def _as_planned(
    make_plan: Callable[[], SomePlan],
    act: Callable[[SomePlan, dict[uuid.UUID, Customer]], Result],
    savepoint: Callable[[], AbstractContextManager[None]],
) -> Result:
    for _ in range(_MOST_TRIES):
        plan = make_plan()
        try:
            with savepoint():
                locked = lock_customers(plan.touched())
                if plan.holds(locked):
                    return act(plan, locked)
                raise _Overtaken
        except _Overtaken:
            continue
        except IntegrityError as error:
            if violated_constraint(error) not in _LINKED_MEANWHILE:
                raise
    raise TryAgain(
        f"Other changes of the same customers came first {_MOST_TRIES} times; nothing was done. Try again."
    )


def again_after_deadlock(act: Callable[Given, Result]) -> Callable[Given, Result]:
    """Let an act begin anew when it and another change, such as an import, waited for each other's locks.

    The database then takes one of them back. A part of a larger transaction cannot begin anew by itself: the
    error goes on to whoever opened that. Raises TryAgain when it happens every time.
    """

    @wraps(act)
    def whole(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        if connection.in_atomic_block:
            return act(*args, **kwargs)
        for _ in range(_MOST_TRIES):
            try:
                return act(*args, **kwargs)
            except OperationalError as error:
                if not is_deadlock(error):
                    raise
        raise TryAgain(
            f"This and other changes waited for each other {_MOST_TRIES} times; nothing was done. Try again."
        )

    return whole


def retried(step: Callable[[], Result], forget: Callable[[], None] = lambda: None) -> Result:
    """Do a step of a long run, again from its start when another change came between.

    `forget` undoes what was remembered of a try that was rolled back.
    """
    for _ in range(1, _MOST_TRIES):
        try:
            return step()
        except TryAgain:
            forget()
        except (OperationalError, IntegrityError) as error:
            if not is_overtaken(error):
                raise
            forget()
    return step()


def is_deadlock(error: OperationalError) -> bool:
    return isinstance(error.__cause__, postgres.DeadlockDetected)


def is_overtaken(error: DatabaseError) -> bool:
    """Whether another change held locks crosswise, or has just ended the time of an identifier's owner."""
    return isinstance(error.__cause__, _OVERTAKING)


def violated_constraint(error: IntegrityError) -> str:
    """Return the name of the constraint a statement ran into, empty when the database named none."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "constraint_name", None) or ""


def lock_row(model: type[Row], key: int) -> Row:
    """Lock one conflict, proposal or merge, after the customers it names. Raises NotFound."""
    row = model._default_manager.select_for_update(of=("self",), no_key=True).filter(pk=key).first()
    if row is None:
        noun = model._meta.verbose_name
        raise NotFound(
            f"There is no {noun} {key}. Check the number.", **{model._meta.model_name or "row": key}
        )
    return row


def lock_rows(rows: QuerySet[Row]) -> list[Row]:
    """Lock rows in key order, after the customers they name."""
    return list(rows.select_for_update(of=("self",), no_key=True).order_by("pk"))


def lock_free_rows(rows: QuerySet[Row], limit: int) -> list[Row]:
    """Lock up to `limit` rows in the order asked for, passing over those another change holds."""
    return list(rows.select_for_update(skip_locked=True, of=("self",), no_key=True)[:limit])


def lock_free_customers(ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Lock those of these customers that are active and that nobody else has locked; waits for nobody.

    Whoever is at work on the others may be merging or erasing them.
    """
    rows = Customer.objects.active().filter(pk__in=ids).only("pk")
    return {row.pk for row in lock_free_rows(rows.order_by("pk"), len(ids))} if ids else set()


def lock_identifiers(identifiers: Iterable[tuple[str, str]]) -> None:
    """Hold (type, normalised) identifiers until commit, whether or not a row exists for them yet.

    Makes look-then-create of the same new person one act: the second one finds the first one's customer. What
    is blocked stays as it is until then.
    """
    keep_blocklist()
    keys = sorted({_lock_number(kind, value) for kind, value in identifiers})
    with connection.cursor() as cursor:
        for key in keys:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])


def keep_blocklist() -> None:
    """Keep what is blocked as it is until commit, as others may too; before identifiers and customers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_BLOCKLIST_LOCK])


def hold_blocklist() -> None:
    """Hold what is blocked until commit, before any other lock: nobody links or writes keys meanwhile.

    Whoever does has kept the list (`keep_blocklist`), and so has either committed or will see the change.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_BLOCKLIST_LOCK])


def hold_files() -> None:
    """Let no other file's rows be taken in until commit, before any other lock.

    A file locks few of its values; this way those it does not are added to by one file at a time.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_FILES_LOCK])


def keep_files_out() -> None:
    """Wait until the rows of a file that are being taken in are in, and let no others in until commit.

    It comes last of all locks, so that an import may be met crosswise: seldom enough to begin anew.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_FILES_LOCK])


def keep_files_out_now() -> bool:
    """Let no file's rows in until commit unless some are being taken in just now; whether none are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock_shared(%s)", [_FILES_LOCK])
        return bool(cursor.fetchone()[0])


def hold_erasures() -> None:
    """Let no other erasure go on until commit, before any other lock.

    Of two that empty the same entry of the trail, the second must not take it for altered.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ERASURE_LOCK])


def try_lock_request(caller: str, key: str) -> bool:
    """Hold one keyed request until commit; False at once when somebody else is at work on it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_lock_number(f"request {caller}", key)])
        return bool(cursor.fetchone()[0])


@contextmanager
def hold_work(name: str) -> Iterator[bool]:
    """Keep a long piece of work to one session, over many transactions; yields False when another has it.

    The lock goes with the session, so work that was killed does not keep its name.
    """
    number = _lock_number("work", name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held:
            _let_go(number)


def _let_go(number: int) -> None:
    if connection.connection is None or connection.connection.closed:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [number])


def _lock_number(kind: str, value: str) -> int:
    digest = hashlib.blake2b(f"{kind}\0{value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
