"""Learn what kinds of moments sentences speak of, from lines as people write them; and how well that holds for other trades.

    python -m bench.sentences           cross-validation by trade, then the lines kept aside
    python -m bench.sentences --write   and write the weights that the product reads

Softmax regression with a ridge penalty (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2nd edition,
equation 4.21 and section 18.3.2) on the presence of features, each scaled by how rare it is.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse

from wellserved.capture import sentence
from wellserved.capture.sentence import KIND_LETTERS, READINGS, WEIGHT_SCALE, WEIGHTS_FILE, sentence_features

REFERENCE = Path(__file__).parent.parent / "tests" / "reference"
LINES, LINES_ASIDE = REFERENCE / "spoken_lines.jsonl", REFERENCE / "spoken_lines_aside.jsonl"
KINDS = tuple(READINGS)
PENALTY, FEWEST_LINES, FOLDS, MAX_STEPS = 0.15, 2, 5, 150
FEATURE_SCALE = 10.0  # features weigh so much less than the constant: the penalty is on them alone
SECOND_SHARE = 0.3  # of a line that may be filed as something else as well
Row = dict[str, Any]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FittedWeights:
    """Whole weights, in the unit of the product: feature by kind, and those that weigh in every sentence."""

    features: dict[str, int]  # feature -> its row
    weights: Floats
    constants: Floats

    def likeliest_kinds(self, rows: Sequence[Row]) -> list[str]:
        """The likeliest kind of each line."""
        sums = _presence(rows, self.features) @ self.weights + self.constants
        return [KINDS[index] for index in sums.argmax(axis=1)]


def read_lines(path: Path) -> list[Row]:
    """Lines with their kind, those that are as good, and who would write them."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def fit(rows: Sequence[Row]) -> FittedWeights:
    """Weights from lines whose kinds are known."""
    counts = Counter(feature for row in rows for feature in sentence_features(row["text"]))
    features = {
        name: index for index, name in enumerate(sorted(n for n, count in counts.items() if count >= FEWEST_LINES))
    }
    rarity = np.array([math.log(len(rows) / counts[name]) + 1 for name in features]) / FEATURE_SCALE
    weights, constants = _softmax_regression(_presence(rows, features) @ sparse.diags(rarity), _targets(rows))
    return FittedWeights(
        features, np.round(weights * rarity[:, None] * WEIGHT_SCALE), np.round(constants * WEIGHT_SCALE)
    )


def _presence(rows: Sequence[Row], features: dict[str, int]) -> sparse.csr_matrix:
    pairs = [
        (number, features[name])
        for number, row in enumerate(rows)
        for name in sentence_features(row["text"])
        if name in features
    ]
    lines, columns = zip(*pairs, strict=True)
    return sparse.csr_matrix((np.ones(len(pairs)), (lines, columns)), shape=(len(rows), len(features)))


def _targets(rows: Sequence[Row]) -> Floats:
    """What each line should be: its kind, and in part what is as good."""
    targets = np.zeros((len(rows), len(KINDS)))
    for number, row in enumerate(rows):
        second_kinds = row.get("also", [])
        targets[number, KINDS.index(row["kind"])] += 1 - (SECOND_SHARE if second_kinds else 0)
        for kind in second_kinds:
            targets[number, KINDS.index(kind)] += SECOND_SHARE / len(second_kinds)
    return targets


def _softmax_regression(presence: Any, targets: Floats) -> tuple[Floats, Floats]:
    size, transposed = (presence.shape[1], targets.shape[1]), presence.T.tocsr()

    def loss(parameters: Floats) -> tuple[float, Floats]:
        weights, constants = parameters[: -size[1]].reshape(size), parameters[-size[1] :]
        sums = presence @ weights + constants
        sums -= sums.max(axis=1, keepdims=True)
        chances = np.exp(sums) / np.exp(sums).sum(axis=1, keepdims=True)
        slope = chances - targets
        total = -(targets * np.log(chances + 1e-12)).sum() + PENALTY / 2 * (weights**2).sum()
        return total, np.concatenate([(transposed @ slope + PENALTY * weights).ravel(), slope.sum(axis=0)])

    start = np.zeros(size[0] * size[1] + size[1])
    best = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": MAX_STEPS}).x
    return best[: -size[1]].reshape(size), best[-size[1] :]


def share_right(rows: Sequence[Row], kinds: Sequence[str]) -> float:
    """The part of lines whose kind is the true one, or one that is as good."""
    return sum(kind in (row["kind"], *row.get("also", ())) for row, kind in zip(rows, kinds, strict=True)) / len(rows)


def cross_validate(rows: Sequence[Row]) -> float:
    """The part right among lines of people of trades that nothing was learnt from."""
    trades = sorted({row["profile"] for row in rows})
    random.Random(3).shuffle(trades)
    right = 0.0
    for fold in range(FOLDS):
        left_out = set(trades[fold::FOLDS])
        unseen_rows = [row for row in rows if row["profile"] in left_out]
        fitted = fit([row for row in rows if row["profile"] not in left_out])
        right += share_right(unseen_rows, fitted.likeliest_kinds(unseen_rows)) * len(unseen_rows)
    return right / len(rows)


def write(fitted: FittedWeights, path: Path) -> None:
    """The weights as the product reads them; what weighs nothing is left out."""
    rows = {"": fitted.constants} | {name: fitted.weights[index] for name, index in fitted.features.items()}
    lines = [
        f"{name}\t{''.join(f'{letter}{int(weight)}' for letter, weight in zip(KIND_LETTERS, weights, strict=True) if weight)}"
        for name, weights in rows.items()
        if any(weights)
    ]
    header = f"# feature, then a letter and a weight for each kind: {', '.join(map(' '.join, KIND_LETTERS.items()))}"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


def run(writes: bool) -> None:
    """Print how well it holds, and write the weights."""
    rows, rows_aside = read_lines(LINES), read_lines(LINES_ASIDE)
    print(f"{len(rows):,} lines of {len({row['profile'] for row in rows})} trades")
    print(f"left out by trade: {cross_validate(rows):.1%} right", flush=True)
    fitted = fit(rows)
    print(
        f"{len(rows_aside)} lines of other trades, kept aside: {share_right(rows_aside, fitted.likeliest_kinds(rows_aside)):.1%} right"
    )
    if writes:
        write(fitted, Path(sentence.__file__).parent / WEIGHTS_FILE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    run(parser.parse_args().write)
