"""Least squares: how cost grows."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """y = intercept + slope * x; r2 is the share of the variance that it explains."""

    slope: float
    intercept: float
    r2: float


def line(points, weights=None):
    """The line of least squares through (x, y) points; None without two different x."""
    if len({x for x, _ in points}) < 2:
        return None
    weights = weights or [1.0] * len(points)
    whole = sum(weights)
    mean_x = sum(w * x for w, (x, _) in zip(weights, points)) / whole
    mean_y = sum(w * y for w, (_, y) in zip(weights, points)) / whole
    spread = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points))
    slope = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points)) / spread
    intercept = mean_y - slope * mean_x
    total = sum(w * (y - mean_y) ** 2 for w, (_, y) in zip(weights, points))
    rest = sum(w * (y - intercept - slope * x) ** 2 for w, (x, y) in zip(weights, points))
    return Line(slope, intercept, 1.0 if total == 0 else 1 - rest / total)


def deviation(points):
    """How far, as a share of its own y, any point is from the line that keeps these shares small.
    An ordinary line follows the largest points and may miss the small ones altogether."""
    if any(y <= 0 for _, y in points):
        return math.inf
    fitted = line(points, [1 / y**2 for _, y in points])
    return max(abs(fitted.intercept + fitted.slope * x - y) / y for x, y in points)


def power(points):
    """y = factor * x^exponent, by a line through the logarithms: (exponent, r2). Points without a
    logarithm are left out."""
    fitted = line([(math.log(x), math.log(y)) for x, y in points if x > 0 and y > 0])
    return None if fitted is None else (fitted.slope, fitted.r2)


# What may be called linear: doubling the work nowhere costs more than 2^1.1 = 2.14 times as much,
# and a fixed part and so much for each explain every point, the small ones too.
EXPONENT_MAX = 1.1
DEVIATION_MAX = 0.15


def growth(points):
    """How y grows with x: the exponent of all points and of the two largest, the line, and a
    verdict that promises no more than the points show. None for less than three points."""
    points = sorted(points)
    straight, curve = line(points), power(points)
    if straight is None or curve is None or len({x for x, _ in points}) < 3:
        return None
    largest = [point for point in points if point[0] < points[-1][0]][-1:] + points[-1:]
    exponent, (tail, _) = curve[0], power(largest) or (0.0, 0.0)
    off = deviation(points)
    if max(exponent, tail) <= EXPONENT_MAX - 1:
        verdict = "does not grow"
    elif max(exponent, tail) > EXPONENT_MAX:
        verdict = "more than linear"
    elif off <= DEVIATION_MAX and straight.slope > 0:
        verdict = "linear"
    else:
        verdict = "less than linear" if max(exponent, tail) < 1 / EXPONENT_MAX else "not clear"
    return {"points": [list(point) for point in points], "exponent": exponent, "tail": tail,
            "slope": straight.slope, "intercept": straight.intercept, "r2": straight.r2,
            "deviation": None if math.isinf(off) else off, "verdict": verdict}
