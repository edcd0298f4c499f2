"""The one registry of what belongs to a customer and what a merge does with it.

Every foreign key to `customers` is named here: it either moves to the survivor or stays, with the reason.
`checks.py` refuses to start with a relation that is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.apps import apps
from django.db import models


@dataclass(frozen=True, slots=True)
class Relation:
    """A table whose rows move with their customer; `name` is what the ledger and the screens call it."""

    name: str
    label: str
    model_path: str
    noun: str

    @property
    def model(self) -> type[models.Model]:
        return apps.get_model(self.model_path)

    @property
    def table(self) -> str:
        return self.model._meta.db_table


MOVED = (
    Relation("mappings", "Identifiers", "customers.Mapping", "identifier"),
    Relation("messages", "Messages", "customers.Message", "message"),
    Relation("tickets", "Tickets", "customers.Ticket", "ticket"),
    Relation("source_records", "Source records", "customers.SourceRecord", "source record"),
)

STAYS = {
    "customers.Customer.merged_into": "redirects are set by the merge itself, always one hop",
    "resolution.AuditEntry.customer": "the trail says what was true when it was written",
    "resolution.BlockingKey.customer": "keys are rebuilt from the survivor's new profile",
    "resolution.Judgement.left": "a verdict names the customers as they were judged",
    "resolution.Judgement.right": "a verdict names the customers as they were judged",
    "resolution.ConflictMember.customer": "conflicts are re-targeted or closed by services.conflicts",
    "resolution.MergeProposal.survivor": "a proposal names what its proposer saw",
    "resolution.ProposalMember.customer": "a proposal names what its proposer saw",
    "resolution.Merge.survivor": "the ledger says what happened",
    "resolution.MergeMember.customer": "the ledger says what happened",
    "resolution.MergeMove.owner_before": "the ledger says what happened",
    "resolution.OutboxEvent.customer": "an event says what happened",
}


def foreign_keys_to_customers() -> dict[str, models.ForeignKey[models.Model, models.Model]]:
    """Every foreign key to the customer table, by "app.Model.field"."""
    customer = apps.get_model("customers.Customer")
    return {
        f"{model._meta.label}.{field.name}": field
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey) and field.related_model is customer
    }


def unregistered() -> list[str]:
    """Foreign keys to customers that a merge would forget."""
    registered = {f"{relation.model_path}.customer" for relation in MOVED} | set(STAYS)
    return sorted(set(foreign_keys_to_customers()) - registered)
