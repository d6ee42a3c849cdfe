"""Which column of a file is which input of a model.

By itself a column counts as an input only under the input's own name, or where case, spaces and
underscores are all that differs and just one column fits. Whatever comes nearer than nothing
beyond that is a suggestion, which a person confirms.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from berth.problems import nearest
from berth.signature import Field

_BETWEEN = re.compile(r"[\s_\-.]+")


@dataclass(frozen=True, slots=True)
class Matching:
    """``columns``: by an input's name, the file's column. ``missing``: required inputs that have
    none; ``suggestions``: by such an input's name, the column that may be meant."""

    columns: dict[str, str]
    missing: list[str] = field(default_factory=list)
    suggestions: dict[str, str] = field(default_factory=dict)


def folded(name: str) -> str:
    """The name without what people write now so and now so: case, spaces, ``_``, ``-``, ``.``"""
    return _BETWEEN.sub("", name).casefold()


def match(fields: Sequence[Field], columns: Sequence[str], given: Mapping[str, str]) -> Matching:
    """Find the inputs' columns. ``given``: by an input's name the column that somebody named,
    which counts before all else."""
    found = {name: column for name, column in given.items() if column in columns}
    found |= {f.name: f.name for f in fields if f.name not in given and f.name in columns}
    open_fields = [f for f in fields if f.name not in found and f.name not in given]
    spare = [column for column in columns if column not in found.values()]
    found |= _alike([f.name for f in open_fields], spare)
    missing = [f for f in fields if f.required and f.name not in found]
    spare = [column for column in columns if column not in found.values()]
    return Matching(found, [f.name for f in missing], _suggested(missing, spare))


def _alike(names: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """Pairs that differ in nothing that counts, where each is the only one for the other."""
    wanted, there = Counter(map(folded, names)), Counter(map(folded, columns))
    by_fold = {folded(column): column for column in columns}
    return {
        name: by_fold[fold]
        for name in names
        if wanted[fold := folded(name)] == 1 and there[fold] == 1
    }


def _suggested(fields: Sequence[Field], columns: Sequence[str]) -> dict[str, str]:
    spare = {_plain(column): column for column in reversed(columns)}
    suggestions = {}
    for about in fields:
        for name in filter(None, (about.name, about.label)):
            if near := nearest(_plain(name), spare):
                suggestions[about.name] = spare.pop(near[0])
                break
    return suggestions


def _plain(name: str) -> str:
    """Folded, and without accents."""
    decomposed = unicodedata.normalize("NFKD", folded(name))
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign))
