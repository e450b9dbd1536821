"""How fine the problems are told apart: where two independent looks at the texts agree most.

Modularity has a knob, and any setting of it finds groups, in noise as well. Groups that are there are found from the
words and from the pieces of words alike; so the resolution is taken at which both agree best (adjusted mutual
information, Vinh, Epps & Bailey 2010), and from there the coarsest that is as good but for a fiftieth.

Agreement may be high at several grains: stories on their few subjects and on what befell each, formulas on the matter
and on every wording. So the finest true peak that is nearly as high as the best gives the problems; where there is no peak,
the coarsest resolution that is nearly as good as the best. Where even the best agree less than MINIMUM_AGREEMENT, there are
no groups to speak of.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.signal import find_peaks
from sklearn.metrics import adjusted_mutual_info_score

from wellserved.listen.graph import groups, ties_of
from wellserved.progress import ProgressCallback, no_progress

RESOLUTIONS = tuple(float(2 ** (step / 2)) for step in range(-6, 11))  # .125 to 32
AS_GOOD = 0.98
PROMINENCE = 0.01  # of a peak, over the valleys beside it
NEARLY_AS_HIGH = 0.9  # as the best of all, for a peak
NEARLY_AS_GOOD = 0.95  # where there is no peak
MINIMUM_AGREEMENT = 0.25


@dataclass(frozen=True)
class Grain:
    """The resolution taken, and how far two looks agree at each that was tried."""

    resolution: float
    agreement: float
    tried: tuple[tuple[float, float], ...]  # resolution, agreement

    @property
    def is_told_apart(self) -> bool:
        """Two looks at the texts find groups that are alike."""
        return self.agreement >= MINIMUM_AGREEMENT


def choose_grain(
    words: sparse.csr_matrix, pieces: sparse.csr_matrix, seed: int, on_progress: ProgressCallback = no_progress
) -> Grain:
    """The resolution at which the groups of two graphs of the same texts agree."""
    agreements = []
    ties = [ties_of(graph) for graph in (words, pieces)]
    for step, resolution in enumerate(RESOLUTIONS):
        on_progress("Looking for the grain", step, len(RESOLUTIONS))
        labels = [groups(view_ties, resolution, seed) for view_ties in ties]
        agreements.append(float(adjusted_mutual_info_score(*labels)))
    padded = np.pad(agreements, 1, mode="edge")
    smooth = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    chosen = _coarsest_of_best(smooth)
    return Grain(RESOLUTIONS[chosen], float(smooth[chosen]), tuple(zip(RESOLUTIONS, agreements, strict=True)))


def _coarsest_of_best(smooth: npt.NDArray[np.float64]) -> int:
    """The index of the finest high peak, and down from it as long as it is as good; without one, the first good one."""
    peaks, _ = find_peaks(smooth, prominence=PROMINENCE, height=NEARLY_AS_HIGH * smooth.max())
    if not len(peaks):
        return int(np.flatnonzero(smooth >= NEARLY_AS_GOOD * smooth.max())[0]) if smooth.max() > 0 else 0
    chosen = int(peaks[-1])
    enough = AS_GOOD * smooth[chosen]
    while chosen > 0 and enough <= smooth[chosen - 1]:
        chosen -= 1
    return chosen
