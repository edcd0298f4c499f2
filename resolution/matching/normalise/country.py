"""Countries as ISO 3166 alpha-2 codes, from codes and from the names people write."""

from __future__ import annotations

from functools import lru_cache

from phonenumbers import SUPPORTED_REGIONS

from resolution.matching.normalise.text import fold_text, letter_words

_NAMES_BY_CODE = {
    "US": "usa, united states, united states of america, america",
    "GB": "uk, gbr, united kingdom, great britain, england, scotland, wales, northern ireland",
    "DE": "deu, germany, deutschland, allemagne, alemania, germania",
    "FR": "fra, france, frankreich, francia",
    "IT": "ita, italy, italia, italien, italie",
    "ES": "esp, spain, espana, spanien, espagne, spagna",
    "PL": "pol, poland, polska, polen, pologne",
    "RU": "rus, russia, russian federation, rossiya, rossia, russland",
    "NL": "nld, netherlands, the netherlands, nederland, holland, niederlande",
    "AT": "aut, austria, osterreich, oesterreich, autriche",
    "CH": "che, switzerland, schweiz, suisse, svizzera",
    "BE": "bel, belgium, belgie, belgique, belgien",
    "PT": "prt, portugal",
    "SE": "swe, sweden, sverige, schweden",
    "NO": "nor, norway, norge, norwegen",
    "DK": "dnk, denmark, danmark, danemark",
    "FI": "fin, finland, suomi, finnland",
    "IE": "irl, ireland, eire, irland",
    "CA": "can, canada, kanada",
    "AU": "aus, australia, australien",
    "NZ": "nzl, new zealand, aotearoa",
    "IN": "ind, india, bharat, indien",
    "CN": "chn, china",
    "JP": "jpn, japan, nippon",
    "BR": "bra, brazil, brasil",
    "MX": "mex, mexico",
    "AR": "arg, argentina",
    "TR": "tur, turkey, turkiye, turkei",
    "UA": "ukr, ukraine, ukraina",
    "CZ": "cze, czechia, czech republic, cesko",
    "GR": "grc, greece, hellas, griechenland",
    "HU": "hun, hungary, magyarorszag, ungarn",
    "RO": "rou, romania, rumanien",
    "ZA": "zaf, south africa",
    "KR": "kor, south korea, korea",
    "IL": "isr, israel",
}
COUNTRY_NAMES = {name: code for code, names in _NAMES_BY_CODE.items() for name in names.split(", ")}


@lru_cache(4096)
def country_code(text: str) -> str:
    """Read a country's alpha-2 code, upper case; empty when the text names none known here."""
    code = fold_text(text[:60]).upper()
    if code in SUPPORTED_REGIONS:
        return code
    name = " ".join(letter_words(text[:60]))
    return COUNTRY_NAMES.get(name, "")
