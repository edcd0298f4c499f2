"""Which customers are worth comparing: the union of small rules, each a few tokens that two must share.

Two customers are candidates when they share a key that few enough customers have: MAX_BLOCK, or
MAX_CHANCE_BLOCK where strangers share it by chance. A rule whose keys can grow large also gives finer keys
("em:x" and "em:x|a"): when the coarse key is too large, the finer ones still bring the likeliest pairs
together. Online look-up and batch join both skip a key by its size
alone, so both find the same candidates, and what a size cost can be counted. Blank and junk values never
get here, so they are never a key.

`blocking_keys` writes one profile's keys as text, for the key table of the register. Those of a whole table
are numbers (`key_columns`), which `candidates` joins; both read RULES.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from resolution.matching.table import PROFILE_COLUMNS
from resolution.matching.tokens import MOST_VALUES, TOKENS, Token
from resolution.types import Profile

# Keys of more customers than this are skipped; their finer keys still count.
MAX_BLOCK = 50
# What strangers share by chance as soon as there are many of them is worth a look only where few do.
MAX_CHANCE_BLOCK = 8
# In a table of few rows a look costs little: this many rows over their number may share it.
CHANCE_ROWS = 160_000


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
    Rule(
        "same_company",
        "a company that few have; finer by postcode and town",
        "co",
        ("company",),
        ("postcode", "city"),
        MAX_CHANCE_BLOCK,
        MAX_CHANCE_BLOCK,
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
    combination.prefix: combination.most for rule in RULES.values() for combination in rule.combinations()
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
    found = {rule.name: tuple(dict.fromkeys(_keys(rule, tokens))) for rule in RULES.values()}
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
