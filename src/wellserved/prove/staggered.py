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
from wellserved.prove.engine.model import Floats, Mask
from wellserved.prove.verdict import Estimate

FEWEST_TEAMS = 8  # teams; fewer were never measured
PERMUTATIONS = 999


@dataclass(frozen=True)
class StaggeredEffect:
    """The average effect on those who took the change up, in the measure's unit."""

    effect: Estimate  # interval by dealing the dates anew
    jackknife: Estimate  # interval by leaving teams out
    p: float
    teams: int
    never_adopted: int  # teams that never took it up
    cells: int  # team-periods after adoption


def effect_weights(has_adopted: Mask) -> Floats:
    """ATT = sum of these times the measure, over teams and periods; they depend on the adoption alone.

    On adopted cells 1/#; on the others -X0(X0'X0)⁻a, X0 their team and period dummies, a the adopted cells' mean
    dummies. The teams' block of X0'X0 is diagonal, so that only a system of the periods' size is solved.
    """
    is_unadopted = (~has_adopted).astype(float)
    by_team, by_period = is_unadopted.sum(axis=1), is_unadopted.sum(axis=0)
    cells = has_adopted.sum()
    team_mean, period_mean = has_adopted.sum(axis=1) / cells, has_adopted.sum(axis=0) / cells
    share = np.divide(1.0, by_team, out=np.zeros_like(by_team), where=by_team > 0)
    reduced_matrix = np.diag(by_period) - (is_unadopted * share[:, None]).T @ is_unadopted
    at_period = np.linalg.lstsq(reduced_matrix, period_mean - is_unadopted.T @ (team_mean * share), rcond=None)[0]
    at_team = (team_mean - is_unadopted @ at_period) * share
    cell_weights: Floats = np.where(has_adopted, 1 / cells, -is_unadopted * (at_team[:, None] + at_period[None, :]))
    if max(np.abs(cell_weights.sum(axis=0)).max(), np.abs(cell_weights.sum(axis=1)).max()) > 1e-6:
        raise RequestError(
            "Some period or team has nothing unchanged to compare with.",
            "Leave out the periods in which all teams had changed.",
        )
    return cell_weights


def estimate_staggered_effect(measure: Floats, has_adopted: Mask, seed: int = 1) -> StaggeredEffect:
    """Did it work where it was taken up? measure: teams by periods, none missing; has_adopted: the cells since it was.

    Refuses fewer than eight teams, and adoption without a team that never took it up.
    """
    teams = len(measure)
    never_count = int((~has_adopted.any(axis=1)).sum())
    if teams < FEWEST_TEAMS:
        raise RequestError(
            f"{teams} teams are too few to compare adopters by.",
            f"It takes {FEWEST_TEAMS}; or compare one change with --against.",
        )
    if not never_count or never_count == teams:
        raise RequestError("It takes teams that took it up, and teams that never did.", "Name others with --by.")
    w = effect_weights(has_adopted)
    att = float((w * measure).sum())
    jackknife_effects = _jackknife_effects(measure, has_adopted)
    se = float(
        np.sqrt(
            (len(jackknife_effects) - 1)
            / len(jackknife_effects)
            * ((jackknife_effects - jackknife_effects.mean()) ** 2).sum()
        )
    )
    reach = float(special.stdtrit(teams - 2, 0.975)) * se
    products, slopes, permutations = w @ measure.T, w @ has_adopted.T.astype(float), _permutations(teams, seed)
    permuted_effects, permuted_slopes = (
        _permuted_statistics(products, permutations),
        _permuted_statistics(slopes, permutations),
    )
    p = (1 + int((np.abs(permuted_effects) >= abs(att)).sum())) / (1 + PERMUTATIONS)
    low, high = (
        _interval_end(att, permuted_effects, permuted_slopes, side * (2 * reach + abs(att) + 1e-9)) for side in (-1, 1)
    )
    return StaggeredEffect(
        Estimate(att, low, high), Estimate(att, att - reach, att + reach), p, teams, never_count, int(has_adopted.sum())
    )


def _jackknife_effects(measure: Floats, has_adopted: Mask) -> Floats:
    """The effect without each team that can be spared."""
    effects = []
    for team in range(len(measure)):
        other_teams = np.arange(len(measure)) != team
        if has_adopted[other_teams].any():
            try:
                effects.append(float((effect_weights(has_adopted[other_teams]) * measure[other_teams]).sum()))
            except RequestError:  # the team is the only one to compare some period with
                continue
    return np.array(effects)


def _permutations(teams: int, seed: int) -> npt.NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    return np.array([rng.permutation(teams) for _ in range(PERMUTATIONS)])


def _permuted_statistics(products: Floats, permutations: npt.NDArray[np.int64]) -> Floats:
    """The statistic with each team given another's adoption row."""
    statistics: Floats = products[np.arange(len(products)), permutations].sum(axis=1)
    return statistics


def _interval_end(att: float, permuted_effects: Floats, permuted_slopes: Floats, reach: float) -> float:
    """Where a trial effect is just not to be told from the one found: bisection for p = .05."""

    def p(trial: float) -> float:
        return float(1 + (np.abs(permuted_effects - trial * permuted_slopes) >= abs(att - trial)).sum()) / (
            1 + PERMUTATIONS
        )

    inner, outer = att, att + reach
    for _ in range(60):
        if p(outer) <= 0.05:
            break
        outer = att + (outer - att) * 2
    else:
        return float(np.sign(reach) * np.inf)
    for _ in range(60):
        middle = (inner + outer) / 2
        inner, outer = (middle, outer) if p(middle) > 0.05 else (inner, middle)
    return (inner + outer) / 2
