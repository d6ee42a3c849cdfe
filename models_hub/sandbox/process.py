"""A child in a sandbox: started in one of the forms, asked over a pipe, believed in nothing."""

import json
import os
import select
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from models_hub.formats import Refused
from models_hub.sandbox import layout
from models_hub.sandbox.forms import Form
from models_hub.sandbox.frames import BYTES, HEADER, JSON, Garbled, Reader, parse
from models_hub.sandbox.limits import Limits

FIRST = Path(__file__).with_name("first.py")
ENVIRONMENT = {
    "JOBLIB_MULTIPROCESSING": "0",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "POLARS_MAX_THREADS": "1",
}
CHUNK = 1 << 16
SECONDS_TO_DIE = 5.0

Message = tuple[bytes, bytes]


class NoSandbox(Exception):
    """No child can be started in the form in use: the machine's fault, never the upload's.

    Its text is a sentence for the operator.
    """


class Child:
    """One child; a context manager, at whose end the child and all its children are gone.

    It starts at once, imports what its job needs and waits. Then either, once,

        for kind, payload in child.messages(given): …

    which gives it all its input and listens until it ends; or, for a child that serves,

        child.receive(30)                      # what the job says by itself, if it does
        kind, payload = child.call(b"…", 2.0)  # one frame in, one frame out, as often as wanted
        kind, payload = child.call({"rows": 3}, 2.0)

    Between two calls it is stopped: who is not asked uses no processor.

    The job is a module below `models_hub` with `run(arguments, given, pipe)`: `arguments` as here,
    `given` the input as a binary stream (`frames.read` takes one frame off it, None at its end),
    `pipe` a binary stream to write frames to. Its module is imported before the last wall is up
    and must touch nothing hostile before `run`. In `arguments`, the names of `files` hold their
    paths inside, which can be opened for reading as often as wanted and nowhere else.

    A child belongs to the *thread* that starts it: when that thread ends the kernel kills the
    child, so start it where the thread lives as long. Its methods are for one thread at a time.

    Failures of the child are `Refused`, each a sentence for people: `inspection_timeout`,
    `inspection_out_of_time` (processor time), `inspection_crashed`, `inspection_too_talkative`,
    `inspection_garbled`. After any of them the child is useless: leave the context, and start
    another. `NoSandbox` is the host's failure: the walls could not be raised.
    """

    def __init__(
        self,
        job: str,
        arguments: Mapping[str, Any],
        limits: Limits,
        form: Form,
        files: Mapping[str, Path] | None = None,
    ) -> None:
        """Start `job`, a module's whole name, in `form`. Raises `NoSandbox`."""
        self.form, self._limits = form, limits
        self._ready, self._unsent = False, memoryview(b"")
        reading, writing = os.pipe()
        self._pipe = os.fdopen(reading, "rb", buffering=0)
        self._printed = bytearray()
        try:
            self._process = self._start(job, dict(arguments), dict(files or {}), writing)
        except OSError as error:
            self._pipe.close()
            raise NoSandbox(f"The sandbox {form.name} can't be started: {error}.") from error
        finally:
            os.close(writing)
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        self._selector = selectors.DefaultSelector()
        for stream in (self._pipe, self._process.stdout, self._process.stderr):
            assert stream is not None
            self._selector.register(stream, selectors.EVENT_READ)

    def _start(
        self, job: str, arguments: dict[str, Any], files: dict[str, Path], pipe: int
    ) -> "subprocess.Popen[bytes]":
        with ExitStack() as stack:
            python = [sys.executable, "-I", "-B", "-W", "ignore", str(FIRST)]
            start = self.form.start(stack, python, files)
            config = {
                **start.config,
                "arguments": {**arguments, **start.lent},
                "job": job,
                "limits": self._limits.rlimits(),
                "threads": self._limits.threads,
                "pipe": pipe,
                "roots": [str(root) for root in layout.ROOTS],
            }
            return subprocess.Popen(
                [*start.command, json.dumps(config)],
                cwd="/",
                env=ENVIRONMENT,
                pass_fds=[pipe, *start.inherited],
                start_new_session=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
            )

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """The process that was started: the child, or bubblewrap, which has the child inside."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet. Whoever has ended holds the pipe no more, which is seen
        even while bubblewrap, stopped with what it has inside, can't tell."""
        return self._process.poll() is None and not self._waiting(0) & select.POLLHUP

    def _waiting(self, events: int) -> int:
        """Which of the events, or POLLHUP, there are at the pipe just now."""
        poll = select.poll()
        poll.register(self._pipe, events)
        return sum(found for _, found in poll.poll(0))

    def _signal(self, number: int) -> None:
        """To the child and whatever it has inside. Once it has been waited for, its number may be
        somebody else's."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def end(self) -> None:
        """Kill it, and wait until nothing of it is left. May be called again."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._selector.close()
        self._await_the_last()
        for stream in (self._pipe, self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _await_the_last(self) -> None:
        """Whoever is left inside holds the pipe: its end is the end of them all."""
        if self._pipe.closed:
            return
        deadline = time.monotonic() + SECONDS_TO_DIE
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0 and selector.select(left):
                if not self._pipe.read(CHUNK):
                    return

    def messages(self, given: bytes = b"") -> Iterator[Message]:
        """Give the child all its input; yields its messages as they come.

        Ends when the child has ended by itself with success, which alone means nothing: the
        caller decides whether what it said is complete. Raises `Refused` and `NoSandbox`.
        """
        self._unsent = memoryview(given)
        yield from self._exchange(self._reader(), self._limits.wall, closing=True)
        self._check_end()

    def call(self, request: bytes | Mapping[str, Any], seconds: float) -> Message:
        """Send one frame (raw bytes, or a mapping as JSON) and wait for the one that answers it.

        The answer is hostile: `frames.parse` reads one of JSON. Raises `Refused`, `NoSandbox`.
        """
        kind = BYTES if isinstance(request, bytes) else JSON
        body = request if isinstance(request, bytes) else json.dumps(dict(request)).encode()
        if self._ready and self._spoke_unasked():
            raise self._failed("garbled", "The model's process answered more than once.")
        self._unsent = memoryview(HEADER.pack(kind, len(body)) + body)
        self._signal(signal.SIGCONT)
        answer = self.receive(seconds)
        self._signal(signal.SIGSTOP)
        return answer

    def _spoke_unasked(self) -> bool:
        """Whether something waits in the pipe that would be taken for the next answer."""
        return bool(self._waiting(select.POLLIN)) and bool(self._pipe.read(CHUNK))

    def receive(self, seconds: float) -> Message:
        """Wait for one frame, and for none behind it. Raises `Refused` and `NoSandbox`."""
        reader = self._reader()
        self._printed.clear()
        for message in self._exchange(reader, seconds, closing=False):
            if reader.holds_more:
                raise self._failed("garbled", "The model's process answered more than once.")
            return message
        self._check_end()
        raise self._failed("crashed", "The model's process ended without an answer.")

    def _reader(self) -> Reader:
        return Reader(self._limits.result, self._limits.json)

    def _exchange(self, reader: Reader, seconds: float, closing: bool) -> Iterator[Message]:
        """Messages, but for the first program's word, until the child closes its streams."""
        try:
            for chunk in self._chunks(time.monotonic() + seconds, seconds, closing):
                for kind, payload in reader.feed(chunk):
                    if self._ready:
                        yield kind, payload
                    elif kind == JSON and parse(payload) == {"event": "ready"}:
                        self._ready = True
                    else:
                        raise Garbled("it began with something else")
        except Garbled as error:
            text = f"The inspection gave no usable result: {error}."
            raise self._failed("garbled", text) from error

    def _chunks(self, deadline: float, seconds: float, closing: bool) -> Iterator[bytes]:
        """The result's bytes as they come, until the child closes its three streams. Meanwhile
        what is unsent goes in, and with `closing` nothing ever after. How long the caller takes
        over them is not the child's time."""
        self._await_input(closing)
        while self._selector.get_map():
            events = self._selector.select(max(deadline - time.monotonic(), 0))
            if not events:
                raise self._failed("timeout", f"The inspection took longer than {seconds:g} s.")
            for key, mask in events:
                if mask & selectors.EVENT_WRITE:
                    self._send(closing)
                elif not (chunk := os.read(key.fd, CHUNK)):
                    self._selector.unregister(key.fileobj)
                elif key.fileobj is self._pipe:
                    since = time.monotonic()
                    yield chunk
                    deadline += time.monotonic() - since
                else:
                    self._note(chunk)

    def _note(self, chunk: bytes) -> None:
        self._printed += chunk
        if len(self._printed) > self._limits.output:
            raise self._failed("too_talkative", "The inspection printed too much.")

    def _await_input(self, closing: bool) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        if self._unsent:
            self._selector.register(stdin, selectors.EVENT_WRITE)
        elif closing:
            stdin.close()

    def _send(self, closing: bool) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            self._unsent = self._unsent[os.write(stdin.fileno(), self._unsent) :]
        except BrokenPipeError:  # it ended; how, is seen at the other end
            self._unsent = memoryview(b"")
        if not self._unsent:
            self._selector.unregister(stdin)
            if closing:
                stdin.close()

    def _check_end(self) -> None:
        """The child closed its streams: how did it end?"""
        try:
            code = self.form.exit_code(self._process.wait(SECONDS_TO_DIE))
        except subprocess.TimeoutExpired as error:
            raise self._failed("timeout", "The inspection said all and did not end.") from error
        if not self._ready:
            raise self._failed("", "")
        if code == -signal.SIGXCPU:
            raise self._failed("out_of_time", "The inspection used up its processor time.")
        if code:
            how = f"by signal {-code}" if code < 0 else f"with code {code}"
            text = f"The inspection ended {how}: the file is damaged or too large."
            raise self._failed("crashed", text)

    def _failed(self, how: str, text: str) -> Exception:
        """The exception for a child that failed; before it was ready, nothing of an upload had
        been read, so that was no upload's doing."""
        if self._ready:
            return Refused(f"inspection_{how}", text)
        said = self._printed.decode(errors="replace").strip().splitlines()[-1:]
        reason = said[0][:300] if said else f"it did not start within {self._limits.wall:g} s"
        return NoSandbox(f"The sandbox {self.form.name!r} does not start: {reason}")
