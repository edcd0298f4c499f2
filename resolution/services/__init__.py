"""The only writers. A module a noun, functions verb first: lock, check, plan, apply, record."""
