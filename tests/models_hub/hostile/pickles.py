"""Pickles that call out, bring code, or exhaust something; and the same behind compression."""

import bz2
import gzip
import io
import lzma
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy as np
from sklearn.linear_model import LinearRegression

from tests.models_hub.hostile import Build, Case

FORBIDDEN, OWN, CORRUPT = "pickle_forbidden_global", "own_code", "pickle_corrupt"
DAMAGED, BOMB = "model_damaged", "pickle_bomb"


def honest(protocol: int = 4) -> bytes:
    """A fitted model."""
    model = LinearRegression().fit(np.eye(3), [1.0, 2.0, 3.0])
    return pickle.dumps(model, protocol)


def command(marker: Path) -> str:
    """What the code in a file does."""
    return f"touch {marker}"


def text(value: str) -> bytes:
    """The opcode of a short text."""
    data = value.encode()
    return b"\x8c" + bytes([len(data)]) + data


def named(module: str, name: str) -> bytes:
    """The opcodes that push a name, in protocol 4."""
    return text(module) + text(name) + b"\x93"


def called(module: str, name: str, *arguments: str) -> Build:
    """A pickle of protocol 4 that calls a function by REDUCE; "{}" is the marker's path."""

    def build(marker: Path) -> bytes:
        given = b"".join(text(argument.replace("{}", str(marker))) for argument in arguments)
        return b"\x80\x04" + named(module, name) + b"(" + given + b"tR."

    return build


def old(form: str) -> Build:
    """A pickle of protocol 0 or 1, as text; "{}" is the marker's path."""
    return lambda marker: form.replace("{}", str(marker)).encode("latin1")


def system(protocol: int) -> Build:
    """os.system by an object's own __reduce__."""

    class Calls:
        def __init__(self, line: str) -> None:
            self.line = line

        def __reduce__(self) -> Any:
            import os  # the file shall name it, not this module

            return os.system, (self.line,)

    return lambda marker: pickle.dumps(Calls(command(marker)), protocol)


def by_setstate(marker: Path) -> bytes:
    """BUILD without REDUCE: the state goes to a function that the state before put there."""
    model = named("sklearn.linear_model._base", "LinearRegression") + b")\x81"
    trap = b"}" + text("__setstate__") + named("os", "system") + b"sb"
    return b"\x80\x04" + model + trap + text(command(marker)) + b"b."


def by_memo(marker: Path) -> bytes:
    """The name's two halves lie in the memo among innocent texts."""
    halves = text("system") + b"\x94" + text("numpy") + b"\x94" + text("os") + b"\x94000"
    return b"\x80\x04" + halves + b"h\x02h\x00\x93(" + text(command(marker)) + b"tR."


def by_newobj_ex(marker: Path) -> bytes:
    """A class that starts a program, made by NEWOBJ_EX."""
    arguments = b"]" + text("touch") + b"a" + text(str(marker)) + b"a\x85}"
    return b"\x80\x04" + named("subprocess", "Popen") + arguments + b"\x92."


def by_partial(marker: Path) -> bytes:
    """functools.partial, whose state is replaced after it was made of something allowed."""
    made = named("functools", "partial") + named("numpy", "log") + b"\x85R"
    return b"\x80\x04" + made + b"."


def behind(marker: Path) -> bytes:
    """A second pickle after an honest one."""
    return honest() + system(4)(marker)


def hash_bomb(_: Path) -> bytes:
    """A key whose hash takes 2 ** 60 steps."""
    return b"\x80\x04})" + b"2\x86" * 60 + b"K\x01s."


def in_object_array(marker: Path) -> bytes:
    """joblib writes an object array as a pickle within the pickle; this one calls out."""
    stream = io.BytesIO()
    joblib.dump(np.array(["placeholder", None], dtype=object), stream)
    data = stream.getvalue()
    inner = data.index(b"\x80", data.index(b"NumpyArrayWrapper"))
    return data[:inner] + system(5)(marker) + b"."


def huge_array(_: Path) -> bytes:
    """A joblib array that claims 2 ** 40 numbers."""
    stream = io.BytesIO()
    joblib.dump(np.zeros(7), stream, protocol=2)
    return stream.getvalue().replace(b"K\x07\x85", b"\x8a\x06\x00\x00\x00\x00\x00\x01\x85")


def wide_dictionary(marker: Path) -> bytes:
    """A stream of xz that asks for a dictionary of a gigabyte and a half."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 20}]
    data = bytearray(lzma.compress(system(4)(marker), filters=filters))
    data[16] = 40  # the property of the largest dictionary, 4 GB; its checksum follows
    header = data[12 : 12 + (data[12] + 1) * 4 - 4]
    data[12 + len(header) : 16 + len(header)] = struct.pack("<I", zlib.crc32(bytes(header)))
    return bytes(data)


def lambdas(_: Path) -> bytes:
    """A function by value, as cloudpickle writes it."""
    return bytes(cloudpickle.dumps(lambda rows: rows + 1))


CALLS = {
    "os.system": ("os", "system", "touch {}"),
    "posix.system": ("posix", "system", "touch {}"),
    "nt.system": ("nt", "system", "touch {}"),
    "eval": ("builtins", "eval", "open('{}', 'w')"),
    "exec": ("builtins", "exec", "open('{}', 'w')"),
    "eval of Python 2": ("__builtin__", "eval", "open('{}', 'w')"),
    "commands of Python 2": ("commands", "getoutput", "touch {}"),
    "open": ("builtins", "open", "{}", "w"),
    "__import__": ("builtins", "__import__", "this"),
    "getattr": ("builtins", "getattr", "x", "upper"),
    "compile": ("builtins", "compile", "1", "x", "eval"),
    "type": ("builtins", "type", "x"),
    "subprocess": ("subprocess", "getoutput", "touch {}"),
    "runpy": ("runpy", "run_path", "{}"),
    "pty": ("pty", "spawn", "touch {}"),
    "timeit": ("timeit", "timeit", "open('{}', 'w')"),
    "cProfile": ("cProfile", "run", "open('{}', 'w')"),
    "bdb": ("bdb", "Bdb"),
    "importlib": ("importlib", "import_module", "antigravity"),
    "ctypes": ("ctypes", "CDLL", "libc.so.6"),
    "shutil": ("shutil", "rmtree", "{}"),
    "socket": ("socket", "create_connection", "x"),
    "pickle": ("pickle", "loads", "x"),
    "marshal": ("marshal", "loads", "x"),
    "pip": ("pip", "main", "install"),
    "operator": ("operator", "methodcaller", "system"),
    "codecs": ("codecs", "decode", "x", "rot13"),
    "webbrowser": ("webbrowser", "open", "http://localhost"),
    "numpy.load": ("numpy", "load", "{}"),
    "numpy.fromfile": ("numpy", "fromfile", "{}"),
    "numpy's own exec": ("numpy.testing._private.utils", "runstring", "open('{}', 'w')"),
    "pandas": ("pandas", "read_pickle", "{}"),
    "joblib.load": ("joblib.numpy_pickle", "load", "{}"),
    "joblib.memory": ("joblib.memory", "MemorizedFunc", "x"),
    "old arrays of joblib": ("joblib.numpy_pickle_compat", "ZNDArrayWrapper", "{}"),
    "a data set": ("sklearn.datasets", "fetch_openml", "x"),
    "our own reading of code": ("models_hub.formats.native", "load", "x"),
    "django": ("django.core.management", "call_command", "shell"),
    "dotted through sklearn": ("sklearn.utils", "os.system", "touch {}"),
    "dotted from a class": ("sklearn.linear_model._base", "LinearRegression.fit", "x"),
}

PICKLES = [
    *(Case(name, "model.pkl", FORBIDDEN, called(*call)) for name, call in CALLS.items()),
    *(Case(f"__reduce__, protocol {n}", "m.pkl", FORBIDDEN, system(n)) for n in range(6)),
    Case("INST", "m.pkl", FORBIDDEN, old("(S'touch {}'\nios\nsystem\n.")),
    Case("OBJ", "m.pkl", FORBIDDEN, old("(cos\nsystem\nS'touch {}'\no.")),
    Case("BUILD without REDUCE", "m.pkl", FORBIDDEN, by_setstate),
    Case("a name out of the memo", "m.pickle", FORBIDDEN, by_memo),
    Case("NEWOBJ_EX", "m.pkl", FORBIDDEN, by_newobj_ex),
    Case("partial", "m.pkl", FORBIDDEN, by_partial),
    Case("extension code", "m.pkl", DAMAGED, lambda _: b"\x80\x02\x82\x01."),
    Case("persistent id", "m.pkl", CORRUPT, lambda _: b"(Pos.system\nt."),
    Case("binary persistent id", "m.pkl", CORRUPT, lambda _: b"\x80\x04" + text("x") + b"Q."),
    Case("a second pickle behind the first", "m.pkl", CORRUPT, behind),
    Case("bytes behind the pickle", "m.pkl", CORRUPT, lambda _: honest() + b"PK\x03\x04"),
    Case("cut short", "m.pkl", CORRUPT, lambda _: honest()[:-20]),
    Case("an opcode that there is not", "m.pkl", CORRUPT, lambda _: b"\x80\x04\xff."),
    Case("a protocol of the future", "m.pkl", "type_mismatch", lambda _: b"\x80\x09N."),
    Case("nothing on the stack", "m.pkl", CORRUPT, lambda _: b"\x80\x04."),
    Case("a number, no model", "m.pkl", "not_a_predictor", lambda _: pickle.dumps(7)),
    Case("a class, no model", "m.pkl", "not_a_predictor", lambda _: pickle.dumps(LinearRegression)),
    Case("hash bomb", "m.pkl", "inspection_out_of_time", hash_bomb),
    Case("memo bomb", "m.pkl", BOMB, lambda _: b"\x80\x04Nr\xff\xff\xff\x7f."),
    Case(
        "text of four gigabytes", "m.pkl", CORRUPT,
        lambda _: b"\x80\x04\x8d" + struct.pack("<Q", 1 << 32) + b"x.",
    ),
    Case(
        "text without end", "m.pkl", BOMB,
        lambda _: b"\x80\x04\x8d" + struct.pack("<Q", (1 << 63) + 5) + b"x.",
    ),
    Case("own class", "m.pkl", OWN, called("mycompany.features", "CityEncoder")),
    Case("own nested class", "m.pkl", OWN, called("mycompany", "Features.CityEncoder")),
    Case("a class of __main__", "m.pkl", OWN, called("__main__", "CityEncoder")),
    Case("a library that is not here", "m.pkl", OWN, called("category_encoders.target", "T")),
    Case("a lambda by value", "m.pkl", OWN, lambdas),
]  # fmt: skip

JOBLIBS = [
    Case("plain", "m.joblib", FORBIDDEN, system(4)),
    Case("gzip", "m.joblib", FORBIDDEN, lambda m: gzip.compress(system(4)(m))),
    Case("zlib", "m.joblib", FORBIDDEN, lambda m: zlib.compress(system(4)(m))),
    Case("bzip2", "m.joblib.bz2", FORBIDDEN, lambda m: bz2.compress(system(4)(m))),
    Case("xz", "m.joblib.xz", FORBIDDEN, lambda m: lzma.compress(system(4)(m))),
    Case(
        "lzma", "m.joblib", FORBIDDEN,
        lambda m: lzma.compress(system(4)(m), format=lzma.FORMAT_ALONE),
    ),
    Case("lz4", "m.joblib", "compression_unsupported", lambda _: b"\x04\x22\x4d\x18" + bytes(40)),
    Case(
        "twice packed", "m.joblib", "compression_nested",
        lambda m: gzip.compress(zlib.compress(system(4)(m))),
    ),
    Case("zlib bomb", "m.joblib", "compression_bomb", lambda _: zlib.compress(bytes(1 << 27))),
    Case("bzip2 bomb", "m.joblib", "compression_bomb", lambda _: bz2.compress(bytes(1 << 27), 1)),
    Case(
        "xz bomb", "m.joblib", "compression_bomb",
        lambda _: lzma.compress(bytes(1 << 27), preset=0),
    ),
    Case("a dictionary of gigabytes", "m.joblib", "compression_corrupt", wide_dictionary),
    Case(
        "something behind the packed data", "m.joblib", "compression_corrupt",
        lambda m: gzip.compress(honest()) + system(4)(m),
    ),
    Case(
        "packed and cut short", "m.joblib", "compression_corrupt",
        lambda _: gzip.compress(honest())[:-30],
    ),
    Case("packed text", "m.joblib", "type_mismatch", lambda _: gzip.compress(b"hello there")),
    Case("an object array that calls out", "m.joblib", FORBIDDEN, in_object_array),
    Case("an array of 2 ** 40 numbers", "m.joblib", BOMB, huge_array),
]  # fmt: skip
