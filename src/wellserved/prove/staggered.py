"""Teams that take a change up one after the other: the effect where it was taken up, against what is imputed there.

Team and period effects are fitted on what was not changed (yet) and carried over (Borusyak, Jaravel and Spiess 2024,
Review of Economic Studies 91, 3253); the average of observed less imputed is the effect. Its interval comes from
leaving teams out, and from dealing the adoption dates to teams anew, which holds with few teams as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from wellserved.errors import RequestError
from wellserved.prove.model import Floats, Mask
from wellserved.prove.verdict import Estimate

FEWEST = 8  # teams; fewer were never measured
DEALS = 999


@dataclass(frozen=True)
class Adopted:
    """The average effect on those who took the change up, in the measure's unit."""

    effect: Estimate  # interval by dealing the dates anew
    jackknife: Estimate  # interval by leaving teams out
    p: float
    teams: int
    never: int  # teams that never took it up
    cells: int  # team-periods after adoption


def weights(adopted: Mask) -> Floats:
    """ATT = sum of these times the measure, over teams and periods; they depend on the adoption alone.

    On adopted cells 1/#; on the others -X0(X0'X0)⁻a, X0 their team and period dummies, a the adopted cells' mean
    dummies. The teams' block of X0'X0 is diagonal, so that only a system of the periods' size is solved.
    """
    free = (~adopted).astype(float)
    by_team, by_period = free.sum(axis=1), free.sum(axis=0)
    cells = adopted.sum()
    team_mean, period_mean = adopted.sum(axis=1) / cells, adopted.sum(axis=0) / cells
    share = np.divide(1.0, by_team, out=np.zeros_like(by_team), where=by_team > 0)
    left = np.diag(by_period) - (free * share[:, None]).T @ free
    at_period = np.linalg.lstsq(left, period_mean - free.T @ (team_mean * share), rcond=None)[0]
    at_team = (team_mean - free @ at_period) * share
    found: Floats = np.where(adopted, 1 / cells, -free * (at_team[:, None] + at_period[None, :]))
    if max(np.abs(found.sum(axis=0)).max(), np.abs(found.sum(axis=1)).max()) > 1e-6:
        raise RequestError(
            "Some period or team has nothing unchanged to compare with.",
            "Leave out the periods in which all teams had changed.",
        )
    return found


def staggered(measure: Floats, adopted: Mask, seed: int = 1) -> Adopted:
    """Did it work where it was taken up? measure: teams by periods, none missing; adopted: the cells since it was.

    Refuses fewer than eight teams, and adoption without a team that never took it up.
    """
    teams = len(measure)
    never = int((~adopted.any(axis=1)).sum())
    if teams < FEWEST:
        raise RequestError(
            f"{teams} teams are too few to compare adopters by.",
            f"It takes {FEWEST}; or compare one change with --against.",
        )
    if not never or never == teams:
        raise RequestError("It takes teams that took it up, and teams that never did.", "Name others with --by.")
    w = weights(adopted)
    att = float((w * measure).sum())
    left = _left_out(measure, adopted)
    se = float(np.sqrt((len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum()))
    reach = float(special.stdtrit(teams - 2, 0.975)) * se
    products, slopes, deals = w @ measure.T, w @ adopted.T.astype(float), _deals(teams, seed)
    dealt, moved = _dealt(products, deals), _dealt(slopes, deals)
    p = (1 + int((np.abs(dealt) >= abs(att)).sum())) / (1 + DEALS)
    low, high = (_end(att, dealt, moved, side * (2 * reach + abs(att) + 1e-9)) for side in (-1, 1))
    return Adopted(
        Estimate(att, low, high), Estimate(att, att - reach, att + reach), p, teams, never, int(adopted.sum())
    )


def _left_out(measure: Floats, adopted: Mask) -> Floats:
    """The effect without each team that can be spared."""
    found = []
    for team in range(len(measure)):
        rest = np.arange(len(measure)) != team
        if adopted[rest].any():
            try:
                found.append(float((weights(adopted[rest]) * measure[rest]).sum()))
            except RequestError:  # the team is the only one to compare some period with
                continue
    return np.array(found)


def _deals(teams: int, seed: int) -> npt.NDArray[np.int64]:
    draw = np.random.default_rng(seed)
    return np.array([draw.permutation(teams) for _ in range(DEALS)])


def _dealt(products: Floats, deals: npt.NDArray[np.int64]) -> Floats:
    """The statistic with each team given another's adoption row."""
    found: Floats = products[np.arange(len(products)), deals].sum(axis=1)
    return found


def _end(att: float, dealt: Floats, moved: Floats, reach: float) -> float:
    """Where a trial effect is just not to be told from the one found: bisection for p = .05."""

    def p(trial: float) -> float:
        return float(1 + (np.abs(dealt - trial * moved) >= abs(att - trial)).sum()) / (1 + DEALS)

    near, far = att, att + reach
    for _ in range(60):
        if p(far) <= 0.05:
            break
        far = att + (far - att) * 2
    else:
        return float(np.sign(reach) * np.inf)
    for _ in range(60):
        middle = (near + far) / 2
        near, far = (middle, far) if p(middle) > 0.05 else (near, middle)
    return (near + far) / 2
