"""How a text file is to be read: what its sender says of it, or what was found out.

Apart from the readers, whose polars the web processes do without.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

#: What a caller may name, and Python's name of it.
ENCODINGS = {
    "utf-8": "utf-8",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "windows-1250": "cp1250",
    "windows-1251": "cp1251",
    "windows-1252": "cp1252",
    "iso-8859-1": "latin-1",
    "iso-8859-2": "iso8859-2",
    "iso-8859-15": "iso8859-15",
    "macintosh": "mac-roman",
    "shift_jis": "cp932",
    "gb18030": "gb18030",
    "big5": "cp950",
    "euc-kr": "cp949",
}
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
DECIMALS = (".", ",")


@dataclass(frozen=True, slots=True)
class Options:
    """``delimiter``: a sign out of DELIMITERS. ``encoding``: out of ENCODINGS.
    ``decimal``: out of DECIMALS. An empty one is found out from the file."""

    delimiter: str = ""
    encoding: str = ""
    decimal: str = ""

    def to_json(self) -> dict[str, str]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, str]) -> "Options":
        """What ``to_json`` made; what it lacks is to be found out."""
        return cls(**document)

    @property
    def in_words(self) -> str:
        """As people say it: “Windows-1252, columns parted by semicolon, decimal comma”."""
        names = {sign: name for name, sign in DELIMITERS.items()}
        delimiter = names.get(self.delimiter, "")
        parts = [
            self.encoding.upper() if self.encoding.startswith("utf") else self.encoding.title(),
            f"columns parted by {delimiter}" if delimiter else "",
            {".": "decimal point", ",": "decimal comma"}.get(self.decimal, ""),
        ]
        return ", ".join(filter(None, parts))
