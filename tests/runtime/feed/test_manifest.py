"""A line of the feed: sealed by the portal, read by whoever follows it."""

import base64
import json
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from berth.bundle import Bundle
from berth.feed.manifest import DOMAIN, Manifest, ManifestError, public_key, sealed
from tests.runtime.feed.lines import line, withdrawn


def test_what_was_sealed_reads_as_it_was(bundle: Bundle, key: Ed25519PrivateKey) -> None:
    document = sealed(line(bundle, offset=12, version=3), key)
    manifest = Manifest.read(orjson.dumps(document), key.public_key())
    assert (manifest.key, manifest.offset, manifest.version) == (("acme", "pay"), 12, 3)
    assert (manifest.sha256, manifest.size) == (bundle.sha256, len(bundle.data))
    assert manifest.signature == bundle.signature
    assert manifest.document == document
    assert manifest.serves("published")
    assert not manifest.serves("dedicated")


def test_a_withdrawn_model_is_served_nowhere(key: Ed25519PrivateKey) -> None:
    manifest = Manifest.read(sealed(withdrawn(offset=13), key), key.public_key())
    assert manifest.version is None
    assert manifest.signature is None
    assert not manifest.serves("published")


@pytest.mark.parametrize("name", ["version", "sha256", "offset", "model", "address", "new"])
def test_no_word_of_it_can_be_changed(name: str, bundle: Bundle, key: Ed25519PrivateKey) -> None:
    document = sealed({**line(bundle, offset=1), "new": "x"}, key)
    changed = {"version": 2, "sha256": "0" * 64, "offset": 2}.get(name, "other")
    with pytest.raises(ManifestError) as caught:
        Manifest.read({**document, name: changed}, key.public_key())
    assert caught.value.code == "forged"


@pytest.mark.parametrize("seal", [None, "", "?", "AAAA", 7, "é"])
def test_no_seal_and_no_sense_in_it_is_forged(
    seal: Any, bundle: Bundle, key: Ed25519PrivateKey
) -> None:
    with pytest.raises(ManifestError) as caught:
        Manifest.read({**line(bundle, offset=1), "seal": seal}, key.public_key())
    assert caught.value.code == "forged"


def test_a_document_nested_without_end_is_forged(bundle: Bundle, key: Ed25519PrivateKey) -> None:
    deep = '{"x":' * 900 + "1" + "}" * 900
    text = json.dumps({**line(bundle, offset=1), "seal": "AAAA"})[:-1] + f', "deep": {deep}}}'
    with pytest.raises(ManifestError) as caught:
        Manifest.read(text, key.public_key())
    assert caught.value.code == "forged"


def test_the_seal_of_another_document_of_the_installation_does_not_do(
    bundle: Bundle, key: Ed25519PrivateKey
) -> None:
    plain = line(bundle, offset=1)
    alien = base64.b64encode(key.sign(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS))).decode()
    with pytest.raises(ManifestError, match="not signed"):
        Manifest.read({**plain, "seal": alien}, key.public_key())
    assert DOMAIN.endswith(b"\n")


def test_the_seal_holds_however_a_database_spells_the_numbers(
    bundle: Bundle, key: Ed25519PrivateKey
) -> None:
    document = line(bundle, offset=1)
    document["signature"]["inputs"][0] |= {"minimum": -2.0, "maximum": 1e16}
    text = json.dumps(sealed(document, key)).replace("-2.0", "-2").replace("1e+16", "1" + "0" * 16)
    assert f'"maximum": 1{"0" * 16}' in text
    assert Manifest.read(text, key.public_key()).signature is not None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"schema": 2}, "unknown_schema"),
        ({"offset": 0}, "bad_manifest"),
        ({"offset": True}, "bad_manifest"),
        ({"model": ""}, "bad_manifest"),
        ({"architectures": "published"}, "bad_manifest"),
        ({"sha256": "../../etc/passwd"}, "bad_manifest"),
        ({"sha256": None}, "bad_manifest"),
        ({"size": 1 << 40}, "bad_manifest"),
        ({"signature": {"inputs": []}}, "bad_manifest"),
        ({"address": 7}, "bad_manifest"),
    ],
)
def test_it_neither_seals_nor_reads_what_makes_no_sense(
    change: dict[str, Any], code: str, bundle: Bundle, key: Ed25519PrivateKey
) -> None:
    document = {**line(bundle, offset=1), **change}
    for refuse in (lambda: sealed(document, key), lambda: Manifest.read(document, None)):
        with pytest.raises(ManifestError) as caught:
            refuse()
        assert caught.value.code == code


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"null"])
def test_what_is_no_object_is_no_manifest(text: bytes) -> None:
    with pytest.raises(ManifestError) as caught:
        Manifest.read(text, None)
    assert caught.value.code == "bad_manifest"


def test_a_public_key_is_read_as_the_portal_shows_it(key: Ed25519PrivateKey) -> None:
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert public_key(base64.b64encode(raw).decode()) == key.public_key()
    with pytest.raises(ValueError, match="32 bytes"):
        public_key("c2hvcnQ=")
