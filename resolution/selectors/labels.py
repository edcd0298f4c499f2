"""What screens call the fields and types that the code names."""

from __future__ import annotations

from resolution.matching.identifiers import IDENTIFIER_TYPES

FIELD_LABELS = {
    "name": "Name",
    "given_name": "Given name",
    "family_name": "Family name",
    "email": "E-mail",
    "phone": "Phone",
    "company": "Company",
    "birth_date": "Birth date",
    "address": "Address",
    "postcode": "Postcode",
    "city": "City",
    "region": "Region",
    "country": "Country",
    "attributes": "Further attributes",
    "last_interaction_at": "Last interaction",
    "external_id": "External id",
    "handle": "Handle",
    "prior": "Before comparing",
    "household": "Same home or firm",
    "labels": "Known pairs",
}
# What a judgement compares, as Profile names it, inside a sentence.
COMPARED_LABELS = {
    "names": "name",
    "emails": "e-mail",
    "phones": "phone",
    "birth_dates": "birth date",
    "addresses": "address",
    "companies": "company",
    "external_ids": "external id",
    "handles": "handle",
}


def compared_label(name: str) -> str:
    return COMPARED_LABELS.get(name, name.replace("_", " "))


def field_label(name: str) -> str:
    return FIELD_LABELS.get(name, name.replace("_", " ").capitalize())


def type_label(identifier_type: str) -> str:
    known = IDENTIFIER_TYPES.get(identifier_type)
    return known.label if known else field_label(identifier_type)
