"""What the sandbox's walls cost: a child that starts, imports and ends, in each form."""

import time
from statistics import median

from models_hub.sandbox.forms import FORMS
from models_hub.sandbox.limits import Limits
from models_hub.sandbox.process import Child, NoSandbox

JOB = "models_hub.sandbox.judging"  # what each inspection starts; given nothing, it says so


def measure(rounds: int) -> dict[str, float]:
    """Median seconds by form, of those that this machine has; the forms take turns."""
    seconds: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, form in FORMS.items():
            started = time.perf_counter()
            try:
                with Child(JOB, {}, Limits(), form) as child:
                    list(child.messages())
            except NoSandbox:
                continue
            seconds.setdefault(name, []).append(time.perf_counter() - started)
    return {name: median(each) for name, each in seconds.items()}
