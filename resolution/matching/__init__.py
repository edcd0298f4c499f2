"""Matching without a framework: raw records to profiles, candidates, weights, decisions and groups.

Read in the order of the data: `identifiers` and `normalise/` make values canonical; `blocking` says who is
worth comparing, `tokens` by what, `candidates` finds them in a table; `comparisons/` give each field a level
and a reason; `model` weighs levels, `training` learns it; `kernel` adds them up; `decide` applies policy,
`clusters` groups. No Django, no clock, no reading but of the model
artefact.
"""

from __future__ import annotations
