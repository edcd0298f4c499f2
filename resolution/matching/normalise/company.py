"""Company names without their legal form."""

from __future__ import annotations

import re
from functools import lru_cache

from resolution.matching.normalise import junk
from resolution.matching.normalise.text import CACHED_VALUES, LONGEST_VALUE, fold_text, plain_words

_FORMS = """
gmbh and co kgaa|gmbh and co kg|gmbh co kg|gmbh and co|gmbh co|gmbh|mbh|kgaa|kg|ohg|ug|ag|gbr|ek|e v|ev
incorporated|inc|corporation|corp|company|co|limited|ltd|co ltd|pty ltd|pte ltd|pvt ltd|private limited
llc|llp|lp|plc|and co ltd|and co limited|and co inc|and co|and company|und co|et cie|y cia|e cia
s a r l|sarl|s a s|sas|sasu|eurl|s a|sa|snc|s r l|srl|srls|s p a|spa|s l u|slu|s l|sl|s c|sociedad limitada
s de r l de c v|s a de c v|b v|bv|n v|nv|oy|oyj|ab|as|a s|aps|kft|zrt|sro|s r o|doo|d o o|ltda
sp z o o|spolka z o o|spzoo|spolka akcyjna|ooo|oao|zao|pao|ao|ip|pty|pte|pvt
"""
_FORM_WORDS = [tuple(form.split()) for form in re.split(r"[|\n]", _FORMS.strip())]
LEGAL_FORMS = tuple(sorted(_FORM_WORDS, key=len, reverse=True))
_FORMS_BY_END = {
    end: tuple(form for form in LEGAL_FORMS if form[-1] == end) for end in {form[-1] for form in LEGAL_FORMS}
}


@lru_cache(CACHED_VALUES)
def normalise_company(text: str) -> str:
    """Fold a company's name and take off its legal form; empty for fillers."""
    if junk.is_filler(fold_text(text[:LONGEST_VALUE])):
        return ""
    words = plain_words(text[:LONGEST_VALUE].replace("&", " and "))
    words = _without_forms(words)
    folded = " ".join(words)
    return "" if junk.is_filler(folded) or folded in junk.COMPANIES else folded


def has_legal_form(text: str) -> bool:
    """Tell whether a text ends in a legal form: "Smith Ltd"."""
    return bool(_last_form(plain_words(text[:LONGEST_VALUE].replace("&", " and "))))


def _without_forms(words: list[str]) -> list[str]:
    while form := _last_form(words):
        words = words[: -len(form)]
    return words


def _last_form(words: list[str]) -> tuple[str, ...]:
    for form in _FORMS_BY_END.get(words[-1], ()) if words else ():
        if len(words) > len(form) and tuple(words[-len(form) :]) == form:
            return form
    return ()
