"""Text that a spreadsheet program would run, made harmless."""

import re

_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")


def defused(cell: str) -> str:
    """The cell, with an apostrophe before it if a spreadsheet would take it for a formula.

    By what OWASP's "CSV injection" lists: ``= + - @``, tab and line breaks at the start, also in
    full width. A plain number stays one.
    """
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell
