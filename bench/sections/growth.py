"""Time, memory and disk against the number of events, so that a bend shows; and what five hundred million would take.

In: the transform's job at rising scales, its smaller ones into a module's database, and the sample at rising scales into the
audit log's quorum queue. One round each. What is derived is a calculation, and the largest run that was made stands beside
it. Sizes as small as those of --quick say nothing of that many events, so nothing is derived from them.
"""

import contextlib
import json
import pathlib
import subprocess

import measure
import profile
import servers
from measure import Stage
from section import Section, Target, significant
from sections import postgres, rabbitmq, transform

EVENTS = 500_000_000
THREADS = "2"
MEMORY_GROWTH_MAX = 1.2
HOST = "growth"
DERIVED = ["largest run", "events", "took", "memory", "disk", f"to {EVENTS:,}", "would take", "memory", "disk"]
NOT_RUN = (
    f"{EVENTS:,} events were not run: time and disk are the larger of what the line through the two largest sizes gives and of the "
    "largest run multiplied; a bend beyond the largest run isn't in them"
)
DISK = "on disk: the dump before the transform, the module's database without its log, all that the broker keeps"
MEMORY = "memory is that of etl's process, carried on by the line, as if --memory and the bounds of its queues didn't end it"


def named(name, scale):
    return f"{name}, scale {scale}"


def grown(name, scale, stage, count, disk):
    """The figures of one size, and its bytes on disk. `count` gets its events from what the stage says."""
    measured = measure.interleaved([stage], 1)[stage.name]
    measured.name, measured.work = named(name, scale), count(measured.said)
    return measured, disk()


def folder_bytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def transforming(scale):
    """Dump to events with nothing behind them."""
    return Stage(named("transform", scale), transform.throughput(transform.dump(scale), THREADS), 1)


def transforms(scales):
    """On disk is the dump."""
    for scale in scales:
        disk = lambda: folder_bytes(transform.dump(scale))
        yield grown("transform", scale, transforming(scale), lambda said: int(said.split()[0]), disk)


def loads(scales):
    """One module's messages; on disk is its database."""
    postgres.make_modules()
    with servers.postgres() as url:
        ask = lambda query: int(postgres.psql(url, "bench_one", query))
        for scale in scales:
            stage = postgres.seed(url, ["one"], transform.dump(scale))
            count, size = (lambda _: ask("SELECT count(*) FROM message")), (lambda: ask("SELECT pg_database_size('bench_one')"))
            yield grown("postgres", scale, stage, count, size)


@contextlib.contextmanager
def broker():
    """The port of a private RabbitMQ with an empty virtual host, and the folder of its data."""
    process = subprocess.Popen([servers.RELEASE / "examples/rabbitmq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        port, folder = (process.stdout.readline().strip() for _ in range(2))
        print(HOST, file=process.stdin, flush=True)
        process.stdout.readline()
        yield port, pathlib.Path(folder)
    finally:
        process.stdin.close()
        process.wait()


def publishes(scales):
    """Every event of the sample to one quorum queue; on disk are the data of the broker, a new one for each size."""
    for scale in scales:
        dump = servers.dump(servers.SAMPLE, scale)
        rabbitmq.make_project()
        with broker() as (port, folder):
            environment = rabbitmq.environment(port, HOST)
            topology = [servers.ETL, "topology", "--to", "broker", "--apply"]
            measure.run(Stage("topology", topology, 1, None, environment, rabbitmq.PROJECT))
            command = [servers.ETL, "seed", "--from", dump, "--to", "broker", "--json"]
            stage = Stage("rabbitmq", command, 1, None, environment, rabbitmq.PROJECT, (0, 1))
            count = lambda said: json.loads(said)["modules"][0]["taken"]
            yield grown("rabbitmq", scale, stage, count, lambda: folder_bytes(folder))


def at_five_hundred_million(sizes):
    """A row of the derived table: the largest run, and what follows from the two largest."""
    (less, less_disk), (most, most_disk) = sizes[-2:]
    times = EVENTS / most.work
    line = lambda small, large: max(large, large + (large - small) * (EVENTS - most.work) / (most.work - less.work))
    steeper = lambda small, large: max(line(small, large), large * times)
    return [
        most.name, f"{most.work:,}", f"{most.wall:.1f} s", f"{most.memory:.0f} MB", f"{most_disk / 1e9:.2f} GB", f"{times:.0f} ×",
        f"{steeper(less.wall, most.wall) / 60:.0f} min", f"{line(less.memory, most.memory) / 1e3:.1f} GB",
        f"{steeper(less_disk, most_disk) / 1e9:.0f} GB",
    ]


def run(options):
    groups = [list(transforms(options.growth)), list(loads(options.growth[:2])), list(publishes(options.growth_rabbit))]
    each = [size for sizes in groups for size in sizes]
    more = {
        "wall µs each": {measured.name: significant(measured.wall / measured.work * 1e6) for measured, _ in each},
        "disk MB": {measured.name: f"{disk / 1e6:.0f}" for measured, disk in each},
    }
    targets, derived, notes, ends = [], [], [DISK], [options.growth[-1], options.growth[0]]
    if not options.quick:
        (less, _), (most, _) = groups[0][0], groups[0][-1]
        text = f"memory of {most.name}, of that at {less.name.split(', ')[1]}"
        looked_at = {"stages": [most.name, less.name], "shows": "memory"}
        targets.append(Target(text, most.memory / less.memory, MEMORY_GROWTH_MAX, at_least=False, **looked_at))
        derived = [DERIVED, *(at_five_hundred_million(sizes) for sizes in groups)]
        notes += [NOT_RUN, MEMORY]
    title = f"growth: the transform on {THREADS} threads, messages into one module's database, the sample's events into one quorum queue"
    profiles = profile.of(targets, map(transforming, ends), options)
    figures = [measured for measured, _ in each]
    return [Section("growth", title, "events", figures, "", targets, notes, more, derived, True, profiles)]
