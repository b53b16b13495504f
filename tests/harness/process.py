"""Programs that end when they should: with their `with` block, on Ctrl-C and SIGTERM, or with a killed parent."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

import psutil

from . import guard

#: What a program gets between SIGTERM and SIGKILL, in seconds.
GRACE_S = 20.0


class ProgramError(Exception):
    """A program did not start or did not end as it should; the message holds the end of its output."""


class Program:
    """A running program, its output in a file. Use it as a context manager, or call `stop`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        grace_s: float = GRACE_S,
    ) -> None:
        self.name = name
        self.log = log
        self._grace_s = grace_s
        with log.open("ab") as sink:
            self._guard = subprocess.Popen(
                [sys.executable, "-S", str(Path(guard.__file__).resolve()), str(grace_s), *command],
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def status(self) -> int | None:
        """Exit status, or None while the program runs."""
        return self._guard.poll()

    def wait(self, timeout_s: float) -> int:
        """Wait for the program's own end and return its exit status."""
        try:
            return self._guard.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ProgramError(f"{self.name} still runs after {timeout_s:.0f} s\n{self.tail()}") from None

    def stop(self) -> None:
        """End the program: SIGTERM, a grace period, SIGKILL. Does nothing to one that has ended."""
        # A stopped program would not hear SIGTERM.
        self.resume()
        if self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.close()
        try:
            self._guard.wait(self._grace_s + 10)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait(10)

    def kill(self) -> None:
        """SIGKILL to the program and all its children at once, with no chance to tidy up."""
        self._signal(signal.SIGKILL)
        self.wait(30)

    def pause(self) -> None:
        """SIGSTOP to the program and its children: they keep what they hold and do nothing until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT to the program and its children."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        # The guard runs the program in a session of its own, so its group holds no one else.
        with contextlib.suppress(psutil.NoSuchProcess):
            for program in psutil.Process(self._guard.pid).children():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(program.pid, number)

    def tail(self, lines: int = 25) -> str:
        """The last lines of the program's output."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextlib.contextmanager
def sigterm_as_exit() -> Iterator[None]:
    """Inside the block SIGTERM raises SystemExit, so that `with` blocks clean up; it would end Python at once."""

    def on_sigterm(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, on_sigterm)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
