"""Time-ordered ids, so that indexes stay dense; made in Python because PostgreSQL before 18 cannot."""

from __future__ import annotations

import os
import time
import uuid

_RANDOM_BITS = 74


def uuid7() -> uuid.UUID:
    """Return a version 7 UUID (RFC 9562): 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(10)) >> (80 - _RANDOM_BITS)
    high = (milliseconds << 16) | (0x7 << 12) | (noise >> 62)
    low = (0b10 << 62) | (noise & ((1 << 62) - 1))
    return uuid.UUID(int=(high << 64) | low)
