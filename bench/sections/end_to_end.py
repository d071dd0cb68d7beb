"""SQL Server to module databases: `etl extract`, then `etl seed`, beside pgloader copying the same tables.

In: the sample with all of its tables and modules. What pgloader does is less: it copies tables as they are, where ours makes
ordered events of them and loads each module. Both have the same source and the same private Postgres.
"""

import json
import re
import shutil

import measure
import peers
import servers
from measure import Stage
from section import Section
from sections.postgres import psql

OUT = servers.FOLDER / "end-to-end"
DUMP, WORK, EXTRACTED, ORDERS, LOG = (OUT / name for name in ("dump", "work", "extracted.json", "orders.load", "tds.log"))
DATABASE = "end_to_end"
MODULES = [folder.name for folder in (servers.SAMPLE / "modules").iterdir()]
OURS, PEER = "etl extract, etl seed", "pgloader"
ORDER = "LOAD DATABASE FROM {source} INTO {target} EXCLUDING TABLE NAMES LIKE 'tmp_%' IN SCHEMA 'dbo';\n"
COUNT = """SELECT coalesce(sum((xpath('//n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I.%I', schemaname, tablename),
    false, false, '')))[1]::text::bigint), 0) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"""


def clear():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)


def drop(url, databases):
    for database in databases:
        psql(url, "postgres", f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


def ours(source, url):
    """Into databases that don't exist yet."""
    def prepare():
        clear()
        drop(url, MODULES)

    extract = f"{servers.ETL} extract --json --out {DUMP} >{EXTRACTED}"
    seed = f"{servers.ETL} seed --json --from {DUMP} --work {WORK} --to {url}"
    # Exit code 1 tells of rows in quarantine, of which the sample has some.
    return Stage(OURS, f"{extract} && {seed}", 1, prepare, source.environment, servers.SAMPLE, (0, 1))


def pgloader(source, url, **environment):
    """Says how many rows are in Postgres afterwards, since pgloader's exit code doesn't tell."""
    program = peers.debian("pgloader", "pgloader")
    target = f"{url.replace('postgres://', 'postgresql://')}/{DATABASE}"

    def prepare():
        clear()
        drop(url, [DATABASE])
        psql(url, "postgres", f"CREATE DATABASE {DATABASE}")
        password = source.environment["ETL_SOURCE_PASSWORD"]
        ORDERS.write_text(ORDER.format(source=source.url.split("?")[0].replace("@", f":{password}@"), target=target))

    copy = f"{program} --quiet {ORDERS} >&2; psql -XqtA -d {url}/{DATABASE} -c \"{COUNT}\""
    return Stage(PEER, peers.bounded(copy), 1, prepare, {"TDSVER": "7.4", **environment})


def answer(source, url, otherwise):
    """What the server answered to the statement that pgloader ended at, by its client library's own log."""
    measure.run(pgloader(source, url, TDSDUMP=str(LOG)))
    found = re.findall(r'msgno (\d+): "(.*)"', LOG.read_text(errors="replace"))
    return f"the server answers error {found[-1][0]}, {found[-1][1]}" if found else otherwise


def run(options):
    notes = []
    with servers.legacy(options.end_to_end_scale) as source, servers.postgres() as url:
        peer = (PEER, lambda: pgloader(source, url), lambda said: said.isdigit() and int(said) > 0)
        others = peers.working([peer], notes, lambda error: answer(source, url, error))
        figures = measure.interleaved([*others, ours(source, url)], options.rounds)
        extracted = json.loads(EXTRACTED.read_text())
        drop(url, [DATABASE, *MODULES])
    clear()
    mine = figures[OURS]
    seeded, mine.work = json.loads(mine.said), extracted["rows_read"]
    if PEER in figures:
        figures[PEER].work = int(figures[PEER].said)
    phases = f"extract took {extracted['seconds']:.1f} s, seed {seeded['seconds']:.1f} s"
    notes.append(f"in the last round {phases} for {seeded['events']:,} events in {len(MODULES)} modules")
    title = f"end_to_end: {mine.work:,} rows of the sample at scale {options.end_to_end_scale} to databases; both servers run beside it"
    return [Section("end_to_end", title, "rows", list(figures.values()), OURS, notes=notes)]
