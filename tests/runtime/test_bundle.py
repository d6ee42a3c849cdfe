"""Bundle: the same content makes the same bytes, and no byte changes unnoticed."""

import io
import zipfile

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from berth import bundle as bundles
from berth.bundle import Bundle, BundleError, read, seal
from berth.signature import Field, Output, Signature

KEY = Ed25519PrivateKey.generate()
SIGNATURE = Signature((Field("x", "number"),), Output("y", "regression"))
SMALL = seal(b"onnx", SIGNATURE, {"created_at": "2026-01-02T03:04:05Z", "model": "m"}, KEY)
ENTRIES = ("model.onnx", "signature.json", "manifest.json", "manifest.sig")


def zipped(parts: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, part in parts:
            archive.writestr(zipfile.ZipInfo(name), part, compression)
    return file.getvalue()


def parts_of(bundle: Bundle) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(bundle.data)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def refusal_of(data: bytes) -> str:
    with pytest.raises(BundleError) as refusal:
        read(data, KEY.public_key())
    return refusal.value.code


def test_what_was_sealed_is_read_back(bundle: Bundle, key: Ed25519PrivateKey) -> None:
    opened = read(bundle.data, key.public_key())
    assert opened.onnx == bundle.onnx
    assert opened.signature == bundle.signature
    assert opened.manifest == bundle.manifest
    assert opened.manifest["schema"] == 1
    assert opened.manifest["model"] == "wages"
    assert opened.sha256 == bundle.sha256


def test_the_same_content_makes_the_same_bytes() -> None:
    manifest = {"model": "m", "created_at": "2026-01-02T03:04:05Z"}
    again = seal(b"onnx", SIGNATURE, manifest, KEY)
    assert again.data == SMALL.data
    assert again.sha256 == SMALL.sha256


def test_it_is_a_plain_zip_that_anybody_can_open() -> None:
    assert [name for name, _ in parts_of(SMALL)] == list(ENTRIES)


def test_every_changed_byte_is_noticed() -> None:
    for place in range(len(SMALL.data)):
        changed = bytearray(SMALL.data)
        changed[place] ^= 0x01
        assert refusal_of(bytes(changed)), place


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_cut_grown_or_stirred_bytes_are_refused_with_a_code(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(SMALL.data)))
    end = data.draw(st.integers(start, len(SMALL.data)))
    changed = SMALL.data[:start] + data.draw(st.binary(max_size=40)) + SMALL.data[end:]
    if changed != SMALL.data:
        assert refusal_of(changed)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_foreign_bytes_are_no_bundle(data: bytes) -> None:
    assert refusal_of(data) in {"not_a_bundle", "wrong_entries"}


@pytest.mark.parametrize("place", range(4))
def test_an_exchanged_entry_is_refused(place: int) -> None:
    other = seal(b"other", SIGNATURE, {"created_at": "2027-01-02T03:04:05Z"}, KEY)
    parts = [part for _, part in parts_of(SMALL)]
    parts[place] = [part for _, part in parts_of(other)][place]
    if place == 1:
        parts[1] = parts[1].replace(b'"x"', b'"z"')
    assert refusal_of(bundles._packed(parts)) in {"altered", "forged"}


def test_another_installations_bundle_is_refused() -> None:
    foreign = seal(b"onnx", SIGNATURE, {"created_at": "2026"}, Ed25519PrivateKey.generate())
    assert refusal_of(foreign.data) == "forged"
    assert read(foreign.data, None).onnx == b"onnx"


def test_a_compressed_zip_is_refused_before_it_is_opened() -> None:
    bomb = [("model.onnx", bytes(50_000_000)), *parts_of(SMALL)[1:]]
    assert refusal_of(zipped(bomb, zipfile.ZIP_DEFLATED)) == "wrong_entries"


def test_one_entry_more_or_less_or_twice_is_refused() -> None:
    parts = parts_of(SMALL)
    assert refusal_of(zipped([*parts, ("more.txt", b"")])) == "wrong_entries"
    assert refusal_of(zipped(parts[:3])) == "wrong_entries"
    assert refusal_of(zipped([*parts[:3], ("../manifest.sig", b"")])) == "wrong_entries"
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = zipped([parts[0], *parts[:3]])
    assert refusal_of(twice) == "wrong_entries"


def test_a_later_schema_asks_for_a_newer_berth() -> None:
    parts = [part for _, part in parts_of(SMALL)]
    parts[2] = bundles.canonical({**orjson.loads(parts[2]), "schema": 2})
    parts[3] = KEY.sign(parts[2])
    with pytest.raises(BundleError, match="newer berth") as refusal:
        read(bundles._packed(parts), KEY.public_key())
    assert refusal.value.code == "unknown_schema"


def test_a_signature_that_contradicts_itself_is_not_sealed() -> None:
    twice = Signature((Field("x", "number"), Field("x", "number")), SIGNATURE.output)
    with pytest.raises(ValueError, match="two fields"):
        seal(b"onnx", twice, {"created_at": "2026"}, KEY)


@pytest.mark.parametrize(
    "manifest",
    [{}, {"created_at": 5}, {"created_at": "2026", "schema": 3}, {"created_at": "2026", "x": {1}}],
)
def test_a_manifest_that_cannot_be_stated_is_refused(manifest: dict[str, object]) -> None:
    with pytest.raises(BundleError) as refusal:
        seal(b"onnx", SIGNATURE, manifest, KEY)
    assert refusal.value.code == "bad_manifest"


def test_a_file_that_is_too_large_is_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "LARGEST_BUNDLE", len(SMALL.data) - 1)
    assert refusal_of(SMALL.data) == "too_large"
