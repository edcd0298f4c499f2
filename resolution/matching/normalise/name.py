"""Names: lower-case ASCII words (Han kept) without titles, suffixes, digits and fillers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache

import numpy as np
from nameparser import HumanName, Lexicon

from resolution.matching.normalise import junk
from resolution.matching.normalise.text import CACHED_VALUES, clean_text, fold_text, letter_words, word_set
from resolution.types import Name

TITLES = word_set("""
    mr mrs ms miss mx sir dame lady lord dr doctor prof professor rev reverend fr father hon capt
    captain herr frau fraulein hr fru dipl ing mag monsieur madame mademoiselle mme mlle m sr sra srta
    senor senora senorita don dona sig signor signora signorina dott dottssa pan pani gospodin gospozha
    g-n g-zha
    """) - {"m", "sr", "fr", "don", "pan"}
SUFFIXES = word_set("""
    jr sr junior senior ii iii iv phd md esq dds cpa mba bsc msc msgr ret obe mbe
    """)
MOST_WORDS = 6
LONGEST_FULL_NAME = 120

# Small words that belong to a family name and that people leave out or join as they please.
PARTICLES = word_set("""
    de la le du des da do dos das del della di van von der den ter ten zu zur zum af al el bin ibn mac
    mc st saint san santa y e i und and
    """)


@lru_cache(CACHED_VALUES)
def normalise_name_part(text: str) -> str:
    """Make one part of a name (given or family) canonical; empty when nothing of a name is left."""
    words = letter_words(text[: 2 * LONGEST_FULL_NAME])[:MOST_WORDS]
    if junk.is_filler(fold_text(text)):
        return ""
    name = " ".join(_without_suffixes(_without_titles(words)))
    return "" if junk.is_filler(name) or (len(name) > 2 and len(set(name)) == 1) else name


def _without_titles(words: list[str]) -> list[str]:
    while words and words[0] in TITLES:
        words = words[1:]
    return words


def _without_suffixes(words: list[str]) -> list[str]:
    while len(words) > 1 and words[-1] in SUFFIXES:
        words = words[:-1]
    return words


def name_of(given: str, family: str) -> Name | None:
    """Make a canonical name of its two parts; None when both are empty."""
    first, last = normalise_name_part(given), normalise_name_part(family)
    if first in junk.NAMES:
        first = ""
    # Some placeholders are family names of people: Christopher Guest, but not "Guest" alone.
    if not first and last in junk.NAMES:
        last = ""
    return Name(first, last) if first or last else None


@lru_cache(CACHED_VALUES)
def parse_name(text: str) -> Name | None:
    """Make a canonical name of one string: "Smith, Dr. Anna" and "Anna Smith" are one name."""
    text = _SPARE.sub(" ", clean_text(text[: 2 * LONGEST_FULL_NAME])[:LONGEST_FULL_NAME])
    if fold_text(text) in junk.NAMES:
        return None
    return _eastern_name(text) or _family_first(text) or _quick_name(text) or _parsed_name(text)


# Chinese characters with their Japanese signs, and Hangul; the given name may be in kana.
_EASTERN = "[㐀-䶿一-鿿々〆가-힣]"
_EASTERN_NAME = re.compile(
    f"({_EASTERN}{{1,4}}) ((?:{_EASTERN}|[ぁ-ヿ]){{1,5}})|({_EASTERN}{{1,5}})([ぁ-ヿ]{{0,4}})"
)
# Family names of two characters where the whole has three.
_LONG_FAMILY = word_set("""
    欧阳 歐陽 司马 司馬 上官 诸葛 諸葛 东方 皇甫 尉迟 公孙 慕容 令狐 宇文 长孙 司徒 夏侯 端木 南宫
    남궁 황보 제갈 사공 선우 서문 독고
    """)


def _eastern_name(text: str) -> Name | None:
    """The family name stands first, mostly of one character; of two where there are four or more."""
    found = None if text.isascii() else _EASTERN_NAME.fullmatch(text)
    if not found:
        return None
    family, given, whole, kana = found.groups("")
    if kana:
        return name_of(kana, whole)
    if whole:
        cut = 2 if len(whole) > 3 or (len(whole) == 3 and whole[:2] in _LONG_FAMILY) else 1
        family, given = whole[:cut], whole[cut:]
    return name_of(given, family)


_BEFORE_INITIALS = re.compile(r"([^\W\d_]{2,}(?:-[^\W\d_]{2,})?) ([^\W\d_])(?:\. ?| )([^\W\d_])\.?")
_BEFORE_PATRONYMIC = re.compile(
    r"([\u0400-\u04ff-]{2,}) ([\u0400-\u04ff]+) ([\u0400-\u04ff]+(?:[оеи]вич|ич|[оеи]вна|ична))",
    re.IGNORECASE,
)


def _family_first(text: str) -> Name | None:
    """A word before two initials is the family name, and so is that before a Russian name and patronymic."""
    found = _BEFORE_INITIALS.fullmatch(text) or (not text.isascii() and _BEFORE_PATRONYMIC.fullmatch(text))
    if not found or fold_text(found[1]) in TITLES:
        return None
    return name_of(f"{found[2]} {found[3]}", found[1])


_SPARE = re.compile(r"\([^)]*\)|\"[^\"]*\"|[()\"<>\[\]{}]")
_TWO_WORDS = re.compile(r"([^\W\d_]{2,}) ([^\W\d_]{2,})")


def _quick_name(text: str) -> Name | None:
    """Two plain words need no parser, which is slow."""
    words = _TWO_WORDS.fullmatch(text)
    if not words or fold_text(words[1]) in TITLES or fold_text(words[2]) in SUFFIXES:
        return None
    return name_of(words[1], words[2])


def _parsed_name(text: str) -> Name | None:
    if plain := _plain_name(text):
        return name_of(*plain)
    parsed = HumanName(text)
    if not parsed.first and not parsed.last:
        return name_of(text, "")
    if not parsed.last:
        return name_of("", parsed.first) if _is_han(parsed.first) else name_of(parsed.first, "")
    return name_of(f"{parsed.first} {parsed.middle}", parsed.last)


_LATIN = "[A-Za-zÀ-ÖØ-öø-ɏ]"
_WORD = rf"(?:{_LATIN}['’])?{_LATIN}{{2,}}(?:[-'’]{_LATIN}{{2,}})*"
_GIVEN = rf"(?:{_WORD}|[A-Z]\.?)"
# Without look-around, since the bulk functions share it.
PLAIN_NAME = rf"({_GIVEN}(?: {_GIVEN})*) ({_WORD})"
_PLAIN_NAME = re.compile(PLAIN_NAME)


def _plain_name(text: str) -> tuple[str, str] | None:
    """Words the parser knows nothing about are read in their order: given names, initials, a family name."""
    found = _PLAIN_NAME.fullmatch(text)
    if not found or not KNOWN_WORDS.isdisjoint(_NOT_IN_WORDS.split(text.lower())):
        return None
    return found[1], found[2]


_NOT_IN_WORDS = re.compile(r"[\s.'’-]+")
_NUMERALS = word_set("i ii iii iv v vi vii viii ix x")


def _known_words(lexicon: Lexicon) -> frozenset[str]:
    """The words of titles, particles, suffixes and what joins names; letters only where they are a word."""
    vocabularies = (getattr(lexicon, field.name) for field in fields(lexicon))
    entries = {entry for words in vocabularies if isinstance(words, frozenset) for entry in words}
    parts = {part for entry in entries for part in _NOT_IN_WORDS.split(entry)}
    return frozenset({part for part in parts if len(part) > 1} | entries | _NUMERALS)


KNOWN_WORDS = _known_words(Lexicon.default())


def _is_han(text: str) -> bool:
    return bool(text) and not fold_text(text).isascii()


def core_family(family: str) -> str:
    """Join a family name without its particles: "van der Berg" and "Vanderberg" come out alike or close."""
    kept = [word for word in family.split() if word not in PARTICLES]
    return "".join(kept or family.split())


# Letters that are heard as one, longer groups first; then what single consonants sound like.
_GROUPS = (
    (b"schtsch", b"x"), (b"shch", b"x"), (b"tsch", b"x"), (b"tch", b"x"), (b"sch", b"x"), (b"sh", b"x"),
    (b"ch", b"x"), (b"cz", b"x"), (b"sz", b"x"), (b"zh", b"x"), (b"rz", b"x"), (b"ph", b"f"), (b"pf", b"f"),
    (b"ck", b"k"), (b"qu", b"k"), (b"kh", b"k"), (b"tz", b"s"), (b"ts", b"s"), (b"dt", b"t"), (b"th", b"t"),
)  # fmt: skip
_CONSONANTS = bytes.maketrans(b"vwqcgzdbm", b"ffkkkstpn")
_UNHEARD = b"aeiouyjh "
_VOWELS = tuple("aeiouyj")
_REPEATED = re.compile(rb"(.)\1+")
_LINE_END = ord("\n")


@lru_cache(CACHED_VALUES)
def sound_of(name: str) -> str:
    """Reduce a canonical name to the consonants one hears, so that spellings of several languages meet."""
    if not name.isascii():
        return name
    return _head(name) + _REPEATED.sub(rb"\1", _consonants(name.encode())).decode()


def sounds_of(names: Sequence[str]) -> list[str]:
    """Reduce many names at once as `sound_of` does each: all of them as one text, a name a line."""
    if not names:
        return []
    lines = "\n".join([name if name.isascii() else "" for name in names])
    heard = _without_repeats(_consonants(lines.encode())).decode().split("\n")
    return [_head(name) + sound if name.isascii() else name for name, sound in zip(names, heard, strict=True)]


def _head(name: str) -> str:
    return "a" if name.startswith(_VOWELS) else ""


def _consonants(text: bytes) -> bytes:
    for group, sound in _GROUPS:
        text = text.replace(group, sound)
    return text.translate(_CONSONANTS).replace(b"ks", b"x").translate(None, _UNHEARD)


def _without_repeats(text: bytes) -> bytes:
    """Leave out letters that repeat the one before; what `_REPEATED` does, for long texts."""
    signs = np.frombuffer(text, dtype=np.uint8)
    kept = np.ones(len(signs), dtype=np.bool_)
    kept[1:] = (signs[1:] != signs[:-1]) | (signs[1:] == _LINE_END)
    return signs[kept].tobytes()
