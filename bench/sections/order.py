"""Every event in one order, and the same one however it is made: `etl events` over the transform's dump, read by a program
that knows nothing of how it was made (scripts/check-order), in configurations that differ in threads and memory."""

import subprocess
import sys
import time

import servers
from measure import Figures, as_text
from section import Section, Target
from sections import transform

STREAMS = [
    ["--threads", "1"], ["--threads", "2"], ["--threads", "4"], ["--threads", "8"],
    ["--threads", "2", "--memory", "64MB"], ["--threads", "2", "--memory", "2GB"],
]


CHECKER = servers.ROOT / "scripts/check-order"


def events_of(dump, options):
    return [servers.ETL, "events", "--from", dump, *options]


def check(dump, options):
    """What the checker found, and how long both took."""
    started = time.monotonic()
    events = subprocess.Popen(events_of(dump, options), cwd=transform.JOB, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    checker = subprocess.run([CHECKER], cwd=transform.JOB, stdin=events.stdout, stdout=subprocess.PIPE, text=True, check=False)
    events.stdout.close()
    # Exit code 1 tells of rows in quarantine, of which the sample has some.
    if checker.returncode != 0 or events.wait() not in (0, 1):
        sys.exit(f"bench: the stream with {options} is not as it should be: {checker.stdout}")
    return checker.stdout.strip(), time.monotonic() - started


def run(options):
    dump = transform.dump(options.transform_scale)
    found, figures = [], []
    for stream in STREAMS:
        said, wall = check(dump, stream)
        found.append(said)
        events = int(said.split()[0].replace(",", ""))
        command = as_text(f"{as_text(events_of(dump, stream))} | {CHECKER}", transform.JOB)
        figures.append(Figures(" ".join(stream), events, wall, float("nan"), float("nan"), 0, 1, command=command))
    # No stages: a profile tells where time goes, and not why a stream is another one.
    targets = [Target("different streams among the configurations", len(set(found)), 1, at_least=False)]
    title = f"order: `etl events` at scale {options.transform_scale} through scripts/check-order (most of the time is the checker's)"
    return [Section("order", title, "events", figures, targets=targets, notes=[found[0]])]
