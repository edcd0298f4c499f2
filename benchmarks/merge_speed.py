"""Merges a second: in bulk, as a run makes them, and one by one, as a person does."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.ground import Figure, find_set, fresh_database, make_channel, say, stopwatch

IN_BULK, ONE_BY_ONE = 2000, 200


def measure() -> Iterator[Figure]:
    """Merge pairs of customers of the small generated set, whoever they are."""
    path = find_set("customers_10k")
    if path is None:
        return
    say("merging")
    with fresh_database("merge"):
        from resolution.services.importing import import_file, open_file
        from resolution.types import Actor

        actor = Actor.machine("benchmark")
        import_file(open_file(path=path, channel=make_channel()), actor=actor, resolve=False)
        bulk, single = _in_bulk(actor), _one_by_one(actor)
        yield Figure("merges of two in bulk", f"{bulk:,.0f} /s", f"{single:,.0f} /s one by one")


def _in_bulk(actor: object) -> float:
    from customers.models import Customer
    from resolution.services import audit, merge
    from resolution.types import Group

    ids = list(map(str, Customer.objects.active().order_by("id").values_list("id", flat=True)[: 2 * IN_BULK]))
    groups = [Group(members=pair, edges=()) for pair in zip(ids[::2], ids[1::2], strict=True)]
    with stopwatch() as seconds, audit.change(actor) as trail:  # type: ignore[arg-type]
        merge.merge_in_bulk(trail, groups)
    return IN_BULK / seconds[0]


def _one_by_one(actor: object) -> float:
    from customers.models import Customer
    from resolution.services.merge import merge_customers

    ids = list(Customer.objects.active().order_by("-id").values_list("id", flat=True)[: 2 * ONE_BY_ONE])
    with stopwatch() as seconds:
        for pair in zip(ids[::2], ids[1::2], strict=True):
            merge_customers(member_ids=pair, actor=actor)  # type: ignore[arg-type]
    return ONE_BY_ONE / seconds[0]
