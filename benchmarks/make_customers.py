"""Make a labelled table of synthetic customers with realistic duplicates.

    python make_customers.py 100000 data/customers_100k.parquet [--seed 1] [--jobs 2]

Output columns: customer_id, external_id, channel, first_name, last_name, company, email,
phone, date_of_birth, address, city, postcode, country, created_at and the truth: true_id
(the person) and household_id (people who share a home, so that near misses can be studied).

The same arguments always give the same file, whatever --jobs is: people are made in chunks,
each chunk with its own random stream. A chunk is made in three steps:

1. `make_people` draws households and people as NumPy columns: names with census-like
   frequencies, twins, fathers and sons of one name, shared family phones and mailboxes, and
   for each person an *old* and a *new* state (married name, moved, other phone, other e-mail).
2. Each person gets 1-6 records, each in the old or the new state.
3. `write_record` renders a record as a clerk, a web form or an import would: nicknames,
   initials, typos, swapped names, lost accents, phone formats, missing and junk values.

Depends on numpy, pyarrow, mimesis (name, city and street lists), names (US census name
frequencies) and nicknames (nickname pairs).
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import multiprocessing
import random
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import mimesis
import names
import nicknames
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CHUNK_RECORDS = 50_000

# Records per person: 1 original and 0-5 duplicates.
RECORDS_PER_PERSON = np.array([0.62, 0.20, 0.10, 0.05, 0.02, 0.01])
PEOPLE_PER_HOUSEHOLD = np.array([0.80, 0.13, 0.05, 0.02])

# Share of households of two or more in which the first two people are ...
TWINS, FATHER_SON, FAMILY_MAILBOX = 0.03, 0.04, 0.12

# A person's chance that the new state differs from the old one.
NEW_SURNAME_WOMEN, MOVED, NEW_PHONE, NEW_EMAIL = 0.08, 0.15, 0.15, 0.25

CHANNELS = ("web", "shop", "phone", "app", "marketplace", "import")
CHANNEL_SHARE = np.array([0.34, 0.22, 0.12, 0.14, 0.08, 0.10])
#                 web   shop  phone app   market import
MISSING = {
    "email": (0.02, 0.45, 0.40, 0.05, 0.10, 0.22),
    "phone": (0.33, 0.15, 0.02, 0.30, 0.35, 0.25),
    "address": (0.20, 0.40, 0.30, 0.45, 0.05, 0.20),
    "city": (0.18, 0.35, 0.28, 0.42, 0.05, 0.15),
    "postcode": (0.19, 0.30, 0.25, 0.40, 0.05, 0.18),
    "dob": (0.50, 0.60, 0.70, 0.40, 0.97, 0.55),
    "external_id": (0.75, 0.55, 0.80, 0.60, 0.97, 0.65),
    "first_name": (0.02, 0.06, 0.04, 0.02, 0.02, 0.06),
    "last_name": (0.02, 0.04, 0.02, 0.03, 0.02, 0.04),
}

JUNK_EMAIL = ("test@test.com", "noemail@noemail.com", "none@none.com", "a@a.com", "info@example.com", "n/a")
JUNK_PHONE = ("000000", "0000000000", "1234567890", "999999999", "111111", "n/a", "-")
JUNK_NAME = ("Test", "Unknown", "Customer", "N/A", "xxx", "Guest")
JUNK_DOB = ("1900-01-01", "1970-01-01", "1980-01-01")

PROVIDERS = (
    "gmail.com",
    "yahoo.com",
    "hotmail.com",
    "outlook.com",
    "icloud.com",
    "aol.com",
    "live.com",
    "proton.me",
)
PROVIDER_SHARE = np.array([0.44, 0.15, 0.14, 0.11, 0.08, 0.03, 0.03, 0.02])
LOCAL_PROVIDERS = {
    "us": ("comcast.net", "att.net"),
    "gb": ("btinternet.com", "sky.com"),
    "de": ("gmx.de", "web.de"),
    "fr": ("orange.fr", "free.fr"),
    "it": ("libero.it", "virgilio.it"),
    "es": ("telefonica.net", "terra.es"),
    "pl": ("wp.pl", "onet.pl"),
    "ru": ("mail.ru", "yandex.ru"),
}
DOMAIN_TYPOS = {
    "gmail.com": ("gmial.com", "gmail.co", "gmai.com"),
    "hotmail.com": ("hotmial.com", "hotmail.co"),
    "yahoo.com": ("yaho.com", "yahooo.com"),
    "outlook.com": ("outlok.com", "outlook.co"),
}
COMPANY_FORMS = {
    "us": ("Inc", "Inc.", "LLC", "Corp", "Corporation"),
    "gb": ("Ltd", "Limited", "LTD.", "PLC"),
    "de": ("GmbH", "GmbH & Co. KG", "AG"),
    "fr": ("SARL", "S.A.R.L.", "SAS"),
    "it": ("S.r.l.", "SRL", "SpA"),
    "es": ("S.L.", "SL", "S.A."),
    "pl": ("Sp. z o.o.", "sp z o o"),
    "ru": ("OOO", "AO"),
}
TRADES = (
    "Consulting",
    "Logistics",
    "Foods",
    "Design",
    "Motors",
    "Software",
    "Builders",
    "Media",
    "Trading",
    "Electrical",
    "Dental",
    "Travel",
    "Partners",
    "Systems",
    "Textiles",
    "Energy",
)
STREET_KINDS = ("Street", "Avenue", "Road", "Drive", "Lane", "Court", "Boulevard", "Place")
STREET_SHORT = (
    ("Street", "St"),
    ("Avenue", "Ave"),
    ("Road", "Rd"),
    ("Drive", "Dr"),
    ("Lane", "Ln"),
    ("Court", "Ct"),
    ("Boulevard", "Blvd"),
    ("Place", "Pl"),
    ("straße", "str."),
    ("strasse", "str."),
)

KEYBOARD = dict.fromkeys("abcdefghijklmnopqrstuvwxyz", "")
for _row, _next in (("qwertyuiop", "asdfghjkl;"), ("asdfghjkl", "zxcvbnm,."), ("zxcvbnm", "       ")):
    for _i, _c in enumerate(_row):
        KEYBOARD[_c] += (_row[_i - 1] if _i else "") + (_row[_i + 1] if _i + 1 < len(_row) else "")
        if _next[_i].isalpha():
            KEYBOARD[_c] += _next[_i]
            KEYBOARD[_next[_i]] += _c

CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
_ENGLISH = "a b v g d e zh z i y k l m n o p r s t u f kh ts ch sh shch - y - e yu ya"
_GERMAN = "a b w g d e sch s i j k l m n o p r s t u f ch z tsch sch schtsch - y - e ju ja"
LATIN_ENGLISH = _ENGLISH.replace("-", "").split(" ")
LATIN_GERMAN = _GERMAN.replace("-", "").split(" ")
TO_LATIN = [
    {**dict(zip(CYRILLIC, t, strict=False)), "ё": "yo" if t is LATIN_ENGLISH else "jo"}
    for t in (LATIN_ENGLISH, LATIN_GERMAN)
]
SPECIAL = {"ß": "ss", "ł": "l", "Ł": "L", "ø": "o", "æ": "ae", "ı": "i", "đ": "d"}
UMLAUT = {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"}


def to_latin(text: str, scheme: int = 0) -> str:
    if not any("\u0400" <= c <= "\u04ff" for c in text):
        return text
    table = TO_LATIN[scheme]
    out = "".join(table.get(c.lower(), c) if "\u0400" <= c <= "\u04ff" else c for c in text)
    return out[:1].upper() + out[1:] if text[:1].isupper() else out


def unaccent(text: str, german: bool = False) -> str:
    if text.isascii():
        return text
    if german:
        text = "".join(UMLAUT.get(c, c) for c in text)
    text = "".join(SPECIAL.get(c, c) for c in text)
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


@lru_cache(maxsize=200_000)
def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", unaccent(to_latin(text)).lower()) or "x"


@dataclass(frozen=True)
class Pool:
    """Values with a frequency each; `draw` picks indices in proportion."""

    values: list[str]
    cumulative: np.ndarray

    @classmethod
    def of(cls, values, weights) -> Pool:
        cumulative = np.cumsum(np.asarray(weights, dtype=float))
        return cls(list(values), cumulative / cumulative[-1])

    @classmethod
    def zipf(cls, values, exponent: float, seed: int = 7) -> Pool:
        values = sorted(set(values))
        random.Random(seed).shuffle(values)
        return cls.of(values, np.arange(2, len(values) + 2, dtype=float) ** -exponent)

    def head(self, share: float) -> frozenset[str]:
        """The commonest values, together `share` of all draws."""
        return frozenset(self.values[: int(np.searchsorted(self.cumulative, share)) + 1])

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return np.minimum(np.searchsorted(self.cumulative, rng.random(size)), len(self.values) - 1)


@dataclass(frozen=True)
class Place:
    """A country: its share of the customers, how its phones and postcodes look, its word lists."""

    code: str
    share: float
    dial: str
    trunk: str
    mobile: tuple[str, ...]
    landline: tuple[str, ...]
    digits: int
    postcode: str  # '#' digit of the street, '@' letter of the street; the rest comes from the city
    men: Pool
    women: Pool
    surnames: Pool
    common_surnames: frozenset[str]
    cities: Pool
    streets: list[str]


def mimesis_list(locale: str, file: str) -> dict:
    path = Path(mimesis.__file__).parent / "datasets" / locale / f"{file}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def census_pool(kind: str) -> Pool:
    rows = (Path(names.__file__).parent / f"dist.{kind}").read_text().split("\n")
    pairs = [(r.split()[0].title(), float(r.split()[1]) + 0.0003) for r in rows if r.strip()]
    return Pool.of(*zip(*pairs, strict=False))


@lru_cache(maxsize=1)
def places() -> tuple[Place, ...]:
    us_names = (census_pool("male.first"), census_pool("female.first"), census_pool("all.last"))
    streets_us = mimesis_list("en", "address")["street"]
    rows = [
        ("us", "en", 0.45, "1", "", ("",), ("",), 10, "##"),
        (
            "gb",
            "en-gb",
            0.20,
            "44",
            "0",
            ("74", "75", "77", "78", "79"),
            ("20", "161", "121", "131", "117"),
            10,
            " #@@",
        ),
        (
            "de",
            "de",
            0.10,
            "49",
            "0",
            ("151", "160", "170", "172", "176"),
            ("30", "40", "89", "221", "69"),
            10,
            "##",
        ),
        ("fr", "fr", 0.08, "33", "0", ("6", "7"), ("1", "2", "4", "5"), 9, "##"),
        ("it", "it", 0.05, "39", "", ("320", "333", "347", "348"), ("02", "06", "011"), 10, "##"),
        ("es", "es", 0.03, "34", "", ("6",), ("91", "93", "96"), 9, "##"),
        ("pl", "pl", 0.04, "48", "", ("50", "60", "69", "79"), ("22", "12", "61"), 9, "-###"),
        ("ru", "ru", 0.05, "7", "8", ("903", "916", "926", "985"), ("495", "812"), 10, "###"),
    ]
    out = []
    for code, locale, share, dial, trunk, mobile, landline, digits, postcode in rows:
        person, address = mimesis_list(locale, "person"), mimesis_list(locale, "address")
        if code in ("us", "gb"):
            men, women, surnames = us_names
        else:
            men = Pool.zipf(person["names"]["male"], 0.9)
            women = Pool.zipf(person["names"]["female"], 0.9)
            base = person["surnames"]["male"] if isinstance(person["surnames"], dict) else person["surnames"]
            surnames = Pool.zipf(list(base) + long_tail(list(base), 6000), 0.75)
        street = (
            address["street"]["name"]
            if code != "us"
            else [f"{n} {s}" for n, s in zip(streets_us["name"], STREET_KINDS * 1000, strict=False)]
        )
        if code == "us":
            prefix = tuple(str(a) for a in range(201, 980, 3))
            mobile = landline = prefix
        out.append(
            Place(
                code,
                share,
                dial,
                trunk,
                mobile,
                landline,
                digits,
                postcode,
                men,
                women,
                surnames,
                surnames.head(0.6),
                Pool.zipf(address["city"], 0.8),
                list(street),
            )
        )
    return tuple(out)


def long_tail(base: list[str], size: int) -> list[str]:
    """Rare surnames: the head of one name and the tail of another."""
    pick = random.Random(11)
    made: set[str] = set()
    while len(made) < size:
        a, b = pick.choice(base), pick.choice(base)
        word = a[: max(3, len(a) // 2)] + b[len(b) // 2 :].lower()
        if 4 <= len(word) <= 14 and " " not in word:
            made.add(word)
    return sorted(made)


@lru_cache(maxsize=1)
def nickname_table() -> dict[str, list[str]]:
    table = defaultdict(list)
    rows = (Path(nicknames.__file__).parent / "names.csv").read_text().splitlines()[1:]
    for row in rows:
        formal, relation, short = row.split(",")
        if relation == "has_nickname":
            table[formal].append(short.title())
    return dict(table)


# ------------------------------------------------------------------- people


def phone_number(place: Place, prefix: str, number: int) -> str:
    return prefix + str(number).zfill(9)[-(place.digits - len(prefix)) :]


def make_people(rng: np.random.Generator, wanted_records: int) -> tuple[list[dict], np.ndarray]:
    """Households and people; returns (people, records per person), enough for wanted_records."""
    per_person = (RECORDS_PER_PERSON * np.arange(1, 7)).sum()
    n_house = int(wanted_records / per_person / (PEOPLE_PER_HOUSEHOLD * np.arange(1, 5)).sum() * 1.04) + 40
    all_places = places()
    size = rng.choice(np.arange(1, 5), n_house, p=PEOPLE_PER_HOUSEHOLD)
    place_no = rng.choice(len(all_places), n_house, p=[p.share for p in all_places])
    surname_u, city_u, street_u = rng.random(n_house), rng.random(n_house), rng.random(n_house)
    house_no = rng.geometric(0.02, n_house)
    landline = rng.integers(200_000_000, 999_999_999, n_house)
    kind = rng.random(n_house)
    mailbox = rng.random(n_house) < FAMILY_MAILBOX

    n_people = int(size.sum())
    house_of = np.repeat(np.arange(n_house), size)
    u = rng.random((n_people, 24))
    numbers = rng.integers(200_000_000, 999_999_999, (n_people, 3))
    age = np.clip(rng.normal(44, 16, n_people), 16, 95)
    birth = np.datetime64("2026-01-01") - (age * 365.25).astype("timedelta64[D]")
    birth = birth.astype(object)
    provider = rng.choice(len(PROVIDERS), (n_people, 2), p=PROVIDER_SHARE)

    def pick(pool: Pool, x: float) -> str:
        return pool.values[min(int(np.searchsorted(pool.cumulative, x)), len(pool.values) - 1)]

    people: list[dict] = []
    first_of_house = 0
    for i in range(n_people):
        h = int(house_of[i])
        place = all_places[place_no[h]]
        x = u[i].tolist()
        position = len(people) - (first_of_house if people and people[-1]["house"] == h else len(people))
        if position == 0:
            first_of_house = len(people)
        lead: Any = people[first_of_house] if position else None

        woman = x[0] < 0.5
        first = pick(place.women if woman else place.men, x[1])
        last = pick(place.surnames, surname_u[h] if (position == 0 or x[2] < 0.85) else x[3])
        born = birth[i]
        role = "person"
        if position == 1 and kind[h] < TWINS:
            role, last, born = "twin", lead["old"]["last"], lead["born"]
            if x[4] < 0.4:  # twins are often named alike
                pool = place.women if woman else place.men
                for _ in range(12):
                    if first[0] == lead["old"]["first"][0] and first != lead["old"]["first"]:
                        break
                    first = pick(pool, rng.random())
        elif position == 1 and kind[h] < TWINS + FATHER_SON and not lead["woman"]:
            role, woman, first, last = "father", False, lead["old"]["first"], lead["old"]["last"]
            born = lead["born"] - dt.timedelta(days=int(365.25 * (20 + 18 * x[5])))
            lead["role"] = "son"

        city = min(int(np.searchsorted(place.cities.cumulative, city_u[h])), len(place.cities.values) - 1)
        address = make_address(place, city, street_u[h], int(house_no[h]))
        company = ""
        if x[7] < 0.18:
            company = f"{pick(place.surnames, x[8])} {TRADES[int(x[9] * len(TRADES))]}"
        phone = phone_number(place, place.mobile[int(x[10] * len(place.mobile))], int(numbers[i, 0]))
        home = phone_number(place, place.landline[int(city_u[h] * len(place.landline))], int(landline[h]))
        email = make_email(place, first, last, born, company, PROVIDERS[provider[i, 0]], x[11], x[12], x[13])
        old = {"first": first, "last": last, "address": address, "phone": phone, "email": email}
        new = dict(old)
        if woman and x[14] < NEW_SURNAME_WOMEN:
            other = pick(place.surnames, x[15])
            new["last"] = f"{last}-{other}" if x[16] < 0.2 else other
        if x[17] < MOVED:
            town = city if x[18] < 0.6 else place.cities.draw(rng, 1)[0]
            new["address"] = make_address(place, int(town), x[19], 1 + int(x[20] * 150))
        if x[21] < NEW_PHONE:
            new["phone"] = phone_number(
                place, place.mobile[int(x[18] * len(place.mobile))], int(numbers[i, 1])
            )
        if x[22] < NEW_EMAIL:
            new_provider = PROVIDERS[provider[i, 1]]
            if x[23] < 0.5 and "@" in email:  # same name, other provider
                new["email"] = f"{email.split('@')[0]}@{new_provider}"
            else:
                new["email"] = make_email(
                    place, first, new["last"], born, "", new_provider, x[20], x[13], x[11]
                )
        people.append(
            {
                "house": h,
                "place": place,
                "woman": woman,
                "born": born,
                "role": role,
                "company": company,
                "home": home,
                "old": old,
                "new": new,
                "shares": bool(size[h] > 1),
                "family_email": f"{slug(last)}family{house_no[h] % 100}@{PROVIDERS[provider[i, 0]]}"
                if mailbox[h] and size[h] > 1 and position == 0
                else (lead or {}).get("family_email", ""),
                "card": f"{'LC'}{int(numbers[i, 2])}",
            }
        )
    counts = rng.choice(np.arange(1, 7), n_people, p=RECORDS_PER_PERSON)
    return people, counts


def make_address(place: Place, city: int, street_u: float, number: int) -> tuple[str, str, str]:
    """(street line, city, postcode); the same city and street always give the same postcode."""
    street_no = int(street_u * len(place.streets))
    street = place.streets[street_no]
    code = (city * 7919 + 13) % (90000 if place.code != "ru" else 900)
    spot = (street_no * 31 + city) % 17576
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    if place.code == "gb":
        head = f"{letters[city % 24]}{letters[city // 24 % 24]}{1 + spot % 20}"
        postcode = f"{head} {spot % 10}{letters[spot % 24]}{letters[spot // 24 % 24]}"
    elif place.code == "pl":
        postcode = f"{code % 90 + 10:02d}-{spot % 1000:03d}"
    elif place.code == "ru":
        postcode = f"{code % 900 + 100:03d}{spot % 1000:03d}"
    else:
        postcode = f"{code % 900 + 100:03d}{spot % 100:02d}"
    line = f"{street} {number}" if place.code in ("de", "it", "es", "pl", "ru") else f"{number} {street}"
    return line, place.cities.values[city], postcode


def make_email(place, first, last, born, company, provider, a, b, c) -> str:
    given, family = slug(first), slug(last)
    if company and a < 0.6:
        return f"{given}.{family}@{slug(company)}.{'com' if place.code == 'us' else place.code}"
    style = int(a * 9)
    number = str(int(b * 1000)) if c < 0.5 else f"{born.year % 100:02d}"
    tail = ""
    # A mailbox belongs to one person: common names need a number.
    if last in place.common_surnames or style in {5, 7}:
        number = tail = str(int(b * 1e6))
    local = (
        f"{given}.{family}{tail}",
        f"{given}{family}{tail}",
        f"{given[0]}{family}{number}",
        f"{given}_{family}{tail}",
        f"{family}.{given}{tail}",
        f"{given}{number}",
        f"{given}.{family}{number}",
        f"{given}{family[0]}{number}",
        f"{given}{family}{number}",
    )[style]
    if b < 0.12:
        provider = LOCAL_PROVIDERS[place.code][int(c * 2)]
    return f"{local}@{provider}"


# ------------------------------------------------------------------ records


def typo(text: str, r: random.Random) -> str:
    if len(text) < 2:
        return text
    i = r.randrange(len(text))
    kind = r.random()
    c = text[i].lower()
    if kind < 0.35:  # wrong key
        near = "0123456789" if c.isdigit() else KEYBOARD.get(c, "")
        return text[:i] + r.choice(near) + text[i + 1 :] if near else text
    if kind < 0.60:  # transposition
        i = min(i, len(text) - 2)
        return text[:i] + text[i + 1] + text[i] + text[i + 2 :]
    if kind < 0.80:
        return text[:i] + text[i + 1 :]
    if kind < 0.90:
        return text[:i] + text[i] + text[i:]
    near = KEYBOARD.get(c, "") or "0"
    return text[:i] + r.choice(near) + text[i:]


def write_phone(place: Place, national: str, r: random.Random) -> str:
    kind = r.random()
    grouped = " ".join((national[:3], national[3:6], national[6:]))
    if kind < 0.14:
        return f"+{place.dial} {grouped}"
    if kind < 0.30:
        return f"+{place.dial}{national}"
    if kind < 0.36:
        return f"00{place.dial}{national}"
    if kind < 0.42:
        return f"{place.dial}{national}"
    if kind < 0.68:
        return place.trunk + national
    if kind < 0.80:
        return place.trunk + grouped.replace(" ", "-")
    if kind < 0.92:
        return f"({place.trunk}{national[:3]}) {national[3:6]}-{national[6:]}"
    if kind < 0.93:
        return f"{place.trunk}{national} ext {r.randrange(10, 99)}"
    return national


def write_name(person: dict, state: dict, r: random.Random) -> tuple[str, str]:
    first, last = state["first"], state["last"]
    if person["place"].code == "ru" and r.random() < 0.85:
        scheme = int(r.random() < 0.25)
        first, last = to_latin(first, scheme), to_latin(last, scheme)
    elif not (first.isascii() and last.isascii()) and r.random() < 0.45:
        german = r.random() < 0.5
        first, last = unaccent(first, german), unaccent(last, german)
    x = r.random()
    if x < 0.08:
        short = nickname_table().get(first.lower())
        first = r.choice(short) if short else first
    elif x < 0.115:
        first = first[0] + ("." if r.random() < 0.5 else "")
    elif x < 0.145:
        first = f"{first} {r.choice('ABCDEFGHJKLMPRST')}" + ("." if r.random() < 0.5 else "")
    elif x < 0.185:
        first = typo(first, r)
    if r.random() < 0.045:
        last = typo(last, r)
    if person["role"] in ("father", "son") and r.random() < 0.35:
        last += " Sr" if person["role"] == "father" else " Jr"
    if r.random() < 0.015:
        first, last = last, first
    x = r.random()
    if x < 0.05:
        first, last = first.upper(), last.upper()
    elif x < 0.11:
        first, last = first.lower(), last.lower()
    elif x < 0.12:
        first = f" {first}"
    elif x < 0.123:
        first = r.choice(JUNK_NAME)
    return first, last


def write_email(person: dict, state: dict, r: random.Random) -> str:
    x = r.random()
    if person["family_email"] and x < 0.5:
        return person["family_email"]
    if x > 0.988:
        return r.choice(JUNK_EMAIL)
    local, _, domain = state["email"].partition("@")
    x = r.random()
    if x < 0.03 and domain in ("gmail.com", "outlook.com", "icloud.com"):
        local += "+" + r.choice(("shop", "news", "promo", "spam", "orders", "1"))
    elif x < 0.07 and domain == "gmail.com":
        local = local.replace(".", "") if "." in local else f"{local[:3]}.{local[3:]}"
    elif x < 0.08 and domain == "gmail.com":
        domain = "googlemail.com"
    elif x < 0.10:
        local = typo(local, r)
    elif x < 0.108:
        domain = r.choice(DOMAIN_TYPOS.get(domain, (domain,)))
    email = f"{local}@{domain}"
    x = r.random()
    return email.upper() if x < 0.02 else email.title() if x < 0.05 else email


def write_dob(born: dt.date, r: random.Random) -> str:
    x = r.random()
    if x < 0.015:
        return r.choice(JUNK_DOB)
    if x < 0.03 and born.day <= 12:
        return dt.date(born.year, born.day, born.month).isoformat()
    if x < 0.045:
        return (born + dt.timedelta(days=r.choice((-1, 1, 10, -10, 365, -365)))).isoformat()
    return born.isoformat()


def write_address(state: dict, r: random.Random) -> tuple[str, str, str]:
    line, city, postcode = state["address"]
    if r.random() < 0.4:
        for long, short in STREET_SHORT:
            if long in line:
                line = line.replace(long, short)
                break
    x = r.random()
    if x < 0.05:
        line = typo(line, r)
    elif x < 0.09:
        line += r.choice((" Apt ", " #", ", Flat ")) + str(r.randrange(1, 40))
    elif x < 0.13:
        line = line.upper()
    if r.random() < 0.25:
        line, city = unaccent(to_latin(line)), unaccent(to_latin(city))
    if r.random() < 0.03:
        city = typo(city, r)
    if r.random() < 0.02:
        postcode = typo(postcode, r)
    elif r.random() < 0.08:
        postcode = postcode.replace(" ", "").replace("-", "")
    return line, city, postcode


def write_record(
    person: dict,
    person_no: int,
    house_no: int,
    channel: int,
    state: dict,
    r: random.Random,
    stranger_card: str,
) -> tuple:
    missing = {field: r.random() < shares[channel] for field, shares in MISSING.items()}
    first, last = write_name(person, state, r)
    email = "" if missing["email"] else write_email(person, state, r)
    if not email or CHANNELS[channel] != "marketplace" or r.random() > 0.5:
        pass
    else:  # marketplaces hide the mailbox behind a relay address
        email = f"{r.getrandbits(48):012x}@relay.market.example"
    phone = ""
    if not missing["phone"]:
        x = r.random()
        national = person["home"] if (person["shares"] and x < 0.18) or x < 0.05 else state["phone"]
        if r.random() < 0.015:
            phone = r.choice(JUNK_PHONE)
        else:
            phone = write_phone(person["place"], typo(national, r) if r.random() < 0.015 else national, r)
    line, city, postcode = write_address(state, r)
    # A record nobody could ever match is noise, not a task: keep the mailbox, the phone or the address.
    if not email and not phone and (missing["address"] or missing["postcode"]):
        missing["address"] = missing["postcode"] = missing["city"] = False
        missing["first_name"] = missing["last_name"] = False
    company = person["company"] if r.random() < 0.55 else ""
    if company:
        company += " " + r.choice(COMPANY_FORMS[person["place"].code]) if r.random() < 0.8 else ""
        company = typo(company, r) if r.random() < 0.04 else company
    card = ""
    if not missing["external_id"]:
        x = r.random()
        card = stranger_card if x < 0.003 else typo(person["card"], r) if x < 0.010 else person["card"]
    created = dt.datetime(2019, 1, 1) + dt.timedelta(seconds=r.randrange(0, 7 * 365 * 86400))
    if state is person["old"] and state is not person["new"] and state != person["new"]:
        created = dt.datetime(2019, 1, 1) + (created - dt.datetime(2019, 1, 1)) / 2
    return (
        person_no,
        house_no,
        card or None,
        CHANNELS[channel],
        None if missing["first_name"] else first,
        None if missing["last_name"] else last,
        company or None,
        email or None,
        phone or None,
        None if missing["dob"] else write_dob(person["born"], r),
        None if missing["address"] else line,
        None if missing["city"] else city,
        None if missing["postcode"] else postcode,
        person["place"].code.upper(),
        created,
    )


COLUMNS = (
    ("true_id", pa.int64()),
    ("household_id", pa.int64()),
    ("external_id", pa.string()),
    ("channel", pa.string()),
    ("first_name", pa.string()),
    ("last_name", pa.string()),
    ("company", pa.string()),
    ("email", pa.string()),
    ("phone", pa.string()),
    ("date_of_birth", pa.string()),
    ("address", pa.string()),
    ("city", pa.string()),
    ("postcode", pa.string()),
    ("country", pa.string()),
    ("created_at", pa.timestamp("s")),
)


def make_chunk(task: tuple[int, int, int]) -> pa.Table:
    seed, chunk, wanted = task
    rng = np.random.default_rng([seed, chunk])
    r = random.Random(f"{seed}/{chunk}")
    people, counts = make_people(rng, wanted)
    base = chunk * 10_000_000
    rows: list[tuple] = []
    for i, (person, count) in enumerate(zip(people, counts.tolist(), strict=False)):
        channels = rng.choice(len(CHANNELS), count, p=CHANNEL_SHARE).tolist()
        for channel in channels:
            state = person["new"] if r.random() < 0.5 else person["old"]
            rows.append(
                write_record(
                    person,
                    base + i,
                    base + person["house"],
                    channel,
                    state,
                    r,
                    people[r.randrange(len(people))]["card"],
                )
            )
        if len(rows) >= wanted:
            break
    if len(rows) < wanted:
        raise RuntimeError("chunk came out short; raise the margin in make_people")
    columns = list(zip(*rows[:wanted], strict=False))
    return pa.table({name: pa.array(columns[j], type) for j, (name, type) in enumerate(COLUMNS)})


def make_customers(n: int, seed: int = 1, jobs: int = 2) -> pa.Table:
    tasks = [(seed, i, min(CHUNK_RECORDS, n - start)) for i, start in enumerate(range(0, n, CHUNK_RECORDS))]
    if jobs > 1 and len(tasks) > 1:
        with multiprocessing.Pool(jobs) as pool:
            parts = pool.map(make_chunk, tasks, chunksize=1)
    else:
        parts = [make_chunk(t) for t in tasks]
    table = pa.concat_tables(parts)
    order = np.random.default_rng([seed, n]).permutation(n)
    table = table.take(pa.array(order))
    return table.add_column(0, "customer_id", pa.array(np.arange(1, n + 1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("records", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    table = make_customers(args.records, args.seed, args.jobs)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, args.out, compression="zstd")
    people = len(table["true_id"].unique())
    print(f"{table.num_rows:,} records of {people:,} people in {args.out}")


if __name__ == "__main__":
    main()
