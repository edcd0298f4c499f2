"""The tables of identity resolution."""

from __future__ import annotations

from resolution.models.api_key import ApiKey
from resolution.models.audit_entry import AuditEntry
from resolution.models.blocked_value import BlockedValue
from resolution.models.blocking_key import BlockingKey
from resolution.models.conflict import Conflict, ConflictMember
from resolution.models.idempotency_record import IdempotencyRecord
from resolution.models.identifier_rule import IdentifierRule
from resolution.models.import_run import ImportRun
from resolution.models.judgement import Judgement
from resolution.models.match_run import MatchRun
from resolution.models.merge import Merge, MergeMember, MergeMove
from resolution.models.merge_policy import MergePolicy
from resolution.models.merge_proposal import MergeProposal, ProposalBatch, ProposalMember
from resolution.models.outbox_event import OutboxEvent
from resolution.models.stored_model import StoredModel

__all__ = [
    "ApiKey",
    "AuditEntry",
    "BlockedValue",
    "BlockingKey",
    "Conflict",
    "ConflictMember",
    "IdempotencyRecord",
    "IdentifierRule",
    "ImportRun",
    "Judgement",
    "MatchRun",
    "Merge",
    "MergeMember",
    "MergeMove",
    "MergePolicy",
    "MergeProposal",
    "OutboxEvent",
    "ProposalBatch",
    "ProposalMember",
    "StoredModel",
]
