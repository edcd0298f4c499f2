"""What many pairs of values can be told at once by, a module a field: equal, and certainly different.

A screen gives the answer of each pair, UNDECIDED where only the scalar function of that field can tell; it
never gives another answer than that function does. What it asks of the distinct values of a column is
worked out once and kept with the column.
"""

from __future__ import annotations
