"""Blocks written and read by one core, at each level of compression, beside gzip, pigz and bare codecs on the same bytes.

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
# The same example with codecs that need more than a Rust toolchain, so it is built apart, and only for this section.
OTHER_TARGET = servers.TARGET / "codecs"
OTHER_CODEC = OTHER_TARGET / "release/examples/codec"
FEATURES = {"isal": "libisal-dev", "zlib-ng": "cmake"}
FOLDER = servers.FOLDER / "codec"
PLAIN, PART = FOLDER / "content", FOLDER / "00000.pb.gz"
LEVELS, LEVELS_QUICK = range(1, 10), [1, 6]
READ, BARE = "read blocks", "bare inflate, libdeflate"
# Of each codec its level 1, and of ISA-L also the one that is about as small as libdeflate's.
BARE_LEVELS = {"isal": ["1", "3"]}
OF_BARE_MAX = 1.2


def ours(dump, name, mode, *arguments, codec=CODEC):
    return Stage(name, [codec, mode, dump, TABLE, *arguments], 1)


def bare(dump, notes, quick):
    """Nothing but inflate, and nothing but deflate, by each codec that can be had here."""
    stages = []
    for binary in [CODEC, *built_with_others(notes, quick)]:
        known = subprocess.run([binary, "codecs"], capture_output=True, text=True, check=True).stdout.split()
        for codec in known:
            stages.append(ours(dump, f"bare inflate, {codec}", "inflate", codec, codec=binary))
            for level in BARE_LEVELS.get(codec, ["1"]):
                stages.append(ours(dump, f"bare deflate, {codec}, level {level}", "deflate", codec, level, codec=binary))
    # Each build has libdeflate; that of the build by which blocks are read counts.
    return list({stage.name: stage for stage in reversed(stages)}.values())[::-1]


def built_with_others(notes, quick):
    """The example with further codecs: all, or the one that can be built."""
    if quick:
        notes.append("skipped: isal, zlib-ng: a quick run doesn't build them")
        return []
    reasons = {}
    for features in [list(FEATURES), *[[feature] for feature in FEATURES]]:
        measure.tell(f"  building the example with {' and '.join(features)}")
        build = ["cargo", "build", "--release", "--quiet", "--package", "etl-schemas", "--example", "codec"]
        command = [*build, "--features", ",".join(features), "--target-dir", OTHER_TARGET]
        done = subprocess.run(command, cwd=servers.ROOT, capture_output=True, text=True, check=False)
        measure.tell("")
        if done.returncode == 0:
            notes.extend(f"skipped: {feature}: {why}" for feature, why in reasons.items() if feature not in features)
            return [OTHER_CODEC]
        for feature in features:
            reasons[feature] = f"the example doesn't build with it; it needs {FEATURES[feature]}"
    notes.extend(f"skipped: {feature}: {why}" for feature, why in reasons.items())
    return []


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
    stages = [*bare(dump, notes, options.quick), ours(dump, READ, "read")]
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
