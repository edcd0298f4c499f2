"""Which merges need a second person. Pure: circumstances and rules in, reasons out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from resolution.services.merge_plan import CustomerFacts
from resolution.services.survivorship import TYPED
from resolution.types import MergePlan


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules in force; `many_records` and `vip` are None and empty while switched off."""

    everything: bool = True
    hard_conflict: bool = True
    typed_value: bool = True
    many_records: int | None = 50
    vip: str = "vip"
    unmerge: bool = False
    bulk: bool = True


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a merge is like, as far as rules ask; holds no personal values.

    `typed` are the fields a person typed, `records` the rows that change owner, `marks` the names of
    attributes that are set on any member, `overruled` the numbers of the words “different” it withdraws.
    """

    hard_conflict: bool = False
    typed: tuple[str, ...] = ()
    records: int = 0
    marks: tuple[str, ...] = ()
    bulk: bool = False
    overruled: tuple[int, ...] = ()

    def stored(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Circumstances:
        """Read what `stored` wrote."""
        lists = {name: tuple(entry) for name, entry in stored.items() if isinstance(entry, list)}
        return cls(**{**stored, **lists})


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a second person is needed: the rule's name, and a sentence."""

    rule: str
    sentence: str


def circumstances_of(
    plan: MergePlan,
    members: Sequence[CustomerFacts],
    *,
    hard_conflict: bool,
    bulk: bool = False,
    overruled: Sequence[int] = (),
) -> Circumstances:
    """Return what a merge is like. `members` are those of the plan; what is overruled contradicts it too."""
    return Circumstances(
        hard_conflict=hard_conflict or bool(overruled),
        typed=tuple(choice.field for choice in plan.fields if choice.source == TYPED),
        records=sum(row.interactions + len(row.identifiers) for row in members if row.id in plan.absorbed),
        marks=tuple(
            sorted({name for row in members for name in row.attributes if _is_set(row.attributes[name])})
        ),
        bulk=bulk,
        overruled=tuple(overruled),
    )


def needs_second_person(merge: Circumstances, rules: Rules) -> tuple[Reason, ...]:
    """Return every reason why a merge needs a second person; none when it may pass at once."""
    return tuple(Reason(rule, sentence) for rule, ask in _RULES.items() if (sentence := ask(merge, rules)))


def _everything(merge: Circumstances, rules: Rules) -> str:
    return "Every merge needs a second person." if rules.everything else ""


def _hard_conflict(merge: Circumstances, rules: Rules) -> str:
    applies = rules.hard_conflict and merge.hard_conflict
    return "Something about the customers contradicts their being one." if applies else ""


def _typed_value(merge: Circumstances, rules: Rules) -> str:
    if not (rules.typed_value and merge.typed):
        return ""
    fields = ", ".join(name.replace("_", " ") for name in merge.typed)
    return f"Typed by hand: {fields}."


def _many_records(merge: Circumstances, rules: Rules) -> str:
    if rules.many_records is None or merge.records < rules.many_records:
        return ""
    return f"{merge.records:,} records move; from {rules.many_records:,} on a second person looks."


def _vip(merge: Circumstances, rules: Rules) -> str:
    return f"A customer is marked “{rules.vip}”." if rules.vip and rules.vip in merge.marks else ""


def _bulk(merge: Circumstances, rules: Rules) -> str:
    return "It is proposed together with others." if rules.bulk and merge.bulk else ""


def _is_set(value: object) -> bool:
    return bool(value) and str(value).strip().lower() not in ("", "0", "false", "no")


_RULES: Mapping[str, Callable[[Circumstances, Rules], str]] = {
    "everything": _everything,
    "hard_conflict": _hard_conflict,
    "typed_value": _typed_value,
    "many_records": _many_records,
    "vip": _vip,
    "bulk": _bulk,
}
