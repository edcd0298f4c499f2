"""The merges that stand in one customer's group, as plain data: who absorbed whom, oldest first."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class Page:
    """One merge's page of the ledger. `members` is customer → its row before, of those still in it."""

    merge: int
    at: datetime
    survivor: uuid.UUID
    members: dict[uuid.UUID, dict[str, Any]]
    pre_image: dict[str, Any]
    plan: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tree:
    """Everything merged into `root` that stands, its pages oldest first."""

    root: uuid.UUID
    pages: tuple[Page, ...]

    def page(self, merge: int) -> Page | None:
        return next((page for page in self.pages if page.merge == merge), None)

    def absorbing(self, customer: uuid.UUID) -> Page | None:
        """Return the page that absorbed a customer, None for the root."""
        return next((page for page in self.pages if customer in page.members), None)

    def below(self, customer: uuid.UUID) -> set[uuid.UUID]:
        """Return a customer and everyone absorbed into it, however deep."""
        found, waiting = {customer}, [customer]
        while waiting:
            survivor = waiting.pop()
            absorbed = {key for page in self.pages if page.survivor == survivor for key in page.members}
            waiting += absorbed - found
            found |= absorbed
        return found

    def path(self, merge: int) -> tuple[Page, ...]:
        """Return a merge's page, the one that absorbed its survivor, and so on up to the root."""
        path, page = [], self.page(merge)
        while page is not None:
            path.append(page)
            page = self.absorbing(page.survivor)
        return tuple(path)

    def later(self, survivor: uuid.UUID, merge: int) -> tuple[Page, ...]:
        """Return the pages of the same survivor that came after a merge."""
        return tuple(page for page in self.pages if page.survivor == survivor and page.merge > merge)

    def without(self, merge: int, leaving: Collection[uuid.UUID]) -> Tree:
        """Return a copy, free to be written on, in which these members are not in the merge."""
        return Tree(
            self.root, tuple(_copy(page, leaving if page.merge == merge else ()) for page in self.pages)
        )


def _copy(page: Page, leaving: Collection[uuid.UUID]) -> Page:
    members = {key: dict(image) for key, image in page.members.items() if key not in leaving}
    return replace(page, members=members, pre_image=dict(page.pre_image), plan=dict(page.plan))
