"""The harness keeps its promise: what it starts ends with its block, and even with a killed parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.harness.process import Program, ProgramError, sigterm_as_exit
from tests.support.places import ROOT

#: Starts a guarded sleep, writes the sleeper's process id, and waits.
PARENT = """
import sys, time
from pathlib import Path
from tests.harness.process import Program, sigterm_as_exit
folder = Path(sys.argv[1])
shell = f"echo $$ > {folder}/pid.new; mv {folder}/pid.new {folder}/pid; exec sleep 300"
with sigterm_as_exit(), Program("a sleeper", ["sh", "-c", shell], folder / "log"):
    time.sleep(300)
"""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition: object, seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if callable(condition) and condition():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_program_ends_with_its_parent_whatever_ended_that(number: signal.Signals, tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        assert wait_for((tmp_path / "pid").exists)
        child = int((tmp_path / "pid").read_text())
        assert is_alive(child)
        parent.send_signal(number)
        parent.wait(30)
        assert wait_for(lambda: not is_alive(child)), "the program outlived its parent"
    finally:
        parent.kill()


def test_a_program_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    shell = "trap '' TERM; echo started; while :; do sleep 0.1; done"
    program = Program("a stubborn one", ["sh", "-c", shell], tmp_path / "log", grace_s=0.5)
    assert wait_for(lambda: "started" in program.tail())
    program.stop()
    assert program.status == 128 + signal.SIGKILL


def test_the_exit_status_and_output_are_the_programs(tmp_path: Path) -> None:
    with Program("a short one", ["sh", "-c", "echo words; exit 7"], tmp_path / "log") as program:
        assert program.wait(10) == 7
        assert program.tail() == "words"
    with (
        Program("a long one", ["sh", "-c", "echo words; sleep 60"], tmp_path / "log2") as program,
        pytest.raises(ProgramError, match=r"a long one still runs after 1 s\nwords"),
    ):
        program.wait(1)


def test_sigterm_becomes_an_exit_only_inside_the_block() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def ask_to_stop() -> None:
        with sigterm_as_exit():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    with pytest.raises(SystemExit) as exit_info:
        ask_to_stop()
    assert exit_info.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before
