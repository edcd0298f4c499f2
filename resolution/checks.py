"""System checks: a wrong combination fails `manage.py check` with an id and a hint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register

from resolution import relations
from resolution.conf import policy
from resolution.matching.model import load_model


@register()
def check_policy_bands(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E001: the policy is readable and its bands are ordered."""
    try:
        rules = policy()
    except (TypeError, ValueError) as error:
        return [Error(str(error), hint="Correct IDENTITY_DESK in the settings.", id="resolution.E001")]
    if not rules.auto_weight >= rules.sample_weight >= rules.review_weight:
        given = f"auto {rules.auto_weight}, sample {rules.sample_weight}, review {rules.review_weight}"
        return [
            Error(
                f"The bands are not ordered: {given}.",
                hint="auto_weight ≥ sample_weight ≥ review_weight, in log2 odds.",
                id="resolution.E001",
            )
        ]
    return []


@register()
def check_model_artefact(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E002: the shipped match model loads and its levels are known."""
    try:
        load_model(None)
    except ValueError as error:
        return [Error(f"The shipped match model cannot be used: {error}", id="resolution.E002")]
    return []


@register()
def check_relations_are_registered(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """E003: every foreign key to customers is known to merge and unmerge."""
    return [
        Error(
            f"{name} points at customers, but a merge does not know what to do with it.",
            hint="Name it in resolution/relations.py, under MOVED or STAYS.",
            id="resolution.E003",
        )
        for name in relations.unregistered()
    ]


@register()
def check_erasure_knows_relations(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """E004: every foreign key to customers is known to an erasure."""
    return [
        Error(
            f"{name} points at customers, but an erasure does not know what it holds of a person.",
            hint="Name it in resolution/relations.py, under ERASED, and take it in services.erase.",
            id="resolution.E004",
        )
        for name in relations.unknown_to_erasure()
    ]
