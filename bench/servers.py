"""Binaries, servers and dumps that sections work with. Everything lies under target/bench and is made once."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import measure

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
RELEASE = TARGET / "release"
ETL = RELEASE / "etl"
FOLDER = TARGET / "bench"
SAMPLE = ROOT / "fixtures/happypancake"


def build():
    """The binary and the helpers that sections run, as users build them."""
    command = ["cargo", "build", "--release", "--quiet", "--workspace", "--bins", "--examples"]
    subprocess.run(command, cwd=ROOT, check=True)


class Legacy:
    """The sample's legacy database behind the stand-in for SQL Server."""

    def __init__(self, process):
        self._process = process
        url, password = self._line(), self._line()
        if not password:
            sys.exit("bench: the sample's database can't be served")
        self.url = url
        self.environment = {"ETL_SOURCE_URL": url, "ETL_SOURCE_PASSWORD": password}

    def _line(self):
        return self._process.stdout.readline().strip()

    def statistics(self):
        """What the server has counted since it was last asked."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self._line())


@contextlib.contextmanager
def legacy(scale, *tables):
    folder = FOLDER / "-".join(["legacy", str(scale), *tables])
    command = [RELEASE / "examples/legacy", folder, str(scale), *tables]
    # The database is made when it isn't there yet.
    making = contextlib.nullcontext() if folder.exists() else measure.PREPARING
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
    try:
        with making:
            source = Legacy(process)
        yield source
    finally:
        process.stdin.close()
        process.wait()


@contextlib.contextmanager
def postgres():
    """The URL of a private Postgres."""
    command = [RELEASE / "examples/postgres", FOLDER / "postgres"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()


def dump(project, scale, *tables):
    """A dump of the sample at a scale, extracted once. The database that it came from goes."""
    made = FOLDER / "dumps" / f"{project.name}-{scale}"
    if not made.exists():
        with measure.PREPARING:
            _make_dump(made, project, scale, tables)
    return made


def _make_dump(made, project, scale, tables):
    unfinished = made.with_name(f"{made.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    print(f"  making the dump {made.name}", file=sys.stderr)
    with legacy(scale, *tables) as source:
        command = [ETL, "extract", "--out", unfinished]
        environment = {**os.environ, **source.environment}
        subprocess.run(command, cwd=project, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shutil.rmtree(FOLDER / "-".join(["legacy", str(scale), *tables]))
    unfinished.rename(made)


def manifest_rows(dump_folder):
    """Rows of each table of a dump."""
    manifest = json.loads((dump_folder / "manifest.json").read_text())
    return {table["name"]: table["rows"] for table in manifest["tables"]}
