"""Postal addresses: street words in one spelling, house number apart, units left out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from resolution.matching.normalise import junk
from resolution.matching.normalise.country import country_code
from resolution.matching.normalise.text import (
    CACHED_VALUES,
    LONGEST_VALUE,
    fold_text,
    letter_words,
    plain_words,
)
from resolution.types import Address

# One spelling for each kind of street, and the others people use for it.
_STREET_SPELLINGS = {
    # English
    "street": "st strt stret",
    "avenue": "av ave aven avn avenida avda avd avenu",
    "road": "rd",
    "drive": "dr drv",
    "lane": "ln",
    "court": "ct crt",
    "boulevard": "blvd boul bvd bd",
    "place": "pl plc",
    "square": "sq",
    "terrace": "tce ter terr",
    "crescent": "cres cr cresc",
    "close": "cl clse",
    "parade": "pde",
    "highway": "hwy",
    "parkway": "pkwy",
    "circle": "cir circ",
    "circuit": "cct",
    "gardens": "gdns gdn",
    "grove": "gr grv",
    "heights": "hts",
    "mount": "mt",
    "saint": "sankt",
    "north": "n",
    "south": "s",
    "east": "e",
    "west": "w",
    "northeast": "ne",
    "northwest": "nw",
    "southeast": "se",
    "southwest": "sw",
    # German, Dutch, Scandinavian
    "strasse": "str strase",
    "platz": "pltz",
    "allee": "al",
    # French
    "rue": "r",
    "chemin": "ch chem",
    "route": "rte",
    "impasse": "imp",
    "faubourg": "fbg fg",
    "cours": "crs",
    # Italian, Spanish, Portuguese
    "viale": "vle",
    "piazza": "pza",
    "corso": "cso",
    "largo": "lgo",
    "paseo": "po pso",
    "carretera": "ctra crta",
    "travessa": "tv trv",
    "estrada": "estr",
    # Polish, Russian
    "ulica": "ul ulitsa ulitza",
    "aleja": "aleje",
    "osiedle": "os",
    "prospekt": "pr prosp prospect",
    "pereulok": "per",
    "shosse": "sh",
    "naberezhnaya": "nab",
}
STREET_WORDS = {other: word for word, others in _STREET_SPELLINGS.items() for other in others.split()}
# Words that only say "street": people write them or not, before the name or after it.
STREET_KINDS = frozenset({"street", "strasse", "ulica", "rue", "calle", "via", "rua", "straat"})

LONGEST_POSTCODE = 12

_UNIT_WORDS = (
    "apt|apartment|appt|appartement|aptmnt|unit|flat|suite|ste|room|rm|lot|level|floor|wohnung|whg|etage|stock|"
    "escalera|piso|puerta|interno|scala|lokal|mieszkanie|kv|kvartira|office|box"
)
# Patterns that the bulk functions share, hence without look-around.
UNIT = rf"[,;/]?\s*(?:\b(?:{_UNIT_WORDS})\b\.?|#)\s*#?\s*(?:[a-z]?-?\d+[a-z]?|[a-z])\b"
HOUSE = r"\d+(?:\s?[a-z])?(?:\s?[-/]\s?\d+[a-z]?)?"
HOUSE_FIRST = rf"(?P<house>{HOUSE})\s*,?\s+"
HOUSE_LAST = rf"[\s,]+(?:no\.?|nr\.?|n\.?|numero|d\.?|dom)?\s*(?P<house>{HOUSE})\s*$"
STREET_ENDS = " ,;."
_UNIT, _HOUSE = re.compile(UNIT), re.compile(HOUSE)
_HOUSE_FIRST, _HOUSE_LAST = re.compile(HOUSE_FIRST), re.compile(HOUSE_LAST)
_GLUED_STREET = re.compile(r"[a-z]{3}str$")


@lru_cache(CACHED_VALUES)
def split_street_line(line: str) -> tuple[str, str]:
    """Split a line into (canonical street, house): "12 High St, Flat 3" → ("high street", "12")."""
    folded = fold_text(line[:LONGEST_VALUE])
    if junk.is_filler(folded):
        return "", ""
    text = _UNIT.sub(" ", folded).strip(STREET_ENDS)
    house = ""
    if _HOUSE.fullmatch(text):
        return "", _plain_house(text)
    if found := _HOUSE_FIRST.match(text):
        house, text = found[1], text[found.end() :]
    elif found := _HOUSE_LAST.search(text):
        house, text = found[1], text[: found.start()]
    return _street_words(text), _plain_house(house)


def _street_words(text: str) -> str:
    words = [unglued(word) for word in plain_words(text)]
    if len(words) > 1:
        words = [STREET_WORDS.get(word, word) for word in words]
    street = " ".join(words)
    return "" if junk.is_filler(street) else street


def unglued(word: str) -> str:
    """Write out a street's kind at the end of its name: "hauptstr" → "hauptstrasse"."""
    return f"{word}asse" if word.endswith("str") and _GLUED_STREET.search(word) else word


def _plain_house(house: str) -> str:
    return re.sub(r"\s", "", house).lstrip("0")


@lru_cache(CACHED_VALUES)
def normalise_city(text: str) -> str:
    """Fold a city to words; a district after a comma or in brackets is left out."""
    folded = fold_text(text[:LONGEST_VALUE])
    city = " ".join(letter_words(re.split(r"[,(/]", folded)[0]))
    return "" if junk.is_filler(folded) or junk.is_filler(city) else city


@lru_cache(CACHED_VALUES)
def normalise_postcode(text: str) -> str:
    """Fold a postcode to letters and digits: "CA19 8gx" → "ca198gx", a ZIP+4 to its five digits."""
    code = "".join(plain_words(text[:40]))
    if re.fullmatch(r"\d{5}-\d{4}", fold_text(text[:40])):
        code = code[:5]
    usable = 3 <= len(code) <= LONGEST_POSTCODE and not junk.is_filler(fold_text(text[:40]))
    return code if usable and not _is_filler_code(code) else ""


def _is_filler_code(code: str) -> bool:
    return len(set(code)) == 1 or junk.is_filler(code)


@lru_cache(CACHED_VALUES)
def address_of(line: str, city: str, postcode: str, country: str = "") -> Address | None:
    """Make a canonical address of its parts; None when nothing but a country is left."""
    street, house = split_street_line(line)
    address = Address(
        street, house, normalise_postcode(postcode), normalise_city(city), country_code(country).lower()
    )
    return address if address.street or address.postcode or address.city else None


@lru_cache(CACHED_VALUES)
def street_core(street: str) -> str:
    """Leave out what only says "street": "haupt strasse" and "hauptstrasse" → "haupt"."""
    words = [word.removesuffix("strasse") for word in street.split() if word not in STREET_KINDS]
    return " ".join(word for word in words if word) or street


def street_cores(streets: Iterable[str]) -> list[str]:
    """Leave out what only says "street" from many streets, each of them another."""
    return [street_core.__wrapped__(street) for street in streets]
