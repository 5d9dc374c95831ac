"""Charts as SVG: lines over (logarithmic) axes, and bars. Text and XML only, light background."""

import html
import math
from dataclasses import dataclass

WIDTH, HEIGHT = 820, 440
LEFT, RIGHT, TOP, BOTTOM = 84, 36, 74, 92
INK, FAINT, GRID, PAPER = "#1f2328", "#59636e", "#d8dee4", "#ffffff"
COLOURS = ("#0969da", "#cf5b00", "#1a7f37", "#8250df", "#bf3989", "#6e7781")
OWN, OTHERS = COLOURS[0], "#8c959f"
FONT = "-apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', Helvetica, Arial, sans-serif"


@dataclass(frozen=True)
class Series:
    name: str
    points: tuple  # of (x, y)


@dataclass(frozen=True)
class Axis:
    title: str
    log: bool = False
    zero: bool = True  # a linear axis begins at zero


def rounded(value):
    """Three figures that count, with separators of thousands."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def tick_text(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:g}"


class _Scale:
    """From a value to a place between two ends, and where the ticks are."""

    def __init__(self, axis, values, begin, end):
        self.axis, self._begin, self._end = axis, begin, end
        low, high = min(values), max(values)
        if axis.log:
            # A little room below and above, so that no point lies on an edge.
            self._low, self._high = math.log10(low) - 0.12, math.log10(high) + 0.12
            self.ticks = self._log_ticks()
        else:
            low = 0 if axis.zero else low
            high = high * 1.08 if high > low else low + 1
            step = _nice((high - low) / 5)
            self._low, self._high = low, math.ceil(high / step) * step
            count = round((self._high - self._low) / step)
            self.ticks = [self._low + i * step for i in range(count + 1)]

    def _log_ticks(self):
        for digits in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
            ticks = [digit * 10.0**power
                     for power in range(math.floor(self._low), math.ceil(self._high) + 1)
                     for digit in digits
                     if self._low <= math.log10(digit * 10.0**power) <= self._high]
            if len(ticks) >= 3:
                break
        return ticks

    def at(self, value):
        place = math.log10(value) if self.axis.log else value
        share = (place - self._low) / (self._high - self._low)
        return self._begin + share * (self._end - self._begin)


def _nice(step):
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= step * (1 - 1e-9))


def _text(x, y, text, *, anchor="start", size=13, fill=INK, weight=None, more=""):
    bold = f' font-weight="{weight}"' if weight else ""
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="{fill}"{bold}{more}>{html.escape(text)}</text>')


def _line(x1, y1, x2, y2, stroke, width=1, more=""):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" '
            f'stroke-width="{width}"{more}/>')


def _frame(height, title, note):
    """What every chart begins with."""
    return [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" font-family="{FONT}" role="img">',
            f"<title>{html.escape(title)}</title>",
            f'<rect width="{WIDTH}" height="{height}" rx="6" fill="{PAPER}"/>',
            _text(20, 30, title, size=17, weight=600),
            _text(20, height - 14, note, size=min(11, (WIDTH - 40) / (0.57 * max(1, len(note)))),
                  fill=FAINT)]


def _axes(x, y, top, bottom):
    parts = []
    for tick in y.ticks:
        parts += [_line(LEFT, y.at(tick), WIDTH - RIGHT, y.at(tick), GRID),
                  _text(LEFT - 10, y.at(tick) + 4.5, tick_text(tick), anchor="end", fill=FAINT)]
    for tick in x.ticks:
        parts += [_line(x.at(tick), top, x.at(tick), bottom, GRID),
                  _text(x.at(tick), bottom + 20, tick_text(tick), anchor="middle", fill=FAINT)]
    middle = (top + bottom) / 2
    parts += [_text((LEFT + WIDTH - RIGHT) / 2, bottom + 42, x.axis.title, anchor="middle"),
              _text(24, middle, y.axis.title, anchor="middle",
                    more=f' transform="rotate(-90 24 {middle:.1f})"')]
    return parts


LETTER = 7.6  # the mean width of one, at the legend's size


DASHES = ' stroke-dasharray="6 4"'


def _legend(series, y, limits=()):
    """In as many rows as it needs; gives the parts and how many pixels lower the chart begins."""
    parts, x, begin = [], float(LEFT), y
    entries = [(each.name, colour, 3, "") for colour, each in zip(COLOURS, series)]
    entries += [(name, colour, 1.5, DASHES) for name, _, colour in limits]
    for name, colour, thick, dashes in entries:
        width = 28 + LETTER * len(name)
        if x > LEFT and x + width > WIDTH - RIGHT:
            x, y = float(LEFT), y + 20
        parts += [_line(x, y - 4.5, x + 22, y - 4.5, colour, thick, dashes),
                  _text(x + 28, y, name)]
        x += width + 24
    return parts, y - begin


class _Labels:
    """Texts beside points: above where the point is its column's highest, else below, and none
    where another text or point leaves no room."""

    def __init__(self, top, bottom):
        self._taken, self._top, self._bottom = [], top, bottom

    def point(self, x, y):
        self._taken.append((x - 6, y - 6, x + 6, y + 6))

    def put(self, x, y, text, colour, above):
        half = LETTER * len(text) / 2
        for shift in ((-11, 21) if above else (21, -11)):
            box = (x - half, y + shift - 11, x + half, y + shift + 2)
            if self._top - 12 < box[1] and box[3] < self._bottom and \
                    not any(box[0] < c and a < box[2] and box[1] < d and b < box[3]
                            for a, b, c, d in self._taken):
                self._taken.append(box)
                return [_text(x, y + shift, text, anchor="middle", size=11.5, fill=colour,
                              more=f' stroke="{PAPER}" stroke-width="3" paint-order="stroke"')]
        return []


def line_chart(title, x_axis, y_axis, series, note="", limits=()):
    """`limits`: (name, y, which series' colour it has) of horizontal lines: what is promised."""
    limits = [(name, limit, COLOURS[place]) for name, limit, place in limits]
    series = [Series(each.name, tuple(sorted(each.points))) for each in series if each.points]
    if not series:
        return None
    points = [point for each in series for point in each.points]
    legend, lower = _legend(series, 54, limits)
    top, bottom, height = TOP + lower, HEIGHT - BOTTOM + lower, HEIGHT + lower
    x = _Scale(x_axis, [point[0] for point in points], LEFT, WIDTH - RIGHT)
    y = _Scale(y_axis, [*(point[1] for point in points), *(limit for _, limit, _ in limits)],
               bottom, top)
    parts = [*_frame(height, title, note), *legend, *_axes(x, y, top, bottom)]
    parts += [_line(LEFT, y.at(limit), WIDTH - RIGHT, y.at(limit), colour, 1.5, DASHES)
              for _, limit, colour in limits]
    labels = _Labels(top, bottom)
    for a, b in points:
        labels.point(x.at(a), y.at(b))
    for colour, each in zip(COLOURS, series):
        path = " ".join(f"{x.at(a):.1f},{y.at(b):.1f}" for a, b in each.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5" '
                     'stroke-linejoin="round"/>')
        parts += [f'<circle cx="{x.at(a):.1f}" cy="{y.at(b):.1f}" r="4" fill="{colour}"/>'
                  for a, b in each.points]
    for colour, each in zip(COLOURS, series):
        for a, b in each.points:
            highest = b >= max(other for place, other in points if place == a)
            parts += labels.put(x.at(a), y.at(b), rounded(b), colour, highest)
    return "\n".join([*parts, "</svg>"]) + "\n"


BAR, STEP, BAR_LEFT, BAR_TOP = 22, 34, 230, 70


def bar_chart(title, unit, bars, note=""):
    """`bars`: (label, value, text behind it, is it certmill). A logarithmic scale, from a power of
    ten below the smallest to the largest."""
    if not bars:
        return None
    values = [value for _, value, _, _ in bars]
    low = math.floor(math.log10(min(values)) - 0.05)
    high = math.log10(max(values))
    bottom = BAR_TOP + STEP * len(bars)
    height = bottom + 84
    # Room at the right for the text of the longest bar.
    scale = (WIDTH - BAR_LEFT - 170) / max(high - low, 0.5)

    def x_of(value):
        return BAR_LEFT + scale * (math.log10(value) - low)
    parts = _frame(height, title, note)
    for power in range(low, math.floor(high) + 1):
        x = x_of(10.0**power)
        parts += [_line(x, BAR_TOP - 12, x, bottom, GRID),
                  _text(x, bottom + 18, tick_text(10.0**power), anchor="middle", fill=FAINT)]
    parts.append(_text(BAR_LEFT, bottom + 40, f"{unit}, logarithmic scale"))
    for i, (label, value, text, own) in enumerate(bars):
        y = BAR_TOP + STEP * i
        middle = y + BAR / 2 + 4.5
        parts += [_text(BAR_LEFT - 12, middle, label, anchor="end",
                        weight=600 if own else None),
                  f'<rect x="{BAR_LEFT}" y="{y}" width="{max(1, x_of(value) - BAR_LEFT):.1f}" '
                  f'height="{BAR}" rx="3" fill="{OWN if own else OTHERS}"/>',
                  _text(x_of(value) + 8, middle, text)]
    return "\n".join([*parts, "</svg>"]) + "\n"
