"""Problems found in words: how well, how fast, how steadily; beside k-means that is told the true number.

    python -m bench.listening DATA/banking77 [--peers FOLDER]    # where BERTopic, UMAP, HDBSCAN and EVoC are installed
    python -m bench.listening DATA/banking77 --texts 1000000    # as many, made of them

DATA/banking77 holds train.csv and test.csv of Banking77 (Casanueva 2020, CC BY 4.0). Vectors of the house's own words, no
model; the number of problems is not told. One run, CPU seconds of all threads. The alarms and the origins are simulated.
"""

from __future__ import annotations

import csv
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import adjusted_mutual_info_score

from wellserved.listen.fit import EarlierFit, Fit, fit_problems
from wellserved.listen.graph import NO_GROUP, Labels
from wellserved.listen.model import MODEL_NAME, load_meaning
from wellserved.listen.novelty import NoveltyScan
from wellserved.listen.origins import Scan, scan_origins
from wellserved.listen.vectors import Matrix, Meaning, Vectoriser
from wellserved.wording import plural


def read_rows(file: Path) -> tuple[list[str], list[str]]:
    """Texts and their true intents."""
    with file.open(newline="", encoding="utf-8") as source:
        rows = list(csv.reader(source))[1:]
    return [row[0] for row in rows], [row[1] for row in rows]


def fitted(texts: list[str], earlier: EarlierFit | None = None, meaning: Meaning | None = None) -> Fit:
    """Problems of texts, each of another customer."""
    fit = fit_problems(texts, range(len(texts)), [""] * len(texts), earlier=earlier, meaning=meaning)
    assert isinstance(fit, Fit), fit
    return fit


def show_found(name: str, texts: list[str], truth: list[str], peers: str) -> None:
    """How well the true groups are found without their number, by the house's own words and with the model; and by others."""
    meaning = load_meaning(MODEL_NAME)
    assert meaning is not None
    print(f"{name}: {len(texts):,} texts, {len(set(truth))} true groups")
    _show_groups("own words", truth, lambda: fitted(texts).numbers)
    _show_groups("with the model", truth, lambda: fitted(texts, meaning=meaning).numbers)
    kmeans = KMeans(len(set(truth)), n_init=3, random_state=1)
    vectors, meant = Vectoriser(texts, 1).views(texts).whole, meaning(texts)
    _show_groups("k-means told the number, own words", truth, lambda: kmeans.fit_predict(vectors))
    _show_groups("k-means told the number, the model's vectors", truth, lambda: kmeans.fit_predict(meant))
    if peers:
        sys.path.append(peers)
        _show_peers(texts, truth, meant)


def _show_peers(texts: list[str], truth: list[str], meant: Matrix) -> None:
    """Others that are not told the number, on the model's vectors, which they do not pay for here."""
    from bertopic import BERTopic
    from evoc import EVoC

    _show_groups("EVoC", truth, lambda: EVoC(random_state=1).fit_predict(meant))
    topics = BERTopic()
    numbers = _show_groups("BERTopic as it comes", truth, lambda: np.array(topics.fit_transform(texts, meant)[0]))
    _show_groups(
        "BERTopic, outliers reduced", truth,
        lambda: np.array(topics.reduce_outliers(texts, numbers.tolist(), strategy="embeddings", embeddings=meant)),
    )  # fmt: skip


def _show_groups(name: str, truth: list[str], find: Callable[[], Labels]) -> Labels:
    """One way to find groups: how many, how well, and what it takes."""
    begun = time.process_time()
    numbers = find()
    seconds = time.process_time() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"  {name}: {len(set(numbers.tolist()) - {NO_GROUP})} groups, {(numbers == NO_GROUP).mean():.1%} in none, "
        f"AMI {adjusted_mutual_info_score(truth, numbers):.3f}, {seconds:.1f} CPU s; {memory} MB at most so far"
    )
    return numbers


def show_identity(texts: list[str], seed: int) -> None:
    """Which share of texts keeps its problem as more come."""
    order = random.Random(seed).sample(range(len(texts)), 10_000)
    shuffled = [texts[index] for index in order]
    earlier, shares = None, []
    for count in (4_000, 6_000, 8_000, 10_000):
        fit = fitted(shuffled[:count], earlier)
        if earlier is not None:
            had = earlier.numbers != NO_GROUP
            shares.append(f"{(fit.numbers[had] == earlier.numbers[had]).mean():.1%}")
        numbers = np.pad(fit.numbers, (0, 2_000), constant_values=NO_GROUP)
        earlier = EarlierFit(fit.resolution, numbers, np.arange(len(numbers)) >= 4_000, max(fit.parents) + 1)
    print(f"identity, order {seed}: at 6,000, 8,000 and 10,000 texts {', '.join(shares)} keep their problem")


def show_alarms(texts: list[str], truth: list[str], outbreaks: int, a_day: int = 50) -> None:
    """Days on which a new matter is seen, and false episodes on quiet ones."""
    vectors, intents = Vectoriser(texts, 1).views(texts).whole, np.array(truth)
    names = sorted(set(truth))
    false_episodes = quiet_days = 0
    for part in (0.0, 0.05, 0.025):
        delays = []
        for seed in range(outbreaks if part else 2):
            chance = np.random.default_rng([seed, int(part * 1_000)])
            aside = chance.choice(names)
            usual, new = np.flatnonzero(intents != aside), list(chance.permutation(np.flatnonzero(intents == aside)))
            days = 100 if part else 260
            places, when = [], []
            for day in range(days):
                places += list(chance.choice(usual, (size := chance.poisson(a_day))))
                when += [day] * size
                for _ in range(chance.poisson(a_day * part) if part and day >= 80 else 0):
                    if new:
                        places.append(new.pop())
                        when.append(day)
            scan = NoveltyScan(vectors[places], range(len(places)), np.array(when))
            alarms = [found.day for found in scan.days(60, days - 1) if found.is_alarm]
            if part:
                delays += [day - 79 for day in alarms if day >= 80][:1]
            else:
                quiet_days += days - 60
                false_episodes += sum(day - before > 3 for before, day in zip([-9, *alarms], alarms, strict=False))
        if part:
            middle = f"{np.median(delays):.0f} days" if delays else "none"
            print(
                f"alarms: a new matter at {part:.1%} of {a_day} texts a day: found {len(delays)} of {outbreaks}, median delay {middle}"
            )
        else:
            print(f"alarms: {false_episodes} false episodes in {quiet_days} quiet days")


def show_origins(seeds: int) -> None:
    """20,000 records, 12 places by 3 forms by 4 channels, .8% at fault, one pair more often."""
    for ratio in (5, 3, 1):
        first = any_named = covered = 0
        smallest = 0.0
        for seed in range(seeds):
            chance = np.random.default_rng(seed)
            place, form, channel, month = (chance.integers(0, size, 20_000) for size in (12, 3, 4, 12))
            faults = chance.random(20_000) < np.where((place == 4) & (form == 1), 0.008 * ratio, 0.008)
            columns = {
                "place": place.astype(str).tolist(),
                "form": form.astype(str).tolist(),
                "channel": channel.astype(str).tolist(),
            }
            scan = scan_origins(columns, faults, month.tolist())
            assert isinstance(scan, Scan)
            smallest += scan.smallest_ratio / seeds
            if scan.named:
                any_named += 1
                first += set(scan.named[0].parts) == {("place", "4"), ("form", "1")}
                covered += scan.named[0].low <= ratio <= scan.named[0].high
        print(
            f"origins, {ratio} times as bad: named first {first} of {seeds}, anything named {any_named}, interval right {covered}; smallest ratio printed {smallest:.1f}"
        )


OPENINGS = (
    "",
    "hello ",
    "hi there, ",
    "good morning, ",
    "please help: ",
    "quick question, ",
    "again: ",
    "urgent. ",
    "hi team, ",
)
CLOSINGS = (
    "",
    " thanks",
    " please answer soon",
    " since monday",
    " in the app",
    " on my phone",
    " for the third time",
    " as i said",
)


def make_texts(texts: list[str], truth: list[str], count: int) -> tuple[list[str], list[str]]:
    """As many texts as wanted: each a true one, with up to two of its words dealt anew from its own intent's, and words around it."""
    chance = random.Random(7)
    words: dict[str, list[str]] = {}
    for text, intent in zip(texts, truth, strict=True):
        words.setdefault(intent, []).extend(text.split())
    made_texts, intents = [], []
    for _ in range(count):
        index = chance.randrange(len(texts))
        parts, intent = texts[index].split(), truth[index]
        for _ in range(chance.randrange(3)):
            parts[chance.randrange(len(parts))] = chance.choice(words[intent])
        made_texts.append(f"{chance.choice(OPENINGS)}{' '.join(parts)}{chance.choice(CLOSINGS)}")
        intents.append(intent)
    return made_texts, intents


def show_scale(texts: list[str], truth: list[str], count: int) -> None:
    """How time and memory grow; k-means is told the number, and has its words counted and pressed by the plain library."""
    made_texts, intents = make_texts(texts, truth, count)
    begun = time.process_time()
    fit = fitted(made_texts)
    seconds = time.process_time() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    own = adjusted_mutual_info_score(intents, fit.numbers)
    begun = time.process_time()
    counts = TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=(1, 2), max_features=200_000, dtype=np.float32)
    pressed = TruncatedSVD(200, random_state=1).fit_transform(counts.fit_transform(made_texts))
    numbers = KMeans(len(set(truth)), n_init=1, random_state=1).fit_predict(pressed)
    peer = adjusted_mutual_info_score(intents, numbers)
    print(
        f"{count:,} texts, {fit.distinct:,} of them different: {plural(len(fit.parents), 'problem')}, AMI {own:.3f}, {seconds:.0f} CPU s, "
        f"{memory:,} MB at most; k-means told the number: AMI {peer:.3f}, {time.process_time() - begun:.0f} CPU s"
    )


def main() -> None:
    """Print every figure of docs/methods/listening.md."""
    folder = Path(sys.argv[1])
    if "--texts" in sys.argv:  # alone in its process, since memory is measured by the process
        show_scale(*read_rows(folder / "train.csv"), int(sys.argv[sys.argv.index("--texts") + 1]))
        return
    (test, test_truth), (train, train_truth) = (read_rows(folder / name) for name in ("test.csv", "train.csv"))
    peers = sys.argv[sys.argv.index("--peers") + 1] if "--peers" in sys.argv else ""
    show_found("Banking77 test", test, test_truth, peers)
    show_found("Banking77 train", train, train_truth, peers)
    for seed in (3, 5):
        show_identity(train, seed)
    show_alarms(train, train_truth, 30)
    show_origins(100)


if __name__ == "__main__":
    main()
