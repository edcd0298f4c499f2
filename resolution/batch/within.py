"""Pairs of one cluster that no rule brought together: third records joined them; they are told too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from resolution.matching.table import Rows

# Of a larger cluster the pairs that rules found must do.
LARGEST = 64


def pairs_not_met(labels: Rows, left: Rows, right: Rows) -> tuple[Rows, Rows]:
    """Give the pairs of rows of one label that are not among some known ones, each once, smaller row left.

    Clusters of more than LARGEST rows are passed over.
    """
    inside = labels[left] == labels[right]
    known = np.sort(left[inside] * len(labels) + right[inside])
    sizes = np.bincount(labels, minlength=len(labels))
    met = np.bincount(labels[left[inside]], minlength=len(labels))
    wanted = (met < sizes * (sizes - 1) // 2) & (sizes <= LARGEST)
    found = np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *_pairs_inside(labels, wanted, sizes)]))
    found = found[np.append(known, -1)[np.searchsorted(known, found)] != found]
    return found // max(len(labels), 1), found % max(len(labels), 1)


def _pairs_inside(labels: Rows, wanted: np.ndarray, sizes: Rows) -> Iterator[Rows]:
    """Every pair of the wanted clusters, those of one size at a time, as left * rows + right."""
    rows = np.flatnonzero(wanted[labels])
    rows = rows[np.argsort(labels[rows], kind="stable")]
    size_of = sizes[labels[rows]]
    for size in np.unique(size_of):
        block = rows[size_of == size].reshape(-1, size)
        one, other = np.triu_indices(int(size), 1)
        yield (block[:, one] * len(labels) + block[:, other]).ravel()
