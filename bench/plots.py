"""Plots of a section's figures as SVG: a bar for each stage, or lines where a section grows."""

import html
import itertools
import math

ROW, LABEL, BAR, RIGHT, TOP = 26, 300, 380, 120, 10
HEIGHT, BELOW = 240, 40
COLOURS = ["#2f6f9f", "#b3541e", "#3d7a3d", "#7a4f9a"]


def plot(part):
    return lines(part) if part["grows"] else bars(part)


def drawing(part, width, height, shapes):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f"<title>{html.escape(part['title'])}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>', *shapes, "</svg>", "",
    ])


def text(x, y, words, anchor="start", colour="#222"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{html.escape(words)}</text>'


def bars(part):
    """Rates, beside that of the stage that ratios are to."""
    stages = [stage for stage in part["stages"] if stage["wall"] > 0]
    rates = [stage["work"] / stage["wall"] for stage in stages]
    shapes = []
    for place, (stage, rate) in enumerate(zip(stages, rates)):
        y, length = TOP + place * ROW, BAR * rate / max(rates)
        colour = "#9aa5b1" if stage["name"] == part["base"] else COLOURS[0]
        shapes.append(text(LABEL - 8, y + 17, stage["name"], "end"))
        shapes.append(f'<rect x="{LABEL}" y="{y + 4}" width="{max(1.0, length):.1f}" height="18" fill="{colour}"/>')
        shapes.append(text(LABEL + length + 6, y + 17, f"{rate / 1e6:.3f} {part['rate_unit']}"))
    return drawing(part, LABEL + BAR + RIGHT, TOP * 2 + ROW * len(stages), shapes)


def lines(part):
    """Time for each unit of work against how much work it was, of that at the smallest size: flat where nothing bends."""
    left, right, bottom = 50, 660, HEIGHT - BELOW
    works = [math.log10(stage["work"]) for stage in part["stages"]]
    curves = {}
    for name, group in itertools.groupby(part["stages"], lambda stage: stage["name"].split(",")[0]):
        each = [(math.log10(stage["work"]), stage["wall"] / stage["work"]) for stage in group]
        curves[name] = [(work, seconds / each[0][1]) for work, seconds in each]
    top = max(1.5, *(ratio for curve in curves.values() for _, ratio in curve))
    across = lambda work: left + (right - left) * (work - min(works)) / (max(works) - min(works))
    up = lambda ratio: bottom - (bottom - 2 * TOP) * ratio / top
    shapes = [f'<path d="M{left} {up(ratio):.1f}H{right}" stroke="#d5dae0"/>' for ratio in (0, 0.5, 1, 1.5)]
    shapes += [text(left - 6, up(ratio) + 4, f"{ratio:g} ×", "end") for ratio in (0, 0.5, 1, 1.5)]
    for power in range(math.ceil(min(works)), math.floor(max(works)) + 1):
        shapes.append(text(across(power), bottom + 16, f"{10**power:,}", "middle"))
    shapes.append(text((left + right) / 2, bottom + 34, f"{part['unit']}; up: time for each, of that at the smallest size", "middle"))
    for colour, (name, curve) in zip(COLOURS, curves.items()):
        points = " ".join(f"{across(work):.1f},{up(ratio):.1f}" for work, ratio in curve)
        shapes.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for work, ratio in curve:
            shapes.append(f'<circle cx="{across(work):.1f}" cy="{up(ratio):.1f}" r="3.5" fill="{colour}"/>')
        shapes.append(text(across(curve[-1][0]) + 8, up(curve[-1][1]) + 4, name, colour=colour))
    return drawing(part, right + RIGHT, HEIGHT, shapes)
