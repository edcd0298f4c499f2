"""Company names in bulk."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from resolution.matching.normalise import junk
from resolution.matching.normalise.bulk.columns import (
    Mapper,
    among,
    any_of,
    as_strings,
    blanked,
    changed,
    in_process,
    matches,
    settled,
)
from resolution.matching.normalise.bulk.folding import are_fillers, fold_texts, plain_words_of
from resolution.matching.normalise.company import LEGAL_FORMS, normalise_company

# Found as far to the left as it goes, and so in its longest form, and never without a word before it.
_LAST_FORM = f" (?:{'|'.join(' '.join(form) for form in LEGAL_FORMS)})$"


def bulk_companies(values: pa.Array, mapper: Mapper = in_process) -> pa.Array:
    """Fold each company's name without its legal form, as `normalise_company` does."""
    values = as_strings(values)
    folded = fold_texts(pc.replace_substring(values, "&", " and "))
    names = _without_forms(plain_words_of(folded))
    fillers = any_of(are_fillers(folded), are_fillers(names), among(names, junk.COMPANIES))
    return settled(values, blanked(names, fillers), _company, mapper)


def _company(text: str) -> str:
    return normalise_company.__wrapped__(text)


def _without_forms(names: pa.Array) -> pa.Array:
    """Take off the last form until there is none."""
    while pc.any(formed := matches(names, _LAST_FORM)).as_py():
        names = changed(names, formed, lambda some: pc.replace_substring_regex(some, _LAST_FORM, ""))
    return names
