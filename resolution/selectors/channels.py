"""Channels by their code."""

from __future__ import annotations

import re

from customers.models import Channel
from resolution.errors import UnknownChannel

_CODE = re.compile(r"[-a-zA-Z0-9_]{1,50}")


def get_channel(channel: Channel | str) -> Channel:
    """Return a channel given itself or its code. Raises UnknownChannel naming those there are."""
    if isinstance(channel, Channel):
        return channel
    code = str(channel)
    found = Channel.objects.filter(code=code).first() if _CODE.fullmatch(code) else None
    if found is None:
        raise UnknownChannel(code, list(Channel.objects.order_by("code").values_list("code", flat=True)[:50]))
    return found
