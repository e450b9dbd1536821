"""How fine the problems are told apart: where two independent looks at the texts agree most.

Modularity has a knob, and any setting of it finds groups, in noise as well. Groups that are there are found from the
words and from the pieces of words alike; so the resolution is taken at which both agree best (adjusted mutual
information, Vinh, Epps & Bailey 2010), and from there the coarsest that is as good but for a fiftieth. The two ends of
what was tried count only where there is no best between them: long texts always agree on their two or three subjects.
Where even the best agree less than MINIMUM_AGREEMENT, there are no groups to speak of.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.metrics import adjusted_mutual_info_score

from wellserved.listen.graph import groups
from wellserved.progress import ProgressCallback, no_progress

RESOLUTIONS = tuple(float(2 ** (step / 2)) for step in range(-2, 11))  # .5 to 32
AS_GOOD = 0.98
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
    for step, resolution in enumerate(RESOLUTIONS):
        on_progress("Looking for the grain", step, len(RESOLUTIONS))
        labels = [groups(graph, resolution, seed) for graph in (words, pieces)]
        agreements.append(float(adjusted_mutual_info_score(*labels)))
    padded = np.pad(agreements, 1, mode="edge")
    smooth = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    chosen = _coarsest_of_best(smooth)
    return Grain(RESOLUTIONS[chosen], float(smooth[chosen]), tuple(zip(RESOLUTIONS, agreements, strict=True)))


def _coarsest_of_best(smooth: npt.NDArray[np.float64]) -> int:
    """The highest of the peaks between the ends, or of all, and down from it as long as it is as good."""
    peaks = [place for place in range(1, len(smooth) - 1) if smooth[place] == smooth[place - 1 : place + 2].max()]
    chosen = max(peaks, key=lambda place: (smooth[place], -place)) if peaks else int(smooth.argmax())
    enough = AS_GOOD * smooth[chosen]
    while chosen > 0 and enough <= smooth[chosen - 1]:
        chosen -= 1
    return chosen
