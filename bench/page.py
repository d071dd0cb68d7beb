"""The page of a run: docs/benchmarks.md, with a plot for each section as SVG beside it.

In: what the run wrote as JSON. Out: files; nothing is measured here, so that a page can be made anew from its figures:

    python3 bench/page.py FIGURES.json
"""

import html
import json
import pathlib
import sys

import plots
import profile
from section import significant

ABOUT = """Stages of a section ran in turn; the figures are medians, ± is the distance of the quartiles. Figures of two machines, or of
two runs, are not to be compared: ratios within a run are. CPU seconds are those of the measured processes; servers ran
beside them on the same cores. Peak memory can't be told below that of the benchmark itself, some 20 MB. SQL Server is the
stand-in of this repository, so a client's figures tell what the client costs, not how fast a server is. In the commands, ETL_
variables name the private servers of the run. `make bench ARGS=--page` makes the same page on your machine.

A bound that doesn't hold has a profile, of one more round than the measured ones: shares of perf's samples of what ran on the
cores, each counted where it was and not for its callers. `etl` keeps its symbols; of programs that don't, such as Debian's
Postgres, a function without a name is unknown. Where the kernel has interrupts off it isn't looked at: that time counts for what
switches them on again, such as `_raw_spin_unlock_irqrestore` and `finish_task_switch`. Memory is what heaptrack saw allocated at
the peak, touched or not.
"""


def row(cells):
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def table(rows):
    """Markdown, headings first."""
    return [row(rows[0]), "|" + "---|" * len(rows[0]), *map(row, rows[1:])]


def figures(part):
    """The table of a section."""
    base = next((stage for stage in part["stages"] if stage["name"] == part["base"]), None)
    known = lambda value, form: "" if value != value else form(value)
    head = ["", "wall s", "±", "CPU s", "peak MB", part["rate_unit"], "CPU µs each"]
    rows = [head + (["wall ×", "CPU ×"] if base else []) + list(part["more"])]
    for stage in part["stages"]:
        cells = [
            stage["name"], f"{stage['wall']:.2f}", f"{stage['spread']:.0%}", known(stage["cpu"], "{:.2f}".format),
            known(stage["memory"], "{:.0f}".format), f"{stage['work'] / stage['wall'] / 1e6:.3f}",
            known(stage["cpu"] / stage["work"] * 1e6, significant),
        ]
        if base:
            cells += [f"{stage['wall'] / base['wall']:.2f}", known(stage["cpu"] / base["cpu"], "{:.2f}".format)]
        rows.append(cells + [texts.get(stage["name"], "") for texts in part["more"].values()])
    return table(rows)


def promise(target):
    """What was promised, and whether it holds."""
    relation = "at least" if target["at_least"] else "at most"
    verdict = "holds" if target["holds"] else f"**does not hold**, {target['off']}"
    unit = target["unit"]
    return f"{target['text']}: {target['measured']:.3g}{unit}, {relation} {target['bound']:g}{unit}: {verdict}"


def section(part):
    """Heading, plot, tables, promises, notes, and the exact commands."""
    plot = f"![{part['name']}](benchmarks/{part['name']}.svg)"
    lines = [f"## {part['name']}", "", f"{part['title']}.", "", plot, "", *figures(part), ""]
    if part["derived"]:
        lines += [*table(part["derived"]), ""]
    lines += [f"- {promise(target)}" for target in part["targets"]] + [f"- {note}" for note in part["notes"]]
    lines += [line for each in part["profiles"] for line in profiled(each)]
    commands = [f"# {stage['name']}\n{stage['command']}" for stage in part["stages"] if stage["command"]]
    if commands:
        lines += ["", "<details><summary>commands, from the repository's root</summary>", "", "```", *commands, "```", "", "</details>"]
    return "\n".join(lines) + "\n"


def code(name):
    return f"`{name}`"


def profiled(each):
    """A profile with all of its rows, folded."""
    tables = profile.tables(each)
    if not tables:
        return [f"- {profile.summary(each, code)}"]
    of = "memory" if each["shows"] == "memory" else "time"
    lines = ["", f"<details><summary>profile of {html.escape(each['stage'])}: {of}</summary>", ""]
    for rows in tables:
        lines += [*table([rows[0], *([code(cells[0]), *cells[1:]] for cells in rows[1:])]), ""]
    return [*lines, "</details>"]


def promises(parts):
    """How many hold, and those that don't with what the profile shows of their stages."""
    all_of_them = [(part, target) for part in parts for target in part["targets"]]
    missed = [(part, target) for part, target in all_of_them if not target["holds"]]
    lines = []
    for part, target in missed:
        lines.append(f"- {part['name']}: {promise(target)}")
        of_it = [each for each in part["profiles"] if each["stage"] in target["stages"] and each["shows"] == target["shows"]]
        lines += [f"  - {profile.summary(each, code)}" for each in of_it]
    told = "All hold." if not missed else f"{len(missed)} of {len(all_of_them)} don't hold:"
    return ["## What was promised", "", f"{len(all_of_them)} bounds were looked at. {told}", "", *lines, ""]


def took(result):
    """Section by section."""
    each = {name: spent["seconds"] / 60 for name, spent in result["took"].items()}
    told = ", ".join(f"{name} {minutes:.1f}" for name, minutes in each.items())
    return f"Minutes it took: {told}; {sum(each.values()):.0f} in all."


def write(result, docs):
    about = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    (docs / "benchmarks").mkdir(exist_ok=True)
    text = [
        "# Benchmarks", "",
        f"Of {about['date']}, by `{about['command']}`: {about['cores']} cores of {about['cpu']}, {about['memory']} of memory, "
        f"load before {about['load_before']}. {versions}.", "", took(result), "", ABOUT, *promises(result["sections"]),
    ]
    for part in result["sections"]:
        text.append(section(part))
        (docs / "benchmarks" / f"{part['name']}.svg").write_text(plots.plot(part))
    (docs / "benchmarks.md").write_text("\n".join(text))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write(json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(__file__).resolve().parent.parent / "docs")
