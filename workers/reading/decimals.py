"""Numbers with a decimal comma, as half of the world writes them: 1.234,5 is 1234.5."""

from collections.abc import Iterable

import polars as pl

_GROUP = r"[. \x{a0}\x{202f}]"
_COMMA = (
    rf"^\s*[-+]?(?:[0-9]{{1,3}}(?:{_GROUP}[0-9]{{3}})+|[0-9]*)(?:,[0-9]*)?(?:[eE][-+]?[0-9]+)?\s*$"
)
_POINT = r"^\s*[-+]?[0-9]*\.[0-9]+(?:[eE][-+]?[0-9]+)?\s*$"
# 1,234 and 1.234 may be a thousand or a little more than one: they decide nothing.
_EITHER = r"^\s*[-+]?[1-9][0-9]{0,2}(?:[.,][0-9]{3})+\s*$"
_MARK = r"[0-9][.,]|[.,][0-9]"


def detected(columns: Iterable[pl.Series]) -> str:
    """The decimal sign of columns that should be numbers: a point, unless commas can only be so
    meant."""
    has_comma = False
    for texts in columns:
        if texts.dtype != pl.String:
            continue
        sure = texts.filter(texts.str.contains("[.,]") & ~texts.str.contains(_EITHER))
        if sure.str.contains(_POINT).any():
            return "."
        has_comma = has_comma or bool((sure.str.contains(_COMMA) & sure.str.contains(",")).any())
    return "," if has_comma else "."


def with_points(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The texts with their decimal commas as points and without their groups' points, and which
    of them are numbers written otherwise (true or false for each)."""
    fits = texts.str.contains(_COMMA) & texts.str.contains("[0-9]")
    plain = texts.str.replace_all(_GROUP, "").str.replace(",", ".", literal=True)
    made = pl.select(pl.when(fits).then(plain).otherwise(texts).alias(texts.name)).to_series()
    return made, (texts.str.contains(_MARK) & ~fits).fill_null(value=False)
