"""What each problem's ``type`` means. The page at ``/api/problems`` is made from this."""

from dataclasses import dataclass

from portal import errors


@dataclass(frozen=True, slots=True)
class Explained:
    """A problem: the HTTP status it comes with, and what it means and asks for."""

    status: int
    meaning: str


PROBLEMS: dict[str, Explained] = {
    "bad_request": Explained(400, "The request can't be read at all."),
    "bad_json": Explained(
        400, "The body is not JSON. NaN and Infinity are not JSON either: send null or leave it."
    ),
    "repeated_name": Explained(
        400, "A name stands twice in one JSON object, so it is not known which value was meant."
    ),
    "unauthenticated": Explained(
        401, "A valid key is needed: “Authorization: Bearer sk_…”. It may be mistyped or revoked."
    ),
    "forbidden": Explained(403, "The key lacks the scope that this call needs, or is publishable."),
    "not_found": Explained(
        404, "There is no such thing, or it belongs to another organisation: both look alike."
    ),
    "method_not_allowed": Explained(
        405, "The address does not take this method; the header Allow names those it takes."
    ),
    "not_acceptable": Explained(406, "That format is not offered."),
    "conflict": Explained(409, "The request does not fit the present state."),
    "slug_taken": Explained(409, "There is one with this slug already: choose another."),
    "not_ready": Explained(409, "The version is still being inspected, or was refused."),
    "not_certified": Explained(
        409, "The version does not answer alike in all architectures, so it can't go live."
    ),
    "not_refused": Explained(409, "Only the file of a version that was refused can be deleted."),
    "nothing_live": Explained(409, "No version of the model is live: promote one first."),
    "nothing_before": Explained(409, "No other version was live before, so there is no way back."),
    "deployment_off": Explained(409, "The model is switched off in this architecture."),
    "architecture_unavailable": Explained(
        409, "This installation does not offer the architecture yet."
    ),
    "browser_closed": Explained(
        409,
        "The version can't run in a browser, and widgets promise to answer there: “detail” says why"
        " and what to do.",
    ),
    "own_code_off": Explained(
        409,
        "The version runs its own code, and that is switched off on this installation or in the"
        " organisation's settings.",
    ),
    "feed_rewound": Explained(
        409,
        "“after” lies beyond the feed's newest line: this installation was restored from an older"
        " backup. Forget what you read and start again from 0.",
    ),
    "job_ended": Explained(409, "The job has ended already."),
    "job_not_ended": Explained(
        409, "The job has not ended yet: ask again when it has, or cancel it first."
    ),
    "inputs_gone": Explained(
        409, "The job's file is not kept any more, so it can't go on: send it as a new job."
    ),
    "too_many": Explained(409, "The organisation has as many of these as it may: delete one."),
    "webhook_off": Explained(409, "The webhook is switched off: switch it on first."),
    "delivery_pending": Explained(409, "The message is on its way already."),
    "nothing_failed": Explained(409, "No row of this job failed: there is nothing to retry."),
    "account_exists": Explained(409, "There is an account with this e-mail address already."),
    "already_member": Explained(409, "This person is a member already."),
    "last_owner": Explained(409, "An organisation keeps at least one owner."),
    "too_large": Explained(413, "The body, or a file in it, is larger than what is taken."),
    "quota": Explained(
        413, "The organisation's storage is full: delete something or ask for more."
    ),
    "unsupported_media_type": Explained(
        415, "The content type is not taken here: send application/json, or a multipart form."
    ),
    "range_not_satisfiable": Explained(
        416, "The range lies outside the file; the header Content-Range says how large it is."
    ),
    "invalid": Explained(
        422, "The input was read and does not fit; “errors” names each place and what is wrong."
    ),
    "bad_key": Explained(422, "The Idempotency-Key is too long."),
    "idempotency_key_reused": Explained(
        422, "This Idempotency-Key was sent with another request before: use a new one."
    ),
    "bad_journal": Explained(422, "The body holds no whole record of a model server's journal."),
    "bad_name": Explained(422, "The header X-Journal-Name must be a UUID."),
    "foreign_record": Explained(
        422, "No record of the journal is of an organisation that the key speaks for."
    ),
    "no_prediction": Explained(422, "The model has no finite answer for these rows."),
    "rate_limited": Explained(
        429, "Too many calls: the header Retry-After says in how many seconds to come again."
    ),
    "unavailable": Explained(503, "This can't be answered just now: try again soon."),
    "too_many_waiting": Explained(503, "Too many calls wait for the feed: ask again soon."),
    "journal_unavailable": Explained(
        503, "The answer could not be put on record, so it was not given. Try again soon."
    ),
    "sandbox_unavailable": Explained(
        503,
        "For want of a sandbox, files that can bring code are not opened on this server, and models"
        " that run natively do not answer: “detail” says why. Upload ONNX meanwhile, or tell"
        " whoever runs this installation.",
    ),
    "native_busy": Explained(
        503, "The models that run natively are busy: Retry-After says when to come again."
    ),
    "native_failed": Explained(
        503,
        "The model runs natively, and its process died, took too long or does not start. The next"
        " call starts it anew.",
    ),
    "corrupt": Explained(
        503, "What is stored is not what was stored once. Tell whoever runs this installation."
    ),
    "internal": Explained(
        500, "A fault of ours. It is logged under the request's id: report that."
    ),
}

# The titles of the statuses, as the problems themselves bear them.
TITLES: dict[int, str] = {
    error.status: error.title
    for error in (
        errors.BadRequest,
        errors.Unauthenticated,
        errors.Forbidden,
        errors.NotFound,
        errors.MethodNotAllowed,
        errors.NotAcceptable,
        errors.Conflict,
        errors.TooLarge,
        errors.UnsupportedMediaType,
        errors.RangeNotSatisfiable,
        errors.Invalid,
        errors.RateLimited,
        errors.Unavailable,
        errors.BerthError,
    )
}
