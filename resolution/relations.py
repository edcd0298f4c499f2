"""The one registry of what belongs to a customer, what a merge does with it and what an erasure takes.

Every foreign key to `customers` is named here: it either moves to the survivor or stays, with the reason, and
an erasure takes what it holds of a person. `checks.py` refuses to start with a relation that is missing.
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
    "resolution.ConflictMember.customer": "conflicts are re-targeted or closed by services.conflict_members",
    "resolution.MergeProposal.survivor": "a proposal names what its proposer saw",
    "resolution.ProposalMember.customer": "a proposal names what its proposer saw",
    "resolution.Merge.survivor": "the ledger says what happened",
    "resolution.MergeMember.customer": "the ledger says what happened",
    "resolution.MergeMove.owner_before": "the ledger says what happened",
    "resolution.OutboxEvent.customer": "an event says what happened",
}

# What an erasure takes of each; what is not named here would keep a person's data (see services.erase).
ERASED = {
    "customers.Customer.merged_into": "cleared: each id answers “erased” for itself",
    "customers.Mapping.customer": "rows removed",
    "customers.Message.customer": "texts emptied",
    "customers.Ticket.customer": "subject emptied",
    "customers.SourceRecord.customer": "data and fingerprint emptied",
    "resolution.AuditEntry.customer": "values and salt emptied, sealed by the erasure's own entry",
    "resolution.BlockingKey.customer": "rows removed",
    "resolution.Judgement.left": "reason and digests emptied, the edge stays",
    "resolution.Judgement.right": "reason and digests emptied, the edge stays",
    "resolution.ConflictMember.customer": "the conflict's texts, value and evidence emptied",
    "resolution.MergeProposal.survivor": "picks and comments emptied",
    "resolution.ProposalMember.customer": "picks and comments emptied",
    "resolution.Merge.survivor": "plan and image emptied",
    "resolution.MergeMember.customer": "image emptied",
    "resolution.MergeMove.owner_before": "holds a status alone",
    "resolution.OutboxEvent.customer": "holds ids and words alone",
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


def unknown_to_erasure() -> list[str]:
    """Foreign keys to customers that an erasure would forget."""
    return sorted(set(foreign_keys_to_customers()) - set(ERASED))


def unregistered() -> list[str]:
    """Foreign keys to customers that a merge would forget."""
    registered = {f"{relation.model_path}.customer" for relation in MOVED} | set(STAYS)
    return sorted(set(foreign_keys_to_customers()) - registered)
