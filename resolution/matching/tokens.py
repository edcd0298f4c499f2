"""What two customers may share: tokens of a value as text, and of a column's values as numbers.

Both ways of a token say the same: `of` writes one value's tokens for the key table of the register,
`numbers` gives those of all distinct values of a table at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from resolution.matching.facts import bare_ids_of, mailboxes_of, sounds_of_names
from resolution.matching.normalise.address import street_core, street_cores
from resolution.matching.normalise.email import are_shared_mailboxes, is_shared_mailbox
from resolution.matching.normalise.external_id import bare_id
from resolution.matching.normalise.name import core_family, sound_of, sounds_of
from resolution.matching.table import Column, Part, ProfileTable, Rows, number_values
from resolution.types import Address, Name

# A merged customer may have many values; the first ones of each token make its keys.
MOST_VALUES = 4
SHORTEST_MAILBOX = 6
PHONE_TAIL = 8


@dataclass(frozen=True, slots=True)
class Token:
    """Something two customers may share: the field it comes from, and what a value of that field gives.

    Where only one part of the value counts, `part` names it and `of` is given its text. Otherwise `numbers`
    tells how the values of a column share it, the same as `of` does for one value.
    """

    field: str
    of: Callable[[Any], tuple[str, ...]]
    part: str = ""
    numbers: Callable[[Column], Sequence[Numbered]] | None = None


@dataclass(frozen=True, eq=False)
class Numbered:
    """A token's number for each value of a column, -1 for none; numbers are below `size`."""

    codes: Rows
    size: int


def whole(value: str) -> tuple[str, ...]:
    """A value as its own token."""
    return (value,)


def _mailbox(email: str) -> tuple[str, ...]:
    """The local part, where it is one person's and long enough to tell."""
    local = email.partition("@")[0].replace(".", "").replace("_", "")
    return (local,) if len(local) >= SHORTEST_MAILBOX and not is_shared_mailbox(email) else ()


def _number_mailboxes(column: Column) -> list[Numbered]:
    locals_ = mailboxes_of(column)
    bare = pc.replace_substring_regex(locals_, "[._]", "")
    long = pc.greater_equal(pc.utf8_length(bare), SHORTEST_MAILBOX)
    own = pc.and_(long, pc.invert(are_shared_mailboxes(locals_)))
    return [_renumber(number_values(bare), own.to_numpy(zero_copy_only=False))]


def _bare_id(external_id: str) -> tuple[str, ...]:
    return (bare_id(external_id),)


def _number_bare_ids(column: Column) -> list[Numbered]:
    codes = number_values(bare_ids_of(column))
    return [Numbered(codes.astype(np.int64), int(codes.max(initial=-1)) + 1)]


def _phone_tail(phone: str) -> tuple[str, ...]:
    return (phone[-PHONE_TAIL:],)


def _number_phone_tails(column: Column) -> list[Numbered]:
    codes = number_values(pc.utf8_slice_codeunits(column.arrow, -PHONE_TAIL))
    return [Numbered(codes.astype(np.int64), int(codes.max(initial=-1)) + 1)]


def _renumber(codes: npt.NDArray[np.int32], counts: npt.NDArray[np.bool_]) -> Numbered:
    """Numbers of which some do not count."""
    return Numbered(np.where(counts, codes, -1).astype(np.int64), int(codes.max(initial=-1)) + 1)


def day_key(date: str) -> str:
    """Make one key of a date and of its day and month swapped."""
    year, month, day = date.split("-")
    return "".join((year, *sorted((month, day))))


def _day(date: str) -> tuple[str, ...]:
    return (day_key(date),)


def _initial(text: str) -> tuple[str, ...]:
    return (text[0],)


def _given(given: str) -> tuple[str, ...]:
    return _heard(sound_of(_given_word(given)))


def _given_word(given: str) -> str:
    """The first of several given names."""
    return given.split()[0]


# Which words of a given and of a family name are heard.
_HEARD = (_given_word, core_family)


def _family(family: str) -> tuple[str, ...]:
    return _heard(sound_of(core_family(family)))


def _heard(sound: str) -> tuple[str, ...]:
    return (sound,) if sound else ()


def _both_names(name: Name) -> tuple[str, ...]:
    """Both names as they sound, in either order."""
    if not (name.given and name.family):
        return ()
    given, family = ("".join(sound) for sound in (_given(name.given), _family(name.family)))
    return ("+".join(sorted((given, family))),)


def _number_both_names(column: Column) -> list[Numbered]:
    given, family, size = _sounds(column, silent=True)
    low, high = np.minimum(given, family), np.maximum(given, family)
    return [_distinct(np.where(low >= 0, low * size + high, -1))]


def _either_name(name: Name) -> tuple[str, ...]:
    return (*(_given(name.given) if name.given else ()), *(_family(name.family) if name.family else ()))


def _number_either_name(column: Column) -> list[Numbered]:
    given, family, size = _sounds(column, silent=False)
    return [Numbered(given, size), Numbered(family, size)]


def _sounds(column: Column, *, silent: bool) -> tuple[Rows, Rows, int]:
    """How the given and the family name of each value sound, in numbers of one kind; -1 for none.

    With `silent` a name that makes no sound still has a number.
    """
    parts = (column.part("given"), column.part("family"))
    sounds = [sounds_of_names(part, heard) for part, heard in zip(parts, _HEARD, strict=True)]
    both = pa.concat_arrays(sounds)
    numbers = _renumber(number_values(both), silent | _is_heard(both))
    given, family = np.split(numbers.codes, [len(sounds[0])])
    return looked_up(given, parts[0]), looked_up(family, parts[1]), numbers.size


def heard_by_several(table: ProfileTable) -> Iterator[Callable[[], object]]:
    """What several tokens ask of names and addresses, to be worked out before they do."""
    if names := table.columns.get("name"):
        yield partial(sounds_of_names, names.part("family"), core_family)
    if addresses := table.columns.get("address"):
        yield partial(_number_doors, addresses)
    if names:
        yield partial(sounds_of_names, names.part("given"), _given_word)


def _number_given(column: Column) -> list[Numbered]:
    return [_by_sound(column.part("given"), _given_word)]


def _number_family(column: Column) -> list[Numbered]:
    return [_by_sound(column.part("family"), core_family)]


def _by_sound(part: Part, of: Callable[[str], str]) -> Numbered:
    sounds = sounds_of_names(part, of)
    own = _renumber(number_values(sounds), _is_heard(sounds))
    return Numbered(looked_up(own.codes, part), own.size)


def _is_heard(sounds: pa.Array) -> npt.NDArray[np.bool_]:
    heard: npt.NDArray[np.bool_] = pc.not_equal(sounds, "").to_numpy(zero_copy_only=False)
    return heard


def looked_up(of_text: Rows, part: Part) -> Rows:
    """What is known of each text, for each value; -1 where a value has none."""
    found: Rows = np.append(of_text, -1)[part.codes]
    return found


def _distinct(codes: Rows) -> Numbered:
    """Number codes anew, from 0 on without gaps; -1 stays."""
    filled = codes >= 0
    numbers = pa.array(codes[filled]).dictionary_encode()
    found = np.full(len(codes), -1, dtype=np.int64)
    found[filled] = numbers.indices.to_numpy()
    return Numbered(found, len(numbers.dictionary))


def _house(address: Address) -> tuple[str, ...]:
    place = address.postcode or address.city
    return tuple(f"{door}|{place}" for door in _door(address) if place)


def _number_houses(column: Column) -> list[Numbered]:
    [doors] = _number_doors(column)
    numbers: dict[str, int] = {}
    postcode, city = (
        looked_up(_number_with(numbers, part.texts), part)
        for part in (column.part("postcode"), column.part("city"))
    )
    place = np.where(postcode >= 0, postcode, city)
    both = (doors.codes >= 0) & (place >= 0)
    return [_distinct(np.where(both, doors.codes * len(numbers) + place, -1))]


def _number_with(numbers: dict[str, int], texts: Sequence[str]) -> Rows:
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)


def _door(address: Address) -> tuple[str, ...]:
    if not (address.street and address.house):
        return ()
    return (f"{address.house}|{_street_head(address.street)}",)


def _number_doors(column: Column) -> list[Numbered]:
    def number(_: Sequence[Any]) -> Numbered:
        house, street = column.part("house"), column.part("street")
        heads = _head_codes(street)
        head = looked_up(heads.codes, street)
        both = (house.codes >= 0) & (head >= 0)
        return _distinct(np.where(both, house.codes.astype(np.int64) * max(heads.size, 1) + head, -1))

    return [column.fact("doors", number)]


def _head_codes(street: Part) -> Numbered:
    """How the first letters of each distinct street sound, in numbers."""
    codes = number_values(_heads_of(street.fact("cores", street_cores)))
    return Numbered(codes.astype(np.int64), int(codes.max(initial=-1)) + 1)


@lru_cache(1 << 16)
def _street_head(street: str) -> str:
    return _heads_of([street_core(street)])[0]


def _heads_of(cores: Sequence[str]) -> list[str]:
    """How the first letters of streets sound."""
    return [sound[:5] for sound in sounds_of([core.replace(" ", "") for core in cores])]


TOKENS: Mapping[str, Token] = {
    "email": Token("email", whole),
    "mailbox": Token("email", _mailbox, numbers=_number_mailboxes),
    "phone": Token("phone", whole),
    "phone_tail": Token("phone", _phone_tail, numbers=_number_phone_tails),
    "external_id": Token("external_id", _bare_id, numbers=_number_bare_ids),
    "handle": Token("handle", whole),
    "day": Token("birth_date", _day),
    "initial": Token("name", _initial, part="given"),
    "family_initial": Token("name", _initial, part="family"),
    "given": Token("name", _given, part="given", numbers=_number_given),
    "family": Token("name", _family, part="family", numbers=_number_family),
    "both_names": Token("name", _both_names, numbers=_number_both_names),
    "either_name": Token("name", _either_name, numbers=_number_either_name),
    "postcode": Token("address", whole, part="postcode"),
    "city": Token("address", whole, part="city"),
    "house": Token("address", _house, numbers=_number_houses),
    "door": Token("address", _door, numbers=_number_doors),
    "company": Token("company", whole),
}
