"""Vectors of texts, from the house's own words alone: no model, nothing fetched.

Two views of the same texts. `whole`: words and word pairs together with pieces of words, pressed into 200 dimensions
(latent semantic analysis), and beside them the mean of word vectors of the house's own corpus (which words share a
text: positive pointwise mutual information; weights by Arora, Liang & Ma 2017, eq. 1). `words` and `pieces`: each half
by itself, for judging how far two independent looks at the texts agree.

Texts are told apart by their index in the list; rows of a matrix have the same order. All rows have length 1, or 0 where
nothing of a text is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.extmath import randomized_svd

Matrix = npt.NDArray[np.float32]
DIMENSIONS = 200
MAX_TERMS = 200_000
FREQUENCY_WEIGHT = 0.001  # Arora's a: how fast common words lose their say
WORD_VECTOR_SHARE = 0.6  # of the mean word vector beside the pressed counts


@dataclass(frozen=True)
class Views:
    """Texts looked at in three ways (texts, dimensions)."""

    whole: Matrix
    words: Matrix
    pieces: Matrix


class Vectoriser:
    """Learns the dimensions from texts, then places any text in them. Deterministic for a seed."""

    def __init__(self, texts: Sequence[str], seed: int) -> None:
        spaced = sum(" " in text for text in texts) * 2 >= len(texts)  # Chinese, Japanese and Thai have no blanks
        rare = 2 if len(texts) >= 50 else 1
        word = TfidfVectorizer(
            ngram_range=(1, 2), sublinear_tf=True, strip_accents="unicode", min_df=rare, max_features=MAX_TERMS,
            token_pattern=r"(?u)\b\w+\b", dtype=np.float32,
        )  # fmt: skip
        piece = TfidfVectorizer(
            analyzer="char_wb" if spaced else "char", ngram_range=(3, 5) if spaced else (1, 3), sublinear_tf=True,
            strip_accents="unicode", min_df=rare, max_features=MAX_TERMS, dtype=np.float32,
        )  # fmt: skip
        self._halves = [_Half(vectoriser, texts, seed) for vectoriser in (word, piece)]
        self._meanings = WordMeanings(self._halves[0], seed)
        self._centre: list[Matrix] = []
        self._axes: Matrix | None = None
        self._seed = seed

    def _pressed(self, whole: Matrix) -> Matrix:
        """The main dimensions of all together."""
        if self._axes is None:
            width = min(DIMENSIONS, *whole.shape)
            self._axes = randomized_svd(whole, width, random_state=self._seed)[2].astype(np.float32)
        return unit_rows(whole) @ self._axes.T

    def views(self, texts: Sequence[str]) -> Views:
        """Where the texts lie."""
        counts = [half.counts(texts) for half in self._halves]
        words, pieces = (half.locate(count) for half, count in zip(self._halves, counts, strict=True))
        beside = self._meanings.locate(counts[0])
        parts = [
            self._pressed(np.hstack([words, pieces, WORD_VECTOR_SHARE * beside])),
            np.hstack([words, WORD_VECTOR_SHARE * beside]),
            pieces,
        ]
        if not self._centre:  # of the texts that it was learnt from
            self._centre = [part.mean(axis=0) for part in parts]
        return Views(*(unit_rows(part - centre) for part, centre in zip(parts, self._centre, strict=True)))


class _Half:
    """One way of counting, and the dimensions it was pressed into."""

    def __init__(self, vectoriser: TfidfVectorizer, texts: Sequence[str], seed: int) -> None:
        self.vectoriser = vectoriser
        try:
            counts = vectoriser.fit_transform(texts)
        except ValueError:  # no term is in two texts
            vectoriser.set_params(min_df=1)
            counts = vectoriser.fit_transform([*texts, "x xxx"])
        self.texts = counts
        width = min(DIMENSIONS, *counts.shape)
        self.axes: Matrix = randomized_svd(counts, width, n_iter=4, random_state=seed)[2].astype(np.float32)

    def counts(self, texts: Sequence[str]) -> sparse.csr_matrix:
        return self.vectoriser.transform(texts)

    def locate(self, counts: sparse.csr_matrix) -> Matrix:
        return unit_rows(np.asarray(counts @ self.axes.T, dtype=np.float32)) / np.float32(np.sqrt(2))


class WordMeanings:
    """Word vectors of the corpus; a text is their mean, common words counting less."""

    def __init__(self, half: _Half, seed: int) -> None:
        names = half.vectoriser.get_feature_names_out()
        single = np.array([" " not in name for name in names])
        present = (half.texts[:, single] > 0).astype(np.float32)
        often = np.asarray(present.sum(axis=0)).ravel() >= 3
        self._columns = np.flatnonzero(single)[often]
        present = present[:, np.flatnonzero(often)]
        document_counts = np.asarray(present.sum(axis=0)).ravel()
        self._vectors = _association_vectors(present, document_counts, seed)
        share = document_counts / max(document_counts.sum(), 1)
        self._weights = (FREQUENCY_WEIGHT / (FREQUENCY_WEIGHT + share)).astype(np.float32)
        self._common: Matrix | None = None
        self._common = self._first_axis(present, seed)

    def _means(self, present: sparse.csr_matrix) -> Matrix:
        return unit_rows(np.asarray(present.multiply(self._weights).tocsr() @ self._vectors, dtype=np.float32))

    def _first_axis(self, present: sparse.csr_matrix, seed: int) -> Matrix:
        """What all texts have in common, which tells none from another."""
        means = self._means(present)
        if min(means.shape) < 2:
            return np.zeros((1, means.shape[1]), dtype=np.float32)
        axis: Matrix = randomized_svd(means, 1, random_state=seed)[2].astype(np.float32)
        return axis

    def locate(self, counts: sparse.csr_matrix) -> Matrix:
        """The texts' mean word vectors, of length 1 or 0."""
        means = self._means((counts[:, self._columns] > 0).astype(np.float32))
        if self._common is None:
            return means
        return unit_rows((means - (means @ self._common.T) @ self._common).astype(np.float32))


def _association_vectors(present: sparse.csr_matrix, document_counts: npt.NDArray[np.float32], seed: int) -> Matrix:
    """A vector a word, from which words share a text more often than by chance."""
    pairs = (present.T @ present).tocoo()
    kept = (pairs.row != pairs.col) & (pairs.data >= 2)
    rows, columns, together = pairs.row[kept], pairs.col[kept], pairs.data[kept]
    ratio = together * present.shape[0] / (document_counts[rows] * document_counts[columns])
    information = sparse.csr_matrix((np.maximum(np.log(ratio), 0), (rows, columns)), shape=pairs.shape)
    width = min(DIMENSIONS, max(len(document_counts) - 1, 0))
    if width < 2 or not information.nnz:
        return np.zeros((len(document_counts), 1), dtype=np.float32)
    left, strength, _ = randomized_svd(information, width, random_state=seed)
    vectors: Matrix = (left * np.sqrt(strength)).astype(np.float32)
    return vectors


def unit_rows(matrix: Matrix) -> Matrix:
    """Rows of length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    scaled: Matrix = np.divide(matrix, lengths, out=np.zeros_like(matrix, dtype=np.float32), where=lengths > 1e-9)
    return scaled
