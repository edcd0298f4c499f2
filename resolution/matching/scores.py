"""The scores of many pairs as arrays, and the fields they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from resolution.matching.comparisons.answers import Answers, Codes
from resolution.matching.table import Rows

Floats: TypeAlias = npt.NDArray[np.float64]

NAME = "name"
GIVEN, FAMILY = "given_name", "family_name"


@dataclass(frozen=True, eq=False)
class Scores:
    """n scored pairs in the order they were given, as arrays of length n.

    `weight` is log2 odds. `at_random` is its part without the household's correction, `at_home` the log2
    odds of one home against two people at random. `levels` and `weights` have an entry a field: the number of
    its level among the field's, SILENT where it says nothing, and the log2 odds it added. `correction` is the
    household's. `values` has the numbers of the values compared, left and right, where asked for.
    """

    left: Rows
    right: Rows
    weight: Floats
    levels: Mapping[str, Answers]
    weights: Mapping[str, Floats]
    at_random: Floats
    at_home: Floats
    correction: Floats
    values: Mapping[str, tuple[Codes, Codes]]

    def __len__(self) -> int:
        return len(self.weight)
