"""One large table, SQL Server to a compressed file: ours beside bare clients that only drain, and other people's programs.

In: the messages of the sample, by one connection each. Half an emoji in a text stops two of the peers; ours reads it, and
their query leaves those rows out. What a peer can't do is told by its name below the table.
"""

import json
import pathlib
import shlex
import shutil
import subprocess
import urllib.parse

import measure
import peers
import profile
import servers
from measure import Stage
from section import Section, Target, significant
from sections import transform

PROJECT = servers.FOLDER / "peers-project"
OUT = servers.FOLDER / "peers-out"
CLIENTS = pathlib.Path(__file__).resolve().parent.parent / "clients"
TABLE = "dbo.Messages"
OURS, BEST, CONNECTORX = "etl extract, {}", "mssql-python, Arrow to Parquet", "ConnectorX to Parquet"
SETTINGS = f"""[project]
name = "peers"

[source]
url = "${{ETL_SOURCE_URL}}"
password = "${{ETL_SOURCE_PASSWORD}}"
time_zone = "Europe/Stockholm"

[tables]
include = ["{TABLE}"]
"""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()


def extract(source, client):
    PROJECT.mkdir(parents=True, exist_ok=True)
    (PROJECT / "etl.toml").write_text(SETTINGS)
    command = [servers.ETL, "extract", "--json", "--out", OUT / "dump", "--client", client, "--jobs", "1"]
    return Stage(OURS.format(client), command, 1, clear, source.environment, PROJECT)


def clear():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)


def readable(scale):
    """The query that every peer can read, and its rows: without those whose text our dump has a replacement in."""
    dump = transform.dump(scale)
    rows = servers.manifest_rows(dump)[TABLE.partition(".")[2]]
    cat = subprocess.Popen([servers.ETL, "dump", "cat", dump, TABLE], stdout=subprocess.PIPE)
    left_out = [json.loads(line)["Id"] for line in cat.stdout if REPLACEMENT in line]
    cat.wait()
    return f"SELECT * FROM {TABLE} WHERE Id NOT IN ({', '.join(map(str, [0, *left_out]))})", rows - len(left_out)


def freebcp(source, query):
    address = urllib.parse.urlsplit(source.url)
    program, count = peers.debian("freetds-bin", "freebcp"), OUT / "count"
    command = (
        f'{{ {program} {shlex.quote(query)} queryout /dev/fd/3 -c -S {address.hostname}:{address.port} -D {address.path[1:]}'
        f' -U {address.username} -P "$ETL_SOURCE_PASSWORD" 3>&1 >{count}; }} | gzip -1 >{OUT}/rows.gz;'
        f" sed -n 's/ rows copied.*//p' {count}"
    )
    return Stage("freebcp | gzip -1", peers.bounded(command), 1, clear, {**source.environment, "LC_ALL": "C.UTF-8"})


def by_python(source, name, script, query, *packages):
    command = [peers.python(*packages, "pyarrow"), "-B", CLIENTS / script, query, OUT / "rows.parquet"]
    return Stage(name, command, 1, clear, source.environment)


def drain(source, client, query):
    return Stage(f"bare {client}, drained", [servers.RELEASE / "examples/drain", client, query], 1, clear, source.environment)


def run(options):
    query, rows = readable(options.peers_scale)
    notes = [f"left out for all but extract, for half an emoji in the text: rows by {query.partition(' WHERE ')[2]}"]
    whole = str(rows).__eq__
    with servers.legacy(options.peers_scale, "Messages") as source:
        ours = [extract(source, client) for client in ("mssql-tds", "tiberius")]
        bare = [drain(source, client, query) for client in ("mssql-tds", "tiberius")]
        others = peers.working([
            ("freebcp | gzip -1", lambda: freebcp(source, query), whole),
            (BEST, lambda: by_python(source, BEST, "by_mssql_python.py", query, "mssql-python"), whole),
            (CONNECTORX, lambda: by_python(source, CONNECTORX, "by_connectorx.py", query, "connectorx"), whole),
        ], notes)
        figures = measure.interleaved([*bare, *ours, *others], options.rounds)
        for name, measured in figures.items():
            measured.work = json.loads(measured.said)["rows_read"] if name in [stage.name for stage in ours] else int(measured.said)
        targets, mine = [], ours[0].name
        if BEST in figures:
            of_best = figures[mine].cpu_each / figures[BEST].cpu_each
            targets.append(Target("CPU per row of extract, of that of mssql-python", of_best, 1, at_least=False, stages=[mine]))
        profiles = profile.of(targets, ours, options)
    clear()
    more = {"CPU ns a row": {name: significant(measured.cpu_each * 1e9) for name, measured in figures.items()}}
    title = f"peers: {TABLE} at scale {options.peers_scale}, {rows:,} rows over one connection to a compressed file"
    return [Section("peers", title, "rows", list(figures.values()), bare[0].name, targets, notes, more, profiles=profiles)]
