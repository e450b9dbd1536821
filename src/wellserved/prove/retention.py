"""How long do customers under contract stay? The shifted beta-geometric model of renewals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from wellserved.errors import RequestError
from wellserved.prove.model import Floats


@dataclass(frozen=True)
class Retention:
    """Customers differ in how likely they leave at each renewal: beta(a, b)."""

    a: float
    b: float

    def surviving(self, renewals: int) -> Floats:
        """Share still there after 0, 1, ... renewals."""
        t = np.arange(1, renewals + 1)
        found: Floats = np.concatenate([[1.0], np.cumprod((self.b + t - 1) / (self.a + self.b + t - 1))])
        return found

    def left(self, renewals: int) -> float:
        """Renewals still to be expected of someone who has renewed so often; infinite where a is 1 or less."""
        return float((self.b + renewals) / (self.a - 1)) if self.a > 1 else float("inf")


def retention(surviving: Floats) -> Retention:
    """Fit to the share (or number) of a group still there after 0, 1, 2 ... renewals, by maximum likelihood.

    P. S. Fader and B. G. S. Hardie, Journal of Interactive Marketing 21 (2007) 76: their Regular customers give
    .704 and 1.182, their High End .668 and 3.806.
    """
    there = np.asarray(surviving, dtype=float)
    if len(there) < 3 or (np.diff(there) > 0).any() or there[-1] < 0 or not there[0] > there[-1]:
        raise RequestError(
            "These are no renewals.",
            "Give the number of customers at the start and after each renewal, never rising, some having left.",
        )
    gone = -np.diff(there)

    def loss(logs: Floats) -> float:
        stays = Retention(*np.exp(logs)).surviving(len(gone))
        leaves = -np.diff(stays)
        return -float((gone * np.log(np.maximum(leaves, 1e-300))).sum() + there[-1] * np.log(max(stays[-1], 1e-300)))

    found = optimize.minimize(
        loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5000}
    )
    return Retention(*(float(one) for one in np.exp(found.x)))
