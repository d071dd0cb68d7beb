"""Dump to module databases, beside `psql \\copy` of the same rows as a binary file into an equal table.

In: the transform's dump. The project is fixtures/load_job, whose module copies the messages into one table; the others are the
same under other names. What ours does more than psql within its time: inflate, map, order, account for every row, commit
checkpoints, and gather statistics.
"""

import shutil
import subprocess

import measure
import profile
import servers
from measure import Stage
from section import Section, Target
from sections import transform

SOURCE = servers.ROOT / "fixtures/load_job"
JOB = servers.FOLDER / "load_job"
MODULES = ["one", "two", "three", "four"]
FILE = servers.FOLDER / "message.copy"
PSQL_MIN = 0.8
FOUR_MIN = 1.4
# What kinds of handlers do with an event: module to what module.toml says, and whether it is run one event at a time.
KINDS = {"copy": 'copy = "message"\ncolumns = { sent_at = "occurred_at" }', "sql": 'sql = "sent.sql"', "call": 'call = "put"'}
ROW = "message_id::uuid, occurred_at, sender, receiver, subject, body"
SQL = f"INSERT INTO message SELECT {ROW} FROM message_sent"
FUNCTION = """CREATE FUNCTION put(message_id text, occurred_at timestamptz, sender integer, receiver integer, subject text, body text)
RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO message VALUES (message_id::uuid, occurred_at, sender, receiver, subject, body);
END $$;"""
# Handlers are slower than a copy, and one event at a time much more.
HANDLERS_SHARE = 5


def make_modules():
    """The project with all modules, made from its one."""
    shutil.rmtree(JOB, ignore_errors=True)
    shutil.copytree(SOURCE, JOB)
    one = JOB / "modules" / MODULES[0]
    for module in MODULES[1:]:
        other = shutil.copytree(one, JOB / "modules" / module)
        told = (other / "module.toml").read_text()
        (other / "module.toml").write_text(told.replace(f'name = "{MODULES[0]}"', f'name = "{module}"'))
    for order in ["set", "strict"]:
        for kind, does in KINDS.items():
            other = shutil.copytree(one, JOB / "modules" / f"{order}_{kind}")
            strict = 'order = "strict"\n' if order == "strict" else ""
            (other / "module.toml").write_text(f'name = "{order}_{kind}"\n{strict}[on.MessageSent]\n{does}\n')
            (other / "schema.sql").write_text((one / "schema.sql").read_text() + FUNCTION)
            (other / "sent.sql").write_text(SQL)


def seed(url, modules, dump, name=None):
    """Into databases that don't exist yet."""
    def drop():
        for module in {*MODULES, *modules}:
            psql(url, "postgres", f'DROP DATABASE IF EXISTS "bench_{module}" WITH (FORCE)')

    only = [word for module in modules for word in ("--module", module)]
    name = name or f"etl seed, {len(modules)} module{'s' * (len(modules) > 1)}"
    command = [servers.ETL, "seed", "--from", dump, "--to", "bench", *only, "--threads", "2"]
    # Exit code 1 tells of rows in quarantine, of which the sample has some.
    return Stage(name, command, 1, drop, {"ETL_BENCH_URL": url}, JOB, exit_codes=(0, 1))


def psql(url, database, command):
    done = subprocess.run(["psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-d", f"{url}/{database}", "-c", command],
                          check=True, capture_output=True, text=True)
    return done.stdout.strip()


def run(options):
    dump = transform.dump(options.load_scale)
    make_modules()
    with servers.postgres() as url:
        first = seed(url, ["one"], dump)
        measure.run(first)
        rows = int(psql(url, "bench_one", "SELECT count(*) FROM message"))
        psql(url, "bench_one", f"\\copy message TO '{FILE}' WITH (FORMAT binary)")

        def prepare():
            psql(url, "postgres", 'DROP DATABASE IF EXISTS "bench_plain" WITH (FORCE)')
            psql(url, "postgres", 'CREATE DATABASE "bench_plain"')
            psql(url, "bench_plain", (JOB / "modules/one/schema.sql").read_text())

        copy = ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", f"{url}/bench_plain", "-c",
                f"\\copy message FROM '{FILE}' WITH (FORMAT binary)"]
        stages = [
            Stage("psql \\copy of the rows as a file", copy, rows, prepare),
            seed(url, MODULES[:1], dump), seed(url, MODULES[:2], dump), seed(url, MODULES, dump),
        ]
        figures = measure.interleaved(stages, options.rounds)
        for count, name in [(1, stages[1].name), (2, stages[2].name), (4, stages[3].name)]:
            figures[name].work = rows * count
        plain, one, _, four = figures.values()
        targets = [
            Target("one module, of psql \\copy", one.rate / plain.rate, PSQL_MIN, stages=[one.name, plain.name], shows="machine"),
            Target("four modules, of one", four.rate / one.rate, FOUR_MIN, stages=[four.name, one.name], shows="machine"),
        ]
        profiles = profile.of(targets, stages, options)
        handlers = by_handler(url, options)
    FILE.unlink()
    title = f"postgres: {rows:,} message events at scale {options.load_scale} into tables of modules, two threads; the server runs beside it"
    return [Section("postgres", title, "rows", list(figures.values()), plain.name, targets, profiles=profiles), handlers]


def by_handler(url, options):
    """The same events by each kind of handler, all of a transaction at once where the order of streams allows it, or strictly."""
    scale = options.load_scale / HANDLERS_SHARE
    dump = transform.dump(scale)
    named = lambda order, kind: f"{kind}, in strict order" if order == "strict" else kind
    stages = [seed(url, [f"{order}_{kind}"], dump, named(order, kind)) for order in ["set", "strict"] for kind in KINDS]
    figures = measure.interleaved(stages, min(options.rounds, 3))
    rows = int(psql(url, "bench_strict_call", "SELECT count(*) FROM message"))
    for measured in figures.values():
        measured.work = rows
    title = f"handlers: {rows:,} message events at scale {scale:g} into one module, by each kind of handler, two threads"
    return Section("handlers", title, "rows", list(figures.values()), stages[0].name)
