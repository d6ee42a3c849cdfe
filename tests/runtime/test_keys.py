"""The text of keys: told from noise without a question to anybody."""

import pytest

from berth.keys import NoKey, digest, id_of, matches, new_publishable, new_secret, new_token


@pytest.mark.parametrize("made", [new_secret(), new_token(), new_publishable()])
def test_a_keys_id_is_in_its_text(made: tuple[str, str]) -> None:
    id_, text = made
    assert id_of(text) == id_
    assert matches(text, digest(text))
    assert not matches(f"{text}x", digest(text))


def test_a_mistyped_key_is_told_from_a_key() -> None:
    _, text = new_secret()
    other = "a" if text[20] != "a" else "b"
    for wrong in (
        text[:20] + other + text[21:],
        text[:-1],
        f"xk{text[2:]}",
        "",
        "sk__",
        "é" + text,
    ):
        with pytest.raises(NoKey):
            id_of(wrong)
