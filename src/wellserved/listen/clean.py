"""What a customer said, without what no customer said: quoted replies, signatures, footers, templates, machine mail.

Reply headers and closing words are known in eight languages; most is done without any language, by repetition in the
house's own texts. Lines that were cut are counted, and a text of which nothing would be left keeps its words.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

MAX_LETTERS = 20_000  # of one text; what is beyond is cut, and said
FEWEST_COPIES = 5  # texts with a line before it counts as repeated
REPEATED_SHARE = 0.005
FOOTER_CUSTOMERS = 3
MACHINE_COPIES = 20  # texts alike from one sender before they count as a machine's
SIGNATURE_LINES = 8
_BREAKS = re.compile(r"<\s*(?:br|/p|/div|/li|/tr|/h\d)\b[^>]{0,300}>", re.I)
_TAGS = re.compile(r"<(?:/?[a-z][a-z0-9]*)(?:\s[^<>]{0,300})?/?>", re.I)
_MASKS = re.compile(r"\b[xX]{2,}(?:[/\s.-]+[xX]{2,})*(?:/\d{2,4})?\b|\{\$?[\d,.]+\}")
_EMPTY_BRACKETS = re.compile(r"[(\[][\s,.;:*#-]*[)\]]")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\x00-\x08\x0b\x0c\x0e-\x1f]")
_REPLY_HEAD = re.compile(
    r"^\s*(?:"
    r"(?:on|am|le|el|il|em|op|den)\b.{4,120}\b(?:wrote|schrieb|a écrit|escribió|ha scritto|escreveu|schreef|skrev)\b.{0,80}:"
    r"|-{2,}\s*(?:original message|ursprüngliche nachricht|message d['’]origine|mensaje original|messaggio originale|"
    r"mensagem original|oorspronkelijk bericht|forwarded message|weitergeleitete nachricht).*"
    r"|_{10,}"
    r")\s*$",
    re.I,
)
_FIELD = re.compile(
    r"^\s*\**(?:from|sent|to|subject|date|cc|von|gesendet|an|betreff|datum|de|envoyé|à|objet|para|enviado|asunto|da|inviato|a|oggetto|van|verzonden|aan|onderwerp)\**\s*:\s",
    re.I,
)
_CLOSING = re.compile(
    r"^\s*(?:(?:kind|best|warm|many|with)?\s*regards|best wishes|sincerely(?: yours)?|yours (?:sincerely|faithfully|truly)|cheers|"
    r"(?:many )?thanks(?: in advance)?|thank you|mit freundlichen grüßen|(?:viele|liebe|beste|freundliche) grüße|mfg|gruß|cordialement|"
    r"bien à vous|saludos(?: cordiales)?|atentamente|cordiali saluti|distinti saluti|atenciosamente|met vriendelijke groet(?:en)?|"
    r"sent from my \w+(?: \w+)?|von meinem \w+ gesendet|envoyé de mon \w+|enviado desde mi \w+)\s*[,.!]?\s*$",
    re.I,
)
_CONTACT = re.compile(r"\+?\d[\d\s()./-]{6,}\d|@|https?://|www\.|\b(?:tel|phone|fax|mobile?|gmbh|ltd|inc|llc)\b", re.I)
_MACHINE = re.compile(
    r"\b(?:out of (?:the )?office|automatic reply|auto(?:matic)?[- ]?reply|automated (?:message|response)|abwesenheitsnotiz|"
    r"automatische antwort|réponse automatique|respuesta automática|risposta automatica|undeliver(?:ed|able)|mail delivery "
    r"(?:failed|subsystem)|delivery status notification|do not reply to this|noreply|no-reply)\b",
    re.I,
)


@dataclass(frozen=True)
class CleanTexts:
    """The customers' own words, and what was cut."""

    texts: tuple[str, ...]  # empty: nothing was said
    is_machine: tuple[bool, ...]  # written by no person: a template, an absence, a bounce
    cut_lines: Counter[str]  # by reason: quoted, signature, repeated
    cut_letters: int  # beyond MAX_LETTERS


def clean_texts(texts: Sequence[str], customers: Sequence[str | None]) -> CleanTexts:
    """The customers' own words in every text; `customers`: who wrote each."""
    cut: Counter[str] = Counter()
    cut_letters = sum(max(len(text) - MAX_LETTERS, 0) for text in texts)
    lines = [plain_lines(text[:MAX_LETTERS]) for text in texts]
    lines = [_without_signature(_without_quotes(each, cut), cut) for each in lines]
    boilerplate = _repeated_lines(lines, customers)
    kept = []
    for each, customer in zip(lines, customers, strict=True):
        own = [
            line
            for line in each
            if (None, key := line_key(line)) not in boilerplate and (customer, key) not in boilerplate
        ]
        if own:
            cut["repeated"] += len(each) - len(own)
        kept.append("\n".join(own or each))
    return CleanTexts(tuple(kept), _machine_texts(kept, customers), cut, cut_letters)


def plain_lines(text: str) -> list[str]:
    """Lines of a text without markup, invisible signs and masks; those without a letter or digit are left out."""
    if "<" in text:
        text = _TAGS.sub(" ", _BREAKS.sub("\n", text))
    text = unicodedata.normalize("NFKC", html.unescape(text))[:MAX_LETTERS]  # one sign may stand for eighteen
    text = _EMPTY_BRACKETS.sub(" ", _MASKS.sub(" ", _INVISIBLE.sub("", text)))
    lines = (re.sub(r"[^\S\n]+", " ", line).strip() for line in text.splitlines())
    return [
        _without_stacked_marks(line)
        for line in lines
        if any(map(str.isalnum, line)) or line.startswith(("-", "_", ">"))
    ]


def _without_stacked_marks(line: str) -> str:
    """At most two marks on a letter: more are no language."""
    if not any(unicodedata.combining(letter) for letter in line):
        return line
    marks, kept = 0, []
    for letter in line:
        marks = marks + 1 if unicodedata.combining(letter) else 0
        if marks <= 2:
            kept.append(letter)
    return "".join(kept)


def line_key(line: str) -> str:
    """What is alike in lines that differ in numbers and blanks alone."""
    return re.sub(r"\d+", "0", line.casefold()).strip()


def _without_quotes(lines: list[str], cut: Counter[str]) -> list[str]:
    """The lines before the first reply header, without those that are quoted; all of them where nothing would stay."""
    end = len(lines)
    for index, line in enumerate(lines):
        if _REPLY_HEAD.match(line) or (
            _FIELD.match(line) and index + 1 < len(lines) and _FIELD.match(lines[index + 1])
        ):
            end = index
            break
    own = [line for line in lines[:end] if not line.startswith(">")]
    if not any(_is_content(line) for line in own):
        return lines
    cut["quoted"] += len(lines) - len(own)
    return own


def _without_signature(lines: list[str], cut: Counter[str]) -> list[str]:
    """The lines before a signature: after dashes, or after a closing word near the end, or a last block of contact lines."""
    for index in range(max(len(lines) - SIGNATURE_LINES, 1), len(lines)):
        tail = lines[index:]
        contacts = sum(bool(_CONTACT.search(line)) for line in tail)
        is_mark = re.fullmatch(r"[-–—_*]{2,}", tail[0]) is not None
        short = all(len(line.split()) <= 6 for line in tail[1:])
        if is_mark or (_CLOSING.match(tail[0]) and short) or (len(tail) >= 2 and short and contacts * 2 >= len(tail)):
            cut["signature"] += len(tail)
            return lines[:index]
    return lines


def _is_content(line: str) -> bool:
    return any(letter.isalnum() for letter in line) and not _FIELD.match(line)


def _repeated_lines(lines: Sequence[list[str]], customers: Sequence[str | None]) -> set[tuple[str | None, str]]:
    """(None, line): a line of many customers, beside other such lines; (customer, line): one customer's own signature."""
    writers: dict[str, set[str | None]] = defaultdict(set)
    texts_with: Counter[str] = Counter()
    begins: Counter[str] = Counter()  # what begins a text is what it is about, and no footer
    for each, customer in zip(lines, customers, strict=True):
        if len(each) > 1:  # a whole text that others wrote too is a copy, and no boilerplate
            begins[line_key(each[0])] += 1
            for key in {line_key(line) for line in each}:
                texts_with[key] += 1
                writers[key].add(customer)
    least = max(FEWEST_COPIES, REPEATED_SHARE * len(lines))
    often = {key for key, count in texts_with.items() if count >= least and len(key) > 3 and begins[key] * 2 < count}
    beside_others: Counter[str] = Counter()
    for each in lines:
        keys = {line_key(line) for line in each} & often
        if len(keys) > 1:
            beside_others.update(keys)
    shared = {
        key for key in often if len(writers[key]) >= FOOTER_CUSTOMERS and beside_others[key] * 2 >= texts_with[key]
    }
    own = {
        (next(iter(names)), key)
        for key, names in writers.items()
        if len(names) == 1
        and None not in names
        and texts_with[key] >= FEWEST_COPIES
        and begins[key] * 2 < texts_with[key]
    }
    return {(None, key) for key in shared} | own


def _machine_texts(texts: Sequence[str], customers: Sequence[str | None]) -> tuple[bool, ...]:
    """Texts that a machine wrote: they say so in their first lines, or one sender has sent many that differ in numbers alone."""
    keys = [" ".join(line_key(text).split()) for text in texts]
    copies = Counter(zip(customers, keys, strict=True))
    return tuple(
        bool(text)
        and (bool(_MACHINE.search(text[:300])) or (customer is not None and copies[customer, key] >= MACHINE_COPIES))
        for text, customer, key in zip(texts, customers, keys, strict=True)
    )
