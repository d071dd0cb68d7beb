"""SQL Server to dump: each client, over one connection and four; and how gently, by the server's own record."""

import json
import shutil

import measure
import profile
import servers
from measure import Stage
from section import Section, Target

OUT = servers.FOLDER / "extracted"
CLIENTS = ["mssql-tds", "tiberius"]
LONGEST_QUERY = 2.0
RATE = 50_000
MEMORY_MAX = 200


def extract(source, client, *options):
    return Stage(
        f"--client {client} {' '.join(options)}".strip(),
        [servers.ETL, "extract", "--json", "--out", OUT, "--client", client, *options],
        work=1, folder=servers.SAMPLE, environment=source.environment,
        prepare=lambda: shutil.rmtree(OUT, ignore_errors=True),
    )


def run(options):
    with servers.legacy(options.scale) as source:
        speed = _speed(source, options)
        rate = _rate(source, options)
    with servers.legacy(options.large_scale) as source:
        gentle = _gentleness(source, options)
    shutil.rmtree(OUT, ignore_errors=True)
    gentle.targets += rate.targets
    gentle.profiles += rate.profiles
    return [speed, gentle]


def _speed(source, options):
    stages = [extract(source, client, "--jobs", jobs) for client in CLIENTS for jobs in ("1", "4")]
    figures = measure.interleaved(stages, options.rounds)
    _count_rows(figures.values())
    title = f"extract: the sample at scale {options.scale}, all tables, over loopback without TLS; the server runs beside it"
    return Section("extract", title, "rows", list(figures.values()), base=stages[0].name)


def _gentleness(source, options):
    """One run of each client over the large sample: memory, and the longest query by the server's record."""
    figures, targets, notes = [], [], []
    stages = {client: extract(source, client, "--jobs", "4") for client in CLIENTS}
    for client, stage in stages.items():
        source.statistics()
        measured = measure.interleaved([stage], 1)[stage.name]
        _count_rows([measured])
        record = source.statistics()
        figures.append(measured)
        most = {"at_least": False, "stages": [stage.name]}
        targets.append(Target(f"peak memory, {client}", measured.memory, MEMORY_MAX, unit=" MB", shows="memory", **most))
        text = f"longest query by the server's record, {client}"
        targets.append(Target(text, record["longest_seconds"], LONGEST_QUERY, unit=" s", shows="machine", **most))
        notes.append(f"{client}: {record['queries']:,} queries, {record['connections']} connections")
    title = f"extract, gently: the sample at scale {options.large_scale}, --jobs 4, default limits"
    profiles = profile.of(targets, stages.values(), options)
    return Section("extract-gentle", title, "rows", figures, targets=targets, notes=notes, profiles=profiles)


def _rate(source, options):
    """The measured rate, from the first row to the last, beside the one asked for."""
    targets, figures = [], []
    stages = {client: extract(source, client, "--jobs", "4", "--max-rows-per-second", str(RATE)) for client in CLIENTS}
    for client, stage in stages.items():
        measured = measure.interleaved([stage], 1)[stage.name]
        report = json.loads(measured.said)
        rate = report["rows_read"] / report["seconds"]
        off = abs(rate / RATE - 1)
        text = f"rate off --max-rows-per-second {RATE}, {client} ({rate:,.0f}/s)"
        targets.append(Target(text, off * 100, 5, at_least=False, unit=" %", stages=[stage.name], shows="machine"))
        figures.append(measured)
    profiles = profile.of(targets, stages.values(), options)
    return Section("extract-rate", "extract, at a rate", "rows", figures, targets=targets, profiles=profiles)


def _count_rows(figures):
    for measured in figures:
        measured.work = json.loads(measured.said)["rows_read"]
