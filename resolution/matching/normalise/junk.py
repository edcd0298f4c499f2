"""Values people type to get past a form: never evidence, never a blocking key.

The one list to edit. Everything is in canonical form: lower case, digits only for phones, ISO dates.
"""

from __future__ import annotations

from resolution.matching.normalise.text import word_set

# Written instead of a value, in any field.
FILLERS = word_set("""
    none null nil na n/a n.a. nan unknown unbekannt inconnu desconocido sconosciuto nieznany neizvestno
    undefined missing empty blank tba tbd tbc test testing tester dummy fake sample asdf asdfgh qwerty
    qwertz xxx xxxx xx aaa aaaa abc abcd foo bar foobar - -- --- . .. ... ? ?? ??? * ** *** _ / // x 0 00 000
    0000 n/d n.d. k.a. k/a s/n n.n. undef unspecified keine neant (null) [null] <null> (none) <none> (blank)
    [blank] (empty) <empty> \\n #n/a #null! #ref! #value! #name? #num! #div/0! 不明 未知 無 无
    """) | frozenset(
    {
        "n / a",
        "k. a.",
        "not available",
        "not applicable",
        "not known",
        "not provided",
        "not specified",
        "not given",
        "none given",
        "no data",
        "to be confirmed",
        "keine angabe",
        "keine angaben",
        "nicht bekannt",
        "nicht angegeben",
        "non renseigne",
        "non communique",
        "no aplica",
        "no disponible",
        "sin datos",
        "non disponibile",
        "nie dotyczy",
        "brak danych",
        "ne ukazano",
    }
)

EMAILS = frozenset(
    {
        "a@a.com",
        "a@b.com",
        "abc@abc.com",
        "email@email.com",
        "info@example.com",
        "me@me.com",
        "user@example.com",
        "x@x.com",
        "xx@xx.com",
        "customer@customer.com",
        "mail@mail.com",
    }
)

# Nobody reads these mailboxes, at whatever domain.
EMAIL_LOCAL_PARTS = FILLERS | word_set("""
    noreply no-reply no_reply donotreply do-not-reply noemail no-email nomail no.email nomail
    noemailgiven notprovided nobody keinemail keine mailer-daemon invalid refused declined anonymous
    """)

NAMES = (
    FILLERS
    | word_set("""
    customer guest user client kunde kundin gast client cliente klient gosc pokupatel anonymous anonym
    admin administrator webshop walkin cash noname nobody name firstname lastname surname vorname
    nachname
    """)
    | frozenset(
        {
            "no name",
            "first name",
            "last name",
            "not given",
            "not known",
            "walk in",
            "cash customer",
            "john q public",
        }
    )
)

# What stands for a company where somebody has none.
COMPANIES = (
    NAMES
    | word_set("private privat prive privado privato particular particulier self freelance freelancer home")
    | frozenset(
        {
            "n a",
            "no company",
            "not applicable",
            "not provided",
            "private person",
            "self employed",
            "unemployed",
            "retired",
        }
    )
)

# The date a form or a migration fills in when it has none.
BIRTH_DATES = frozenset(
    {
        "1900-01-01",
        "1901-01-01",
        "1970-01-01",
        "1899-12-30",
        "1899-12-31",
        "1753-01-01",
        "2000-01-01",
        "1980-01-01",
    }
)

_RISING, _FALLING = "01234567890123456789", "98765432109876543210"


def is_filler(text: str) -> bool:
    """Tell whether a folded text only fills a required field."""
    return not text or text in FILLERS


def is_junk_phone(digits: str) -> bool:
    """Tell whether digits repeat one or a pair, or count up or down: 000000, 121212, 1234567890."""
    if len(set(digits)) < 2:
        return True
    if digits in _RISING or digits in _FALLING:
        return True
    return len(set(digits)) == 2 and digits == (digits[:2] * len(digits))[: len(digits)]
