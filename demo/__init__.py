"""Acme, a company that does not exist: its people, its salary model, its careers page."""
