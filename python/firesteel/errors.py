"""What can go wrong in the Python package, one class per kind.

The engine's own conditions (``UNKNOWN_KEY``, ``UNKNOWN_COLUMN``, ...) keep their names and their words; Python
adds a hint where it knows one and never hides the cause. All of them derive from :class:`FiresteelError`.
"""

from __future__ import annotations

import re

__all__ = [
    "FiresteelError",
    "FitError",
    "JarNotFoundError",
    "NotInstalledError",
    "PipelineError",
    "VersionMismatchError",
]


class FiresteelError(Exception):
    """Base of every error that this package raises.

    Attributes
    ----------
    condition : str
        Stable name of what happened, such as ``JAR_NOT_FOUND``.
    """

    def __init__(self, condition: str, message: str) -> None:
        self.condition = condition
        super().__init__(message if message.startswith(condition) else f"{condition}: {message}")


class FitError(FiresteelError):
    """A column that :func:`firesteel.fit_scalers` or :func:`firesteel.fit_one_hot` can't learn from."""

    def __init__(self, message: str) -> None:
        super().__init__("BAD_FIT", message)


class JarNotFoundError(FiresteelError):
    """No Firesteel jar where this package looks for one; the message lists the places."""

    def __init__(self, message: str) -> None:
        super().__init__("JAR_NOT_FOUND", message)


class NotInstalledError(FiresteelError):
    """The session runs without Firesteel's SQL functions.

    Raised by :meth:`firesteel.Pipeline.transform` on a session that was started before
    :func:`firesteel.configure` was called, since extensions are read once, when a session starts.
    """

    def __init__(self, message: str) -> None:
        super().__init__("NOT_INSTALLED", message)


class VersionMismatchError(FiresteelError):
    """The wheel and the jar on the session's class path are of different versions."""

    def __init__(self, wheel: str, jar: str) -> None:
        self.wheel = wheel
        self.jar = jar
        super().__init__(
            "VERSION_MISMATCH",
            f"the Python package is {wheel}, the jar on this session's class path is {jar}. "
            f'Type: pip install "firesteel=={jar}", or start the session with the jar of {wheel}',
        )


class PipelineError(FiresteelError):
    """A pipeline was refused before anything ran: a fault in the file, a column or a model that does not fit.

    The text is the engine's own, one line per fault. A fault in the file has its place in front:
    ``file:line:column: CONDITION: key: what is wrong (what to write instead)``.

    Attributes
    ----------
    faults : tuple of str
        The lines, in file order. Empty if the text is none of the engine's.
    """

    _FAULT = re.compile(r"^(?:[^\n]*?:\d+:\d+: )?(?P<condition>[A-Z][A-Z_]+): .*$", re.MULTILINE)

    def __init__(self, message: str) -> None:
        found = list(self._FAULT.finditer(message))
        self.faults: tuple[str, ...] = tuple(match.group().strip() for match in found)
        # FiresteelError's own text would name the first condition twice.
        Exception.__init__(self, "\n".join(self.faults) if found else message)
        self.condition = found[0]["condition"] if found else "PIPELINE_REFUSED"
