"""What a section of the benchmark comes to: rows of figures, targets that hold or don't, and notes."""

import dataclasses
import textwrap

import profile

# Of running text on a terminal.
WIDTH = 130


@dataclasses.dataclass
class Target:
    """A bound that was promised: `measured` must be at least, or at most, `bound`. `stages` are those whose profile would say
    why it is missed, and `shows` what the profile is of (profile.py); there are none where no profile could tell."""

    text: str
    measured: float
    bound: float
    at_least: bool = True
    unit: str = ""
    stages: list = dataclasses.field(default_factory=list)
    shows: str = "command"

    @property
    def holds(self):
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound

    @property
    def off(self):
        """How far beyond the bound it is."""
        return f"{abs(self.measured / self.bound - 1):.0%} {'short' if self.at_least else 'over'}"

    def show(self):
        relation = "≥" if self.at_least else "≤"
        verdict = "holds" if self.holds else f"DOES NOT HOLD, {self.off}"
        return f"{self.text}: {self.measured:.3g}{self.unit} ({relation} {self.bound:g}{self.unit}) {verdict}"


@dataclasses.dataclass
class Section:
    """Figures in the order in which they are shown; ratios are to those named `base`.

    `unit` is what work is counted in; B for bytes. `more` has further columns: heading to a text for each stage by name.
    `derived` is a table of texts below that of the figures, headings first. Where `grows`, stages are called `name, size`
    and plotted as time for each unit of work. `profiles` are those that profile.py has recorded.
    """

    name: str
    title: str
    unit: str
    figures: list
    base: str = ""
    targets: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)
    more: dict = dataclasses.field(default_factory=dict)
    derived: list = dataclasses.field(default_factory=list)
    grows: bool = False
    profiles: list = dataclasses.field(default_factory=list)

    @property
    def rate_unit(self):
        return "MB/s" if self.unit == "B" else f"M {self.unit}/s"

    def based_on(self):
        return next((figures for figures in self.figures if figures.name == self.base), None)


def table(section):
    """The section as text."""
    width = max([len(figures.name) for figures in section.figures] + [20])
    head = f"{'':{width}}{'wall s':>9}{'±':>6}{'CPU s':>9}{'peak MB':>9}{section.rate_unit:>14}{'CPU µs each':>13}"
    base = section.based_on()
    if base:
        head += f"{'wall ×':>8}{'CPU ×':>8}"
    head += "".join(f"  {heading}" for heading in section.more)
    lines = [section.title, "", head]
    for row in section.figures:
        line = f"{row.name:{width}}{row.wall:9.2f}{row.spread:6.0%}{row.cpu:9.2f}{row.memory:9.0f}"
        line += f"{row.rate / 1e6:14.3f}{significant(row.cpu_each * 1e6):>13}"
        if base:
            line += f"{row.wall / base.wall:8.2f}{row.cpu / base.cpu:8.2f}"
        line += "".join(f"  {texts.get(row.name, ''):>{len(heading)}}" for heading, texts in section.more.items())
        lines.append(line)
    if section.derived:
        widths = [max(map(len, column)) for column in zip(*section.derived)]
        lines += ["", *("  ".join(f"{text:{width}}" for text, width in zip(row, widths)) for row in section.derived)]
    lines += [""] + [f"  {target.show()}" for target in section.targets] + [f"  {note}" for note in section.notes]
    wrapped = textwrap.TextWrapper(WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    lines += [wrapped.fill(profile.summary(each)) for each in section.profiles]
    return "\n".join(lines) + "\n"


def duration(took):
    """Of a section, or of the run: how long, and what of it isn't part of every run."""
    extra = {"preparing": "to prepare what later runs find", "profiling": "for profiles"}
    told = [f"{took[kind]:.0f} s {what}" for kind, what in extra.items() if took[kind] >= 0.5]
    return f"{took['seconds']:.0f} s" + (f", {' and '.join(told)} among them" if told else "")


def significant(value):
    """Three digits that say something."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
