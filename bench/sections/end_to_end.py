"""SQL Server to module databases: `etl extract`, then `etl seed`, beside pgloader copying the same tables.

In: the sample with all of its tables and modules. What pgloader does is less: it copies tables as they are, where ours makes
ordered events of them and loads each module. Both have the same source and the same private Postgres. Tables that pgloader
can't read are left out of its order by name, and of the others it has to come to as many rows as our extract reads.
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
DUMP, WORK, EXTRACTED, PGLOADER = (OUT / name for name in ("dump", "work", "extracted.json", "pgloader"))
DATABASE = "end_to_end"
MODULES = [folder.name for folder in (servers.SAMPLE / "modules").iterdir()]
OURS, PEER = "etl extract, etl seed", "pgloader"
LOG = PGLOADER / "pgloader.log"
UNREADABLE = {
    "Messages": "half an emoji in a text ends its client library's connection",
    "SiteSettings": "it knows no sql_variant",
}
# A row version is bytes to everybody else, and some references of the sample lead nowhere.
ORDER = """LOAD DATABASE FROM {source} INTO {target} WITH no foreign keys CAST type timestamp to bytea using byte-vector-to-bytea
EXCLUDING TABLE NAMES LIKE 'tmp_%', {unreadable} IN SCHEMA 'dbo';
"""
# Without a character set its client library hands narrow text on in the server's code page.
CLIENT = "[global]\ntds version = 7.4\nclient charset = UTF-8\n"
COUNT = """SELECT coalesce(sum((xpath('//n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I.%I', schemaname, tablename),
    false, false, '')))[1]::text::bigint), 0) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"""


def clear():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)


def drop(url, databases):
    for database in databases:
        psql(url, "postgres", f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


def extract():
    return f"{servers.ETL} extract --json --out {DUMP} >{EXTRACTED}"


def ours(source, url):
    """Into databases that don't exist yet."""
    def prepare():
        clear()
        drop(url, MODULES)

    seed = f"{servers.ETL} seed --json --from {DUMP} --work {WORK} --to {url}"
    # Exit code 1 tells of rows in quarantine, of which the sample has some.
    return Stage(OURS, f"{extract()} && {seed}", 1, prepare, source.environment, servers.SAMPLE, (0, 1))


def readable_rows(source):
    """Rows of the tables that pgloader is asked for."""
    measure.run(Stage("etl extract", extract(), 1, clear, source.environment, servers.SAMPLE))
    return sum(rows for table, rows in servers.manifest_rows(DUMP).items() if table not in UNREADABLE)


def pgloader(source, url):
    """Says how many rows are in Postgres afterwards, since pgloader's exit code doesn't tell."""
    program = peers.debian("pgloader", "pgloader")
    target = f"{url.replace('postgres://', 'postgresql://')}/{DATABASE}"
    orders, client = PGLOADER / "orders.load", PGLOADER / "freetds.conf"

    def prepare():
        clear()
        PGLOADER.mkdir()
        drop(url, [DATABASE])
        psql(url, "postgres", f"CREATE DATABASE {DATABASE}")
        password = source.environment["ETL_SOURCE_PASSWORD"]
        address = source.url.split("?")[0].replace("@", f":{password}@")
        unreadable = ", ".join(f"'{table}'" for table in UNREADABLE)
        orders.write_text(ORDER.format(source=address, target=target, unreadable=unreadable))
        client.write_text(CLIENT)

    copy = f"{program} --quiet --root-dir {PGLOADER} --logfile {LOG} {orders} >&2; psql -XqtA -d {url}/{DATABASE} -c \"{COUNT}\""
    return Stage(PEER, peers.bounded(copy), 1, prepare, {"FREETDSCONF": str(client)})


def complaint(otherwise):
    """What pgloader complained of, by its own log."""
    said = LOG.read_text(errors="replace") if LOG.exists() else ""
    found = re.findall(r" (?:ERROR|FATAL) (.*)", said)
    return f"{otherwise}: {found[0]}" if found else otherwise


def run(options):
    notes = []
    with servers.legacy(options.end_to_end_scale) as source, servers.postgres() as url:
        rows = readable_rows(source)
        others = peers.working([(PEER, lambda: pgloader(source, url), str(rows).__eq__)], notes, complaint)
        figures = measure.interleaved([*others, ours(source, url)], options.rounds)
        extracted = json.loads(EXTRACTED.read_text())
        drop(url, [DATABASE, *MODULES])
    clear()
    mine = figures[OURS]
    seeded, mine.work = json.loads(mine.said), extracted["rows_read"]
    if PEER in figures:
        figures[PEER].work = rows
        notes += [f"left out for pgloader: {table}: {why}" for table, why in UNREADABLE.items()]
    phases = f"extract took {extracted['seconds']:.1f} s, seed {seeded['seconds']:.1f} s"
    notes.append(f"in the last round {phases} for {seeded['events']:,} events in {len(MODULES)} modules")
    title = f"end_to_end: {mine.work:,} rows of the sample at scale {options.end_to_end_scale} to databases; both servers run beside it"
    return [Section("end_to_end", title, "rows", list(figures.values()), OURS, notes=notes)]
