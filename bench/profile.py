"""What a profile shows of the stages behind a bound that doesn't hold: recorded after the measured rounds, by one more.

In: the targets of a section, and its stages while their servers are still up. Out: for each such stage a dictionary that goes
into the JSON, and texts made of it. What it is of is the target's to say:

    command   the time of the stage's own processes, for bounds on its CPU
    machine   the time of the stage and of the servers beside it, for bounds on wall time
    memory    the stage's memory at its peak

Where the tool is missing the profile says why instead, and nothing fails.
"""

import heap
import measure
import peers
import perf

IN_SUMMARY = 10


def of(targets, stages, options):
    """Of what the missed bounds name, or with --profile all bounds. A quick run is no measurement, so it wants to be asked."""
    wanted = {}
    for target in targets:
        if options.profile or not (target.holds or options.quick):
            wanted |= {(name, target.shows): None for name in target.stages}
    by_name = {stage.name: stage for stage in stages}
    return [_one(by_name[name], shows) for name, shows in wanted]


def _one(stage, shows):
    measure.tell(f"  profile: {stage.name}")
    known = {"stage": stage.name, "shows": shows}
    try:
        with measure.PROFILING:
            return known | (heap.recorded(stage) if shows == "memory" else perf.recorded(stage, shows == "command"))
    except peers.Missing as missing:
        return known | {"missing": f"{'heaptrack' if shows == 'memory' else 'perf'}: {missing}"}
    except measure.Failed as failed:
        return known | {"missing": f"the stage failed while it was recorded: {failed.reason}"}
    finally:
        measure.tell("")


def summary(profile, code="{}".format):
    """In one paragraph; `code` marks what is a name of a program or function."""
    few = f", {profile['samples']:,} samples" if "samples" in profile else ""
    start = f"profile of {code(profile['stage'])}{few}: "
    if "missing" in profile:
        return f"{start}skipped: {profile['missing']}"
    return start + "; ".join((_memory if profile["shows"] == "memory" else _time)(profile, code))


def _time(profile, code):
    share = lambda rows: ", ".join(f"{row[-1]:.0%} {code(row[0])}" for row in rows if row[-1] >= 0.01)
    if profile["processes"]:
        yield f"of the cores' time {share(profile['processes'])}"
    if not profile["whole"]:
        yield "perf may look here at nothing but the stage, and perhaps not at the kernel for it"
    whose = "the stage's own processes" if profile["command_only"] else "the stage and its servers"
    yield f"of the time of {whose} {share(profile['binaries'])}"
    several = len({row[2] for row in profile["functions"]}) > 1
    yield ", ".join(
        f"{part:.0%} {code(name)} ({f'{binary} in {process}' if several else binary})"
        for name, binary, process, part in profile["functions"][:IN_SUMMARY]
    )


def _memory(profile, code):
    resident = profile["anonymous"] + profile["files"]
    yield f"{resident:.0f} MB resident at the peak, {profile['files']:.0f} MB of them mapped files and programs"
    if profile["why"]:
        yield f"by whom isn't known without heaptrack: {profile['why']}"
        return
    yield f"{profile['heap']:.0f} MB allocated when most was: " + ", ".join(
        f"{size:.1f} MB {code(name)}" for name, size in profile["functions"][:IN_SUMMARY]
    )


def tables(profile):
    """All that was found, headings first."""
    if "missing" in profile:
        return []
    if profile["shows"] == "memory":
        return [[["allocated at the peak by", "MB"], *([name, f"{size:.1f}"] for name, size in profile["functions"])]]
    heads = {
        "processes": ["process", "of the cores' time"], "threads": ["thread", "process", "of the cores' time"],
        "binaries": ["binary", "of the time"], "functions": ["function", "binary", "process", "of the time"],
    }
    return [[head, *([*row[:-1], f"{row[-1]:.1%}"] for row in profile[kind])] for kind, head in heads.items() if profile[kind]]
