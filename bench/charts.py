"""Charts of a run, as SVG: bars for the sides of each workload, and lines for what growth costs.

Scales are logarithmic, because what is to be seen is how many times as long something takes. The
background is the page's; text and lines follow its colours, light or dark.
"""

import math
import pathlib
from html import escape

from report import NAMES, short

WIDTH = 880
LABELS_WIDTH = 256
VALUES_WIDTH = 80
TOP = 76
BAR, BAR_GAP, GROUP_GAP = 13, 3, 16
PANEL_WIDTH, PANEL_HEIGHT, PANELS_ACROSS = 270, 190, 3
STYLE = """
  text { font: 12px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #24292f }
  .title { font-size: 15px; font-weight: 600 }
  .small { font-size: 11px; fill: #57606a }
  .grid { stroke: #8c959f; stroke-opacity: .3 }
  .python { fill: #0a6e8f } .rust { fill: #2aa0bf } .grpc { fill: #7cc8db }
  .wheel { fill: #e0812b } .raw { fill: #9aa4ad }
  path { stroke-width: 2; fill: none }
  path.python { stroke: #0a6e8f; fill: none } path.wheel { stroke: #e0812b; fill: none }
  path.raw { stroke: #9aa4ad; fill: none; stroke-dasharray: 4 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9aa4ad }
    .python { fill: #2795b8 } .rust { fill: #56bcd6 } .grpc { fill: #a4dcea }
    path.python { stroke: #2795b8; fill: none }
  }
"""


def draw(records, folder):
    """Writes the charts that there are records for; gives their paths."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    by_group = {}
    for record in records:
        by_group.setdefault(record["group"], []).append(record)
    reads = by_group.get("reads", [])
    largest = max((record["size"] for record in reads), default=0)
    charts = {
        "writes": bars(
            "Writing, one caller",
            "milliseconds for each call, logarithmic; less is better",
            by_group.get("writes", []),
            "median_ms",
        ),
        "callers": bars(
            "Writing, many callers at once",
            "calls that succeed in a second, logarithmic; more is better",
            by_group.get("callers", []),
            "per_second",
        ),
        "start": bars(
            "A new process",
            "milliseconds, logarithmic; less is better",
            [record for record in by_group.get("start", []) if "MiB" not in record["workload"]],
            "median_ms",
        ),
        "reads": bars(
            f"Reading, {largest:,} artifacts",
            "milliseconds for each call, logarithmic; less is better",
            [record for record in reads if record["size"] == largest],
            "median_ms",
            sides=("python", "wheel", "raw"),
        ),
        "growth": panels(
            "Reading as the store grows",
            "milliseconds for each call by artifacts in the store, logarithmic",
            growing(reads),
        ),
    }
    written = []
    for name, chart in charts.items():
        if chart:
            written.append(folder / f"{name}.svg")
            written[-1].write_text(chart)
    return written


class Scale:
    """Values to places, by their logarithms; a bar is never without length."""

    def __init__(self, values, begin, end, low=None):
        self.low = math.log10(min(values)) if low is None else low
        self.high = max(self.low + 0.1, math.log10(max(values)))
        self.begin, self.end = begin, end

    def place(self, value):
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return self.begin + part * (self.end - self.begin)

    def ticks(self):
        """The powers of ten within; where there are few, their doubles and fives, too."""
        powers = range(math.floor(self.low), math.floor(self.high) + 1)
        steps = (1, 2, 5) if self.high - self.low < 2.5 else (1,)
        values = [step * 10.0**power for power in powers for step in steps]
        return [value for value in values if self.low - 1e-9 <= math.log10(value) <= self.high]


def number(value):
    """A tick's words."""
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def bars(title, unit, records, measure, sides=tuple(NAMES)):
    """A bar for each side of each workload, from left to right."""
    found = [
        (record, [(side, value) for side in sides if (value := value_of(record, side, measure))])
        for record in records
    ]
    values = [value for _, of_record in found for _, value in of_record]
    if not values:
        return None
    low = math.floor(math.log10(min(values)))
    scale = Scale(values, LABELS_WIDTH, WIDTH - VALUES_WIDTH, low)
    parts, y = [], TOP
    for record, of_record in found:
        height = len(of_record) * (BAR + BAR_GAP)
        lines = wrapped(record["workload"].replace("`", "").removesuffix(", one caller"))
        for at, line in enumerate(lines):
            place = y + height / 2 + (at - (len(lines) - 1) / 2) * 15 + 3
            parts.append(text(LABELS_WIDTH - 12, place, line, anchor="end"))
        for side, value in of_record:
            parts.append(bar(scale, y, side, value))
            failed = record["sides"][side].get("failed")
            lost = f"  ({failed} failed)" if failed else ""
            parts.append(text(scale.place(value) + 5, y + BAR - 2, short(value) + lost, "small"))
            y += BAR + BAR_GAP
        y += GROUP_GAP
    bottom = y - GROUP_GAP + 6
    grid = []
    for tick in scale.ticks():
        x = scale.place(tick)
        grid.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{bottom}"/>')
        grid.append(text(x, bottom + 15, number(tick), "small", "middle"))
    shown = [side for side in sides if any(side == each for _, of in found for each, _ in of)]
    return svg(bottom + 26, [*heading(title, unit), *legend(shown), *grid, *parts])


def value_of(record, side, measure):
    return record["sides"].get(side, {}).get(measure)


def bar(scale, y, side, value):
    begin, end = scale.begin, scale.place(value)
    width = max(1, end - begin)
    shape = f'x="{begin:.1f}" y="{y:.1f}" width="{width:.1f}" height="{BAR}" rx="2"'
    return f'<rect class="{side}" {shape}/>'


def growing(reads):
    """The questions that have targets, each with its records by size."""
    wanted = dict.fromkeys(
        record["workload"]
        for record in reads
        if any(target["words"].startswith("wheel") for target in record["targets"])
    )
    by_name = {
        name: sorted(
            (record for record in reads if record["workload"] == name),
            key=lambda record: record["size"],
        )
        for name in wanted
    }
    return {name: of_name for name, of_name in by_name.items() if len(of_name) > 1}


def panels(title, unit, by_name):
    """A small chart with lines for each question, all with the same scales."""
    sides = ("python", "wheel", "raw")
    every = [record for of_name in by_name.values() for record in of_name]
    values = [
        value
        for record in every
        for side in sides
        if (value := value_of(record, side, "median_ms"))
    ]
    if not values:
        return None
    parts = [*heading(title, unit), *legend(sides)]
    sizes = [record["size"] for record in every]
    for at, (name, records) in enumerate(by_name.items()):
        is_first = at % PANELS_ACROSS == 0
        left = 50 + at % PANELS_ACROSS * (PANEL_WIDTH + 10)
        top = TOP + 14 + at // PANELS_ACROSS * (PANEL_HEIGHT + 10)
        x = Scale(sizes, left, left + PANEL_WIDTH - 55)
        y = Scale(values, top + PANEL_HEIGHT - 45, top + 8)
        parts.append(text(left, top - 4, name.replace("`", "")))
        parts += panel(x, y, records, sides, is_first)
    rows = math.ceil(len(by_name) / PANELS_ACROSS)
    return svg(TOP + 14 + rows * (PANEL_HEIGHT + 10), parts)


def panel(x, y, records, sides, has_ticks):
    for tick in y.ticks():
        place = y.place(tick)
        yield f'<line class="grid" x1="{x.begin}" x2="{x.end}" y1="{place:.1f}" y2="{place:.1f}"/>'
        if has_ticks:
            yield text(x.begin - 8, place + 4, number(tick), "small", "end")
    for record in records:
        yield text(
            x.place(record["size"]), y.begin + 18, number_of(record["size"]), "small", "middle"
        )
    ends = []
    for side in reversed(sides):
        points = [
            (x.place(record["size"]), y.place(value), value)
            for record in records
            if (value := value_of(record, side, "median_ms"))
        ]
        if not points:
            continue
        line = " L ".join(f"{px:.1f} {py:.1f}" for px, py, _ in points)
        yield f'<path class="{side}" d="M {line}"/>'
        for px, py, _ in points:
            yield f'<circle class="{side}" cx="{px:.1f}" cy="{py:.1f}" r="3"/>'
        ends.append(points[-1][1:])
    lowest = y.begin + 4
    for place, value in sorted(ends, reverse=True):  # from below, none on another
        lowest = min(lowest, place + 4)
        yield text(x.end + 7, lowest, short(value), "small")
        lowest -= 12


def number_of(size):
    return f"{size // 1_000_000}M" if size >= 1_000_000 else f"{size // 1000}k"


# What all charts have.


def heading(title, unit):
    return [text(16, 24, title, "title"), text(16, 42, unit, "small")]


def legend(sides):
    x = LABELS_WIDTH
    for side in sides:
        name = NAMES[side]
        yield f'<rect class="{side}" x="{x}" y="51" width="11" height="11" rx="2"/>'
        yield text(x + 16, 61, name, "small")
        x += 30 + 6.6 * len(name)


def text(x, y, words, kind="", anchor="start"):
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{escape(words)}</text>'


def wrapped(words, width=36):
    lines = [""]
    for word in words.split():
        if lines[-1] and len(lines[-1]) + len(word) + 1 > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def svg(height, parts):
    size = f'width="{WIDTH}" height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>", ""])
