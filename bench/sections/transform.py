"""Dump to events, with nothing behind them, beside inflating the same bytes on one thread.

The job is fixtures/transform_job: messages with a lookup, reads, flirts, members; about nine million events at scale 4. The
bound was set by a job of as many rows and events whose rows were shorter, so bytes are told as well.
"""

import measure
import profile
import servers
from measure import Stage
from section import Section, Target

JOB = servers.ROOT / "fixtures/transform_job"
TABLES = ["Members", "Messages", "Flirts"]
SCALE = 4
EVENTS_MIN = 3.0
# 637 MB of 5.55 million rows.
ROW_BYTES_OF_BOUND = 115
MEMORY_MAX = 256


def throughput(dump, *options):
    return [servers.RELEASE / "examples/throughput", JOB, dump, *options]


def dump(scale):
    return servers.dump(JOB, scale, *TABLES)


def run(options):
    scale = options.transform_scale
    source = dump(scale)
    stages = [Stage("inflate only, 1 thread", throughput(source, "inflate"), 1)]
    for threads in ["1", "2", "4"]:
        stages.append(Stage(f"events, {threads} thread{'s' * (threads != '1')}", throughput(source, threads), 1))
    figures = measure.interleaved(stages, options.rounds)
    events = int(figures["events, 1 thread"].said.split()[0])
    rows, row_bytes = (int(figures[stages[0].name].said.split()[place]) for place in (0, 2))
    speeds = {name: f"{row_bytes / measured.wall / 1e6:.0f}" for name, measured in figures.items()}
    notes = [f"{row_bytes / rows:.0f} bytes a row; in the job that the bound was set by it was {ROW_BYTES_OF_BOUND}"]
    for measured in figures.values():
        measured.work = events
    two, most = figures["events, 2 threads"], max(figures.values(), key=lambda row: row.memory)
    targets = [
        Target("M events/s on two threads", two.rate / 1e6, EVENTS_MIN, stages=[two.name]),
        Target("peak memory, all stages", most.memory, MEMORY_MAX, at_least=False, unit=" MB", stages=[most.name], shows="memory"),
    ]
    profiles = profile.of(targets, stages, options)
    title = f"transform: rows of {', '.join(TABLES)} at scale {scale} to {events:,} events in one order"
    more = {"MB of rows/s": speeds}
    return [Section("transform", title, "events", list(figures.values()), stages[0].name, targets, notes, more, profiles=profiles)]
