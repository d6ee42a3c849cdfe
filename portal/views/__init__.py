"""The pages of an organisation itself: home, keys, people, audit log, settings."""
