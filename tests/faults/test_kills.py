"""Killed inside an import, a fold, a share and a backup, at chosen calls to the storage: nothing lost, nothing twice."""

from __future__ import annotations

import random

import pytest

from tests.faults.ground import ALL, Ground, spread

SEED = 20261129
KILLS = 4  # of each command; with WELLSERVED_FAULTS=all at every call


@pytest.mark.parametrize("place", range(4), ids=("import", "fold", "share", "backup"))
def test_killed_at_any_call_and_run_again_nothing_is_lost_doubled_or_left_lying(ground: Ground, place: int) -> None:
    trial = ground.trials[place]
    ground.begin(trial)
    whole = ground.attempt(trial)
    assert whole.code == 0, whole.printed
    wanted, killed = ground.held(), 0
    assert ground.litter() == []
    for at in spread(whole.calls, KILLS, random.Random(SEED + place)):
        ground.begin(trial)
        dead = ground.attempt(trial, at)
        killed += dead.code == -9
        again = ground.attempt(trial)
        assert again.code == 0, f"killed at {at} ({whole.calls[at - 1]}): {again.printed}"
        assert ground.held() == wanted, f"killed at {at} ({whole.calls[at - 1]})"
        assert ground.litter() == [], f"killed at {at} ({whole.calls[at - 1]})"
    print(f"{trial.name}: {killed} kills, {len(whole.calls)} calls")
    assert killed >= (KILLS if not ALL else len(whole.calls) * 0.9)
