"""Which architecture of deployment fits: three questions, one answer with its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """One of the three. ``choices``: (value, what it says)."""

    name: str
    text: str
    choices: tuple[tuple[str, str], ...]


QUESTIONS = (
    Question(
        "wait",
        "Is the answer needed while the applicant waits?",
        (("yes", "Yes, at once"), ("no", "No, it may come later")),
    ),
    Question(
        "public",
        "May the model’s file be public?",
        (("no", "No, it stays with us"), ("yes", "Yes, anybody may have it")),
    ),
    Question(
        "runner",
        "Who runs the application that asks?",
        (
            ("nobody", "Nobody: a careers page with the form, or a website that calls the API"),
            ("us", "We do: an application of our own that can load the model"),
            ("servers", "A platform team: many applications or heavy traffic"),
        ),
    ),
)

#: Where the data goes, what must be up for a prediction, who scales it, what a new version takes.
DESIGN: Mapping[str, tuple[str, str, str, str]] = {
    "embedded": (
        "To this portal, which keeps a record",
        "This portal; its database may be away for a while",
        "Whoever runs this portal",
        "Promote it",
    ),
    "browser": (
        "Nowhere: the applicant’s device computes",
        "The applicant’s device; once the page is loaded, nothing else",
        "Nobody: each applicant brings a device",
        "Promote it; pages opened afterwards load it",
    ),
    "dedicated": (
        "To the model servers, which ship their record here",
        "One model server; neither this portal nor its database",
        "Whoever runs the servers: more of them, anywhere",
        "Promote it; the servers follow the feed",
    ),
    "published": (
        "Nowhere: it stays in your application",
        "Your application alone",
        "You, with your application",
        "Promote it; your application follows the feed and swaps",
    ),
    "offline": (
        "Into the predictions database, here",
        "For the job: the workers. Afterwards: the database",
        "Whoever runs this portal: more workers",
        "Promote it; the next job uses it, and old ones can be scored again",
    ),
}

_FITS = {
    "embedded": "Nothing has to be installed or run: this portal answers each call.",
    "browser": "The model may be public, so the applicant’s own device can answer, and what they"
    " type stays there.",
    "dedicated": "Servers of their own can be scaled for the traffic, and answer while this portal"
    " is away.",
    "published": "Your own application can hold the model: no call leaves it, and it answers while"
    " all else is down.",
    "offline": "Nobody waits, so whole files are scored by workers, and can be verified later"
    " against what turned out true.",
}
_WISHES: Mapping[str, tuple[str, ...]] = {
    "nobody": ("embedded",),
    "us": ("published", "embedded"),
    "servers": ("dedicated", "embedded"),
}


@dataclass(frozen=True, slots=True)
class Recommendation:
    """``name`` fits, because of ``reason``; ``passed_over`` would fit better and says why it
    can't be had."""

    name: str
    reason: str
    passed_over: tuple[tuple[str, str], ...] = ()


def recommend(answers: Mapping[str, str], closed: Mapping[str, str]) -> Recommendation:
    """What fits the answers, by the questions' names.

    ``closed``: why a version can't be had in an architecture, for those where it can't.
    """
    wishes = _wishes(answers)
    fits = next((name for name in wishes if name not in closed), wishes[-1])
    better = wishes[: wishes.index(fits)]
    return Recommendation(fits, _FITS[fits], tuple((name, closed[name]) for name in better))


def _wishes(answers: Mapping[str, str]) -> tuple[str, ...]:
    """The architectures that fit, the best one first; the last can always be had."""
    if answers["wait"] == "no":
        return ("offline",)
    wishes = _WISHES[answers["runner"]]
    in_browser = answers["public"] == "yes" and answers["runner"] == "nobody"
    return ("browser", *wishes) if in_browser else wishes
