"""The text steps every normaliser starts from: clean what cannot be stored, fold what is only spelling."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from anyascii import anyascii

LONGEST_VALUE = 255
CACHED_VALUES = 1 << 12

# A range for patterns.
HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_NEITHER_ASCII_NOR_HAN = re.compile(f"[^\x00-\x7f{HAN}]+")
_NOT_LETTERS = re.compile(f"[^a-z{HAN}]+")
_NOT_LETTERS_OR_DIGITS = re.compile(f"[^a-z0-9{HAN}]+")
_APOSTROPHES = re.compile("['`\u2018\u2019\u02bc\u00b4]")
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


class Canonical(NamedTuple):
    """A canonical value, or an empty one with the reason it cannot be used."""

    value: str
    unusable: str = ""


def word_set(words: str) -> frozenset[str]:
    """Read a table of words that is written as text."""
    return frozenset(words.split())


def clean_text(text: str) -> str:
    """Drop what no database column holds (NUL, lone surrogates, control characters) and spare spaces."""
    if not text.isascii() or not text.isprintable():
        text = "".join(map(_storable, unicodedata.normalize("NFC", text)))
        text = unicodedata.normalize("NFC", text)
    return " ".join(text.split())


def _storable(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in _DROPPED_CATEGORIES else character


@lru_cache(CACHED_VALUES)
def fold_text(text: str) -> str:
    """Lower-case ASCII of any script; Han characters stay, since their sound depends on the language."""
    text = text[: 4 * LONGEST_VALUE]
    if not text.isascii() and _FOLDED_ALONE.fullmatch(text):
        text = text.translate(FOLDED_LETTERS)
    return _folded(text)


def _folded(text: str) -> str:
    text = clean_text(text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).casefold()
        text = _NEITHER_ASCII_NOR_HAN.sub(_in_ascii, text)
    return " ".join(text.lower().split())


def _in_ascii(match: re.Match[str]) -> str:
    return anyascii("".join(filter(_spells_something, match[0])))


def _spells_something(character: str) -> bool:
    return unicodedata.category(character)[0] not in "SC"


def letter_words(text: str) -> list[str]:
    """The words of a folded text, letters only; an apostrophe joins: O'Brien → obrien."""
    return _NOT_LETTERS.sub(" ", _APOSTROPHES.sub("", fold_text(text))).split()


def plain_words(text: str) -> list[str]:
    """The words of a folded text, letters and digits."""
    return _NOT_LETTERS_OR_DIGITS.sub(" ", _APOSTROPHES.sub("", fold_text(text))).split()


# Latin, Greek, Cyrillic and the usual quotes and dashes.
_ALPHABETS = (range(0xA1, 0x250), range(0x370, 0x530), range(0x1E00, 0x1F00), range(0x2010, 0x2028))


def _folds_alone(character: str) -> bool:
    """Tell whether a character, a letter or a mark, folds in one way whatever stands beside it."""
    kept = unicodedata.category(character)[0] in "LP" and unicodedata.is_normalized("NFC", character)
    return kept and _folded(f"a{character}a") == f"a{_folded(character)}a"


# What such characters become; text made of them and of printable ASCII needs none of the slower steps.
FOLDED_LETTERS = {
    code: _folded(chr(code)) for codes in _ALPHABETS for code in codes if _folds_alone(chr(code))
}
_FOLDED_ALONE = re.compile(f"[ -~{''.join(map(chr, FOLDED_LETTERS))}]*")
