"""The line of sight drawn: my work, the measure that it moves, the objective that this carries."""

from __future__ import annotations

from wellserved.people.sight import LineOfSight, SightMeasure
from wellserved.render.charts.svg import ALARM, CALM, INK, LINE, MUTED, Frame, Picture, draw_both, drawing, label

ROW = 52
_MARKS = {"worse": ("✕", ALARM), "better": ("✓", CALM), "usual": ("○", MUTED), "unknown": ("?", MUTED)}


def sight_picture(sight: LineOfSight) -> Picture:
    """One line from each work to each objective."""
    return draw_both(
        "From work to measure to objective; ✕ worse and ✓ better than usual by the chart's rules, ○ as usual, ? cannot be told",
        lambda frame: _narrow(sight, frame) if frame.is_narrow else _wide(sight, frame),
    )


def _short(words: str, letters: int) -> str:
    return words if len(words) <= letters else f"{words[: letters - 1]}…"


def _measures(sight: LineOfSight) -> dict[str, SightMeasure | None]:
    """Measures that are carried or moved, in the order of the objectives."""
    names: dict[str, SightMeasure | None] = {}
    for objective in sight.objectives:
        for measure in objective.measures:
            names.setdefault(measure.name, measure)
    for work in sight.works:
        names.setdefault(work.measure, None)
    return names


def _box(x: float, y: float, width: float, title: str, words: str, strong: bool = False, mark: tuple[str, str] | None = None) -> list[str]:  # fmt: skip
    stroke = LINE if strong else "#b8c2cc"
    letters = int(width / 6.6)
    parts = [
        f'<rect class="node" x="{x:g}" y="{y:g}" width="{width:g}" height="40" rx="6" fill="none" stroke="{stroke}" stroke-width="{2 if strong else 1}"/>',
        label(x + 8, y + 16, _short(title, letters - 2), kind="ink"),
        label(x + 8, y + 32, _short(words, letters + 2), size=11),
    ]
    if mark:
        parts.append(f'<text x="{x + width - 8:g}" y="{y + 17:g}" fill="{mark[1]}" font-size="13" font-family="system-ui, sans-serif" text-anchor="end">{mark[0]}</text>')  # fmt: skip
    return parts


def _link(x1: float, y1: float, x2: float, y2: float, strong: bool) -> str:
    middle = (x1 + x2) / 2
    return f'<path d="M{x1:g} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2:g} {y2:g}" fill="none" stroke="{LINE if strong else "#b8c2cc"}" stroke-width="{2 if strong else 1}"/>'


def _wide(sight: LineOfSight, page_frame: Frame) -> str:
    measures = _measures(sight)
    rows = max(len(sight.works), len(measures), len(sight.objectives), 1)
    frame = Frame(page_frame.width, rows * ROW + 28, 0, 0)
    width, gap = 212.0, 42.0
    columns = [0.0 + 1, width + gap, 2 * (width + gap)]
    body = [
        label(x + 8, 14, title, size=11) for x, title in zip(columns, ("work", "measure", "objective"), strict=True)
    ]
    places = {name: 24 + i * ROW for i, name in enumerate(measures)}
    mine = {work.measure for work in sight.works if work.is_mine}
    for i, work in enumerate(sight.works):
        y = 24 + i * ROW
        body.append(_link(columns[0] + width, y + 20, columns[1], places[work.measure] + 20, work.is_mine))
        body += _box(
            columns[0], y, width, work.work, f"{work.team}{', ' + work.role if work.role else ''}", work.is_mine
        )
    for i, objective in enumerate(sight.objectives):
        y = 24 + i * ROW
        for measure in objective.measures:
            body.append(_link(columns[1] + width, places[measure.name] + 20, columns[2], y + 20, measure.name in mine))
        strong = any(measure.name in mine for measure in objective.measures)
        body += _box(columns[2], y, width, objective.name, objective.team or "the house", strong)
    for name, carried in measures.items():
        words = (
            f"{carried.value}{', target ' + carried.target if carried.target else ''}"
            if carried
            else "carries no objective"
        )
        mark = _MARKS[carried.side] if carried else None
        body += _box(columns[1], places[name], width, name.replace("_", " "), words, name in mine, mark)
    return drawing(frame, "Line of sight", _words(sight), body)


def _narrow(sight: LineOfSight, page_frame: Frame) -> str:
    """On a phone: under each objective its measures, under each measure the work."""
    body: list[str] = []
    y = 6.0
    for objective in sight.objectives:
        body += _box(1, y, page_frame.width - 2, objective.name, objective.team or "the house", True)
        y += ROW
        for measure in objective.measures:
            body.append(f'<path d="M12 {y - 12:g}V{y + 20:g}H20" fill="none" stroke="{INK}" stroke-opacity=".4"/>')
            body += _box(20, y, page_frame.width - 22, measure.name.replace("_", " "), f"{measure.value}{', target ' + measure.target if measure.target else ''}", False, _MARKS[measure.side])  # fmt: skip
            y += ROW
            for work in sight.works:
                if work.measure == measure.name:
                    body.append(
                        f'<path d="M31 {y - 12:g}V{y + 20:g}H40" fill="none" stroke="{INK}" stroke-opacity=".4"/>'
                    )
                    body += _box(40, y, page_frame.width - 42, work.work, f"{work.team}{', ' + work.role if work.role else ''}", work.is_mine)  # fmt: skip
                    y += ROW
    return drawing(Frame(page_frame.width, int(y) + 4, 0, 0), "Line of sight", _words(sight), body)


def _words(sight: LineOfSight) -> str:
    own = [work.work for work in sight.works if work.is_mine]
    return f"{len(sight.works)} kinds of work, {len(sight.objectives)} objectives." + (f" Your own work: {', '.join(own[:3])}." if own else "")  # fmt: skip
