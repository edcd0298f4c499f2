"""Moments that callers give, and how sentences tell them."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils import timezone

from resolution.errors import InvalidInput


def past_moment(name: str, moment: datetime) -> datetime:
    """Return a moment in UTC. Raises InvalidInput when it has no time zone or is still to come."""
    if moment.tzinfo is None:
        raise InvalidInput(
            f"{name} is {moment.isoformat()}, without a time zone; write it as {moment.isoformat()}Z or with"
            " its offset.",
            field=name,
        )
    try:
        moment = moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidInput(
            f"{name} is {moment.isoformat()}; no date can hold it in UTC.", field=name
        ) from error
    now = timezone.now()
    if moment > now:
        raise InvalidInput(
            f"{name} is {told(moment)}, which is still to come; it can be now, {told(now)}, at the latest.",
            field=name,
        )
    return moment


def told(moment: datetime) -> str:
    """A moment to the second, as sentences tell it: 2024-05-03 12:00:00 UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
