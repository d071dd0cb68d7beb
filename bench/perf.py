"""Where the time of a stage goes, by perf's samples of what the cores did: of the whole machine where that is permitted, so
that servers beside the stage and idle cores show, or else of the stage's own processes.

In: a stage, which is run once more. Out: shares, the largest first. Samples are flat: what calls what isn't looked at. Where
there is no perf, or the kernel forbids it, `Missing` tells why.
"""

import collections
import dataclasses
import functools
import re
import subprocess

import measure
import peers
import servers
import symbols
from processes import Watch

DATA = servers.FOLDER / "perf.data"
# The samples are read at once and on the same machine, so perf needn't copy binaries into a cache of its own.
RECORD = ["record", "-q", "--no-buildid", "--no-buildid-cache", "-e", "cpu-clock", "-F", "499", "-o", DATA]
# Thread, process, address, function and binary, as `perf script` tells them.
SAMPLE = re.compile(r"\s*(.*?)\s+(-?\d+)/-?\d+\s+[0-9a-f]+ (.*) \(([/\[].*)\)$")
LEAST, MOST_ROWS = 0.005, 25


@functools.cache
def program():
    """The command that records, and whether it may look at the whole machine."""
    record = [peers.debian("linux-perf", "perf"), *RECORD]
    servers.FOLDER.mkdir(parents=True, exist_ok=True)
    for whole in (True, False):
        command = record + ["-a"] * whole
        tried = subprocess.run([*command, "--", "true"], capture_output=True, text=True, check=False)
        DATA.unlink(missing_ok=True)
        if tried.returncode == 0:
            return command, whole
    complaint = [line.strip() for line in tried.stderr.splitlines() if line.strip(" :") not in ("", "Error")]
    raise peers.Missing(f"it can't record here: {complaint[0] if complaint else f'exit code {tried.returncode}'}")


def recorded(stage, command_only):
    """The shares of one more round of the stage; of functions and binaries those of its own processes alone, if so wanted."""
    command, whole = program()
    words = ["sh", "-c", stage.command] if isinstance(stage.command, str) else stage.command
    try:
        with Watch() as watch:
            _, wall, *_ = measure.run(dataclasses.replace(stage, command=[*command, "--", *words]))
        samples = _samples(watch)
    finally:
        DATA.unlink(missing_ok=True)
    everything = sum(samples.values())
    # Without the whole machine there is nothing but the command.
    wanted = (watch.of_command if command_only else watch.ours) if whole else lambda process: True
    looked_at = {key: count for key, count in samples.items() if wanted(key[1])}
    names = symbols.demangled({name for _, _, name, _ in looked_at})
    label = functools.cache(watch.label)
    function = lambda key: [symbols.short(names.get(key[2], key[2])), symbols.binary(key[3]), label(key[1])]
    return {
        "seconds": wall, "samples": sum(looked_at.values()), "whole": whole, "command_only": command_only or not whole,
        "processes": _shares(samples, lambda key: [label(key[1])]) if whole else [],
        "threads": _shares(looked_at, lambda key: [key[0], label(key[1])], everything),
        "binaries": _shares(looked_at, lambda key: [symbols.binary(key[3])]),
        "functions": _shares(looked_at, function),
    }


def _samples(watch):
    """How often what was running: thread, process, function and binary to a count."""
    script = ["perf", "script", "--no-inline", "-i", DATA, "-F", "comm,pid,tid,ip,sym,dso"]
    told = subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace")
    counts = collections.Counter()
    for line in told.stdout:
        if found := SAMPLE.match(line.rstrip("\n")):
            thread, process, function, binary = found.groups()
            counts[thread, int(process), function, binary] += 1
    if told.wait() != 0 or not counts:
        raise peers.Missing("perf has recorded nothing that it could tell")
    return counts


def _shares(samples, group, of=None):
    """What is grouped together, with its share: the largest first, without what is nearly nothing."""
    counts, of = collections.Counter(), of or sum(samples.values())
    for key, count in samples.items():
        counts[tuple(group(key))] += count
    return [[*names, count / of] for names, count in counts.most_common(MOST_ROWS) if count / of >= LEAST]
