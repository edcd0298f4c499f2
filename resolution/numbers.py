"""Whole numbers as people and programs write them."""

from __future__ import annotations

# What an integer column and a bigint column hold at most.
LARGEST_INTEGER, LARGEST_ID = 2**31 - 1, 2**63 - 1


def read_whole(text: str, *, most: int) -> int | None:
    """Return the number that plain digits spell, None for other text and for a number above `most`.

    However long the text is, no more digits are read than `most` has.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most))):
        return None
    number = int(text)
    return number if number <= most else None
