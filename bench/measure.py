"""Commands, measured: wall seconds, CPU seconds, peak memory; repeated in turn, so that a noisy minute strikes all of them.

In: stages, each a command and how much work it does. Out: for each the medians of its rounds, and their spread. The CPU
seconds of a stage are those of its own processes; a server that it talks to has its own.
"""

import dataclasses
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time


@dataclasses.dataclass
class Stage:
    """A command to measure. Its work is counted in the section's unit; `prepare` runs before each round, unmeasured."""

    name: str
    command: list | str
    work: float
    prepare: object = None
    environment: dict = dataclasses.field(default_factory=dict)
    folder: object = None
    exit_codes: tuple = (0,)


class Clock:
    """Seconds that went into something, all in all. A block within a block counts once."""

    def __init__(self):
        self.seconds, self._depth, self._started = 0.0, 0, 0.0

    def __enter__(self):
        if self._depth == 0:
            self._started = time.monotonic()
        self._depth += 1

    def __exit__(self, *_):
        self._depth -= 1
        if self._depth == 0:
            self.seconds += time.monotonic() - self._started


# What is made once and found again by the next run, such as dumps and installed peers; and what profiles take.
PREPARING, PROFILING = Clock(), Clock()


class Failed(Exception):
    """A stage that ended with an exit code it may not end with, and the end of what it complained of."""

    def __init__(self, stage, code, complaint):
        super().__init__(f"{stage.name} failed with {code}: {complaint}")
        self.reason = next((line.strip() for line in reversed(complaint.splitlines()) if line.strip()), f"exit code {code}")


@dataclasses.dataclass
class Figures:
    """Medians of the rounds of a stage: wall and CPU in seconds, memory in MB; `spread` is the distance of the quartiles of
    its wall time over the median. `command` is what was run, as a shell takes it."""

    name: str
    work: float
    wall: float
    cpu: float
    memory: float
    spread: float
    rounds: int
    said: str = ""
    command: str = ""

    @property
    def rate(self):
        return self.work / self.wall

    @property
    def cpu_each(self):
        return self.cpu / self.work


def run(stage):
    """One round: what it says on stdout, wall seconds, CPU seconds, peak memory in MB."""
    if stage.prepare:
        stage.prepare()
    with tempfile.TemporaryFile() as complaints:
        started = time.monotonic()
        process = subprocess.Popen(
            stage.command, cwd=stage.folder, env={**os.environ, **stage.environment},
            shell=isinstance(stage.command, str), stdout=subprocess.PIPE, stderr=complaints,
        )
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in stage.exit_codes:
            complaints.seek(0)
            raise Failed(stage, process.returncode, complaints.read()[-2000:].decode(errors="replace"))
    return said.decode(errors="replace").strip(), wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def tell(progress):
    """On a terminal only, each time over the last."""
    if sys.stderr.isatty():
        print(f"\r\033[K{progress}", end="", file=sys.stderr, flush=True)


def interleaved(stages, rounds):
    """Figures of each stage, by name."""
    measured, said = {stage.name: [] for stage in stages}, {}
    for number in range(rounds):
        for stage in stages:
            tell(f"  round {number + 1} of {rounds}: {stage.name}")
            said[stage.name], *figures = run(stage)
            measured[stage.name].append(figures)
            tell("")
    return {stage.name: _figures(stage, measured[stage.name], said[stage.name]) for stage in stages}


def _figures(stage, measured, said):
    walls, cpus, memories = zip(*measured)
    wall = statistics.median(walls)
    cpu, memory = statistics.median(cpus), max(memories)
    return Figures(stage.name, stage.work, wall, cpu, memory, spread(walls), len(walls), said, as_text(stage.command, stage.folder))


def as_text(command, folder=None):
    """As a shell takes it, with the folder in which it is run."""
    text = command if isinstance(command, str) else shlex.join(str(word) for word in command)
    return f"(cd {folder}; {text})" if folder else text


def spread(walls):
    """The distance of the quartiles over the median."""
    if len(walls) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(walls, n=4, method="inclusive")
    return (high - low) / middle
