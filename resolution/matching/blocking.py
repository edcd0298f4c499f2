"""Which customers are worth comparing: the union of small rules, each a few tokens that two must share.

Two customers are candidates when they share a key that few enough customers have: MAX_BLOCK, or
MAX_CHANCE_BLOCK where strangers share it by chance. A rule whose keys
can grow large also gives finer keys ("em:x" and "em:x|a"): when the coarse key is too large, the finer
ones still bring the likeliest pairs together. Online look-up and batch join both skip a key by its size
alone, so both find the same candidates, and what a size cost can be counted. Blank and junk values never
get here, so they are never a key.

`blocking_keys` writes one profile's keys as text, for the key table of the register. `candidate_pairs` joins
the keys of a whole table as numbers; both read RULES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from resolution.matching.normalise.address import street_core, street_cores
from resolution.matching.normalise.bulk import Mapper, in_process
from resolution.matching.normalise.email import are_shared_mailboxes, is_shared_mailbox, local_parts
from resolution.matching.normalise.name import core_family, sound_of, sounds_of
from resolution.matching.table import (
    PROFILE_COLUMNS,
    Column,
    Part,
    ProfileTable,
    Rows,
    number_values,
)
from resolution.types import Address, Name, Profile

# Keys of more customers than this are skipped; their finer keys still count.
MAX_BLOCK = 50
# What strangers share by chance as soon as there are many of them is worth a look only where few do.
MAX_CHANCE_BLOCK = 8
# In a table of few rows a look costs little: this many rows over their number may share it.
CHANCE_ROWS = 160_000

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


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to be worth comparing: its keys' prefix, the tokens of the coarse key, those that refine it."""

    name: str
    what: str
    prefix: str
    tokens: tuple[str, ...]
    finer: tuple[str, ...] = ()
    most: int = MAX_BLOCK
    most_finer: int = MAX_BLOCK

    def combinations(self) -> Iterator[Combination]:
        """The coarse key, then each finer one, with one plus more each: what they hold may read alike."""
        yield Combination(self.prefix, self.tokens, self.most)
        for place, token in enumerate(self.finer, 1):
            yield Combination(self.prefix + "+" * place, (*self.tokens, token), self.most_finer)


class Combination(NamedTuple):
    """Tokens that make one kind of key, its prefix, and how many customers may share it."""

    prefix: str
    tokens: tuple[str, ...]
    most: int


def _whole(value: str) -> tuple[str, ...]:
    return (value,)


def _mailbox(email: str) -> tuple[str, ...]:
    """The local part, where it is one person's and long enough to tell."""
    local = email.partition("@")[0].replace(".", "").replace("_", "")
    return (local,) if len(local) >= SHORTEST_MAILBOX and not is_shared_mailbox(email) else ()


def _number_mailboxes(column: Column) -> list[Numbered]:
    locals_ = local_parts(column.arrow)
    bare = pc.replace_substring_regex(locals_, "[._]", "")
    long = pc.greater_equal(pc.utf8_length(bare), SHORTEST_MAILBOX)
    own = pc.and_(long, pc.invert(are_shared_mailboxes(locals_)))
    return [_renumber(number_values(bare), own.to_numpy(zero_copy_only=False))]


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
    numbers: dict[str, int] = {}
    found = []
    for part, heard in ((column.part("given"), _given_word), (column.part("family"), core_family)):
        sounds = _sounds_of(part, heard)
        own = [numbers.setdefault(text, len(numbers)) if text or silent else -1 for text in sounds]
        found.append(_looked_up(np.array(own, dtype=np.int64), part))
    return found[0], found[1], len(numbers)


def _sounds_of(part: Part, heard: Callable[[str], str]) -> list[str]:
    """How what is heard of each distinct name sounds, worked out once a part; empty for none."""

    def hear(texts: Sequence[str]) -> list[str]:
        return sounds_of([heard(text) if " " in text else text for text in texts])

    sounds: list[str] = part.fact("sounds", hear)
    return sounds


def _heard_by_several(table: ProfileTable) -> Iterator[Callable[[], object]]:
    """What several tokens ask of the parts of names and addresses, to be worked out before they do."""
    for field, part, hear in (
        ("name", "family", partial(_sounds_of, heard=core_family)),
        ("address", "street", _head_codes),
        ("name", "given", partial(_sounds_of, heard=_given_word)),
    ):
        if field in table.columns:
            yield partial(hear, table.columns[field].part(part))


def _number_given(column: Column) -> list[Numbered]:
    return [_by_sound(column.part("given"), _given_word)]


def _number_family(column: Column) -> list[Numbered]:
    return [_by_sound(column.part("family"), core_family)]


def _by_sound(part: Part, of: Callable[[str], str]) -> Numbered:
    sounds = _sounds_of(part, of)
    heard = np.fromiter(map(bool, sounds), dtype=np.bool_, count=len(sounds))
    own = _renumber(number_values(sounds), heard)
    return Numbered(_looked_up(own.codes, part), own.size)


def _looked_up(of_text: Rows, part: Part) -> Rows:
    """What is known of each text, for each value; -1 where a value has none."""
    found: Rows = np.append(of_text, -1)[part.codes]
    return found


def _distinct(codes: Rows) -> Numbered:
    """Number codes anew, from 0 on without gaps; -1 stays."""
    filled = codes >= 0
    distinct, inverse = np.unique(codes[filled], return_inverse=True)
    found = np.full(len(codes), -1, dtype=np.int64)
    found[filled] = inverse
    return Numbered(found, len(distinct))


def _house(address: Address) -> tuple[str, ...]:
    place = address.postcode or address.city
    return tuple(f"{door}|{place}" for door in _door(address) if place)


def _number_houses(column: Column) -> list[Numbered]:
    [doors] = _number_doors(column)
    numbers: dict[str, int] = {}
    postcode, city = (
        _looked_up(_number_with(numbers, part.texts), part)
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
    house, street = column.part("house"), column.part("street")
    heads = _head_codes(street)
    head = _looked_up(heads.codes, street)
    both = (house.codes >= 0) & (head >= 0)
    return [_distinct(np.where(both, house.codes.astype(np.int64) * max(heads.size, 1) + head, -1))]


def _head_codes(street: Part) -> Numbered:
    """How the first letters of each distinct street sound, in numbers."""

    def number(texts: Sequence[str]) -> Numbered:
        codes = number_values(_heads_of(street.fact("cores", street_cores)))
        return Numbered(codes.astype(np.int64), int(codes.max(initial=-1)) + 1)

    found: Numbered = street.fact("heads", number)
    return found


@lru_cache(1 << 16)
def _street_head(street: str) -> str:
    return _heads_of([street_core(street)])[0]


def _heads_of(cores: Sequence[str]) -> list[str]:
    """How the first letters of streets sound."""
    return [sound[:5] for sound in sounds_of([core.replace(" ", "") for core in cores])]


TOKENS: Mapping[str, Token] = {
    "email": Token("email", _whole),
    "mailbox": Token("email", _mailbox, numbers=_number_mailboxes),
    "phone": Token("phone", _whole),
    "phone_tail": Token("phone", _phone_tail, numbers=_number_phone_tails),
    "external_id": Token("external_id", _whole),
    "handle": Token("handle", _whole),
    "day": Token("birth_date", _day),
    "initial": Token("name", _initial, part="given"),
    "family_initial": Token("name", _initial, part="family"),
    "given": Token("name", _given, part="given", numbers=_number_given),
    "family": Token("name", _family, part="family", numbers=_number_family),
    "both_names": Token("name", _both_names, numbers=_number_both_names),
    "either_name": Token("name", _either_name, numbers=_number_either_name),
    "postcode": Token("address", _whole, part="postcode"),
    "city": Token("address", _whole, part="city"),
    "house": Token("address", _house, numbers=_number_houses),
    "door": Token("address", _door, numbers=_number_doors),
    "company": Token("company", _whole),
}

_RULES = (
    Rule("same_email", "one mailbox; finer by initial for a family's", "em", ("email",), ("initial",)),
    Rule("same_mailbox_name", "one name before the @, at two providers", "ml", ("mailbox",)),
    Rule("same_phone", "one number", "ph", ("phone",)),
    Rule(
        "same_phone_tail",
        "one number with and without its country, or a switchboard's, with the initial",
        "pt",
        ("phone_tail", "initial"),
    ),
    Rule("same_external_id", "one id in one system", "xi", ("external_id",)),
    Rule("same_handle", "one social handle", "hd", ("handle",)),
    Rule(
        "same_birth_date",
        "one day, also with day and month swapped; finer by either name as it sounds, and by neighbourhood",
        "bd",
        ("day",),
        ("given", "family", "postcode"),
        MAX_CHANCE_BLOCK,
    ),
    Rule(
        "full_name",
        "both names as they sound, in either order; finer by postcode and town",
        "nn",
        ("both_names",),
        ("postcode", "city"),
        MAX_CHANCE_BLOCK,
    ),
    Rule("family_name_and_postcode", "a family name in one neighbourhood", "fp", ("family", "postcode")),
    Rule("given_name_and_postcode", "a given name in one neighbourhood", "gp", ("given", "postcode")),
    Rule(
        "family_name_and_city",
        "a family name in one town, for records without street or postcode; finer by initial",
        "fc",
        ("family", "city"),
        ("initial",),
        MAX_CHANCE_BLOCK,
        MAX_CHANCE_BLOCK,
    ),
    Rule(
        "given_name_and_city",
        "a given name in one small town; finer by the family name's initial",
        "gc",
        ("given", "city"),
        ("family_initial",),
        MAX_CHANCE_BLOCK,
        MAX_CHANCE_BLOCK,
    ),
    Rule("same_house", "one house", "ad", ("house",)),
    Rule(
        "house_and_family_name",
        "a family name at one street number, when neither postcode nor town can tell which",
        "fh",
        ("family", "door"),
    ),
    Rule("company_and_name", "one company, with either name", "cn", ("company", "either_name")),
    Rule(
        "rare_family_name",
        "a family name that few have, whatever else differs; finer by initial",
        "fn",
        ("family",),
        ("initial",),
        MAX_CHANCE_BLOCK,
        MAX_CHANCE_BLOCK,
    ),
    Rule(
        "rare_given_name",
        "a given name that few have; finer by the family name's initial",
        "gn",
        ("given",),
        ("family_initial",),
        MAX_CHANCE_BLOCK,
        MAX_CHANCE_BLOCK,
    ),
)
RULES: Mapping[str, Rule] = {rule.name: rule for rule in _RULES}
LIMITS: Mapping[str, int] = {
    combination.prefix: combination.most for rule in _RULES for combination in rule.combinations()
}
CHANCE_PREFIXES = tuple(prefix for prefix, most in LIMITS.items() if most == MAX_CHANCE_BLOCK)


def block_limit(key: str, rows: int) -> int:
    """Return how many rows of a table of `rows` may share a key, written with its prefix."""
    limit = LIMITS[key.partition(":")[0]]
    return chance_limit(rows) if limit == MAX_CHANCE_BLOCK else limit


def chance_limit(rows: int) -> int:
    """Return how many rows of a table may share what strangers share by chance."""
    return min(max(CHANCE_ROWS // max(rows, 1), MAX_CHANCE_BLOCK), MAX_BLOCK)


def blocking_keys(profile: Profile) -> dict[str, tuple[str, ...]]:
    """Give every rule's keys for a profile, each key once; rules without a key are left out."""
    tokens = {name: texts for name, token in TOKENS.items() if (texts := _tokens_of(token, profile))}
    found = {rule.name: tuple(dict.fromkeys(_keys(rule, tokens))) for rule in _RULES}
    return {name: keys for name, keys in found.items() if keys}


def _tokens_of(token: Token, profile: Profile) -> list[str]:
    values = getattr(profile, PROFILE_COLUMNS[token.field])
    if not values:
        return []
    if token.part:
        values = [text for value in values if (text := getattr(value, token.part))]
    return list(dict.fromkeys(text for value in values for text in token.of(value)))[:MOST_VALUES]


def _keys(rule: Rule, tokens: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for prefix, names, _ in rule.combinations():
        if tokens.keys() >= set(names):
            for parts in product(*(tokens[name] for name in names)):
                yield f"{prefix}:{'|'.join(parts)}"


@dataclass(frozen=True, eq=False)
class KeyColumn:
    """The keys of one combination of a rule's tokens over a table: row `rows[i]` has the key `keys[i]`.

    At most `most` rows may share one. Keys of two combinations have nothing to do with each other.
    """

    rule: Rule
    tokens: tuple[str, ...]
    most: int
    rows: Rows
    keys: Rows


@dataclass(frozen=True, eq=False)
class Joined:
    """What joining one key column gave: candidate pairs, and how its blocks were.

    `largest` is the number of rows of the largest block and `example` one of its rows. `refined_blocks` were
    larger than `most`; their rows, `refined_rows` in sum, are compared by finer keys alone.
    """

    rule: Rule
    tokens: tuple[str, ...]
    most: int
    pairs: Rows
    blocks: int
    largest: int
    example: int
    refined_blocks: int
    refined_rows: int


@dataclass(frozen=True, eq=False)
class Candidates:
    """The candidate pairs of a table, each once and in order, and what each combination of tokens gave.

    A pair of rows i < j is the number i * count + j. `gains` counts, beside `joined`, the pairs that nothing
    before had found.
    """

    count: int
    pairs: Rows
    joined: tuple[Joined, ...]
    gains: tuple[int, ...]

    def rows(self) -> tuple[Rows, Rows]:
        """The left and the right row of every pair."""
        return self.pairs // self.count, self.pairs % self.count

    def of(self, kept: npt.NDArray[np.bool_]) -> Candidates:
        """Only some of the pairs, in what each combination gave too."""
        pairs = self.pairs[kept]
        joined = (replace(entry, pairs=np.intersect1d(entry.pairs, pairs)) for entry in self.joined)
        return replace(self, pairs=pairs, joined=tuple(joined))


_RULE_BITS = 6
# So many numbers tell where about the middle of all is.
_SAMPLED = 1_000


def candidate_pairs(table: ProfileTable, *, mapper: Mapper = in_process) -> Candidates:
    """Join the keys of a table: every pair that shares a key which few enough have, once.

    `mapper` runs the joins, of which each is by itself; one with threads uses every core.
    """
    keys = _KeysOf(table, mapper)
    joined = tuple(mapper(lambda wanted: join_keys(keys.column(*wanted), len(table)), keys.combinations()))
    every = _in_order([(entry.pairs << _RULE_BITS) | number for number, entry in enumerate(joined)], mapper)
    pairs = every >> _RULE_BITS
    first = np.ones(len(pairs), dtype=np.bool_)
    first[1:] = pairs[1:] != pairs[:-1]
    gains = np.bincount(every[first] & ((1 << _RULE_BITS) - 1), minlength=len(joined))
    return Candidates(max(len(table), 1), pairs[first], joined, tuple(gains.tolist()))


def _in_order(parts: Sequence[Rows], mapper: Mapper) -> Rows:
    """All numbers sorted, those below and above their middle by themselves."""
    every = np.concatenate([np.zeros(0, dtype=np.int64), *parts])
    middle = np.median(every[:: max(len(every) // _SAMPLED, 1)]) if len(every) else 0
    low = every < middle
    return np.concatenate(list(mapper(np.sort, (every[low], every[~low]))))


class _KeysOf:
    """The keys of every rule over a table, one combination of tokens at a time."""

    def __init__(self, table: ProfileTable, mapper: Mapper) -> None:
        present = {
            name: token
            for name, token in TOKENS.items()
            if token.field in table.columns and len(table.columns[token.field].codes)
        }
        list(mapper(lambda hear: hear(), tuple(_heard_by_several(table))))
        found = mapper(
            lambda token: _token_column(token, table.columns[token.field]), tuple(present.values())
        )
        self.tokens = dict(zip(present, found, strict=True))
        self.by_chance = chance_limit(len(table))

    def combinations(self) -> list[tuple[Rule, Combination]]:
        """What can be made of the table's columns, in the order of the rules."""
        return [
            (rule, combination)
            for rule in _RULES
            for combination in rule.combinations()
            if self.tokens.keys() >= set(combination.tokens)
        ]

    def column(self, rule: Rule, combination: Combination) -> KeyColumn:
        """The keys of one combination."""
        most = self.by_chance if combination.most == MAX_CHANCE_BLOCK else combination.most
        combined = _combined([self.tokens[name] for name in combination.tokens])
        return KeyColumn(rule, combination.tokens, most, combined.rows, combined.numbers)


@dataclass(frozen=True, eq=False)
class _Tokens:
    """The row and the number of each token, in order of rows; `single` when no row has several."""

    rows: Rows
    numbers: Rows
    size: int
    single: bool


def _token_column(token: Token, column: Column) -> _Tokens:
    """Give every row the tokens of its values."""
    numbered = token.numbers(column) if token.numbers else [_numbered(token, column)]
    rows = np.repeat(column.owners, len(numbered))
    found = np.stack([entry.codes[column.codes] for entry in numbered], axis=1).ravel()
    filled = found >= 0
    tokens = rows[filled], found[filled], numbered[0].size
    if column.single and len(numbered) == 1:
        return _Tokens(*tokens, single=True)
    return _first_ones(*tokens)


def _numbered(token: Token, column: Column) -> Numbered:
    """Number a simple token: of each distinct value, or of each distinct text of the part that counts."""
    if token.part:
        part = column.part(token.part)
        own = _number_texts(token, part.texts)
        return Numbered(_looked_up(own.codes, part), own.size)
    return _number_texts(token, column.values)


def _number_texts(token: Token, texts: Sequence[str]) -> Numbered:
    if token.of is _whole:
        return Numbered(np.arange(len(texts), dtype=np.int64), len(texts))
    numbers: dict[str, int] = {}
    tokens = map(token.of, texts)
    codes = [numbers.setdefault(found[0], len(numbers)) if found else -1 for found in tokens]
    return Numbered(np.array(codes, dtype=np.int64), len(numbers))


def _within(times: Rows) -> Rows:
    """0, 1, … for each run of the given lengths."""
    return np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)


def _first_ones(rows: Rows, found: Rows, size: int) -> _Tokens:
    """Keep each token of a row once, and the first MOST_VALUES of them."""
    _, first = np.unique(rows * max(size, 1) + found, return_index=True)
    kept = np.sort(first)
    rows, found = rows[kept], found[kept]
    early = np.arange(len(rows)) - np.searchsorted(rows, rows) < MOST_VALUES
    return _Tokens(rows[early], found[early], size, False)


def _combined(columns: Sequence[_Tokens]) -> _Tokens:
    """Join token columns row by row: one key for every combination of a row's tokens."""
    found = columns[0]
    for other in columns[1:]:
        if other.single:
            found = _combined_with_single(found, other)
            continue
        starts = np.searchsorted(other.rows, found.rows)
        times = np.searchsorted(other.rows, found.rows, side="right") - starts
        places = np.repeat(starts, times) + _within(times)
        numbers = np.repeat(found.numbers, times) * other.size + other.numbers[places]
        found = _renumbered(np.repeat(found.rows, times), numbers, found.size * other.size)
    return found


def _combined_with_single(found: _Tokens, other: _Tokens) -> _Tokens:
    """Join a token column of which every row has one at most: an array by row tells which."""
    own = np.full(max(_last(found), _last(other)) + 1, -1, dtype=np.int64)
    own[other.rows] = other.numbers
    second = own[found.rows]
    both = second >= 0
    numbers = found.numbers[both] * other.size + second[both]
    joined = _renumbered(found.rows[both], numbers, found.size * other.size)
    return replace(joined, single=found.single)


def _last(tokens: _Tokens) -> int:
    return int(tokens.rows[-1]) if len(tokens.rows) else -1


def _renumbered(rows: Rows, numbers: Rows, size: int) -> _Tokens:
    """Keep numbers small enough that a row's number still fits beside them."""
    if size < _MOST_NUMBERS:
        return _Tokens(rows, numbers, size, False)
    distinct, inverse = np.unique(numbers, return_inverse=True)
    return _Tokens(rows, inverse.astype(np.int64), len(distinct), False)


_MOST_NUMBERS = 1 << 40


def join_keys(column: KeyColumn, count: int) -> Joined:
    """Pair the rows of every block that is not too large; `count` is the number of rows of the table."""
    packed = column.keys * count + column.rows
    packed.sort()
    keys, rows = packed // count, packed % count
    change = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    starts = np.concatenate((np.zeros(min(len(keys), 1), dtype=np.int64), change))
    sizes = np.diff(np.append(starts, len(keys)))
    small = (sizes > 1) & (sizes <= column.most)
    large = sizes > column.most
    top = int(sizes.argmax()) if len(sizes) else 0
    return Joined(
        rule=column.rule,
        tokens=column.tokens,
        most=column.most,
        pairs=_pairs_within(rows, starts[small], sizes[small], count),
        blocks=int((sizes > 1).sum()),
        largest=int(sizes[top]) if len(sizes) else 0,
        example=int(rows[starts[top]]) if len(sizes) else -1,
        refined_blocks=int(large.sum()),
        refined_rows=int(sizes[large].sum()),
    )


def _pairs_within(rows: Rows, starts: Rows, sizes: Rows, count: int) -> Rows:
    """All pairs inside blocks that lie one after another in `rows`, blocks of one size at a time.

    Rows come in order within a block, so the first of a pair is the smaller one.
    """
    found = [np.zeros(0, dtype=np.int64)]
    for size in np.unique(sizes):
        block = rows[starts[sizes == size][:, None] + np.arange(size)]
        one, other = np.triu_indices(int(size), 1)
        pairs = (block[:, one] * count + block[:, other]).ravel()
        found.append(pairs[(block[:, one] != block[:, other]).ravel()])
    return np.concatenate(found)
