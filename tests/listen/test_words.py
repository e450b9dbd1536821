"""Words made ready: what no customer said is cut, personal details go, copies are one, and nothing breaks."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest

from tests.listen.corpus import FOOTER, QUOTED, messages
from tests.listen.personal_details import sentences
from wellserved.listen.clean import clean_texts
from wellserved.listen.copies import representatives
from wellserved.listen.look import look_for_problems
from wellserved.listen.parts import WINDOW, split_parts
from wellserved.listen.redact import Redactor, iban, luhn, words_of_names
from wellserved.listen.said import SAID_COLUMNS


def test_signatures_footers_and_quotes_are_cut_and_the_message_stays() -> None:
    rows = list(messages(20, 60, 3))
    clean = clean_texts([row.text for row in rows], [row.customer for row in rows])
    dressing = {line for block in (FOOTER, QUOTED) for line in block.splitlines()} | {"Kind regards", "Alex Miller"}
    left = sum(line in dressing or "Tel. +49" in line for text in clean.texts for line in text.splitlines())
    there = sum(line in dressing or "Tel. +49" in line for row in rows for line in row.text.splitlines())
    assert there > 1_000
    assert left <= 0.02 * there
    first_lines = [" ".join(row.text.splitlines()[0].split()) for row in rows]
    assert sum(own not in text for own, text in zip(first_lines, clean.texts, strict=True)) <= 0.01 * len(rows)
    assert not any(clean.is_machine)


def test_machine_mail_is_no_voice() -> None:
    texts = ["Out of office: I am away until Monday."] + [f"Disk {n} on host {n} is 9{n % 10}% full" for n in range(25)]
    texts += ["The disk you sold us is full of errors"]
    clean = clean_texts(texts, ["kim", *["monitor"] * 25, "kim"])
    assert clean.is_machine == (True, *[True] * 25, False)


def test_a_text_of_nothing_but_quotes_keeps_its_words() -> None:
    assert clean_texts(["> please answer\n> at last"], [None]).texts == ("> please answer\n> at last",)


@pytest.mark.parametrize("number", ["4111 1111 1111 1111", "378282246310005", "5555-5555-5555-4444"])
def test_published_card_numbers_add_up(number: str) -> None:
    """Test numbers of the card networks."""
    assert luhn(number)
    assert not luhn(number[:-1] + str((int(number[-1]) + 1) % 10))


@pytest.mark.parametrize(
    "number", ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "FR1420041010050500013M02606"]
)
def test_published_ibans_hold(number: str) -> None:
    """Examples of ISO 13616's registry."""
    assert iban(number)
    assert not iban(number.replace("1", "7", 1))


def test_details_of_six_hundred_sentences_are_taken_out() -> None:
    redactor = Redactor()
    missed: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    mistaken = []
    for sentence in sentences():
        text = redactor.redact(sentence.text).text
        for kind, detail in sentence.details:
            counts[kind] = counts.get(kind, 0) + 1
            if detail in text:
                missed.setdefault(kind, []).append(sentence.text)
        if not sentence.details and text != sentence.text:
            mistaken.append((sentence.text, text))
    recall = {kind: 1 - len(missed.get(kind, ())) / count for kind, count in counts.items()}
    assert all(recall[kind] >= 0.98 for kind in ("mail", "card", "IBAN", "IP", "link")), (recall, missed)
    assert all(value >= 0.9 for value in recall.values()), (recall, missed)
    assert len(mistaken) <= 2, mistaken


def test_names_that_the_record_knows_go_and_words_stay() -> None:
    redactor = Redactor(["Northwind Traders Ltd", "Acme", "Bo", "4711"])
    assert redactor.redact("northwind traders and ACME met Bo in 4711").text == "‹name› and ‹name› met Bo in 4711"
    texts = ["the chase app fails"] * 6 + ["we chase the parcel"] * 2 + ["a mortgage"] * 9
    holders = ["JPMorgan Chase & Co."] * 6 + ["Acme"] * 2 + ["Mortgage House"] * 3 + ["Acme"] * 6
    assert words_of_names(texts, holders) == {"chase"}


def test_copies_are_found_whatever_their_numbers_and_small_changes() -> None:
    long = "we ordered five seals for the pump in hall two and got four of them in a torn bag yesterday at noon while the crane was down and nobody at your desk picked up the phone for hours so we drove over ourselves and waited "
    first = representatives(
        ["Order 12 is late", "order 99 is late", long, long.replace("ourselves", "together"), "another"]
    )
    assert first.tolist() == [0, 0, 2, 2, 4]


def test_long_texts_are_read_in_parts_and_no_word_is_lost() -> None:
    text = " ".join(f"word{number}{'.' if number % 9 == 0 else ''}" for number in range(700))
    parts = split_parts(text)
    assert " ".join(parts) == text
    assert all(len(part.split()) <= WINDOW[1] + WINDOW[0] // 2 for part in parts)
    assert split_parts("short and sweet") == ["short and sweet"]
    assert split_parts("") == []


HOSTILE = {
    "five megabytes": "a b c d e " * 500_000,
    "one word": "no " * 1_000_000,
    "no blank": "x" * 5_000_000,
    "right to left": "\u202eevil \u0627\u0644\u0633\u0644\u0627\u0645 " * 50,
    "zalgo": "h\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308e" * 2_000,
    "emoji": "😀😡" * 500,
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>" * 20,
    "brackets": "<" * 20_000,
    "at signs": "@" * 20_000,
    "digits": "1 " * 20_000,
    "quotes": "> " * 20_000,
    "empty": "",
    "nul": "\0\0\0",
}  # fmt: skip
LANGUAGES = "Hallo das Paket fehlt|Bonjour le colis manque|Hola falta el paquete|Ciao manca il pacco|你好 包裹 不见了|こんにちは荷物がありません|สวัสดีพัสดุหาย|Привет посылки нет|مرحبا الطرد مفقود|שלום החבילה חסרה|안녕하세요 소포가 없어요|Γεια λείπει το δέμα|Merhaba paket eksik|Cześć brakuje paczki"


def said(texts: list[str], customers: list[str] | None = None) -> pa.Table:
    """Texts as the log gives them."""
    count = len(texts)
    columns: dict[str, list[object]] = {name: [None] * count for name in SAID_COLUMNS}
    columns |= {
        "moment_id": [f"{number:06d}" for number in range(count)], "source": ["desk"] * count, "case_id": [str(number) for number in range(count)],
        "customer_id": list(customers) if customers else [f"c{number}" for number in range(count)], "at_s": [1_700_000_000 + number for number in range(count)], "text": list(texts),
    }  # fmt: skip
    types = {"at_s": pa.int64()}
    return pa.table({name: pa.array(values, types.get(name, pa.string())) for name, values in columns.items()})


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_are_read_in_bounded_time(name: str) -> None:
    begun = time.process_time()
    look, problems, parts = look_for_problems(said([HOSTILE[name], "the pump is broken"]), None, None, 1)
    assert time.process_time() - begun < 20  # a bound against hanging, no measurement
    assert look.refused
    assert problems == ()
    assert len(parts) <= 2 + HOSTILE[name].count(" ")


def test_all_identical_all_different_and_many_tongues_are_refused_with_a_reason() -> None:
    same, _, _ = look_for_problems(said(["the pump arrived broken again"] * 500), None, None, 1)
    assert same.refused == "only 1 different texts of four words and more; at least 200 are needed"
    tongues = [f"{words} {number}" for number in range(40) for words in LANGUAGES.split("|")]
    look, _, parts = look_for_problems(said(tongues), None, None, 1)
    assert look.moments == len(tongues)
    assert len(parts)
    none, problems, _ = look_for_problems(said([]), None, None, 1)
    assert none.refused
    assert problems == ()


def test_words_thrown_together_at_random_have_no_problems() -> None:
    import random

    chance = random.Random(4)
    words = [word for row in messages(40, 60, 5, dressed=False) for word in row.text.split()]
    chance.shuffle(words)
    texts = [" ".join(words[start : start + 12]) for start in range(0, len(words) - 12, 12)]
    look, problems, _ = look_for_problems(said(texts), None, None, 1)
    assert "have no groups to speak of" in look.refused
    assert problems == ()
