"""How fast each phase is on this machine, beside plain tools on the same bytes, and whether what was promised holds.

Stages of a section run in turn, and medians are printed. Figures of two machines, or of two runs, are not to be compared:
ratios within a run are. CPU seconds are those of the measured processes; servers run beside them on the same cores.
"""

import argparse
import datetime
import importlib
import json
import os
import platform
import subprocess
import sys

import measure
import page
import peers
import section
import servers

SECTIONS = ["extract", "peers", "codec", "transform", "order", "postgres", "rabbitmq", "end_to_end", "growth"]


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)} [default: all]")
    parser.add_argument("--quick", action="store_true", help="small scales and few rounds: does it run, and roughly how")
    parser.add_argument("--rounds", type=int, help="how often each stage runs [default: 5; quick: 1]")
    parser.add_argument("--scale", type=float, help="of the sample in the extract section [default: 1; quick: 0.05]")
    parser.add_argument("--peers-scale", type=float, help="of the table that peers read too [default: 1; quick: 0.1]")
    parser.add_argument("--large-scale", type=float, help="where memory and the longest query are measured [default: 10; quick: 0.05]")
    parser.add_argument("--transform-scale", type=float, help="of the transform's job [default: 4; quick: 0.1]")
    parser.add_argument("--load-scale", type=float, help="of the dump that is loaded [default: 1; quick: 0.05]")
    parser.add_argument("--rabbit-scale", type=float, help="of the dump that is published [default: 0.1; quick: 0.01]")
    parser.add_argument("--end-to-end-scale", type=float, help="of the sample that goes all the way [default: 1; quick: 0.02]")
    growth = "of the transform's job as it grows [default: 4,16,40; quick: 0.05,0.1]; Postgres takes the first two"
    parser.add_argument("--growth", type=scales, metavar="SCALES", help=growth)
    growth = "of the sample as it grows in RabbitMQ [default: 1,4; quick: 0.01 alone]"
    parser.add_argument("--growth-rabbit", type=scales, metavar="SCALES", help=growth)
    parser.add_argument("--json", metavar="FILE", help="writes the figures")
    parser.add_argument("--profile", action="store_true", help="profiles the stages of every bound, not of missed ones only")
    parser.add_argument("--page", action="store_true", help="writes docs/benchmarks.md")
    given = parser.parse_args()
    unknown = set(given.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    usual = {
        "rounds": (5, 1), "scale": (1, 0.05), "peers_scale": (1, 0.1), "large_scale": (10, 0.05), "transform_scale": (4, 0.1),
        "load_scale": (1, 0.05), "rabbit_scale": (0.1, 0.01), "end_to_end_scale": (1, 0.02),
    }
    for name, (full, quick) in usual.items():
        if getattr(given, name) is None:
            setattr(given, name, quick if given.quick else full)
        setattr(given, name, whole(getattr(given, name)))
    given.growth = given.growth or scales("0.05,0.1" if given.quick else "4,16,40")
    # Each size has a broker of its own, whose start takes longer than what a quick run publishes.
    given.growth_rabbit = given.growth_rabbit or ([0.01] if given.quick else scales("1,4"))
    return given


def whole(scale):
    """1 rather than 1.0, since folders are called by it."""
    return int(scale) if scale == int(scale) else scale


def scales(text):
    """Two or more, rising."""
    found = sorted({whole(float(word)) for word in text.split(",")})
    if len(found) < 2:
        raise argparse.ArgumentTypeError("name two scales at least, as in 1,4")
    return found


def machine():
    """What the figures belong to."""
    model = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    first_line = lambda *command: subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")[0]
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": model[0] if model else platform.machine(),
        "cores": os.cpu_count(),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GB",
        "load_before": round(os.getloadavg()[0], 2),
        "rustc": first_line("rustc", "--version"),
        "commit": first_line("git", "-C", str(servers.ROOT), "describe", "--always", "--dirty"),
        "command": " ".join(["scripts/bench", *sys.argv[1:]]),
    }


def versions(about):
    """Of what was measured, and of what it was measured beside."""
    ours = subprocess.run([servers.ETL, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    known = {"etl": f"{ours} at {about['commit']}", "rustc": about["rustc"].split()[1]}
    for name, command in {"postgres": ["psql", "--version"], "rabbitmq": ["rabbitmqctl", "version"]}.items():
        known[name] = peers.first_number(command)
    return known | peers.versions()


def shown(command):
    """From the repository's root, wherever that is."""
    return command.replace(str(servers.ETL), "etl").replace(str(servers.TARGET), "target").replace(f"{servers.ROOT}/", "")


def main():
    options = arguments()
    servers.build()
    about, done, took = machine(), [], {}
    print(" · ".join(f"{name} {value}" for name, value in about.items()) + "\n", flush=True)
    for name in options.sections or SECTIONS:
        parts, took[name] = timed(importlib.import_module(f"sections.{name}").run, options)
        for part in parts:
            print(section.table(part), flush=True)
            done.append(part)
        print(f"{name} took {section.duration(took[name])}\n", flush=True)
        # After each section, since what comes later may fail or be interrupted.
        if options.json or options.page:
            sections = [as_json(part) for part in done]
            keep({"machine": about | {"versions": versions(about)}, "took": took, "sections": sections}, options)
    print(f"all took {section.duration(total(took))}")
    missed = [target.show() for part in done for target in part.targets if not target.holds]
    if missed:
        print("what doesn't hold:\n  " + "\n  ".join(missed))


def timed(run, options):
    """What it comes to, and its seconds: all of them, and of these what isn't part of every run."""
    clocks = {"seconds": measure.Clock(), "preparing": measure.PREPARING, "profiling": measure.PROFILING}
    before = {name: clock.seconds for name, clock in clocks.items()}
    with clocks["seconds"]:
        parts = run(options)
    return parts, {name: round(clock.seconds - before[name], 1) for name, clock in clocks.items()}


def total(took):
    return {kind: sum(each[kind] for each in took.values()) for kind in next(iter(took.values()))}


def keep(result, options):
    """Writes the figures, and the page of them, where that is wanted."""
    if options.json:
        with open(options.json, "w") as file:
            json.dump(result, file, indent=1)
    if options.page:
        page.write(result, servers.ROOT / "docs")


def as_json(part):
    return {
        "name": part.name, "title": part.title, "unit": part.unit, "base": part.base, "notes": part.notes,
        "rate_unit": part.rate_unit, "more": part.more, "derived": part.derived, "grows": part.grows,
        "stages": [vars(row) | {"said": "", "command": shown(row.command)} for row in part.figures],
        "profiles": part.profiles,
        "targets": [vars(target) | {"holds": target.holds, "off": target.off} for target in part.targets],
    }


try:
    main()
except measure.Failed as failed:
    sys.exit(f"bench: {failed}")
