"""Names of problems that are told as stories: the clause that most of their texts come near to, and others' do not.

Single words say little of a long story ("account, report"); what its tellers say in so many words does ("my account was
closed without notice"). A clause counts by how near the texts' clauses lie to it, and by how much nearer than those of the
other problems. It is made of words that several customers use, so that none of it is one person's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from wellserved.listen.parts import SENTENCE_ENDS, is_quotable
from wellserved.listen.vectors import Matrix, unit_rows

STORY_WORDS: Final = 40  # from so many in the middle text on, a problem is told as stories
FEWEST_CLAUSE_WORDS, MOST_CLAUSE_WORDS = 4, 10  # of a clause
FEWEST_WORD_USERS: Final = 20  # who use each of its telling words
TEXTS_OF_A_PROBLEM: Final = 120
CLAUSES_OF_A_PROBLEM: Final = 250
NEAR_COSINE: Final = 0.35  # cosine from which a clause comes near another
LEAST_NEAR: Final = 0.05  # to the middle of a problem, as a weight
MAX_CANDIDATES: Final = 12
HALF_A_CLAUSE: Final = (
    0.5  # of its score, for one that does not begin with who or what it is about; and for one that says of it nothing
)
_EDGES: Final = re.compile(
    r"[.,;:!?()\[\]\"“”…/]|\s[-–—]\s|\n|‹[\w ]+›|(?<![\w'’-])(?:and|but|because|which|when|so|that|who|while|since|after|before|although|if|then|as|"
    r"und|aber|weil|wenn|dass|daß|obwohl|nachdem|bevor|et|mais|parce que|quand|car|pero|porque|cuando)(?![\w'’-])",
    re.IGNORECASE,
)
_LOOSE_STARTS: Final = frozenset([
    "also", "now", "just", "then", "even", "only", "again", "however", "today", "yesterday", "once", "still", "there",
    "it's", "its", "in", "on", "at", "to", "for", "of", "with", "by", "from"
])  # fmt: skip
_STARTS: Final = frozenset([
    "i", "i'm", "i've", "i’m", "i’ve", "my", "we", "we're", "we've", "our", "they", "they're", "their", "the", "no", "never", "nobody",
    "not", "please", "it", "ich", "mein", "meine", "wir", "unser", "unsere", "sie", "der", "die", "das", "kein", "keine", "je", "mon", "ma",
    "nous", "notre", "ils", "le", "la", "les", "mi", "nuestro", "nuestra", "el", "los", "las", "nos"
])  # fmt: skip
_VERBS: Final = frozenset([
    "am", "is", "are", "was", "were", "been", "being", "has", "have", "had", "do", "does", "did", "will", "would", "could", "should", "can",
    "cannot", "not", "never", "refuse", "refuses", "keep", "keeps", "kept", "took", "take", "takes", "sent", "send", "paid", "pay", "went",
    "made", "make", "makes", "got", "get", "lost", "owe", "owes", "want", "wants", "need", "remove", "wird", "wurde", "war", "ist", "sind",
    "hat", "habe", "haben", "nicht", "est", "sont", "a", "ont", "pas", "es", "son", "ha", "han"
])  # fmt: skip
_BROKEN_CLAUSE: Final = re.compile(r"(?:i|we|they) (?:the|an?|my|our)\b|.*[^\w\s'’%$€£-]", re.IGNORECASE)
_LOOSE_ENDS: Final = frozenset([
    "a", "an", "the", "in", "on", "at", "to", "for", "of", "with", "by", "from", "through", "stating", "saying", "was",
    "were", "is", "are", "be", "been", "has", "have", "had", "will", "would", "i", "we", "they", "he", "she", "it", "my",
    "our", "their", "his", "her", "your", "me", "us", "them", "this", "these", "those", "not", "no", "or", "than", "into",
    "about", "over", "under", "until", "also", "there", "due"
])  # fmt: skip


@dataclass(frozen=True)
class Story:
    """What the tellers of a problem say in so many words, best first."""

    clauses: list[str]
    sentences: list[str]


NO_STORY: Final = Story([], [])


def find_stories(
    texts: Sequence[str],
    vectors: Matrix,
    labels: npt.NDArray[np.int64],
    customers: Sequence[object],
    locate: Callable[[Sequence[str]], Matrix],
    is_telling: Callable[[str], bool],
    seed: int = 5,
) -> dict[int, Story]:
    """The clauses and sentences that fit each problem best; none for those that are told in few words.

    `locate` gives them vectors (clauses, dimensions; rows of length 1); `is_telling`: a word says something by itself.
    """
    chance = np.random.default_rng(seed)
    texts_by_label: dict[int, list[str]] = {}
    for label in range(int(labels.max(initial=-1)) + 1):
        members = np.flatnonzero(labels == label)
        lengths = [len(texts[index].split()) for index in members.tolist()]
        if lengths and np.median(lengths) >= STORY_WORDS:
            texts_by_label[label] = [
                texts[index] for index in chance.permutation(members)[:TEXTS_OF_A_PROBLEM].tolist()
            ]
    usual = _usual_words(texts, customers) if texts_by_label else set()
    middles = {label: unit_rows(vectors[labels == label].mean(axis=0, keepdims=True))[0] for label in texts_by_label}
    clauses = _best_fits(texts_by_label, lambda text: _clauses(text, usual, is_telling), _wholeness, locate, middles)
    sentences = _best_fits(texts_by_label, _sentences, lambda _: 1.0, locate, middles)
    return {label: Story(clauses.get(label, []), sentences.get(label, [])) for label in texts_by_label}


def _best_fits(
    texts_by_label: Mapping[int, Sequence[str]],
    cut: Callable[[str], Iterable[str]],
    weigh: Callable[[str], float],
    locate: Callable[[Sequence[str]], Matrix],
    middles: Mapping[int, Matrix],
) -> dict[int, list[str]]:
    """What texts are cut into, by how near others of their problem come to it beside those of other problems, how near it lies
    to the problem's middle, and its own weight."""
    clauses_by_label = {
        label: [clause for text in texts for clause in cut(text)][:CLAUSES_OF_A_PROBLEM]
        for label, texts in texts_by_label.items()
    }
    clauses = [clause for label_clauses in clauses_by_label.values() for clause in label_clauses]
    if not clauses:
        return {}
    owners = np.repeat(
        np.array(list(clauses_by_label), dtype=np.int64),
        [len(label_clauses) for label_clauses in clauses_by_label.values()],
    )
    vectors = locate(clauses)
    best = {}
    for label in np.unique(owners).tolist():
        indices = np.flatnonzero(owners == label)
        closeness = np.maximum(vectors[indices] @ vectors.T - NEAR_COSINE, 0)
        inside_closeness = closeness[:, owners == label].mean(axis=1)
        outside_closeness = (
            closeness[:, owners != label].mean(axis=1) if len(clauses_by_label) > 1 else np.zeros(len(indices))
        )
        score = (
            inside_closeness
            * np.log((inside_closeness + 1e-4) / (outside_closeness + 1e-4))
            * np.maximum(vectors[indices] @ middles[label], LEAST_NEAR)
        )
        score *= [weigh(clauses[index]) for index in indices]
        ranked_clauses = [clauses[indices[index]] for index in np.argsort(-score, kind="stable") if score[index] > 0]
        best[label] = list(dict.fromkeys(ranked_clauses))[:MAX_CANDIDATES]
    return best


def _sentences(text: str) -> list[str]:
    """What may stand below a name."""
    return [
        sentence for sentence in SENTENCE_ENDS.split(text) if 6 <= len(sentence.split()) <= 35 and is_quotable(sentence)
    ]


def _wholeness(clause: str) -> float:
    """Less for what is half a clause: without a beginning, without a verb, or the name of a law or a firm."""
    words = clause.casefold().split()
    weight = 1.0 if words[0] in _STARTS else HALF_A_CLAUSE
    if not any(word in _VERBS or word.endswith(("n't", "n’t", "ed")) for word in words):
        weight *= HALF_A_CLAUSE
    if sum(word[0].isupper() and word != "I" for word in clause.split()) > 1:
        weight *= HALF_A_CLAUSE
    return weight


def _usual_words(texts: Sequence[str], customers: Sequence[object]) -> set[str]:
    """Words that enough customers use; those who are not known count one each."""
    users: dict[str, set[object]] = {}
    for index, (text, customer) in enumerate(zip(texts, customers, strict=True)):
        for word in set(words_of(text)):
            word_users = users.setdefault(word, set())
            if len(word_users) < FEWEST_WORD_USERS:
                word_users.add(index if customer is None else customer)
    return {word for word, word_users in users.items() if len(word_users) >= FEWEST_WORD_USERS}


def words_of(text: str) -> list[str]:
    """Its words in small letters, without what stands beside them."""
    return re.findall(r"[^\W\d_][\w'’]*", text.casefold())


def _clauses(text: str, usual: set[str], is_telling: Callable[[str], bool]) -> Iterator[str]:
    """What may be a name, in the order of the text."""
    for fragment in _EDGES.split(text):
        words = fragment.split()
        while words and words[0].casefold() in _LOOSE_STARTS:
            words = words[1:]
        while words and words[-1].casefold() in _LOOSE_ENDS:
            words = words[:-1]
        clause = " ".join(words)
        if (
            not FEWEST_CLAUSE_WORDS <= len(words) <= MOST_CLAUSE_WORDS
            or any(map(str.isdigit, clause))
            or _BROKEN_CLAUSE.match(clause)
        ):
            continue
        plain = words_of(clause)
        telling_words = [word for word in plain if is_telling(word)]
        if len(telling_words) >= 2 and usual.issuperset(telling_words):
            clause = clause.lower() if clause.isupper() else clause
            yield clause if words[0] == "I" or words[0].startswith(("I'", "I’")) else clause[0].lower() + clause[1:]
