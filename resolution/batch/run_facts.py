"""What a deduplication run leaves behind for its report: frozen values, all JSON-ready.

Weights, priors and thresholds are log2 odds; shares lie between 0 and 1; times are seconds; memory is MiB.
A section without facts stays empty: every tuple may be `()`, every number 0. A weight of `-inf`, `inf` or
`nan` is written to JSON as null and shown as a dash.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True)
class InputFact:
    """One file that was read: its path as given, its rows, its kind ("csv", "parquet")."""

    path: str
    rows: int
    kind: str


@dataclass(frozen=True, slots=True)
class ColumnFact:
    """How one column was read: the field it fills (empty: none), what decided that, and what it holds.

    `how` is "given", "name", "content" or "not used"; `filled` is the share of rows with a value.
    """

    column: str
    field: str
    how: str
    example: str = ""
    filled: float = 0.0
    distinct: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """What went in and what came out.

    `usable_records` have at least one value to be found by. `clusters` are all customers, records that stand
    alone included; `several` are those of two records and more. `review_pairs` wait for a person;
    `cut_groups` are groups that linking pairs had joined and that were taken apart again.
    """

    records: int = 0
    usable_records: int = 0
    candidate_pairs: int = 0
    pairs_scored: int = 0
    pairs_kept: int = 0
    linked_pairs: int = 0
    review_pairs: int = 0
    clusters: int = 0
    several: int = 0
    largest_cluster: int = 0
    cut_groups: int = 0


@dataclass(frozen=True, slots=True)
class RuleFact:
    """One blocking rule, in the order the rules were applied.

    `what` says it in a sentence ("Same e-mail address."), empty for a finer key of the rule before;
    `new_pairs` are those no earlier rule had found; `largest` is the number of records of its largest
    block. Blocks too large to compare whole were
    `refined` by further fields: so many blocks, so many records in them.
    """

    rule: str
    what: str
    pairs: int
    new_pairs: int
    blocks: int
    largest: int
    refined_blocks: int = 0
    refined_records: int = 0


@dataclass(frozen=True, slots=True)
class BlockFact:
    """One large block: its key as people know it ("info@example.com"), its records, how it was treated.

    `treated` is "compared" (all its pairs) or "refined" (by further fields).
    """

    rule: str
    key: str
    records: int
    treated: str


@dataclass(frozen=True, slots=True)
class SharedValueFact:
    """A value so many records share that it says little about any of them."""

    field: str
    value: str
    records: int


@dataclass(frozen=True, slots=True)
class BlockingFacts:
    """Which pairs were compared at all, and why those. Blocks come largest first."""

    rules: tuple[RuleFact, ...] = ()
    largest_blocks: tuple[BlockFact, ...] = ()
    shared_values: tuple[SharedValueFact, ...] = ()


@dataclass(frozen=True, slots=True)
class LevelFact:
    """One level of a comparison: its share among records of one person (m), of two people at random (u) and
    of two people of one home; its weight, log2(m/u); the compared pairs that came out at it; what it means.
    """

    level: str
    m: float
    u: float
    household: float
    weight: float
    count: int = 0
    what: str = ""


@dataclass(frozen=True, slots=True)
class ComparisonFact:
    """One field's levels, the surest first."""

    field: str
    levels: tuple[LevelFact, ...]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The weights used and where they came from.

    `prior` is the log2 odds that two records picked at random are one customer. `method` is "shipped",
    "given", "trained" or "labels"; `rules` are the blocking rules trained on, `iterations` the rounds it
    took; `notes` are whole sentences.
    """

    method: str = "shipped"
    name: str = ""
    prior: float = 0.0
    rules: tuple[str, ...] = ()
    iterations: int = 0
    notes: tuple[str, ...] = ()
    comparisons: tuple[ComparisonFact, ...] = ()


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Precision and recall to expect if every pair at or above `weight` were linked."""

    weight: float
    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class ThresholdFacts:
    """The weight from which pairs are linked and what to expect there; the curve comes in order of weight.

    `review` is the weight from which a pair is worth a look; None when pairs below `weight` are dropped.
    Expected shares are None when nothing could be estimated.
    """

    weight: float = 0.0
    review: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    curve: tuple[CurvePoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Histogram:
    """Pairs by match weight: n + 1 rising edges for n counts."""

    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.counts and len(self.edges) != len(self.counts) + 1:
            raise ValueError(
                f"{len(self.counts)} counts need {len(self.counts) + 1} edges, not {len(self.edges)}."
            )

    def bins(self) -> list[tuple[float, float, int]]:
        """List the left edge, right edge and count of every bin."""
        return [(*edges, number) for edges, number in zip(pairwise(self.edges), self.counts, strict=True)]


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One field of a sample pair: both values, the level they came out at, why in a phrase, its weight."""

    field: str
    left: str
    right: str
    level: str
    detail: str
    weight: float


@dataclass(frozen=True, slots=True)
class PairSample:
    """A pair shown field by field. `a` and `b` are record ids; prior and rows add up to `weight`.

    `probability` is the weight as a share; `band` is "auto", "sample", "review" or "none". Where prior and
    rows do not add up (one home, a capped sum) the report shows the rest as a row of its own.
    """

    a: str
    b: str
    weight: float
    probability: float
    band: str
    rows: tuple[SampleRow, ...]


@dataclass(frozen=True, slots=True)
class ClusterFact:
    """One cluster: why it deserves a check (empty: it does not) and its members as short texts.

    `members` may be fewer than `size`; `who` is the first name among them, empty where they have none.
    """

    id: str
    size: int
    why: str = ""
    members: tuple[str, ...] = ()
    who: str = ""


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """How large the customers are: (records, customers of so many records), the largest of them, and how many
    groups deserve a check, and the first of these.
    """

    sizes: tuple[tuple[int, int], ...] = ()
    largest: tuple[ClusterFact, ...] = ()
    held_back: int = 0
    doubtful: tuple[ClusterFact, ...] = ()


@dataclass(frozen=True, slots=True)
class UnlinkablePoint:
    """The share of records that could not reach `weight` even against an exact copy of themselves."""

    weight: float
    share: float


@dataclass(frozen=True, slots=True)
class CompletenessFact:
    """One field over all records: share filled, distinct values, values that identify nobody (junk)."""

    field: str
    filled: float
    distinct: int
    unusable: int = 0


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Everything the report of one run tells. `started` is ISO 8601; `timings` are seconds a stage."""

    version: str
    engine: str
    started: str
    inputs: tuple[InputFact, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[ColumnFact, ...] = ()
    counts: Counts = Counts()
    timings: Mapping[str, float] = field(default_factory=dict)
    peak_memory_mib: int = 0
    blocking: BlockingFacts = BlockingFacts()
    model: ModelFacts = ModelFacts()
    threshold: ThresholdFacts = ThresholdFacts()
    histogram: Histogram = Histogram()
    samples: tuple[PairSample, ...] = ()
    clusters: ClusterFacts = ClusterFacts()
    unlinkable: tuple[UnlinkablePoint, ...] = ()
    completeness: tuple[CompletenessFact, ...] = ()
    notes: tuple[str, ...] = ()


def as_json(facts: RunFacts) -> dict[str, Any]:
    """Write facts as data every JSON reader takes: lists for tuples, null for what is no number."""
    plain: dict[str, Any] = _plain(asdict(facts))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
