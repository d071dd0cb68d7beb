"""Blocks written and read by one core, at each level of compression, beside gzip, pigz and bare inflate on the same bytes.

In: the messages of the transform's dump. What ours does beside deflate: checksums over both sides, the count of rows, the
SHA-256 of what is written. The figures of our stages are of the blocks alone, those of other programs of the process.
"""

import shutil
import subprocess

import measure
import peers
import profile
import servers
from measure import Stage
from section import Section, Target
from sections import transform

TABLE = "dbo.Messages"
CODEC = servers.RELEASE / "examples/codec"
FOLDER = servers.FOLDER / "codec"
PLAIN, PART = FOLDER / "content", FOLDER / "00000.pb.gz"
LEVELS, LEVELS_QUICK = range(1, 10), [1, 6]
READ, BARE = "read blocks", "bare inflate, libdeflate"
OF_BARE_MAX = 1.2


def ours(dump, name, mode, *arguments):
    return Stage(name, [CODEC, mode, dump, TABLE, *arguments], 1)


def alone(figures):
    """Of blocks alone, as the program itself has counted them."""
    content, members, figures.wall, figures.cpu = map(float, figures.said.split())
    return content, members


def others(notes):
    """Programs on the same bytes, plain and as the blocks of level 1."""
    def pigz():
        return Stage("pigz -1", f"{peers.debian('pigz', 'pigz')} -1 <{PLAIN} >{PLAIN}.gz", 1)

    known = [Stage("gunzip", f"gunzip <{PART} >/dev/null", 1), Stage("gzip -1", f"gzip -1 <{PLAIN} >{PLAIN}.gz", 1)]
    return known + peers.working([("pigz -1", pigz, lambda said: True)], notes)


def run(options):
    dump, notes = transform.dump(options.load_scale), []
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(PLAIN, "wb") as file:
        subprocess.run([CODEC, "content", dump, TABLE], stdout=file, check=True)
    levels = LEVELS_QUICK if options.quick else LEVELS
    stages = [ours(dump, BARE, "libdeflate"), ours(dump, "bare inflate, flate2", "flate2"), ours(dump, READ, "read")]
    # The last one leaves the part behind that gunzip reads.
    stages += [ours(dump, f"write blocks, level {level}", "write", str(level), PART) for level in reversed(levels)]
    own = [stage.name for stage in stages]
    figures = measure.interleaved(stages + others(notes), options.rounds)
    size = PLAIN.stat().st_size
    more = {"MB/s per core": {}, "plain / compressed": {}}
    for name, measured in figures.items():
        measured.work = size
        if name in own:
            content, members = alone(measured)
            more["plain / compressed"][name] = f"{content / members:.2f}"
        more["MB/s per core"][name] = f"{size / measured.cpu / 1e6:.0f}"
    of_bare = figures[READ].cpu / figures[BARE].cpu
    target = Target("CPU to read blocks, of bare inflate", of_bare, OF_BARE_MAX, at_least=False, stages=[READ, BARE])
    profiles = profile.of([target], stages, options)
    shutil.rmtree(FOLDER)
    title = f"codec: {size / 1e6:.0f} MB of {TABLE} at scale {options.load_scale}, as blocks of 1 MiB"
    return [Section("codec", title, "B", list(figures.values()), BARE, [target], notes, more, profiles=profiles)]
