"""Hostile skops archives."""

import io
import json
import pickle
import stat
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.linear_model import LinearRegression

from tests.models_hub.hostile import Build, Case
from tests.models_hub.hostile.pickles import command, system

CORRUPT, FORBIDDEN, BOMB = "archive_corrupt", "archive_forbidden", "archive_bomb"
UNTRUSTED = "type_not_trusted"
Members = dict[str, bytes]


@cache
def honest() -> bytes:
    """A fitted model."""
    return bytes(skops.io.dumps(LinearRegression().fit(np.eye(3), [1.0, 2.0, 3.0])))


def members() -> Members:
    with zipfile.ZipFile(io.BytesIO(honest())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(content: Members, *more: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*content.items(), *more]:
            archive.writestr(name, data)
    return stream.getvalue()


def beside(name: str, data: bytes = b"x") -> Build:
    """The honest members and one more."""
    return lambda _: packed(members(), (name, data))


def schema(change: Callable[[Any, Path], Any]) -> Build:
    """The honest archive with another schema."""

    def build(marker: Path) -> bytes:
        content = members()
        found = json.loads(content["schema.json"])
        changed = change(found, marker)
        content["schema.json"] = json.dumps(found if changed is None else changed).encode()
        return packed(content)

    return build


def node(loader: str, module: str, name: str, **more: Any) -> dict[str, Any]:
    return {"__loader__": loader, "__module__": module, "__class__": name, "__id__": 7, **more}


def root(**changes: Any) -> Build:
    return schema(lambda found, _: found.update(changes))


def inner(build: Callable[[Path], dict[str, Any]]) -> Build:
    """A node of the file's choice as one of the model's attributes."""

    def change(found: Any, marker: Path) -> None:
        found["content"]["content"]["coef_"] = build(marker)

    return schema(change)


def calls_system(marker: Path) -> dict[str, Any]:
    line = node("JsonNode", "builtins", "str", content=json.dumps(command(marker)), is_json=True)
    return node("ReduceNode", "os", "system", reduce={}, args=line, constructor="os.system")


def object_array(marker: Path) -> bytes:
    """A member that numpy would unpickle."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "|O", "fortran_order": False, "shape": (1,)}
    )
    content = members()
    name = next(name for name in content if name.endswith(".npy"))
    content[name] = stream.getvalue() + system(4)(marker)
    return packed(content)


def symlink(_: Path) -> bytes:
    link = zipfile.ZipInfo("link.npy")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    return packed(members(), (link, b"/etc/passwd"))


def twice(_: Path) -> bytes:
    data = packed(members(), ("schemx.json", b"{}"))
    return data.replace(b"schemx.json", b"schema.json")


def encrypted(_: Path) -> bytes:
    data = bytearray(honest())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.index(magic)
        data[place + offset] |= 1
    return bytes(data)


def wrong_sum(_: Path) -> bytes:
    data = bytearray(honest())
    for magic, offset in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        struct.pack_into("<I", data, data.index(magic) + offset, 0xDEADBEEF)
    return bytes(data)


def doubling(_: Path) -> bytes:
    """Lists of two, the second a reference to the first, thirty deep: a billion steps."""
    value: dict[str, Any] = node("JsonNode", "builtins", "str", content="1", is_json=True)
    for depth in range(30):
        value["__id__"] = depth + 10
        twin = {**value, "content": []}
        value = node("ListNode", "builtins", "list", content=[value, twin])
    return inner(lambda _: value)(Path())


def wide(_: Path) -> bytes:
    """A megabyte that becomes a million nodes of skops."""
    many = [node("ListNode", "b", "l", content=[]) for _ in range(400_000)]
    for number, child in enumerate(many):
        child["__id__"] = number + 10
    return inner(lambda _: node("ListNode", "builtins", "list", content=many))(Path())


def deep(_: Path) -> bytes:
    content = members()
    content["schema.json"] = b'{"__loader__":"x","content":' + b"[" * 9_000 + b"]" * 9_000 + b"}"
    return packed(content)


ARCHIVES = [
    Case("zip slip", "m.skops", FORBIDDEN, beside("../../evil.npy")),
    Case("an absolute path", "m.skops", FORBIDDEN, beside("/etc/cron.d/evil")),
    Case("a path of Windows", "m.skops", FORBIDDEN, beside("..\\evil.npy")),
    Case("a folder", "m.skops", FORBIDDEN, beside("a/b.npy")),
    Case("a control character", "m.skops", FORBIDDEN, beside("a\x1b[2Jb.npy")),
    Case("a symbolic link", "m.skops", FORBIDDEN, symlink),
    Case("two members of one name", "m.skops", FORBIDDEN, twice),
    Case("an encrypted member", "m.skops", FORBIDDEN, encrypted),
    Case("zeros without end", "m.skops", BOMB, beside("zeros.npy", bytes(64 << 20))),
    Case(
        "ten thousand members", "m.skops", BOMB,
        lambda _: packed(members(), *((f"{n}.npy", b"") for n in range(10_001))),
    ),
    Case("a schema of 65 MB", "m.skops", BOMB, beside("zeros.npy", bytes(65 << 20))),
    Case("a schema nested too deep", "m.skops", BOMB, deep),
    Case("a schema of many nodes", "m.skops", BOMB, wide),
    Case("a schema that doubles", "m.skops", BOMB, doubling),
    Case("no schema", "m.skops", CORRUPT, lambda _: packed({"a.npy": b"x"})),
    Case("a schema that is a list", "m.skops", CORRUPT, schema(lambda *_: [1, 2])),
    Case("a schema that is no JSON", "m.skops", CORRUPT, lambda _: packed({"schema.json": b"{"})),
    Case("a wrong checksum", "m.skops", CORRUPT, wrong_sum),
    Case("cut short", "m.skops", CORRUPT, lambda _: honest()[: len(honest()) // 2]),
    Case("a member that is not there", "m.skops", CORRUPT, inner(
        lambda _: node("NdArrayNode", "numpy", "ndarray", type="numpy", file="missing.npy")
    )),
    Case("another's class", "m.skops", UNTRUSTED, root(__module__="mycompany", __class__="X")),
    Case("os.system as a class", "m.skops", UNTRUSTED, root(__module__="os", __class__="system")),
    Case("an operator's function", "m.skops", UNTRUSTED, root(__loader__="OperatorFuncNode")),
    Case("a method", "m.skops", UNTRUSTED, root(__loader__="MethodNode")),
    Case("a call of os.system", "m.skops", "model_damaged", inner(calls_system)),
    Case("eval as a function", "m.skops", UNTRUSTED, inner(
        lambda _: node("FunctionNode", "builtins", "eval", content={})
    )),
    Case("a type of the file's choice", "m.skops", UNTRUSTED, inner(
        lambda _: node("TypeNode", "subprocess", "Popen", content={})
    )),
    Case("a loader that there is not", "m.skops", "model_damaged", root(__loader__="EvilNode")),
    Case("an array with a pickle inside", "m.skops", "model_damaged", object_array),
]  # fmt: skip

POLYGLOTS = [
    Case("a pickle named .skops", "m.skops", "type_mismatch", system(4)),
    Case("a pickle named .onnx", "m.onnx", "type_mismatch", system(4)),
    Case("a zip named .joblib", "m.joblib", "type_mismatch", lambda _: honest()),
    Case("a zip named .onnx", "m.onnx", "type_mismatch", lambda _: honest()),
    Case("a page", "m.pkl", "type_mismatch", lambda _: b"<!doctype html><script>alert(1)</script>"),
    Case("a page with a zip behind", "m.skops", "type_mismatch", lambda _: b"<html>" + honest()),
    Case("a script", "m.pkl", "type_mismatch", lambda _: b"#!/bin/sh\ntouch x\n"),
    Case("a program", "m.onnx", "type_mismatch", lambda _: b"\x7fELF" + bytes(200)),
    Case("nothing", "m.pkl", "file_empty", lambda _: b""),
    Case("a pickle with a zip behind", "m.pkl", "pickle_corrupt",
         lambda _: pickle.dumps(1) + honest()),
    Case("a zip with a pickle behind", "m.skops", "archive_corrupt",
         lambda marker: honest() + system(4)(marker) * 40),
    Case("no known ending", "m.zip", "format_unknown", lambda _: honest()),
    Case("two endings", "m.onnx.exe", "format_unknown", lambda _: honest()),
]  # fmt: skip
