"""Acme's people, drawn by chance from a plausible company. The same seed draws the same people.

Salaries are gross euros per year: a base by role, raised by level, experience, city and degree,
with multiplicative (log-normal) noise, as pay usually scatters.
"""

import csv
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, list[Any]]

# Role -> its department and its base pay on entry, in euros per year.
ROLES: dict[str, tuple[str, int]] = {
    "Software engineer": ("Engineering", 50_000),
    "Data engineer": ("Engineering", 51_000),
    "Data scientist": ("Engineering", 52_000),
    "Site reliability engineer": ("Engineering", 54_000),
    "Product manager": ("Product", 53_000),
    "Product designer": ("Product", 46_000),
    "Account executive": ("Sales", 44_000),
    "Sales manager": ("Sales", 52_000),
    "Logistics planner": ("Operations", 40_000),
    "Operations manager": ("Operations", 48_000),
    "Accountant": ("Finance", 42_000),
    "Controller": ("Finance", 47_000),
    "Recruiter": ("People", 40_000),
    "Support specialist": ("Customer care", 35_000),
}
# Level -> factor on the base pay, and the years of experience where it usually begins.
LEVELS: dict[str, tuple[float, float]] = {
    "Junior": (0.92, 0),
    "Professional": (1.08, 2.5),
    "Senior": (1.27, 6),
    "Lead": (1.46, 10),
    "Principal": (1.66, 15),
}
# City -> factor, and how many of a hundred people work there.
CITIES: dict[str, tuple[float, int]] = {
    "Berlin": (1.0, 32),
    "Hamburg": (1.01, 24),
    "Munich": (1.1, 16),
    "Cologne": (0.99, 14),
    "Leipzig": (0.91, 14),
}
# Highest degree -> factor, and how many of a hundred people have it.
EDUCATION: dict[str, tuple[float, int]] = {
    "Vocational training": (0.96, 26),
    "Bachelor": (1.0, 36),
    "Master": (1.04, 31),
    "Doctorate": (1.09, 7),
}
NOISE = 0.075  # standard deviation of the logarithm of pay that nothing here explains
TARGET = "salary"


def people(count: int, seed: int) -> Columns:
    """``count`` people, column by column: seven that a model may use, and ``salary``.

    Some answers are missing (None), as in any real file: years (2 %), education (5 %), city (3 %).
    """
    rng = np.random.default_rng(seed)
    years = np.round(np.clip(rng.gamma(2.0, 4.2, count), 0, 40) * 2) / 2
    roles = [str(role) for role in rng.choice(list(ROLES), count)]
    columns: Columns = {
        "role": roles,
        "level": _levels(rng, years),
        "department": [ROLES[role][0] for role in roles],
        "city": _drawn(rng, CITIES, count),
        "education": _drawn(rng, EDUCATION, count),
        "years_of_experience": years.tolist(),
        "remote": (rng.random(count) < 0.35).tolist(),
    }
    columns[TARGET] = _salaries(rng, columns)
    for name, share in (("years_of_experience", 0.02), ("education", 0.05), ("city", 0.03)):
        holes = rng.random(count) < share
        columns[name] = [
            None if hole else value for value, hole in zip(columns[name], holes, strict=True)
        ]
    return columns


def applicants(count: int) -> str:
    """Other people, without a salary and with an id, as the text of a CSV file."""
    columns = people(count, seed=2)
    del columns[TARGET]
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(["applicant", *columns])
    for number, row in enumerate(zip(*columns.values(), strict=True), 1):
        lines.writerow([f"A-{number:04}", *row])
    return text.getvalue()


def _levels(rng: np.random.Generator, years: NDArray[np.float64]) -> list[str]:
    """Levels follow experience, some early and some late."""
    names, begins = list(LEVELS), [begin for _, begin in LEVELS.values()]
    felt = np.maximum(years + rng.normal(0, 2, len(years)), 0)
    return [names[i - 1] for i in np.searchsorted(begins, felt, side="right")]


def _drawn(rng: np.random.Generator, kinds: dict[str, tuple[float, int]], count: int) -> list[str]:
    shares = np.array([share for _, share in kinds.values()])
    return [str(kind) for kind in rng.choice(list(kinds), count, p=shares / shares.sum())]


def _salaries(rng: np.random.Generator, columns: Columns) -> list[float]:
    pay = np.array([ROLES[role][1] for role in columns["role"]], dtype=float)
    for name, kinds in (("level", LEVELS), ("city", CITIES), ("education", EDUCATION)):
        pay *= [kinds[kind][0] for kind in columns[name]]
    pay *= 1 + 0.06 * np.log1p(columns["years_of_experience"])
    pay *= np.where(columns["remote"], 0.98, 1.0)
    pay *= rng.lognormal(0, NOISE, len(pay))
    return [float(value) for value in np.round(pay, -2)]
