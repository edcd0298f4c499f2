"""The frozen values that stages hand to each other.

Read top to bottom they are the pipeline: an `Identifier` is found in a message, a `Profile` is what
matching knows of one customer, a `PairScore` says how alike two profiles are and why, a `Decision`
says what policy does about it, a `Group` is a set of customers that hold together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

# States in which a conflict is out of the queue: it waits for a second person, or is done.
OUT_OF_QUEUE = ("decided", "done")


class Band(StrEnum):
    """What policy does at a match weight, from most to least certain."""

    AUTO = "auto"
    SAMPLE = "sample"
    REVIEW = "review"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Identifier:
    """One value of one type as a channel showed it, with its canonical form.

    `normalised` is empty when the value cannot identify anybody (junk, too short); `unusable` then
    says why in a phrase a steward can read.
    """

    type: str
    value: str
    normalised: str
    found_in: str = ""
    unusable: str = ""

    @property
    def usable(self) -> bool:
        return bool(self.normalised)


@dataclass(frozen=True, slots=True)
class Name:
    """A person's canonical name: lower-case ASCII (CJK kept), titles and suffixes removed."""

    given: str
    family: str


@dataclass(frozen=True, slots=True)
class Address:
    """A canonical postal address; any part may be empty."""

    street: str = ""
    house: str = ""
    postcode: str = ""
    city: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """What matching knows of one customer: canonical values only, several a field, none when unknown.

    `key` is the customer id as text. `external_ids` are written "system:value" and compare exactly. `extras`
    are (name, value) of what only one caller knows, such as a birth place.
    """

    key: str
    names: tuple[Name, ...] = ()
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    birth_dates: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    companies: tuple[str, ...] = ()
    external_ids: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    extras: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class FieldEvidence:
    """One field's part in a match weight: its level, the phrase a steward reads, log2 odds added."""

    field: str
    level: str
    detail: str
    weight: float
    left: str = ""
    right: str = ""


@dataclass(frozen=True, slots=True)
class PairScore:
    """Two profiles' match weight (log2 odds that they are one customer) and its evidence per field."""

    left: str
    right: str
    weight: float
    fields: tuple[FieldEvidence, ...]
    hard_conflict: str = ""

    @property
    def probability(self) -> float:
        """The weight as a probability; it saturates, so decisions use the weight."""
        return 1 / (1 + 2 ** -min(max(self.weight, -60.0), 60.0))


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy does with a record and its scored candidates.

    `best` is None when nobody came near. `reason` is a sentence a steward reads.
    """

    band: Band
    best: PairScore | None
    rivals: tuple[PairScore, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two customers a person told apart, and what would make them one all the same.

    `members` are all who hang together over it; `edges` the scored pairs among them, strongest first.
    """

    judged: tuple[str, str]
    members: tuple[str, ...]
    edges: tuple[PairScore, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Customers that hold together, with the edges that joined them.

    `questions` are the scored pairs that policy may not settle alone and `why` the reason in words.
    """

    members: tuple[str, ...]
    edges: tuple[PairScore, ...]
    questions: tuple[PairScore, ...] = field(default=())
    why: str = ""
    contradictions: tuple[Contradiction, ...] = ()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person, a service with its key, or Identity Desk itself. Written into every audit row.

    `user_id` is the account behind the act where there is one; four eyes compare it.
    """

    kind: str
    name: str
    user_id: int | None = None
    request_id: str = ""

    @classmethod
    def machine(cls, name: str) -> Actor:
        """Identity Desk acting by itself: a batch run, an import, the online path."""
        return cls(kind="machine", name=name)


@dataclass(frozen=True, slots=True)
class LinkOutcome:
    """What became of a claim on an identifier: the reference's five actions.

    `action` is linked, unchanged, updated, conflict_verified or conflict_high_confidence; and
    conflict_contradiction where a person has told owner and claimant apart. `decided` is the outcome of the
    conflict when a person has decided the same claim before, which is not asked again.
    """

    action: str
    customer_id: str
    existing_customer_id: str = ""
    conflict_id: int | None = None
    decided: str = ""

    @property
    def resolution_needed(self) -> bool:
        return self.action.startswith("conflict_") and not self.decided


@dataclass(frozen=True, slots=True)
class PastOwner:
    """Who owned an identifier at a moment, and who that is today.

    `customer_id` is the id it had then, `canonical_id` that of the customer it stands for now. The time runs
    from `valid_from` to `valid_to`, None while it still owns it.
    """

    identifier: Identifier
    customer_id: str
    canonical_id: str
    confidence: Decimal
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class Resolution:
    """The answer to "who is this?".

    `status` is matched (known by an identifier), linked (recognised and linked now), created, or review
    (a provisional customer stands in until a person decides conflict `conflict_id`), or unknown (nothing
    found and nothing created, as on a dry run). With `as_of`, `owners` tells who had the identifiers at that
    moment; review then means several customers, and nobody is asked.
    """

    status: str
    customer_id: str | None
    confidence: float
    band: Band
    reasons: tuple[str, ...] = ()
    weight: float | None = None
    candidates: tuple[PairScore, ...] = ()
    conflict_id: int | None = None
    message_id: str | None = None
    cached: bool = False
    as_of: datetime | None = None
    owners: tuple[PastOwner, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """One field of a merge plan: the winning value, whose it is, and the rule that chose it.

    `source` is the customer id the value comes from, or "typed". `rule` is one of survivorship.RULES.
    """

    field: str
    value: str
    source: str
    rule: str
    before: str


@dataclass(frozen=True, slots=True)
class RowMove:
    """One row a merge moves, and what it was before."""

    relation: str
    row_id: str
    owner: str
    before: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DifferenceFact:
    """A live human word that two customers' groups are not one; `left` and `right` are those customers now.

    `judgement` is its number. `parts` names who of the two it was said of, where others absorbed them since.
    """

    left: str
    right: str
    who: str
    when: datetime
    judgement: int = 0
    reason: str = ""
    parts: tuple[str, ...] = ()

    def said(self, names: Mapping[str, str]) -> str:
        """Say it in words, without a full stop; `names` are those of the customers by id."""
        details = (
            f"judgement {self.judgement}" if self.judgement else "",
            f"“{self.reason}”" if self.reason else "",
            f"said of {' and '.join(self.parts)}, merged since" if self.parts else "",
        )
        told = ", ".join(detail for detail in details if detail)
        return (
            f"{self.who} judged {names[self.left]} and {names[self.right]} not the same on"
            f" {self.when:%d %B %Y}{f' ({told})' if told else ''}"
        )


@dataclass(frozen=True, slots=True)
class MergePlan:
    """Everything a merge will do, decided before anything is touched: the preview is the plan.

    `moves` lists every row that changes owner; `collapses` the identifiers that fold into an equal one.
    `blockers` are sentences that forbid the merge; a plan with blockers is never carried out. `against` are
    the judgements among them. `warnings` are sentences a person should read first, such as a hard conflict.
    """

    survivor: str
    absorbed: tuple[str, ...]
    fields: tuple[FieldChoice, ...]
    moves: tuple[RowMove, ...]
    collapses: tuple[RowMove, ...]
    versions: tuple[tuple[str, int], ...]
    blockers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    against: tuple[DifferenceFact, ...] = ()

    def rows_by_relation(self) -> dict[str, int]:
        """Relation name → number of rows that move."""
        counts: dict[str, int] = {}
        for move in self.moves:
            counts[move.relation] = counts.get(move.relation, 0) + 1
        return counts
