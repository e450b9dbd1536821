"""What a problem is called, and who says it best: phrases, a representative sentence, quotes.

Phrases of one to four words, without a filler at either end, in at least a twenty-fifth of the problem's texts. A
phrase counts by its share of the texts, by how much commoner it is here than elsewhere, by its length, and by how near
it lies to the middle of the problem. Single words lose what was denied ("not", "twice"); so such phrases come first
among equals, and the sentence in the middle stands below every name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from wellserved.listen.clauses import NO_STORY, find_stories, words_of
from wellserved.listen.graph import Labels
from wellserved.listen.parts import QUOTE_LETTERS, first_sentences, is_quotable
from wellserved.listen.vectors import Matrix, unit_rows

FEWEST_SHARE = 0.04
PHRASES = 3
NAME_WORDS = 3
CANDIDATES = 40
NAME_TEXTS = 5  # texts with a phrase, before it can be a name
NAME_SHARE = 0.8  # of the texts with a phrase that are one holder's, for it to be a name
LEAD = 0.35  # of the best phrase's score, for one of several words
PHRASE_CLOSENESS = 0.1  # in cosine, of a phrase that a quote holds
DIVERSITY = 0.4  # how much a quote's likeness to earlier ones counts against it
NAMING_TEXTS = 30_000  # texts that phrases are counted in
STATES = frozenset(
    [
        "not",
        "no",
        "never",
        "still",
        "twice",
        "again",
        "wrong",
        "without",
        "cannot",
        "can't",
        "won't",
        "didn't",
        "doesn't",
        "nicht",
        "kein",
        "keine",
        "nie",
        "immer",
        "falsch",
        "doppelt",
        "pas",
        "jamais",
        "plus",
    ]
)
_FILLERS = (
    (ENGLISH_STOP_WORDS - STATES - {"cry", "fire", "bill", "system", "call", "full", "empty", "bottom", "top", "front", "back", "mine", "part", "name", "move", "found", "find", "fill", "detail", "describe", "interest"})
    | frozenset(["im", "ive", "id", "dont", "doesnt", "didnt", "isnt", "wasnt", "cant", "wont", "please", "hi", "hello", "dear", "thanks", "thank", "hey", "help", "want", "need", "like", "know", "tell", "just", "got", "get", "getting", "gets", "did", "does", "said", "told", "really", "also", "would", "could", "should", "let", "us", "i'm", "i've", "i'd", "i'll", "it's", "that's", "they're", "there's", "he's", "she's", "we're", "you're", "let's", "don", "t", "s", "m", "ve", "ll", "re", "d", "am", "pm", "xx", "xxx", "xxxx"])
    | frozenset(["der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem", "einer", "und", "oder", "ich", "wir", "sie", "es", "ist", "sind", "war", "habe", "haben", "hat", "mit", "von", "zu", "auf", "für", "im", "in", "am", "bei", "bitte", "hallo", "danke", "mein", "meine", "mir", "mich", "ihr", "ihre", "uns", "was", "wie", "warum", "noch", "schon", "auch", "so", "als", "aus", "an"])
    | frozenset(["le", "la", "les", "un", "une", "des", "du", "de", "et", "ou", "je", "nous", "vous", "il", "elle", "est", "sont", "avec", "pour", "sur", "dans", "mon", "ma", "mes", "ce", "cette", "que", "qui", "bonjour", "merci", "el", "los", "las", "unos", "unas", "y", "o", "yo", "mi", "mis", "es", "son", "con", "por", "para", "en", "que", "lo", "al"])
)  # fmt: skip
_TOKEN = r"(?u)\b[^\W_][\w'’]*\b"


@dataclass(frozen=True)
class ProblemNames:
    """How a problem is called and said."""

    phrases: tuple[str, ...]
    sentence: str  # a representative one
    quote_indices: tuple[int, ...]  # texts to quote, from the middle outwards, from different customers
    clause: str = ""  # that most come near to, where they tell stories

    @property
    def name(self) -> str:
        """The clause of a story; or the best phrases, as many as make three telling words; or the sentence's beginning."""
        if self.clause:
            stems = {_stem(word) for word in self.clause.casefold().split()}
            unsaid = [phrase for phrase in self.phrases[:2] if not stems & set(map(_stem, phrase.split()))]
            return f"{', '.join(unsaid)}: {self.clause}" if unsaid else self.clause
        if not self.phrases:
            return first_sentences([self.sentence], 60)
        telling = [sum(word not in _FILLERS for word in phrase.split()) for phrase in self.phrases]
        count = next((n for n in range(1, len(telling) + 1) if sum(telling[:n]) >= NAME_WORDS), len(telling))
        return ", ".join(self.phrases[:count])


def name_problems(
    texts: Sequence[str],
    vectors: Matrix,
    labels: Labels,
    customers: Sequence[object],
    holders: Sequence[str | None],
    locate_phrases: Callable[[Sequence[str]], Matrix],
) -> dict[int, ProblemNames]:
    """Words of every problem of `labels` (0 and more); `locate_phrases` gives phrases vectors beside the texts'.

    `holders`: of which account, or company, each text speaks; what one of them alone is called says who, not what.
    """
    phrases = _phrases(texts, vectors, labels, holders, locate_phrases)
    stories = find_stories(texts, vectors, labels, customers, locate_phrases, _is_telling)
    candidates = (clause for story in stories.values() for clause in (*story.clauses, *story.sentences))
    speakers = _speakers(texts, {word for clause in candidates for word in words_of(clause)})
    full_names = {" ".join(words_of(holder)) for holder in set(holders) if holder} - {""}

    def names_nobody(clause: str) -> bool:
        words = words_of(clause)
        runs = {" ".join(words[start:end]) for start in range(len(words)) for end in range(start + 1, len(words) + 1)}
        return not runs & full_names and not any(
            _is_name(speakers[word], holders) for word in filter(_is_telling, words)
        )

    words = {}
    for label in range(int(labels.max(initial=-1)) + 1):
        members = np.flatnonzero(labels == label)
        if len(members):
            middle = unit_rows(vectors[members].mean(axis=0, keepdims=True))[0]
            near = members[np.argsort(-(vectors[members] @ middle), kind="stable")]
            quotes = _quotes(texts, vectors, near, middle, customers, phrases.get(label, ()))
            sentence = first_sentences([texts[quotes[0] if quotes else near[0]]], QUOTE_LETTERS)
            story = stories.get(label, NO_STORY)
            sentence = next(filter(names_nobody, story.sentences), sentence)
            clause = next(filter(names_nobody, story.clauses), "")
            words[label] = ProblemNames(phrases.get(label, ()), sentence, tuple(quotes), clause)
    return _told_apart(words)


def _phrases(
    texts: Sequence[str],
    vectors: Matrix,
    labels: Labels,
    holders: Sequence[str | None],
    locate_phrases: Callable[[Sequence[str]], Matrix],
) -> dict[int, tuple[str, ...]]:
    chosen = np.arange(len(texts))
    if len(texts) > NAMING_TEXTS:
        chosen = np.sort(np.random.default_rng(5).choice(len(texts), NAMING_TEXTS, replace=False))
    counter = CountVectorizer(
        ngram_range=(1, 4), binary=True, token_pattern=_TOKEN, min_df=2 if len(chosen) > 50 else 1, max_features=300_000
    )
    try:
        counts = counter.fit_transform([re.sub(r"‹[\w ]+›", " . ", texts[index]) for index in chosen.tolist()])
    except ValueError:  # no word at all
        return {}
    terms = counter.get_feature_names_out()
    usable = np.array([_is_phrase(term.split()) for term in terms])
    counts, terms = counts[:, np.flatnonzero(usable)], terms[usable]
    everywhere = np.asarray(counts.sum(axis=0)).ravel()
    lengths = np.array([len(term.split()) for term in terms])
    states = np.array([any(map(_is_state, term.split())) for term in terms])
    here = labels[chosen]
    result: dict[int, tuple[str, ...]] = {}
    for label in range(int(here.max(initial=-1)) + 1):
        rows = np.flatnonzero(here == label)
        if not len(rows) or not len(terms):
            continue
        inside = np.asarray(counts[rows].sum(axis=0)).ravel()
        share = inside / len(rows)
        lift = (inside + 0.5) / (len(rows) + 1) / ((everywhere + 0.5) / (len(chosen) + 1))
        score = share * np.log(np.maximum(lift, 1e-9)) * (1 + 0.35 * (lengths - 1)) * np.where(states, 1.15, 1.0)
        score[(share < FEWEST_SHARE) | (inside < 2) | (lift <= 1)] = 0
        best = [
            index
            for index in np.argsort(-score, kind="stable")[:CANDIDATES]
            if score[index] > 0 and not _is_name(chosen[counts[:, [index]].nonzero()[0]].tolist(), holders)
        ]
        if best:
            middle = unit_rows(vectors[labels == label].mean(axis=0, keepdims=True))[0]
            nearness = np.maximum(locate_phrases([terms[index] for index in best]) @ middle, 0.05)
            final = score[best] * nearness
            order = np.argsort(-final, kind="stable")
            # several words say more than one: the best of them leads where it is not far behind
            leader = next(
                (index for index in order if lengths[best[index]] > 1 and final[index] >= LEAD * final.max()), order[0]
            )
            ranked = [leader, *(index for index in order if index != leader)]
            result[label] = _without_repetition([terms[best[index]] for index in ranked])
    return result


def _is_name(speakers: Sequence[int], holders: Sequence[str | None]) -> bool:
    """Nearly all texts with a phrase are one holder's: it is what that one is called."""
    known = [holder for index in speakers if (holder := holders[index]) is not None]
    if len(known) < NAME_TEXTS:
        return False
    holder, count = Counter(known).most_common(1)[0]
    return count >= NAME_SHARE * len(known) and holders.count(holder) < len(holders) / 2


def _is_phrase(words: list[str]) -> bool:
    if words[0] in _FILLERS or words[-1] in _FILLERS:
        return False
    telling = [
        word for word in words if not word.isdigit() and len(word) > 1 and not _is_state(word) and word not in _FILLERS
    ]
    return bool(telling) and len(words) == len(set(words))


def _is_telling(word: str) -> bool:
    """It says something by itself."""
    return len(word) > 2 and word not in _FILLERS


def _speakers(texts: Sequence[str], words: set[str]) -> dict[str, list[int]]:
    """Word -> the texts that it is in."""
    speakers: dict[str, list[int]] = {word: [] for word in words}
    for index, text in enumerate(texts if words else ()):
        for word in words.intersection(words_of(text)):
            speakers[word].append(index)
    return speakers


def _is_state(word: str) -> bool:
    """It says that something is not so, or is so again."""
    return word in STATES or word.endswith(("n't", "n’t"))


def _stem(word: str) -> str:
    return re.sub(r"(?:ies|y|ing|ed|es|s|en|n|e)$", "", word) if len(word) > 4 else word


def _without_repetition(phrases: Sequence[str]) -> tuple[str, ...]:
    """The best ones, none of which says what an earlier one said."""
    kept: list[str] = []
    stems: set[str] = set()
    for phrase in phrases:
        own = {_stem(word) for word in phrase.split() if word not in _FILLERS}
        if not own & stems:
            kept.append(phrase)
            stems |= own
    return tuple(kept[:PHRASES])


def _quotes(
    texts: Sequence[str],
    vectors: Matrix,
    near: npt.NDArray[np.int64],
    middle: Matrix,
    customers: Sequence[object],
    phrases: Sequence[str],
) -> list[int]:
    """From the middle outwards, none like an earlier one (maximal marginal relevance), each from another customer.

    Words that hold the problem's phrases say it best: each counts as PHRASE_CLOSENESS.
    """
    fitting = [int(index) for index in near[: max(200, len(near) // 2)] if _can_be_quoted(texts[index])]
    quotes: list[int] = []
    while fitting and len(quotes) < 5:
        rest = [
            index
            for index in fitting
            if customers[index] is None or customers[index] not in {customers[quote] for quote in quotes}
        ]
        if not rest:
            break
        said = [sum(phrase in " ".join(texts[index].casefold().split()) for phrase in phrases) for index in rest]
        closeness = vectors[rest] @ middle + PHRASE_CLOSENESS * np.array(said, dtype=np.float32)
        if quotes:
            closeness = (1 - DIVERSITY) * closeness - DIVERSITY * (vectors[rest] @ vectors[quotes].T).max(axis=1)
        quotes.append(rest[int(np.argmax(closeness))])
        fitting.remove(quotes[-1])
    return quotes


def _can_be_quoted(text: str) -> bool:
    return len(text) >= 15 and is_quotable(text)


def _told_apart(words: dict[int, ProblemNames]) -> dict[int, ProblemNames]:
    """No two problems by one name, as far as their words go: the smaller one gives up its clause, or adds its next phrase."""
    names: set[str] = set()
    result = {}
    for label, own in sorted(words.items()):
        without_clause = replace(own, clause="")
        longer = replace(without_clause, phrases=(", ".join(own.phrases[:2]), *own.phrases[1:]))
        choices = [own, without_clause, *([longer] if len(own.phrases) > 1 else [])]
        chosen = next((choice for choice in choices if choice.name not in names), own)
        names.add(chosen.name)
        result[label] = chosen
    return result
