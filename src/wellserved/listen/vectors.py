"""Vectors of texts, from the house's own words alone; a model may say what they mean beside (listen.model). Nothing is fetched.

Views of the same texts. `whole`: words and word pairs together with pieces of words, pressed into 200 dimensions
(latent semantic analysis), and beside them the mean of word vectors of the house's own corpus (which words share a
text: positive pointwise mutual information; weights by Arora, Liang & Ma 2017, eq. 1). `words` and `pieces`: each half
by itself, for judging how far two independent looks at the texts agree. Where a model is asked, `whole` and `words` are what
it says, and `pieces` is all that the house's own words say.

Texts are told apart by their index in the list; rows of a matrix have the same order. All rows have length 1, or 0 where
nothing of a text is known.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer, strip_accents_unicode
from sklearn.utils.extmath import randomized_svd

Matrix = npt.NDArray[np.float32]
Meaning = Callable[[Sequence[str]], Matrix]
"""What gives texts their vectors by a model (texts, dimensions; rows of length 1)."""
DIMENSIONS = 200
MAX_TERMS = 200_000
PIECE_LENGTHS = (3, 4, 5)
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

    def __init__(self, texts: Sequence[str], seed: int, meaning: Meaning | None = None) -> None:
        spaced = sum(" " in text for text in texts) * 2 >= len(texts)  # Chinese, Japanese and Thai have no blanks
        rare = 2 if len(texts) >= 50 else 1
        word = TfidfVectorizer(
            ngram_range=(1, 2), sublinear_tf=True, strip_accents="unicode", min_df=rare, max_features=MAX_TERMS,
            token_pattern=r"(?u)\b\w+\b", dtype=np.float32,
        )  # fmt: skip
        piece: Counter = (
            PieceCounter(rare)
            if spaced
            else TfidfVectorizer(
                analyzer="char", ngram_range=(1, 3), sublinear_tf=True, strip_accents="unicode", min_df=rare,
                max_features=MAX_TERMS, dtype=np.float32,
            )
        )  # fmt: skip
        self._halves = [_Half(vectoriser, texts, seed) for vectoriser in (word, piece)]
        self._meanings = WordMeanings(self._halves[0].texts, word.get_feature_names_out(), seed)
        self._centre: list[Matrix] = []
        self._axes: Matrix | None = None
        self._seed = seed
        self._meaning = meaning
        self._meaning_centre: Matrix | None = None

    def _pressed(self, whole: Matrix) -> Matrix:
        """The main dimensions of all together."""
        if self._axes is None:
            width = min(DIMENSIONS, *whole.shape)
            self._axes = randomized_svd(whole, width, random_state=self._seed)[2].astype(np.float32)
        return unit_rows(whole) @ self._axes.T

    def views(self, texts: Sequence[str]) -> Views:
        """Where the texts lie."""
        word_views = self.own_views(texts)
        if self._meaning is None:
            return word_views
        meaning_vectors = self._meaning(texts)
        if self._meaning_centre is None:  # of the texts that it was learnt from
            self._meaning_centre = meaning_vectors.mean(axis=0)
        meaning_vectors = unit_rows(meaning_vectors - self._meaning_centre)
        return Views(meaning_vectors, meaning_vectors, word_views.whole)

    def own_views(self, texts: Sequence[str]) -> Views:
        """Where the texts lie by the house's own words."""
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


class Counter(Protocol):
    """Counts terms of texts, weighed (texts, terms)."""

    def fit_transform(self, texts: Sequence[str]) -> sparse.csr_matrix: ...
    def transform(self, texts: Sequence[str]) -> sparse.csr_matrix: ...
    def set_params(self, min_df: int) -> object: ...


class PieceCounter:
    """Runs of 3 to 5 letters within words, weighed as the library's `char_wb` does, to the same terms and digits.

    Every word is cut up once, however often it comes: of a million texts most words have been seen before.
    """

    def __init__(self, min_df: int) -> None:
        self._min_df = min_df
        self._columns: dict[str, int] = {}  # of a piece
        self._pieces_by_word: dict[str, list[int]] = {}
        self._weights = TfidfTransformer(sublinear_tf=True)

    def set_params(self, min_df: int) -> object:
        """Another least number of texts that a piece is in."""
        self._min_df = min_df
        return self

    def fit_transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Learn the pieces of these texts, and count them."""
        words, word_counts = _count_words(texts)
        columns: dict[str, int] = {}
        cut_words = [[columns.setdefault(piece, len(columns)) for piece in _pieces(word)] for word in words]
        counts = word_counts @ _rows_of(cut_words, len(columns))
        names = np.array(list(columns), dtype=object)
        kept_columns = self._most_common(counts, names)
        self._columns = {name: column for column, name in enumerate(names[kept_columns])}
        self._pieces_by_word = {}
        if not self._columns:
            raise ValueError("no piece is in enough texts")
        return self._weights.fit_transform(counts[:, kept_columns]).astype(np.float32)

    def transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Count the pieces that were learnt."""
        words, word_counts = _count_words(texts)
        counts = word_counts @ _rows_of([self._known_pieces(word) for word in words], len(self._columns))
        return self._weights.transform(counts).astype(np.float32)

    def _known_pieces(self, word: str) -> list[int]:
        columns = self._pieces_by_word.get(word)
        if columns is None:
            columns = [self._columns[piece] for piece in _pieces(word) if piece in self._columns]
            self._pieces_by_word[word] = columns
        return columns

    def _most_common(self, counts: sparse.csr_matrix, names: npt.NDArray[np.object_]) -> npt.NDArray[np.int64]:
        """The columns of the pieces that are in enough texts, most common first where there are too many; by their names."""
        texts_with = np.bincount(counts.indices, minlength=counts.shape[1])
        enough = np.flatnonzero(texts_with >= self._min_df)
        enough = enough[np.argsort(names[enough], kind="stable")]
        times = np.asarray(counts.sum(axis=0)).ravel()[enough]
        common_columns: npt.NDArray[np.int64] = enough[np.sort(np.argsort(-times, kind="stable")[:MAX_TERMS])]
        return common_columns


def _count_words(texts: Sequence[str]) -> tuple[list[str], sparse.csr_matrix]:
    """Words between blanks, without accents, and how often each is in each text (texts, words)."""
    word_numbers: dict[str, int] = {}
    rows = [
        [word_numbers.setdefault(word, len(word_numbers)) for word in strip_accents_unicode(text.lower()).split()]
        for text in texts
    ]
    return list(word_numbers), _rows_of(rows, len(word_numbers))


def _rows_of(rows: Sequence[Sequence[int]], width: int) -> sparse.csr_matrix:
    """A matrix of counts from the columns of each row."""
    starts = np.cumsum([0, *map(len, rows)])
    columns = np.fromiter(itertools.chain.from_iterable(rows), dtype=np.int64, count=starts[-1])
    matrix = sparse.csr_matrix((np.ones(len(columns), dtype=np.float32), columns, starts), shape=(len(rows), width))
    matrix.sum_duplicates()
    return matrix


def _pieces(word: str) -> list[str]:
    """All runs of 3 to 5 letters of a word with a blank at its ends; a shorter word as a whole."""
    word = f" {word} "
    pieces = []
    for length in PIECE_LENGTHS:
        pieces += [word[start : start + length] for start in range(max(len(word) - length + 1, 1))]
        if len(word) <= length:
            break
    return pieces


class _Half:
    """One way of counting, and the dimensions it was pressed into."""

    def __init__(self, vectoriser: Counter, texts: Sequence[str], seed: int) -> None:
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

    def __init__(self, counts: sparse.csr_matrix, terms: Sequence[str], seed: int) -> None:
        single = np.array([" " not in name for name in terms])
        present = (counts[:, single] > 0).astype(np.float32)
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
