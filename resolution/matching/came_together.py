"""The parts a customer's identifiers fall into without a value: what came together without it stays together.

No weights here. An identifier that was linked because it came with the value, and with nothing else that was
known, stands by the value alone; so does whatever came by that identifier later. All others stand by
themselves, and are the part that stays.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from resolution.matching.blocked import FIELD_OF, Blocked, Blocklist


@dataclass(frozen=True, slots=True)
class Value:
    """One identifier, wherever it was seen; `scope` names the system of those that mean nothing elsewhere."""

    type: str
    text: str
    scope: str = ""


@dataclass(frozen=True, slots=True)
class LinkFact:
    """One link of a customer and how it came.

    `record` is the customer it was linked to, before any merge. `beside` is what the customer was recognised
    by, or came with that, in the act that linked it. `by_itself` links need nothing to stand by: a person
    made them, a file's record brought them, they are verified, or nothing tells any more how they came:
    these are `untold`.
    """

    id: uuid.UUID
    record: uuid.UUID
    value: Value
    beside: frozenset[Value] = frozenset()
    by_itself: bool = True
    untold: bool = False


Part = tuple[LinkFact, ...]


def parts_without(
    links: Sequence[LinkFact], acts: Iterable[Collection[Value]], block: Blocked, nobodys: Blocklist
) -> tuple[Part, ...]:
    """Part a customer's links, the oldest first, by what holds them without a blocked value.

    `acts` are all the sets of values that ever came at once to the customer: more of them never make more
    parts. `nobodys` are all values that hold nothing, this one and what was blocked before; their links are
    left out. Returns the largest part first, in each the oldest link first, and one part at most where
    nothing stood by the value.
    """
    left = [link for link in links if not _is_any(nobodys, link.value)]
    group = _groups([*_without(nobodys, acts), *([link.value] for link in left)])
    groups: dict[Value, list[LinkFact]] = {}
    for link in left:
        groups.setdefault(group[link.value], []).append(link)
    first = {link.record: link for link in reversed(left)}
    homes = {group[link.value] for link in first.values()}
    staying = {key for key, found in groups.items() if key in homes or not _leans(found, block)}
    leaving = [tuple(found) for key, found in groups.items() if key not in staying]
    home = tuple(link for link in left if group[link.value] in staying)
    return tuple(sorted([part for part in (home, *leaving) if part], key=lambda part: -len(part)))


def _leans(found: Sequence[LinkFact], block: Blocked) -> bool:
    """Whether links that came together stand by the value: the first came with it, and none by itself."""
    came_with = any(block.covers(value.type, value.text) for value in found[0].beside)
    return came_with and not any(link.by_itself for link in found)


def _without(nobodys: Blocklist, acts: Iterable[Collection[Value]]) -> Iterable[list[Value]]:
    for act in acts:
        yield [value for value in act if not _is_any(nobodys, value)]


def _is_any(nobodys: Blocklist, value: Value) -> bool:
    return value.type in FIELD_OF and nobodys.find(value.type, value.text) is not None


def _groups(acts: Iterable[Sequence[Value]]) -> Mapping[Value, Value]:
    """Name for each value one of those it is connected with, directly or over others."""
    found: dict[Value, list[Value]] = {}
    for act in acts:
        for value in act:
            small, large = sorted((found.setdefault(key, [key]) for key in (act[0], value)), key=len)
            if small is not large:
                large += small
                found.update(dict.fromkeys(small, large))
    return {value: group[0] for value, group in found.items()}
