"""The house's import direction, held by reading the imports."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Each floor may import its own and those below it, never one above.
FLOORS: list[tuple[str, ...]] = [
    ("portal.urls", "portal.api_urls", "portal.wsgi", "manage"),
    (
        "*.views",
        "*.urls",
        "*.api",
        "*.feed_api",
        "*.api_urls",
        "*.page_urls",
        "*.tasks",
        "*.management",
        "predictions.widget",
        "demo",
    ),
    ("predictions.architectures",),
    ("workers",),
    ("predictions",),
    ("models_hub.actions", "models_hub.inspection"),
    ("models_hub.native",),
    ("models_hub.sandbox",),
    ("models_hub.browser",),
    ("models_hub.conversion",),
    ("models_hub.formats",),
    ("models_hub",),
    (
        "portal.openapi",
        "portal.pages",
        "portal.actions",
        "portal.api",
        "portal.idempotency",
        "portal.rest",
    ),
    ("portal.middleware", "portal.keys", "portal.servers", "portal.turns", "portal.paging"),
    ("portal.access",),
    ("portal.models",),
    ("portal",),
]
OURS = ("portal", "models_hub", "predictions", "workers", "demo", "manage")
# Django finds these by name; they are wiring, not rooms.
WIRING = ("portal.apps", "portal.settings", "portal.routing", "portal.supervisor")


def floor_of(module: str) -> int:
    """The index of the floor with the longest matching name."""
    best, length = len(FLOORS), -1
    for index, names in enumerate(FLOORS):
        for name in names:
            if name.startswith("*."):
                hit = name[2:] in module.split(".")[1:]
                weight = 100
            else:
                hit = module == name or module.startswith(name + ".")
                weight = len(name)
            if hit and weight > length:
                best, length = index, weight
    return best


def modules() -> Iterator[tuple[str, Path]]:
    for package in OURS:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            name = name.removesuffix(".__init__")
            if "migrations" not in path.parts and name not in WIRING:
                yield name, path


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def exists(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@pytest.mark.parametrize(("module", "path"), list(modules()), ids=lambda v: str(v)[-40:])
def test_a_module_imports_only_from_its_floor_or_below(module: str, path: Path) -> None:
    here = floor_of(module)
    above = sorted(
        {
            name
            for name in imports(path)
            if name.split(".")[0] in OURS and exists(name) and floor_of(name) < here
        }
    )
    assert not above, f"{module} imports from above: {', '.join(above)}"


def test_the_runtime_imports_nothing_of_ours_and_no_django() -> None:
    for path in (ROOT / "runtime").rglob("*.py"):
        for name in imports(path):
            assert name.split(".")[0] not in (*OURS, "django", "rest_framework"), f"{path}: {name}"


def test_the_web_process_imports_no_machine_learning_library() -> None:
    """Only onnxruntime may meet what a tenant uploaded; pickles' libraries never are loaded."""
    heavy = ("sklearn", "skl2onnx", "skops", "joblib", "pickle", "onnx", "pandas")
    allowed = (
        "models_hub.browser",
        "models_hub.conversion",
        "models_hub.formats",
        "models_hub.sandbox",
        "demo",
    )
    for module, path in modules():
        if not module.startswith(allowed):
            roots = {name.split(".")[0] for name in imports(path)}
            assert not roots & set(heavy), f"{module} imports {roots & set(heavy)}"
