"""Reads across tables; nothing here writes."""
