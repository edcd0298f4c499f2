"""Taking work and giving it back: leases that lapse, and no row held by two.

Every step is one guarded update. Claims change no identity, so they leave no audit row.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from resolution.conf import policy
from resolution.errors import ClaimLost, IllegalTransition, InvalidInput, NotFound, NotPermitted
from resolution.models import Conflict
from resolution.selectors.queue import QueueFilters, matching
from resolution.services import locks
from resolution.services.conflict_states import TRANSITIONS, states_before
from resolution.types import Actor

State = Conflict.State
MOST_CLAIMED = 200


def claim_next(
    *,
    actor: Actor,
    filters: QueueFilters | None = None,
    size: int | None = None,
    skipped: Collection[int] = (),
) -> list[Conflict]:
    """Lease the next conflicts, most urgent first; rows another steward is claiming are passed over.

    What a lead gave back to this steward comes first, what they `skipped` last; what was given back to others
    is theirs alone for policy.review_days. `size` defaults to policy.claim_size.
    Raises NotPermitted for an actor without account, InvalidInput for a filter or size that makes no sense.
    """
    me = account_of(actor)
    wanted = Conflict.objects.filter(matching(filters or QueueFilters(), me))
    wanted = wanted.order_by("-priority", "due_at", "pk")
    given_back = wanted.filter(state=State.RETURNED, assignee=me)
    limit = policy().claim_size if size is None else size
    if not 1 <= limit <= MOST_CLAIMED:
        raise InvalidInput(f"{limit} conflicts cannot be claimed at once; ask for 1 to {MOST_CLAIMED}.")
    with transaction.atomic():
        taken = locks.lock_free_rows(given_back, limit)
        free = wanted.filter(_up_for_grabs()).exclude(pk__in=[row.pk for row in taken])
        for part in (free.exclude(pk__in=skipped), free.filter(pk__in=skipped)):
            taken += locks.lock_free_rows(part, limit - len(taken))
        ids = [conflict.pk for conflict in taken]
        Conflict.objects.filter(pk__in=ids).update(**_leased_to(me))
    found = Conflict.objects.in_bulk(ids)
    return [found[key] for key in ids]


def claim(*, conflict_id: int, actor: Actor) -> Conflict:
    """Lease one conflict; one's own live claim is only prolonged.

    Raises NotFound, ClaimLost when another holds it, IllegalTransition when it cannot be claimed.
    """
    me = account_of(actor)
    mine = Q(state=State.CLAIMED, assignee=me)
    if Conflict.objects.filter(mine, pk=conflict_id).update(leased_until=_lease_end()):
        return Conflict.objects.get(pk=conflict_id)
    free = Q(state__in=[*set(states_before(State.CLAIMED)) - {State.CLAIMED}]) | _lapsed()
    return _step(conflict_id, free, State.CLAIMED, _leased_to(me))


def renew(*, conflict_id: int, actor: Actor) -> Conflict:
    """Prolong one's own lease; the version stays. Raises NotFound, ClaimLost."""
    mine = Q(state=State.CLAIMED, assignee=account_of(actor))
    return _step(conflict_id, mine, "", {"leased_until": _lease_end()})


def release(*, conflict_id: int, actor: Actor) -> Conflict:
    """Give a claimed conflict back to the queue. Raises NotFound, ClaimLost."""
    mine = Q(state=State.CLAIMED, assignee=account_of(actor))
    return _step(conflict_id, mine, "", _freed())


def park(*, conflict_id: int, until: datetime, comment: str = "", actor: Actor) -> Conflict:
    """Put a claimed conflict aside until a moment. Raises NotFound, ClaimLost, InvalidInput."""
    _check_moment(until)
    mine = Q(state=State.CLAIMED, assignee=account_of(actor))
    aside = {"state": State.PARKED, "parked_until": until, "leased_until": None, "comment": comment[:500]}
    return _step(conflict_id, mine, "", aside | {"version": F("version") + 1})


def release_lapsed() -> int:
    """Return to the queue what was claimed or given back for a time that is over, or parked; say how many."""
    return Conflict.objects.filter(_over()).update(**_freed())


def account_of(actor: Actor) -> int:
    """Return the account behind an actor. Raises NotPermitted when there is none."""
    if actor.user_id is None:
        raise NotPermitted(f"{actor.name} has no account; only a person who is signed in works the queue.")
    return actor.user_id


def lock_claimed(conflict_id: int, actor: Actor) -> Conflict:
    """Lock a conflict the actor holds a live claim on. Raises NotFound, IllegalTransition, ClaimLost."""
    conflict = locks.lock_row(Conflict, conflict_id)
    lease = conflict.leased_until
    live = conflict.state == State.CLAIMED and lease is not None and lease > timezone.now()
    if not live or conflict.assignee_id != account_of(actor):
        raise _refusal(conflict, State.DECIDED)
    return conflict


def lease_locked(conflicts: Collection[Conflict], actor: Actor) -> None:
    """Claim conflicts that are locked and free for the actor; one statement for any number."""
    keys = [conflict.pk for conflict in conflicts]
    Conflict.objects.filter(pk__in=keys).update(updated_at=timezone.now(), **_leased_to(account_of(actor)))


def why_not_claimed(conflict: Conflict, actor: Actor) -> str:
    """Say why somebody cannot claim a conflict now; empty when they can, or hold it already."""
    lease = conflict.leased_until
    held = conflict.state == State.CLAIMED and lease is not None and lease > timezone.now()
    mine = held and conflict.assignee_id == account_of(actor)
    if mine or (not held and State.CLAIMED in TRANSITIONS[conflict.state]):
        return ""
    return f"Nobody can take it up now: {_who_holds(conflict)}."


def _step(conflict_id: int, guard: Q, wanted: str, changes: dict[str, Any]) -> Conflict:
    """Change exactly one conflict that meets the guard, or say why not."""
    changed = Conflict.objects.filter(guard, pk=conflict_id).update(updated_at=timezone.now(), **changes)
    conflict = Conflict.objects.filter(pk=conflict_id).first()
    if conflict is None:
        raise NotFound(f"There is no conflict {conflict_id}. Check the number.", conflict=conflict_id)
    if not changed:
        raise _refusal(conflict, wanted)
    return conflict


def _refusal(conflict: Conflict, wanted: str) -> ClaimLost | IllegalTransition:
    if wanted and conflict.state in (State.DECIDED, State.DONE):
        return IllegalTransition(f"Conflict {conflict.pk}", conflict.get_state_display().lower(), wanted)
    return ClaimLost(conflict.pk, _who_holds(conflict))


def _who_holds(conflict: Conflict) -> str:
    lease, holder = conflict.leased_until, conflict.assignee
    if conflict.state != State.CLAIMED or holder is None or lease is None:
        return f"it is {conflict.get_state_display().lower()}"
    word = "has it until" if lease > timezone.now() else "had it until"
    return f"{holder.get_username()} {word} {lease:%H:%M} UTC"


def _up_for_grabs() -> Q:
    return Q(state=State.OPEN) | _over()


def _over() -> Q:
    """What somebody had for themselves until now."""
    return _lapsed() | Q(state=State.PARKED, parked_until__lte=timezone.now()) | _left_lying()


def _lapsed() -> Q:
    return Q(state=State.CLAIMED, leased_until__lte=timezone.now())


def _left_lying() -> Q:
    """What was given back to somebody who let their time for it pass, or never works the queue."""
    now = timezone.now()
    absent = User.objects.filter(Q(is_active=False) | Q(is_staff=False))
    late = Q(leased_until__lte=now) | Q(leased_until__isnull=True, due_at__lte=now)
    return Q(state=State.RETURNED) & (late | Q(assignee__isnull=True) | Q(assignee__in=absent))


def _lease_end() -> datetime:
    return timezone.now() + timedelta(minutes=policy().lease_minutes)


def _leased_to(user_id: int) -> dict[str, Any]:
    return {
        "state": State.CLAIMED,
        "assignee": user_id,
        "leased_until": _lease_end(),
        "parked_until": None,
        "version": F("version") + 1,
    }


def _freed() -> dict[str, Any]:
    return {
        "state": State.OPEN,
        "assignee": None,
        "leased_until": None,
        "parked_until": None,
        "version": F("version") + 1,
    }


def _check_moment(until: datetime) -> None:
    if timezone.is_naive(until):
        raise InvalidInput(f"The moment {until} has no time zone; give one, such as {timezone.now():%FT%TZ}.")
    latest = timezone.now() + timedelta(days=policy().park_days_limit)
    if not timezone.now() < until <= latest:
        raise InvalidInput(
            f"A conflict can be parked until {latest:%d %B %Y} at the latest, and not until the past;"
            f" {until:%d %B %Y %H:%M} was given."
        )
