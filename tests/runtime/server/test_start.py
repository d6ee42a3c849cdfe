"""How a server process starts."""

import asyncio
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from berth.server.options import Options
from berth.server.process import Process


def test_news_is_followed_only_once_it_must_answer_its_golden_rows(
    tmp_path: Path, key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gc.freeze", lambda: None)
    options = Options("http://127.0.0.1:1", "st_test", str(tmp_path), figures=str(tmp_path))
    process = Process(options, key.public_key())
    lenient: list[bool] = []
    for thread in process.follower._threads:
        monkeypatch.setattr(thread, "start", lambda: lenient.append(process.target.starting))
    loop = asyncio.new_event_loop()
    process.__rsgi_init__(loop)
    process.__rsgi_del__(loop)
    loop.close()
    assert lenient
    assert not any(lenient)
