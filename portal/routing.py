"""Which connection does what: the owner migrates, the application's own role does all else."""

from typing import Any


class OwnerMigrates:
    """Django database router: only the ``owner`` alias may change tables."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "owner"
