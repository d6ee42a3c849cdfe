"""The one error family. Each error knows its HTTP status, its stable code and its sentence.

Verbs raise these; the edges (``portal.api`` for JSON, ``portal.views`` for pages) turn them into
one shape each. The JSON shape is RFC 9457 (``application/problem+json``).
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from berth.signature import Problem


class BerthError(Exception):
    """A refusal that a person or a program can act on.

    ``detail`` is one sentence for people; ``errors`` point at the parts of the input that are
    off (JSON pointers, RFC 6901); ``headers`` go out with the response.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(
        self,
        detail: str = "",
        *,
        code: str | None = None,
        errors: Sequence[Problem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.kind = code or self.code
        self.errors = list(errors)
        self.headers = dict(headers or {})

    def problem(self, *, instance: str, request_id: str) -> dict[str, Any]:
        """The RFC 9457 object for this error."""
        body: dict[str, Any] = {
            "type": f"/api/problems/{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "request_id": request_id,
        }
        if self.errors:
            body["errors"] = [problem.to_json() for problem in self.errors]
        return body


class BadRequest(BerthError):
    status, code, title = 400, "bad_request", "The request can't be read"


class Unauthenticated(BerthError):
    status, code, title = 401, "unauthenticated", "A valid key is needed"

    def __init__(self, detail: str = "", *, code: str | None = None) -> None:
        super().__init__(detail, code=code, headers={"WWW-Authenticate": 'Bearer realm="berth"'})


class Forbidden(BerthError):
    status, code, title = 403, "forbidden", "That is not allowed"


class NotFound(BerthError):
    """Missing, or another organisation's: the two answer alike on purpose."""

    status, code, title = 404, "not_found", "There is nothing here"

    def __init__(self, what: str = "object") -> None:
        super().__init__(f"There is no such {what}.")


class MethodNotAllowed(BerthError):
    status, code, title = 405, "method_not_allowed", "This address does not take that method"


class NotAcceptable(BerthError):
    status, code, title = 406, "not_acceptable", "That format is not offered"


class Conflict(BerthError):
    status, code, title = 409, "conflict", "That does not fit the present state"


class TooLarge(BerthError):
    status, code, title = 413, "too_large", "That is too large"


class UnsupportedMediaType(BerthError):
    status, code, title = 415, "unsupported_media_type", "That content type is not taken here"


class RangeNotSatisfiable(BerthError):
    """``size`` is the whole's, in bytes."""

    status, code, title = 416, "range_not_satisfiable", "There are no such bytes"

    def __init__(self, size: int) -> None:
        super().__init__(
            f"The range lies outside the {size:,} bytes that there are.",
            headers={"Content-Range": f"bytes */{size}"},
        )


class Invalid(BerthError):
    """Input that was read but does not fit; ``errors`` say where and why."""

    status, code, title = 422, "invalid", "Some of the input does not fit"

    @classmethod
    def field(cls, name: str, code: str, detail: str) -> "Invalid":
        """The common case: one field of a form or a JSON object is off."""
        return cls(detail, errors=[Problem(f"/{name}", code, detail)])


class RateLimited(BerthError):
    status, code, title = 429, "rate_limited", "Too many calls"

    def __init__(self, detail: str, retry_after: float) -> None:
        seconds = max(1, int(retry_after + 0.999))
        super().__init__(detail, headers={"Retry-After": str(seconds)})


class Unavailable(BerthError):
    status, code, title = 503, "unavailable", "This can't be answered just now"

    def __init__(self, detail: str = "", *, code: str | None = None, retry_after: int = 5) -> None:
        super().__init__(detail, code=code, headers={"Retry-After": str(retry_after)})
