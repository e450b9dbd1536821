"""How one's own service varies, as a table."""

from __future__ import annotations

from wellserved.moments import NotComputable
from wellserved.people.evenness import Evenness, VarianceComponents
from wellserved.report import Table


def evenness_table(result: Evenness) -> Table:
    """Beyond chance: from day to day, by hour, by weekday, by the number of ratings a day."""
    kinds: dict[str, VarianceComponents | NotComputable] = {"day": result.days, **result.others}
    rows = tuple(
        (name, str(parts), "", "") if isinstance(parts, NotComputable)
        else (name, f"{parts.between:.2f} ({parts.low:.2f} to {parts.high:.2f})", f"{parts.within:.2f}", "differ" if parts.differs else "no more than chance")
        for name, parts in kinds.items()
    )  # fmt: skip
    note = "In points of the scale, as standard deviations; 95% intervals by F. The mean of each service was taken off before."
    return Table(result.words, ("by", "beyond chance", "rating to rating", "in words"), rows, note)
