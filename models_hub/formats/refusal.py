"""Why an upload is not taken: one exception, a stable code and a sentence for a person."""


class Refused(Exception):
    """The upload is refused.

    `code` is stable, lower case, and part of the API; `detail` is one sentence or two that say
    what is wrong and what to do about it. `figures` are numbers that a report shows beside it.
    """

    def __init__(self, code: str, detail: str, figures: dict[str, object] | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.figures = figures or {}
