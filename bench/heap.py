"""What a stage's memory is at its peak: heap that heaptrack has seen allocated, by the function that wanted it, beside what
was resident by the kernel's account. A profile of time wouldn't explain memory.

In: a stage that is one program, which is run twice more. Out: MB, the largest first. Without heaptrack the kernel's account
is all there is.
"""

import collections
import dataclasses
import os
import re
import subprocess
import time

import measure
import peers
import servers
import symbols

TRACE, STACKS = servers.FOLDER / "heaptrack", servers.FOLDER / "heaptrack.stacks"
POLL_SECONDS, MOST_ROWS = 0.05, 25
# Who asks for memory on behalf of somebody else; and what has no name.
GENERAL = ("0x", "alloc::", "core::", "std::", "hashbrown::", "__rust", "__rdl", "T::", "malloc", "calloc", "realloc", "posix_memalign")
PLACE = re.compile(r" \([^()]*\)$")


def recorded(stage):
    anonymous, files = _resident(stage)
    found = {"anonymous": anonymous, "files": files, "heap": None, "functions": [], "why": ""}
    try:
        total, functions = _heap(stage)
        return found | {"heap": total, "functions": functions}
    except (peers.Missing, measure.Failed) as missing:
        return found | {"why": str(missing)}


def _resident(stage):
    """MB at the moment when most was resident: allocated, and of mapped files."""
    if stage.prepare:
        stage.prepare()
    most = (0.0, 0.0)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(stage.command, cwd=stage.folder, env={**os.environ, **stage.environment}, **quiet)
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/smaps_rollup") as file:
                known = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in file if line.endswith("kB\n")}
        except OSError:
            continue
        if known.get("Rss", 0) > sum(most):
            most = known["Anonymous"], known["Rss"] - known["Anonymous"]
        time.sleep(POLL_SECONDS)
    if process.returncode not in stage.exit_codes:
        raise measure.Failed(stage, process.returncode, "")
    return most


def _heap(stage):
    """MB allocated when most was, and by whom."""
    program = peers.debian("heaptrack", "heaptrack")
    try:
        measure.run(dataclasses.replace(stage, command=[program, "-o", TRACE, *stage.command]))
        trace = next(TRACE.parent.glob(f"{TRACE.name}.*"))
        tell = ["heaptrack_print", "-f", trace, "-p0", "-a0", "-T0", "--flamegraph-cost-type", "peak", "-F", STACKS]
        subprocess.run(tell, check=True, capture_output=True)
        return _by_function(STACKS.read_text(errors="replace").splitlines())
    except (OSError, StopIteration, subprocess.CalledProcessError) as error:
        raise peers.Missing(f"heaptrack's record can't be read: {error}") from error
    finally:
        for file in TRACE.parent.glob(f"{TRACE.name}.*"):
            file.unlink()


def _by_function(lines):
    """From lines such as `main;caller;callee 4096`: the innermost function that isn't of a general library."""
    stacks = [(frames.split(";"), int(size)) for frames, _, size in (line.rpartition(" ") for line in lines) if int(size) > 0]
    plain = lambda frame: PLACE.sub("", frame.strip())
    names = symbols.demangled({plain(frame) for frames, _ in stacks for frame in frames})
    sizes = collections.Counter()
    for frames, size in stacks:
        known = [symbols.short(names.get(plain(frame), plain(frame))) for frame in frames if plain(frame)]
        sizes[next((name for name in reversed(known) if not name.startswith(GENERAL)), known[-1])] += size
    return sum(sizes.values()) / 2**20, [[name, size / 2**20] for name, size in sizes.most_common(MOST_ROWS)]
