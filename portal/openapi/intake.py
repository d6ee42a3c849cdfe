"""What a file is before a job is made of it: how it is read, tried and found."""

from portal.openapi.schemas import MOMENT, Schema, or_null, record, ref, text, whole, yes_or_no

# As workers.options has them; a test holds the two together.
DELIMITERS = ["comma", "semicolon", "tab", "pipe"]
DECIMALS = [".", ","]
ENCODINGS = [
    "utf-8", "utf-16", "utf-16le", "utf-16be", "windows-1250", "windows-1251", "windows-1252",
    "iso-8859-1", "iso-8859-2", "iso-8859-15", "macintosh", "shift_jis", "gb18030", "big5",
    "euc-kr",
]  # fmt: skip

ORDER: dict[str, Schema] = {
    "key": text("The name of your own id column."),
    "version": whole("A version's number; without it the live one."),
    "encoding": text("Found out where it is not named.", enum=["auto", *ENCODINGS]),
    "delimiter": text("Of CSV.", enum=["auto", *DELIMITERS]),
    "decimal": text("The decimal sign in CSV.", enum=["auto", *DECIMALS]),
    "retry_of": text("The job whose failed rows these are, mended.", format="uuid"),
}

SCHEMAS: dict[str, Schema] = {
    "Reading": record(
        {
            "encoding": text(),
            "delimiter": text("The sign itself."),
            "decimal": text("The sign itself."),
        },
        "encoding",
        "delimiter",
        "decimal",
    ),
    "DryRun": record(
        {
            "rows_read": whole(),
            "rows_good": whole("Rows that fit the signature; the model itself is not asked."),
            "rows_bad": whole(),
            "complete": yes_or_no("Whether the whole file was read, and not only its beginning."),
            "reading": ref("Reading"),
            "columns": {
                "type": "array",
                "items": record(
                    {
                        "name": text(),
                        "kind": text(enum=["number", "integer", "boolean", "text", "empty"]),
                        "example": or_null(text()),
                    }
                ),
            },
            "mapping": {
                "type": "object",
                "additionalProperties": text(),
                "description": "By an input's name the column that is taken for it.",
            },
            "missing": {"type": "array", "items": text("An input that has no column.")},
            "suggestions": {
                "type": "object",
                "additionalProperties": text(),
                "description": "By such an input's name a column that may be meant: say so in"
                " `columns`.",
            },
            "problems": {
                "type": "array",
                "description": "Of the first bad rows, the first problem each.",
                "items": record(
                    {"row": whole(), "pointer": text(), "code": text(), "detail": text()}
                ),
            },
            "error": or_null(ref("Refusal")),
        }
    ),
    "Incoming": record(
        {
            "folder": text("Where you put them."),
            "items": {
                "type": "array",
                "items": record({"source": text(), "size": whole(), "modified": MOMENT}),
            },
            "next": {"type": "null"},
        }
    ),
}
