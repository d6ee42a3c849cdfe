"""The one error of the protocol: a status and a sentence, `{"error": "…"}` outside."""

from collections.abc import Sequence

from berth.problems import Problem

_MOST_TOLD = 5


class ProtocolError(Exception):
    """A call that is not answered; `headers` go with the answer (Allow, Retry-After …)."""

    def __init__(self, status: int, detail: str, *headers: tuple[str, str]) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def bad(detail: str) -> ProtocolError:
    """400: the request can't be read, or doesn't fit the model."""
    return ProtocolError(400, detail)


def unfit(problems: Sequence[Problem]) -> ProtocolError:
    """400 for inputs that don't fit the signature: each place, `column/row`, and what is wrong."""
    told = [f"{place(problem)}: {problem.detail}" for problem in problems[:_MOST_TOLD]]
    more = len(problems) - len(told)
    return bad(" ".join(told) + (f" And {more} more." if more > 0 else ""))


def place(problem: Problem) -> str:
    """Where in the inputs a problem lies: `column/row`."""
    return problem.pointer.removeprefix("/columns").removeprefix("/") or "inputs"
