"""What customers say of it, each scale by its own rule, and how many say nothing."""

from __future__ import annotations

from typing import Final

from wellserved.measure.definition import WILSON, Measure

_GOOD_WORDS = "good by the scale's own rule: csat5, stars5 4+; ces7 5+; ces5 (effort) 2 or less; nps10 9+; good_bad 1"
_GOOD = (
    "CASE WHEN scale = 'csat5' OR scale = 'stars5' THEN score >= 4 WHEN scale = 'ces7' THEN score >= 5 "
    "WHEN scale = 'ces5' THEN score <= 2 WHEN scale = 'nps10' THEN score >= 9 ELSE score >= 1 END"
)
_BAD_WORDS = "bad: csat5, stars5 1 or 2; ces7 1 to 3; ces5 4 or 5; nps10 0 to 6; good_bad 0"
_BAD = (
    "CASE WHEN scale = 'csat5' OR scale = 'stars5' THEN score <= 2 WHEN scale = 'ces7' THEN score <= 3 "
    "WHEN scale = 'ces5' THEN score >= 4 WHEN scale = 'nps10' THEN score <= 6 ELSE score <= 0 END"
)
_SURVEYED = "cases whose customer was asked for a rating, rated or not; where the source does not record who was asked, cases resolved at least once"
_ASKED = ("2: who was asked counts where the source records it; version 1 took all cases resolved at least once",)
_BOUNDS = f"worst-case bounds: Manski, American Economic Review 80 (1990) 319-323; {WILSON}"

SCORES: Final[tuple[Measure, ...]] = (
    Measure(
        name="rating_good",
        version=1,
        question="What share of the ratings is good?",
        kind="share",
        unit="share",
        better="higher",
        anchor="asked",
        population="score IS NOT NULL",
        counted="rated cases, last rating of each",
        formula=f"good ratings / ratings; {_GOOD_WORDS}",
        event=_GOOD,
        needs="score IS NOT NULL",
        lacking="ratings",
        exclusions="cases without a rating; several scales are never mixed",
        source=WILSON,
    ),
    Measure(
        name="rating_bad",
        version=1,
        question="What share of the ratings is bad?",
        kind="share",
        unit="share",
        better="lower",
        anchor="asked",
        population="score IS NOT NULL",
        counted="rated cases, last rating of each",
        formula=f"bad ratings / ratings; {_BAD_WORDS}",
        event=_BAD,
        needs="score IS NOT NULL",
        lacking="ratings",
        exclusions="cases without a rating; several scales are never mixed",
        source=WILSON,
    ),
    Measure(
        name="rating_net",
        version=1,
        question="By how much do good ratings outweigh bad ones?",
        kind="mean",
        unit="points",
        better="higher",
        anchor="asked",
        population="score IS NOT NULL",
        counted="rated cases, last rating of each; those neither good nor bad too",
        formula=f"per cent good less per cent bad; on nps10 this is the net promoter score; {_BAD_WORDS}",
        value=f"CASE WHEN {_GOOD} THEN 100 WHEN {_BAD} THEN -100 ELSE 0 END",
        needs="score IS NOT NULL",
        lacking="ratings",
        exclusions="cases without a rating; several scales are never mixed",
        source="Reichheld 2003 for nps10; t interval of the mean",
    ),
    Measure(
        name="rating_mean",
        version=1,
        question="What is the mean rating?",
        kind="mean",
        unit="points",
        better="higher",
        anchor="asked",
        population="score IS NOT NULL AND scale <> 'ces5'",
        counted="rated cases, last rating of each",
        formula="mean of the scores as given, on scales on which more is better",
        value="score",
        needs="score IS NOT NULL AND scale <> 'ces5'",
        lacking="ratings",
        exclusions="cases without a rating; ces5, on which less is better: see effort_mean; several scales are never mixed",
        source="t interval of the mean",
    ),
    Measure(
        name="effort_mean",
        version=1,
        question="How much effort did it take the customer?",
        kind="mean",
        unit="points",
        better="lower",
        anchor="asked",
        population="scale = 'ces5'",
        counted="cases rated on ces5, last rating of each",
        formula="mean of the scores as given: 1 very little effort, 5 very much",
        value="score",
        needs="scale = 'ces5'",
        lacking="ratings of effort (ces5)",
        exclusions="cases without such a rating",
        source="Dixon, Freeman and Toman, Harvard Business Review, July 2010 (CES 1.0); t interval of the mean",
    ),
    Measure(
        name="rating_good_least",
        version=2,
        question="What share would be good if everybody who gave no rating was unhappy?",
        kind="share",
        unit="share",
        better="higher",
        anchor="asked",
        population="{surveyed}",
        counted=_SURVEYED,
        formula="good ratings / those cases: the least that the share of the satisfied can be",
        event=f"score IS NOT NULL AND ({_GOOD})",
        needs="score IS NOT NULL",
        lacking="ratings",
        exclusions="none; several scales are never mixed",
        history=_ASKED,
        source=_BOUNDS,
    ),
    Measure(
        name="rating_good_most",
        version=2,
        question="What share would be good if everybody who gave no rating was happy?",
        kind="share",
        unit="share",
        better="higher",
        anchor="asked",
        population="{surveyed}",
        counted=_SURVEYED,
        formula="cases rated good or not rated / those cases: the most that the share of the satisfied can be",
        event=f"score IS NULL OR ({_GOOD})",
        needs="score IS NOT NULL",
        lacking="ratings",
        exclusions="none; several scales are never mixed",
        history=_ASKED,
        source=_BOUNDS,
    ),
    Measure(
        name="response_rate",
        version=2,
        question="How many of those who are asked give a rating?",
        kind="share",
        unit="share",
        better="higher",
        anchor="asked",
        population="{surveyed}",
        counted=_SURVEYED,
        formula="rated cases / those cases",
        event="score IS NOT NULL",
        needs="score IS NOT NULL",
        lacking="ratings",
        history=_ASKED,
        source=WILSON,
    ),
)
