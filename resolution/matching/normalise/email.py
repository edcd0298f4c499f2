"""E-mail addresses: one comparison key for the spellings of one mailbox."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import idna
import pyarrow as pa
import pyarrow.compute as pc

from resolution.matching.normalise import junk
from resolution.matching.normalise.text import CACHED_VALUES, LONGEST_VALUE, Canonical, clean_text, word_set

_IN_BRACKETS = re.compile(r"<([^<>]*@[^<>]*)>")
_LOCAL_PART = re.compile(r"[^\s@,;:<>()\[\]\\\"]+")
# Without look-around, since the bulk functions share it.
DOMAIN = r"(?:[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?\.)+[a-z0-9][a-z0-9-]*[a-z0-9]"
_DOMAIN = re.compile(DOMAIN)

SAME_PROVIDER = {
    "googlemail.com": "gmail.com",
    "ya.ru": "yandex.ru",
    "pm.me": "proton.me",
    "protonmail.com": "proton.me",
}
DOTS_IGNORED = frozenset({"gmail.com"})

# A marketplace or a browser hides the mailbox behind an address of its own: two differ for one person.
RELAY_DOMAINS = word_set("""
    privaterelay.appleid.com mozmail.com duck.com simplelogin.com simplelogin.co anonaddy.me
    anonaddy.com addy.io members.ebay.com reply.airbnb.com guest.booking.com
    """)
_RELAY_LABEL = re.compile(r"(^|\.)(relay|marketplace|proxy|anon|masked)\.")

# Mailboxes several people read.
ROLE_LOCAL_PARTS = word_set("""
    info office sales contact kontakt mail email hello support service team admin accounts accounting
    billing invoice invoices rechnung buchhaltung bestellung orders order shop post reception frontdesk
    secretary sekretariat verwaltung einkauf vertrieb purchasing hr jobs marketing press webmaster
    postmaster enquiries inquiries help helpdesk customerservice kundenservice biuro contacto
    contabilidad comptabilite accueil contatti amministrazione segreteria ufficio zakaz buh ventas
    compras direction management
    """)
_FAMILY = re.compile(r"famil|famiglia|rodzin|semya|household|haushalt")


@lru_cache(CACHED_VALUES)
def normalise_email(text: str) -> Canonical:
    """Fold case, plus tags, provider dots and international domains into one comparison key."""
    if len(text) > 4 * LONGEST_VALUE:
        return Canonical("", "longer than any e-mail address")
    local, _, domain = _bare_address(text).rpartition("@")
    domain = _ascii_domain(domain)
    if not _LOCAL_PART.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        return Canonical("", "not an e-mail address")
    return _usable_mailbox(_fold_mailbox(local, domain))


def _bare_address(text: str) -> str:
    text = clean_text(text)
    bracketed = _IN_BRACKETS.search(text)
    text = unicodedata.normalize("NFKC", bracketed[1] if bracketed else text).casefold()
    return unicodedata.normalize("NFKC", text).strip(" \t.,;<>\"'").removeprefix("mailto:").strip()


def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return ""


def _fold_mailbox(local: str, domain: str) -> str:
    domain = SAME_PROVIDER.get(domain, domain)
    local = local.split("+", 1)[0] or local
    if domain in DOTS_IGNORED:
        local = local.replace(".", "") or local
    return f"{local}@{domain}"


def _usable_mailbox(address: str) -> Canonical:
    local = address.partition("@")[0]
    if len(address) > LONGEST_VALUE:
        return Canonical("", "longer than any e-mail address")
    if address in junk.EMAILS or local in junk.EMAIL_LOCAL_PARTS:
        return Canonical("", "a filler, nobody's mailbox")
    return Canonical(address)


@lru_cache(CACHED_VALUES)
def is_relay(address: str) -> bool:
    """Tell whether an address hides another one, so that two of them say nothing when they differ."""
    domain = address.rpartition("@")[2]
    return domain in RELAY_DOMAINS or bool(_RELAY_LABEL.search(domain))


@lru_cache(CACHED_VALUES)
def is_shared_mailbox(address: str) -> bool:
    """Tell whether several people read a mailbox: a role (info@) or a family's."""
    local = address.partition("@")[0]
    return local.rstrip("0123456789") in ROLE_LOCAL_PARTS or bool(_FAMILY.search(local))


def local_parts(addresses: pa.Array) -> pa.Array:
    """What stands before the @ of canonical addresses."""
    return pc.replace_substring_regex(addresses, "@[^@]*$", "")


def domains(addresses: pa.Array) -> pa.Array:
    """What stands behind the @ of canonical addresses."""
    return pc.replace_substring_regex(addresses, "^.*@", "")


def are_shared_mailboxes(locals_: pa.Array) -> pa.Array:
    """Tell which local parts `is_shared_mailbox` holds of, many at once."""
    bare = pc.utf8_rtrim(locals_, "0123456789")
    roles = pc.is_in(bare, value_set=pa.array(sorted(ROLE_LOCAL_PARTS), pa.string()))
    return pc.or_(roles, pc.match_substring_regex(locals_, _FAMILY.pattern))
