"""Using a model later."""
