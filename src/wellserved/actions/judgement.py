"""One's own judgement of the service given beside the customers' ratings of the same: how far do they agree?"""

from __future__ import annotations

import uuid
from typing import Final

import numpy as np

from wellserved.capture import RATINGS
from wellserved.errors import RequestError
from wellserved.journal.book import Book
from wellserved.prove.agreement import FEWEST, Agreement, agreed
from wellserved.store.access import Scope

FIVE: Final = ("csat5", "stars5")  # scales of five steps, as the five words are: step beside step, nothing is rescaled


def judged(book: Book, scope: Scope) -> Agreement:
    """The agreement over all matters that both judged; raises RequestError where they are too few to say anything."""
    own: dict[uuid.UUID, float] = {}
    theirs: dict[uuid.UUID, float] = {}
    copies: dict[uuid.UUID, uuid.UUID] = {}  # thread of a shared copy -> the journal's thread
    rated = book.threads(one.entry.thread for one in book.latest(5_000, word="self"))
    shared = {page.entry.shared: thread for thread, pages in rated.items() for page in pages if page.entry.shared}
    for row in scope.mine().filter(id__in=shared):
        copies[row.thread] = shared[row.id]
    for thread, pages in rated.items():
        for page in pages:
            if (word := page.facts.get("rating")) in RATINGS:
                own[thread] = 5.0 - RATINGS.index(str(word))
            if page.facts.get("scale") in FIVE and "score" in page.facts:
                theirs[thread] = float(page.facts["score"])
    for thread, score in (
        scope.shared().filter(thread__in=copies, scale__in=FIVE).exclude(score=None).values_list("thread", "score")
    ):
        theirs[copies[thread]] = float(score or 0)
    both = sorted(own.keys() & theirs.keys())
    if len(both) < FEWEST:
        raise RequestError(
            f"Only {len(both)} matters were judged both by you and by the customer on five steps; fewer than {FEWEST} say nothing.",
            "Add your own judgement to a matter, and the customer's rating (4/5, or stars) when it comes.",
        )
    return agreed("csat5", np.array([[own[one] for one in both], [theirs[one] for one in both]]))
