"""One's own judgement of the service given beside the customers' ratings of the same: how far do they agree?"""

from __future__ import annotations

import uuid
from typing import Final

import numpy as np

from wellserved.capture import RATINGS
from wellserved.errors import RequestError
from wellserved.explore.agreement import FEWEST_JUDGED_CASES, Agreement, rating_agreement
from wellserved.journal.handle import Journal
from wellserved.store.access import AccessScope

# scales of five steps, as the five words are: step beside step, nothing is rescaled
FIVE_STEP_SCALES: Final = (
    "csat5",
    "stars5",
)


def compare_own_ratings(journal: Journal, scope: AccessScope) -> Agreement:
    """The agreement over all matters that both judged; raises RequestError where they are too few to say anything."""
    own_scores: dict[uuid.UUID, float] = {}
    customer_scores: dict[uuid.UUID, float] = {}
    thread_of_copied_thread: dict[uuid.UUID, uuid.UUID] = {}  # thread of a shared copy -> the journal's thread
    rated_threads = journal.threads(
        decrypted_entry.entry.thread for decrypted_entry in journal.latest(5_000, word="self")
    )
    thread_of_copy = {
        decrypted_entry.entry.shared: thread
        for thread, thread_entries in rated_threads.items()
        for decrypted_entry in thread_entries
        if decrypted_entry.entry.shared
    }
    for row in scope.own_moments().filter(id__in=thread_of_copy):
        thread_of_copied_thread[row.thread] = thread_of_copy[row.id]
    for thread, thread_entries in rated_threads.items():
        for decrypted_entry in thread_entries:
            if (word := decrypted_entry.facts.get("rating")) in RATINGS:
                own_scores[thread] = 5.0 - RATINGS.index(str(word))
            if decrypted_entry.facts.get("scale") in FIVE_STEP_SCALES and "score" in decrypted_entry.facts:
                customer_scores[thread] = float(decrypted_entry.facts["score"])
    for thread, score in (
        scope.visible_moments()
        .filter(thread__in=thread_of_copied_thread, scale__in=FIVE_STEP_SCALES)
        .exclude(score=None)
        .values_list("thread", "score")
    ):
        customer_scores[thread_of_copied_thread[thread]] = float(score or 0)
    common_threads = sorted(own_scores.keys() & customer_scores.keys())
    if len(common_threads) < FEWEST_JUDGED_CASES:
        raise RequestError(
            f"Only {len(common_threads)} matters were judged both by you and by the customer on five steps; fewer than {FEWEST_JUDGED_CASES} say nothing.",
            "Add your own judgement to a matter, and the customer's rating (4/5, or stars) when it comes.",
        )
    return rating_agreement(
        "csat5",
        np.array(
            [
                [own_scores[common_thread] for common_thread in common_threads],
                [customer_scores[common_thread] for common_thread in common_threads],
            ]
        ),
    )
