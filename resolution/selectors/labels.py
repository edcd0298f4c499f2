"""What screens and commands call the fields, types, runs and counts that the code names."""

from __future__ import annotations

from collections.abc import Mapping

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
RUN_LABELS = {
    "find_duplicates": "Search for duplicates",
    "compare_model": "Comparison of models",
    "train_model": "Training of a model",
    "ask_past_limits": "Questions about new limits",
    "check_trail": "Check of the audit trail",
}
# What runs and imports count, in the order they are told.
COUNT_LABELS = {
    "created": "new customers",
    "updated": "updated",
    "unchanged": "unchanged",
    "refused": "refused",
    "birth_dates_unread": "birth dates not read",
    "links_blocked": "identifiers blocked",
    "links_refused": "identifiers past a limit",
    "customers": "customers",
    "records": "records read",
    "labels": "known pairs",
    "pairs": "pairs compared",
    "merges": "merges",
    "merged": "linked at once",
    "not_merged": "groups not merged, asked about",
    "queued": "new in the queue",
    "waiting": "in the queue already",
    "answered": "answered by a person before",
    "closed": "questions that have gone",
    "left": "questions changed meanwhile, left as they are",
    "skipped_blocks": "blocks too large, refined",
    "same_source": "pairs of one clean source, not compared",
    "would_merge": "pairs that would merge",
    "would_not_merge": "pairs that would merge no more",
    "would_split": "customers that would be parted",
    "questions_gained": "questions more",
    "questions_lost": "questions less",
    "merged_by_machine": "records the machine had merged",
    "held_by_live": "merges the model in force would make again",
    "past_limits": "past a new limit",
    "entries": "entries of the audit trail",
}


def run_label(kind: str) -> str:
    return RUN_LABELS.get(kind, kind.replace("_", " ").capitalize())


def count_label(name: str) -> str:
    return COUNT_LABELS.get(name, name.replace("_", " "))


def told_counts(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return what was counted and is not nothing, in words and in the order it is told."""
    order = {name: place for place, name in enumerate(COUNT_LABELS)}
    names = sorted(counts, key=lambda name: order.get(name, len(order)))
    return [(count_label(name), counts[name]) for name in names if counts[name]]


def compared_label(name: str) -> str:
    return COMPARED_LABELS.get(name, name.replace("_", " "))


def field_label(name: str) -> str:
    return FIELD_LABELS.get(name, name.replace("_", " ").capitalize())


def type_label(identifier_type: str) -> str:
    known = IDENTIFIER_TYPES.get(identifier_type)
    return known.label if known else field_label(identifier_type)
