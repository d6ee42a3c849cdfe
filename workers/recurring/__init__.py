"""Recurring jobs: a file scored again and again, by the clock of a time zone."""
