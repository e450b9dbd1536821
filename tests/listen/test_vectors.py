"""Vectors, neighbours and copies: what is made fast is what the slow and plain way gives."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from tests.listen.corpus import messages
from wellserved.errors import RequestError
from wellserved.listen import model
from wellserved.listen.copies import ALIKE, Shingles, representatives
from wellserved.listen.graph import nearest
from wellserved.listen.vectors import PieceCounter, unit_rows

ODD = [
    "é à ü Straße ŠČ",
    "a",
    "ab cd",
    "  lots   of\tblank \n lines ",
    "!!! ??",
    "x" * 300,
    "I İstanbul ﬁne ①",
    "zalgo z̷̢a l g o",
]


@pytest.mark.parametrize("texts", [[row.text for row in messages(8, 60, 3)], ODD * 3], ids=["desk", "odd"])
def test_pieces_are_counted_and_weighed_as_the_library_does(texts: list[str]) -> None:
    library = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, strip_accents="unicode", min_df=2, dtype=np.float32
    )
    expected = library.fit_transform(texts[::2] * 2)
    counter = PieceCounter(2)
    assert abs(counter.fit_transform(texts[::2] * 2) - expected).max() == 0  # in the same order of columns
    assert abs(counter.transform(texts) - library.transform(texts)).max() == 0  # words never seen before, too


def test_no_piece_in_enough_texts_is_an_error_as_in_the_library() -> None:
    with pytest.raises(ValueError, match="enough"):
        PieceCounter(2).fit_transform(["one", "two", "three"])


@pytest.mark.parametrize("count", [0, 1, 3, 15, 16, 17, 250, 1_003])
@pytest.mark.parametrize("same", [True, False])
def test_the_nearest_are_those_of_a_full_sort(count: int, same: bool) -> None:
    chance = np.random.default_rng(count)
    texts = unit_rows(chance.normal(size=(count, 20)).astype(np.float32))
    queries = texts if same else unit_rows(chance.normal(size=(70, 20)).astype(np.float32))
    cosines = queries @ texts.T
    if same:
        np.fill_diagonal(cosines, -2)
    shown = max(min(15, count - same), 0)
    expected = np.argsort(-cosines, axis=1, kind="stable")[:, :shown]
    assert nearest(queries, texts, same=same).indices.tolist() == expected.tolist()


def test_copies_are_those_of_all_pairs_compared() -> None:
    chance = random.Random(5)
    words = ["".join(chance.choices("abcdefghik", k=6)) for _ in range(400)]
    originals = [" ".join(chance.choices(words, k=chance.randrange(12, 60))) for _ in range(60)]
    texts = list(originals)
    for text in originals:
        parts = text.split()
        parts[chance.randrange(len(parts))] = "changed"
        texts += [" ".join(parts), f"{text} and more", " ".join(chance.sample(parts, len(parts)))]
    index_by_text = {text: index for index, text in enumerate(texts)}
    shingles = Shingles(index_by_text)
    first = representatives(texts)
    alike = {pair for pair in itertools.combinations(range(len(texts)), 2) if shingles.similarity(*pair) >= ALIKE}
    assert len(alike) > 50
    assert {(int(head), index) for index, head in enumerate(first) if head != index} <= alike
    joined = [pair for pair in alike if first[pair[0]] == first[pair[1]]]
    assert len(joined) >= 0.97 * len(alike)  # bands of hashes miss few that are so near


def test_a_model_is_checked_before_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert model.load_meaning(model.OWN_WORDS) is None
    meaning = model.load_meaning(model.MODEL_NAME)
    assert meaning is not None
    said = ["the fan is far too loud", "der Lüfter ist viel zu laut", "where is my invoice", ""]
    vectors = meaning(said)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-3)
    cosines = vectors @ vectors.T
    assert cosines[0, 1] > 0.6 > cosines[0, 2] + 0.2  # two languages, one meaning
    with pytest.raises(RequestError, match="not installed"):
        model.load_meaning("some-other-model")
    monkeypatch.setitem(model._SHA256, "sp.model", "0" * 64)
    with pytest.raises(RequestError, match="not the file"):
        model.load_meaning(model.MODEL_NAME)
