"""The pages for using models."""
