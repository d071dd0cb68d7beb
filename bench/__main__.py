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
import section
import servers

SECTIONS = ["extract", "peers", "codec", "transform", "order", "postgres", "rabbitmq"]


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)} [default: all]")
    parser.add_argument("--quick", action="store_true", help="small scales and few rounds: does it run, and roughly how")
    parser.add_argument("--rounds", type=int, help="how often each stage runs [default: 5; quick: 1]")
    parser.add_argument("--scale", type=float, help="of the sample in the extract section [default: 1; quick: 0.2]")
    parser.add_argument("--large-scale", type=float, help="where memory and the longest query are measured [default: 10; quick: 0.5]")
    parser.add_argument("--transform-scale", type=float, help="of the transform's job [default: 4; quick: 0.5]")
    parser.add_argument("--load-scale", type=float, help="of the dump that is loaded [default: 1; quick: 0.2]")
    parser.add_argument("--rabbit-scale", type=float, help="of the dump that is published [default: 0.1; quick: 0.02]")
    parser.add_argument("--growth", action="store_true", help="also at ten times the scale, where a section says so")
    parser.add_argument("--json", metavar="FILE", help="writes the figures")
    parser.add_argument("--page", action="store_true", help="writes docs/benchmarks.md")
    given = parser.parse_args()
    unknown = set(given.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    usual = {"rounds": (5, 1), "scale": (1, 0.2), "large_scale": (10, 0.5), "transform_scale": (4, 0.5), "load_scale": (1, 0.2), "rabbit_scale": (0.1, 0.02)}
    for name, (full, quick) in usual.items():
        if getattr(given, name) is None:
            setattr(given, name, quick if given.quick else full)
        value = getattr(given, name)
        setattr(given, name, int(value) if value == int(value) else value)
    return given


def machine():
    """What the figures belong to."""
    model = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    first_line = lambda *command: subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")[0]
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": model[0] if model else platform.machine(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "rustc": first_line("rustc", "--version"),
        "commit": first_line("git", "-C", str(servers.ROOT), "describe", "--always", "--dirty"),
        "command": " ".join(["scripts/bench", *sys.argv[1:]]),
    }


def main():
    options = arguments()
    servers.build()
    about, done = machine(), []
    print(" · ".join(f"{name} {value}" for name, value in about.items()) + "\n", flush=True)
    for name in options.sections or SECTIONS:
        for part in importlib.import_module(f"sections.{name}").run(options):
            print(section.table(part), flush=True)
            done.append(part)
    result = {"machine": about, "sections": [as_json(part) for part in done]}
    if options.json:
        with open(options.json, "w") as file:
            json.dump(result, file, indent=1)
    if options.page:
        page.write(result, servers.ROOT / "docs")
    missed = [target.show() for part in done for target in part.targets if not target.holds]
    if missed:
        print("what doesn't hold:\n  " + "\n  ".join(missed))


def as_json(part):
    return {
        "name": part.name, "title": part.title, "unit": part.unit, "base": part.base, "notes": part.notes,
        "stages": [vars(row) | {"said": ""} for row in part.figures],
        "targets": [vars(target) | {"holds": target.holds} for target in part.targets],
    }


try:
    main()
except measure.Failed as failed:
    sys.exit(f"bench: {failed}")
