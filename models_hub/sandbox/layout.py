"""What of this machine a child must be able to read: the interpreter, libraries, our own code."""

import os
import re
import sys
import sysconfig
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: What is put on `sys.path` inside, and of each only what a job needs: the checkout's own folder
#: holds keys and everybody's files too.
ROOTS = (ROOT, ROOT / "runtime")
CODE = (ROOT / "models_hub", ROOT / "runtime" / "berth")
# Where a distribution keeps what wheels do not bring (the C and C++ libraries).
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
_MAPPED = re.compile(r"^\S+ \S+ \S+ \S+ \S+ +(/.*\.so[.\d]*)$", re.MULTILINE)


def readable() -> list[Path]:
    """Files and folders to be readable inside at the same paths; none lies below another."""
    found = {Path(os.path.abspath(path)) for path in (*_python(), *CODE) if path.exists()}
    return sorted(path for path in found if not found & set(path.parents))


@cache
def _python() -> tuple[Path, ...]:
    libraries = [sysconfig.get_config_var("LIBDIR") or "", *_LIBRARIES, *_loaded_from()]
    paths = sysconfig.get_paths()
    names = [paths[kind] for kind in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders = [Path(name) for name in (*names, *libraries) if name]
    if sys.prefix != sys.base_prefix:
        folders.append(Path(sys.prefix))  # a virtual environment, whose pyvenv.cfg names the base
    return (*_chain(Path(sys.executable)), *folders)


def _chain(path: Path) -> list[Path]:
    """A path with symbolic links, and everything that it leads through."""
    hops = [path]
    while path.is_symlink():
        path = path.parent / path.readlink()
        hops.append(path)
    return [*hops, path.resolve()]


def _loaded_from() -> set[str]:
    """Folders of the libraries that this process has loaded, wherever its system keeps them."""
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return set()
    return {os.path.dirname(name) for name in _MAPPED.findall(maps)}


def closed_to_others(paths: list[Path]) -> Path | None:
    """The first of the paths that only its owner can reach or read, if there is one."""
    for path in paths:
        real = path.resolve()
        for part in (real, *real.parents):
            needed = 0o001 if part != real else 0o005 if real.is_dir() else 0o004
            if part.stat().st_mode & needed != needed:
                return path
    return None
