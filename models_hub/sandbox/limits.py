"""What one child may use."""

from dataclasses import dataclass

SERVING_BYTES = 1_536 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds.

    `memory` is address space; `serving` that of a process that is to serve, of which there are
    several at a time. `cpu` None is no limit of processor time, for a child that serves until it
    is ended. `output` bounds what is printed, `result` what is answered: both to one question, or
    to the only one. `json` bounds each message of JSON in the answer.
    """

    wall: float = 120.0
    cpu: int | None = 100
    memory: int = 3 << 30
    serving: int = SERVING_BYTES
    threads: int = 32
    open_files: int = 64
    output: int = 1 << 16
    result: int = 256 << 20
    json: int = 32 << 20

    def rlimits(self) -> dict[str, int]:
        """By the names of `resource`, without RLIMIT_. Threads are counted otherwise."""
        limits = {
            "AS": self.memory,
            "NOFILE": self.open_files,
            "FSIZE": 0,
            "CORE": 0,
            "MEMLOCK": 0,
            "MSGQUEUE": 0,
        }
        return limits if self.cpu is None else {**limits, "CPU": self.cpu + 1}
