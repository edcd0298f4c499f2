"""Canonical values near enough to each other to meet on every level, and profiles made of them, by seed."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Sequence
from typing import Any

from resolution.types import Address, Name, Profile

GIVEN = (
    "anna", "ann", "anne", "anna maria", "maria anna", "a", "bob", "robert", "daniel", "daniela", "yustin",
    "justin", "jonathan", "jean pierre", "jeanpierre", "sasha", "aleksandr", "alexander", "smith", "李", "o",
    "anna 李", "娜", "堇莎",
)  # fmt: skip
FAMILY = (
    "smith", "smyth", "smith jones", "jones smith", "jones", "ivanov", "ivanova", "kowalski", "kowalska",
    "van der berg", "vanderberg", "berg", "jonathan", "anna", "garcia lopez", "garcia", "tolstoy", "tolstaya",
    "novak", "novakova", "王", "s",
)  # fmt: skip
EMAILS = (
    "annasmith@gmail.com", "anna.smith84@firm.de", "anna.smith84@firm.com", "anna.smith85@firm.de",
    "anna_smith84@mail.example", "info@firm.de", "info@firm.com", "office@firm.de", "anna@x.de", "anna@y.de",
    "anna.smith.of.newton@mail.example", "anna.smyth.of.nweton@mail.example", "a1b2@privaterelay.appleid.com",
    "x9y8@privaterelay.appleid.com",
)  # fmt: skip
PHONES = ("+447700900123", "+447700900132", "+447700900124", "07700900123", "7700900123", "+4930901820")
IDS = (
    "crm:1001234",
    "crm:100-1234",
    "crm:100.1235",
    "crm:1001235",
    "shop:1001234",
    "crm:17",
    "crm:18",
    "passport:a:b1",
)
HANDLES = ("instagram:anna", "x:anna", "x:bob", "anna", "bob")
COMPANIES = ("foods", "good foods", "foods good", "motors", "motor works", "motor work")
STREETS = (
    "high street", "high st", "hgih street", "high sreet", "highstreet", "mill lane", "hauptstrasse",
    "street", "upper high street", "via roma",
)  # fmt: skip
HOUSES = ("", "1", "12", "12a", "12b", "14")
POSTCODES = ("", "ca198gx", "ca198gy", "12345", "12354", "1980")
CITIES = ("newton", "nweton", "london", "berlin", "bath")
EXTRAS = ("nurse", "nurses", "teacher", "taecher", "f", "m", "new york", "newyork")
DAYS = ("1980-02-03", "1980-03-02", "1980-02-04", "1980-01-01", "1981-01-01", "1980-12-31")


def slipped(r: random.Random, text: str, most: int = 2) -> str:
    """The text with a few letters behind the first left out, added, changed or out of place."""
    for _ in range(r.randint(0, most)):
        place = r.randint(1, max(len(text) - 1, 1))
        before, after = text[:place], text[place:]
        text = r.choice(
            (before + after[1:], before + "e" + after, before + "7" + after[1:],
             before[:-1] + after[:1] + before[-1:] + after[1:])
        )  # fmt: skip
    return text


def words(r: random.Random, texts: Sequence[str]) -> str:
    """Words with one space between them, never none."""
    return " ".join(slipped(r, r.choice(texts), r.choice((0, 1, 2))).split())


def email(r: random.Random) -> str:
    local, _, domain = r.choice(EMAILS).partition("@")
    return f"{slipped(r, local, r.choice((0, 0, 1, 2)))}@{slipped(r, domain, r.choice((0, 0, 1)))}"


def phone(r: random.Random) -> str:
    return slipped(r, r.choice(PHONES), r.choice((0, 1)))


def birth_date(r: random.Random) -> str:
    if r.random() < 0.3:
        return r.choice(DAYS)
    return str(dt.date(1979, 12, 1) + dt.timedelta(r.randrange(r.choice((500, 3650)))))


def identifier(texts: Sequence[str]) -> Callable[[random.Random], str]:
    def make(r: random.Random) -> str:
        system, colon, value = r.choice(texts).rpartition(":")
        return f"{system}{colon}{slipped(r, value, 1)}"

    return make


def name(r: random.Random) -> Name:
    """A name of either part or both, now and then in each other's place."""
    given = "" if r.random() < 0.15 else words(r, r.choice((GIVEN, GIVEN, GIVEN, FAMILY)))
    family = "" if given and r.random() < 0.15 else words(r, r.choice((FAMILY, FAMILY, FAMILY, GIVEN)))
    return Name(given, family)


def address(r: random.Random) -> Address:
    street = words(r, STREETS) if r.random() < 0.75 else ""
    city = words(r, CITIES) if r.random() < 0.7 or not street else ""
    return Address(street, r.choice(HOUSES), r.choice(POSTCODES), city, r.choice(("", "gb", "de")))


def text_of(texts: Sequence[str]) -> Callable[[random.Random], str]:
    return lambda r: words(r, texts)


VALUES: dict[str, Callable[[random.Random], Any]] = {
    "birth_date": birth_date,
    "email": email,
    "phone": phone,
    "external_id": identifier(IDS),
    "address": address,
    "company": text_of(COMPANIES),
    "handle": identifier(HANDLES),
    "extra:occupation": text_of(EXTRAS),
}


def make_values(of: Callable[[random.Random], Any], seed: int, count: int) -> list[Any]:
    """So many distinct values, or a few less."""
    r = random.Random(seed)
    return list(dict.fromkeys(of(r) for _ in range(count)))


def make_profiles(seed: int, count: int, most: int = 2) -> list[Profile]:
    """Profiles of up to so many values a field; many fields are empty."""
    r = random.Random(seed)
    return [_profile(r, f"p{row}", most) for row in range(count)]


def _profile(r: random.Random, key: str, most: int) -> Profile:
    def some(of: Callable[[random.Random], Any]) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(of(r) for _ in range(r.choice((0, 1, 1, most)))))

    return Profile(
        key=key,
        names=some(name),
        emails=some(email),
        phones=some(phone),
        birth_dates=some(birth_date),
        addresses=some(address),
        companies=some(VALUES["company"]),
        external_ids=some(VALUES["external_id"]),
        handles=some(VALUES["handle"]),
        extras=tuple(("occupation", text) for text in some(VALUES["extra:occupation"])),
    )
