"""Webhooks: an organisation's own addresses, called when a job ends (Standard Webhooks)."""
