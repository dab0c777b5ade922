"""Charts as PNG: a silent sync's arrivals, and the weeks of a digest. Pure, and slow: half a second of one core.

The text beside a chart says everything that matters; ``alt`` says what the chart shows.
"""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from bot.digest import Arrivals, Digest, Week
from bot.model import Cause
from bot.sweep_groups import Sweep
from handlers.render import words
from handlers.render.blocks import cut_plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK: Final = "#1d1c1d"
PALE: Final = "#c9d6de"
LINE: Final = "#1f6f8b"
ALARM: Final = "#c0392b"
COLOURS: Final = ("#1f6f8b", "#e08e45", "#5b8c5a", "#8e6c8a", "#b4a04a", "#999999")
MOST_CAUSES: Final = 5
MOST_BARS: Final = 10
# a phone shows a picture as wide as its screen, so letters must be large beside the width
DPI: Final = 200
SMALL: Final = 9
NORMAL: Final = 10
LARGE: Final = 11
TITLE_WIDTH: Final = 44
OTHERS: Final = "others"
MOST_HOURS: Final = 4
STEPS: Final = (1, 2, 3, 6, 12, 24, 48, 168)
NAME_LIMIT: Final = 60
ALT_LIMIT: Final = 1000


def silence_chart(of: Arrivals) -> bytes:
    """Bars of what METRC recorded each hour, the expected band behind them, the moment it broke."""
    figure, (axes,) = _figure(1, (4.4, 3.1))
    zone = ZoneInfo(of.zone)
    width, middle = 50 / 60 / 24, timedelta(minutes=30)
    if of.expected:
        starts = [_days(band.start + middle) for band in of.expected]
        low, high = [band.low for band in of.expected], [band.high for band in of.expected]
        axes.bar(
            starts,
            [h - b for b, h in zip(low, high, strict=True)],
            width=1 / 24,
            bottom=low,
            color=PALE,
            label=words.CHART_EXPECTED,
        )
    axes.bar(
        [_days(at + middle) for at, _ in of.hours],
        [n for _, n in of.hours],
        width=width * 0.55,
        color=LINE,
        label=words.CHART_RECORDED,
    )
    axes.axvline(_days(of.broke_at), color=ALARM, linewidth=1.6)
    top = max([1.0, *(float(n) for _, n in of.hours), *(band.high for band in of.expected)])
    axes.set_ylim(0, top * 1.25)
    is_early = of.broke_at - of.hours[0][0] < of.until - of.broke_at
    axes.annotate(
        words.chart_broke(_clock(of.broke_at, zone)), (_days(of.broke_at), top * 1.22),
        xytext=(5, 0) if is_early else (-5, 0), textcoords="offset points", ha="left" if is_early else "right", va="top", color=ALARM, fontsize=NORMAL,
    )  # fmt: skip
    axes.set_xlim(_days(of.hours[0][0]), _days(of.until + middle))
    _hours(axes, of, zone)
    axes.set_ylabel(words.CHART_AN_HOUR)
    _titled(figure, words.chart_of_receipts(_name(of.name)))
    _explained(axes, 2)
    return _png(figure)


def silence_alt(of: Arrivals) -> str:
    """The same in words."""
    zone = ZoneInfo(of.zone)
    before = sum(n for at, n in of.hours if at < of.broke_at)
    after = sum(n for at, n in of.hours if at >= of.broke_at)
    due: float | None = None
    if of.expected:
        later = [band.expected for band in of.expected if band.start >= of.broke_at]
        due = sum(later) if later else None
    lasted = of.until - of.hours[0][0]
    return _alt(
        words.chart_of_silence(_name(of.name), lasted, _clock(of.broke_at, zone), before=before, after=after, due=due)
    )


def digest_chart(of: Digest) -> bytes:
    """Three panels over eight weeks: differences by cause, how long posts take, alerts."""
    figure, (causes, delays, alerts) = _figure(3, (4.4, 7.6))
    labels = [f"{week.start:%b} {week.start.day}" for week in of.weeks]
    places = list(range(len(of.weeks)))
    bottom = [0.0] * len(places)
    for colour, name in zip(COLOURS, _names(of.weeks), strict=False):
        counts = [float(_count(week, name, _names(of.weeks))) for week in of.weeks]
        causes.bar(places, counts, bottom=bottom, color=colour, width=0.7, label=_told(name))
        bottom = [one + other for one, other in zip(bottom, counts, strict=True)]
    causes.set_title(words.CHART_DIFFERENCES, loc="left", fontsize=NORMAL, color=INK)
    if _names(of.weeks):
        _explained(causes, 1)
    causes.set_ylim(0, max(4.0, *bottom) * 1.1)
    for at, (colour, name) in enumerate(((LINE, words.CHART_HALF), (ALARM, words.CHART_MOST))):
        points = [(n, week.delay[at] / 60) for n, week in enumerate(of.weeks) if week.delay]
        delays.plot([n for n, _ in points], [m for _, m in points], color=colour, marker="o", markersize=4, label=name)
    delays.set_title(words.CHART_MINUTES, loc="left", fontsize=NORMAL, color=INK)
    delays.set_ylim(0, max([4.0, *(week.delay[1] / 60 for week in of.weeks if week.delay)]) * 1.1)
    _explained(delays, 2)
    alerts.bar(places, [sum(week.alerts.values()) for week in of.weeks], color=ALARM, width=0.7)
    alerts.set_title(words.CHART_ALERTS, loc="left", fontsize=NORMAL, color=INK)
    alerts.set_ylim(0, max(4, *(sum(week.alerts.values()) for week in of.weeks)) * 1.2)
    for axes in (causes, delays, alerts):
        # the newest week is named, and no two names run into one another
        axes.set_xticks(places[1::2], labels[1::2])
        axes.set_xlim(-0.6, len(places) - 0.4)
    return _png(figure)


def digest_alt(of: Digest) -> str:
    """The same in words."""
    weeks = of.weeks
    told = ", ".join(str(week.discrepancies) for week in weeks)
    alerts = ", ".join(str(sum(week.alerts.values())) for week in weeks)
    delays = ", ".join(f"{week.delay[0] / 60:.0f}" if week.delay else "none" for week in weeks)
    return words.charts_of_weeks(len(weeks), told, delays, alerts)


def causes_chart(of: Sweep, name: str) -> bytes:
    """One bar a cause: how many packages it holds, the widest on top."""
    counts = _packages_by_cause(of)
    figure, (axes,) = _figure(1, (4.4, 0.9 + 0.3 * max(3, len(counts))))
    places = list(range(len(counts)))
    axes.barh(places, [float(count) for _, count in counts], color=LINE, height=0.6)
    _whole_numbers(axes)
    axes.set_yticks(places, [cause for cause, _ in counts])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color="#eeeeee")
    for place, (_, count) in enumerate(counts):
        axes.annotate(f" {count:,}", (count, place), va="center", fontsize=NORMAL, color=INK)
    axes.set_xlim(0, max([4.0, *(float(count) for _, count in counts)]) * 1.12)
    _titled(figure, words.chart_by_cause(_name(name)))
    return _png(figure)


def causes_alt(of: Sweep, name: str) -> str:
    """The same in words."""
    told = ", ".join(f"{cause} {count:,}" for cause, count in _packages_by_cause(of))
    return _alt(words.chart_of_causes(_name(name), told))


def _packages_by_cause(of: Sweep) -> list[tuple[str, int]]:
    totals: dict[str, int] = {}
    for group in of.groups:
        word = words.CAUSES[group.cause]
        totals[word] = totals.get(word, 0) + len(group.labels)
    ordered = sorted(totals.items(), key=lambda one: (-one[1], one[0]))
    if len(ordered) <= MOST_BARS:
        return ordered
    return [*ordered[: MOST_BARS - 1], (words.CHART_OTHERS, sum(count for _, count in ordered[MOST_BARS - 1 :]))]


def _names(weeks: tuple[Week, ...]) -> list[str]:
    """The commonest causes; what is left counts as others."""
    totals: dict[str, int] = {}
    for week in weeks:
        for cause, count in week.causes.items():
            totals[cause.value] = totals.get(cause.value, 0) + count
    ordered = sorted(totals, key=lambda name: (-totals[name], name))
    return ordered if len(ordered) <= MOST_CAUSES + 1 else [*ordered[:MOST_CAUSES], OTHERS]


def _count(week: Week, name: str, names: list[str]) -> int:
    if name == OTHERS:
        return sum(count for cause, count in week.causes.items() if cause.value not in names)
    return sum(count for cause, count in week.causes.items() if cause.value == name)


# --- drawing ----------------------------------------------------------------------------------------------------------


def _figure(rows: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    # half a second to import, and only a chart needs it; the object-oriented way, for pyplot keeps state
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    every = [figure.add_subplot(rows, 1, n + 1) for n in range(rows)]
    for axes in every:
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.tick_params(labelsize=SMALL, colors=INK)
        axes.yaxis.label.set_fontsize(NORMAL)
        axes.grid(axis="y", color="#eeeeee")
        axes.set_axisbelow(True)
    return figure, every


def _hours(axes: Axes, of: Arrivals, zone: ZoneInfo) -> None:
    """Name so many of the hours, on the shop's clock, that no two names run into one another."""
    hours = [at.astimezone(zone) for at, _ in of.hours]
    step = next((step for step in STEPS if len(hours) <= step * MOST_HOURS), STEPS[-1])
    named = [at for at in hours if (at.hour + 24 * at.toordinal()) % step == 0]
    axes.set_xticks([_days(at) for at in named], [f"{at:%a %H:%M}" for at in named])


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    locator: Any = MaxNLocator(nbins=4, integer=True)
    axes.xaxis.set_major_locator(locator)


def _days(at: datetime) -> float:
    """How matplotlib counts time: in days since 1970."""
    return at.timestamp() / 86400


def _png(figure: Any) -> bytes:  # noqa: ANN401 - matplotlib's own
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%a %H:%M}"


def _name(shop: str) -> str:
    return cut_plain(shop, NAME_LIMIT)


def _alt(text: str) -> str:
    return cut_plain(text, ALT_LIMIT)


def _titled(figure: Figure, text: str) -> None:
    """Over the whole picture, for a chart may begin far right of its names; as many lines as it takes."""
    lines = "\n".join(wrap(text, TITLE_WIDTH))
    figure.suptitle(_plain(lines), x=0.01, ha="left", fontsize=LARGE, color=INK)


def _explained(axes: Axes, columns: int) -> None:
    """What the colours mean, under the chart, where it covers nothing."""
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.13), frameon=False, fontsize=SMALL, ncols=columns)


def _told(cause: str) -> str:
    """A cause in the words of the answers."""
    return words.CHART_OTHERS if cause == OTHERS else words.CAUSES[Cause(cause)]


def _plain(text: str) -> str:
    """A dollar sign would begin mathematics."""
    return text.replace("$", r"\$")
