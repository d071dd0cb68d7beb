"""The page of a run: docs/benchmarks.md, with a plot for each section as SVG beside it.

In: what the run wrote as JSON. Out: files; nothing is measured here, so that a page can be made anew from its figures.
"""

import html

ROW, LABEL, BAR, RIGHT, TOP = 26, 300, 380, 120, 10


def plot(part):
    """A bar for each stage: its rate, beside the stage that ratios are to."""
    stages = [stage for stage in part["stages"] if stage["wall"] > 0]
    rates = [stage["work"] / stage["wall"] for stage in stages]
    height = TOP * 2 + ROW * len(stages)
    width = LABEL + BAR + RIGHT
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">']
    lines.append(f"<title>{html.escape(part['title'])}</title>")
    lines.append(f'<rect width="{width}" height="{height}" fill="#ffffff"/>')
    for place, (stage, rate) in enumerate(zip(stages, rates)):
        y = TOP + place * ROW
        colour = "#9aa5b1" if stage["name"] == part["base"] else "#2f6f9f"
        lines.append(f'<text x="{LABEL - 8}" y="{y + 17}" text-anchor="end" fill="#222">{html.escape(stage["name"])}</text>')
        lines.append(f'<rect x="{LABEL}" y="{y + 4}" width="{max(1.0, BAR * rate / max(rates)):.1f}" height="18" fill="{colour}"/>')
        label = f"{rate / 1e6:.3f} M {part['unit']}/s"
        lines.append(f'<text x="{LABEL + BAR * rate / max(rates) + 6:.1f}" y="{y + 17}" fill="#222">{label}</text>')
    return "\n".join([*lines, "</svg>", ""])


def section(part):
    """Heading, plot, table, and what was promised."""
    base = next((stage for stage in part["stages"] if stage["name"] == part["base"]), None)
    lines = [f"## {part['name']}", "", f"{part['title']}.", "", f"![{part['name']}](benchmarks/{part['name']}.svg)", ""]
    ratio = " wall × | CPU × |" if base else ""
    lines.append(f"| | wall s | ± | CPU s | peak MB | M {part['unit']}/s | CPU µs each |{ratio}")
    lines.append("|---|---|---|---|---|---|---|" + ("---|---|" if base else ""))
    for stage in part["stages"]:
        number = lambda value, form: "" if value != value else format(value, form)
        cells = [
            stage["name"].replace("|", "\\|"), f"{stage['wall']:.2f}", f"{stage['spread']:.0%}", number(stage["cpu"], ".2f"),
            number(stage["memory"], ".0f"), f"{stage['work'] / stage['wall'] / 1e6:.3f}", number(stage["cpu"] / stage["work"] * 1e6, ".3f"),
        ]
        if base:
            cells += [f"{stage['wall'] / base['wall']:.2f}", f"{stage['cpu'] / base['cpu']:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    lines.append("")
    for target in part["targets"]:
        relation = "at least" if target["at_least"] else "at most"
        verdict = "holds" if target["holds"] else "**does not hold**"
        lines.append(f"- {target['text']}: {target['measured']:.3g}{target['unit']}, {relation} {target['bound']:g}{target['unit']}: {verdict}")
    lines += [f"- {note}" for note in part["notes"]]
    return "\n".join(lines) + "\n"


def write(result, docs):
    about = result["machine"]
    (docs / "benchmarks").mkdir(exist_ok=True)
    text = [
        "# Benchmarks", "",
        f"Of {about['date']}, by `{about['command']}` at commit {about['commit']}: {about['cores']} cores of {about['cpu']}, "
        f"{about['rustc']}, load before {about['load_before']}.", "",
        "Stages of a section ran in turn; the figures are medians, ± is the distance of the quartiles. Figures of two machines, or of",
        "two runs, are not to be compared: ratios within a run are. CPU seconds are those of the measured processes; servers ran",
        "beside them on the same cores. `make bench` makes the same on your machine.", "",
    ]
    for part in result["sections"]:
        text.append(section(part))
        (docs / "benchmarks" / f"{part['name']}.svg").write_text(plot(part))
    (docs / "benchmarks.md").write_text("\n".join(text))
