"""Identifiers in a message: its explicit fields first, then what its text mentions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import phonenumbers

from resolution.matching.identifiers import normalise_identifier
from resolution.matching.normalise.text import clean_text
from resolution.types import Identifier

# Message fields that hold one identifier of a known type, most explicit first.
FIELD_TYPES = (
    ("customer_email", "email"),
    ("customer_phone", "phone"),
    ("external_customer_id", "external_id"),
    ("email", "email"),
    ("phone", "phone"),
    ("external_id", "external_id"),
    ("handle", "handle"),
    ("customer_handle", "handle"),
    ("username", "handle"),
    ("sender_handle", "handle"),
)
TEXT_FIELDS = ("subject", "content")
LONGEST_TEXT = 20_000
MOST_FOUND_IN_TEXT = 50

_PHONE_SCHEME = re.compile(r"(?:whatsapp|sms|tel|callto|signal|viber)\s*:", re.IGNORECASE)
_PHONE_LIKE = re.compile(r"\+?[\d\s().\-/]{7,25}")
_EMAIL_IN_TEXT = re.compile(r"(?<![\w.+\-])[\w.+\-%']{1,64}@(?:[\w\-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w\-@])")
_HANDLE_IN_TEXT = re.compile(r"(?<![\w@./+\-])@[^\W\d_]\w{1,29}(?:\.\w{1,20})?(?![\w@])")
_INTERNATIONAL = re.compile(r"(?<![\w+])(?:\+|00)[1-9][\d\s().\-/]{6,20}\d(?!\w)")


def extract_identifiers_from_message(message: Mapping[str, object], *, region: str = "") -> list[Identifier]:
    """List a message's usable identifiers, explicit fields before free text, each value once.

    Reads FIELD_TYPES, `sender_id` and TEXT_FIELDS; other keys and values that are not text are passed over.
    `found_in` names the field, and in free text the place: "content[12:30]". Never raises on user text.
    """
    seen: dict[tuple[str, str], Identifier] = {}
    for found in _all_identifiers(message, region):
        if found.usable:
            seen.setdefault((found.type, found.normalised), found)
    return list(seen.values())


def _all_identifiers(message: Mapping[str, object], region: str) -> Iterator[Identifier]:
    yield from _in_sender(_text_of(message, "sender_id"), region)
    for field, type in FIELD_TYPES:
        if text := _text_of(message, field):
            yield replace(normalise_identifier(type, text, region=region), found_in=field)
    for field in TEXT_FIELDS:
        yield from identifiers_in_text(_text_of(message, field), region=region, found_in=field)


def _text_of(message: Mapping[str, object], field: str) -> str:
    """A field as text; numbers count, since channels send ids and phones as numbers."""
    value = message.get(field)
    if isinstance(value, bool):
        return ""
    return str(value) if isinstance(value, (str, int)) else ""


def _in_sender(text: str, region: str) -> Iterator[Identifier]:
    if type := sender_type(text):
        yield replace(normalise_identifier(type, text, region=region), found_in="sender_id")


def sender_type(text: str) -> str:
    """Tell what a sender id is from its form; empty when it could be anything."""
    text = clean_text(text[:300])
    if _PHONE_SCHEME.match(text) or _PHONE_LIKE.fullmatch(text):
        return "phone"
    if text.startswith("@"):
        return "handle"
    return "email" if "@" in text else ""


def identifiers_in_text(text: str, *, region: str = "", found_in: str) -> Iterator[Identifier]:
    """Find e-mail addresses, phone numbers and handles in free text, in the order of their place."""
    text = text[:LONGEST_TEXT]
    places = sorted(
        {*_places(_EMAIL_IN_TEXT, "email", text), *_phone_places(text, region), *_handle_places(text)}
    )
    for start, end, type in places[:MOST_FOUND_IN_TEXT]:
        found = normalise_identifier(type, text[start:end], region=region)
        yield replace(found, found_in=f"{found_in}[{start}:{end}]")


def _places(pattern: re.Pattern[str], type: str, text: str) -> Iterator[tuple[int, int, str]]:
    return ((found.start(), found.end(), type) for found in pattern.finditer(text))


def _handle_places(text: str) -> Iterable[tuple[int, int, str]]:
    return _places(_HANDLE_IN_TEXT, "handle", text) if "@" in text else ()


def _phone_places(text: str, region: str) -> Iterator[tuple[int, int, str]]:
    """International numbers by their form; national ones only where the region knows them as valid."""
    emails = [found.span() for found in _EMAIL_IN_TEXT.finditer(text)]
    spans = {found.span() for found in _INTERNATIONAL.finditer(text)} | set(_valid_numbers(text, region))
    for start, end in sorted(spans):
        if not any(first < end and start < last for first, last in emails):
            yield start, end, "phone"


def _valid_numbers(text: str, region: str) -> Iterator[tuple[int, int]]:
    known = region.upper() if region.upper() in phonenumbers.SUPPORTED_REGIONS else None
    for found in phonenumbers.PhoneNumberMatcher(
        text, known, leniency=phonenumbers.Leniency.VALID, max_tries=1000
    ):
        yield found.start, found.end
