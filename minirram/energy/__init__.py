"""Counts of events, and what each costs."""
