"""Under which names the trail knows one account."""

from __future__ import annotations

from django.contrib.auth.models import User

from resolution.models import ApiKey, AuditEntry
from resolution.types import Actor

Kind = AuditEntry.ActorKind


def names_of(actor: Actor) -> set[tuple[str, str]]:
    """Return each (kind, name) the account behind an actor has acted as: the person, and each key of theirs.

    Without an account it is the actor's own name alone. Two queries.
    """
    own = (actor.kind, actor.name)
    if actor.user_id is None:
        return {own}
    people = User.objects.filter(pk=actor.user_id).values_list("username", flat=True)
    keys = ApiKey.objects.filter(user=actor.user_id).values_list("name", flat=True)
    return {
        own,
        *((Kind.USER.value, name) for name in people),
        *((Kind.SERVICE.value, name) for name in keys),
    }


def has_acted(user: User) -> bool:
    """Whether the trail names an account, which then keeps that name. One query."""
    return AuditEntry.objects.filter(actor_kind=Kind.USER, actor_name=user.get_username()).exists()
