"""Every code of a refusal is in the docs, and every code in the docs is in the source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs" / "uploads.md").read_text()


def calls() -> Iterator[ast.expr]:
    """The first argument of each `Refused(…)`."""
    for path in (ROOT / "models_hub").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Refused" and node.args:
                yield node.args[0]


def test_every_refusal_has_its_line_in_the_docs() -> None:
    codes = {code.value for code in calls() if isinstance(code, ast.Constant)}
    documented = set(re.findall(r"^\| `([a-z_]+)` \|", DOC, re.MULTILINE))
    assert len(codes) > 40
    assert codes <= documented
    source = "\n".join(p.read_text() for p in (ROOT / "models_hub").rglob("*.py"))
    for code in documented - codes:  # those that are put together, as inspection_…
        assert code in source or code.removeprefix("inspection_") in source, code


def test_no_code_has_two_lines() -> None:
    documented = re.findall(r"^\| `([a-z_]+)` \|", DOC, re.MULTILINE)
    assert len(documented) == len(set(documented))
