"""What a résumé shows, in order: the same for every form that it is written in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from wellserved.claim.file import VARIANTS, open_claim
from wellserved.resume.document import SEALED_SECTIONS, ResumeDocument, entries_of
from wellserved.resume.sealing import HeldClaim, SealedBullet, seal_bullet, unmarked

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class ResumeEntry:
    """A job, a school: what stands together; without a title, lines alone."""

    title: str
    detail: str = ""  # where, by whom
    span: str = ""  # from when to when
    summary: str = ""
    bullets: tuple[SealedBullet, ...] = ()
    url: str = ""


@dataclass(frozen=True)
class ResumeSection:
    """A heading, and what stands under it."""

    title: str
    entries: tuple[ResumeEntry, ...]


@dataclass(frozen=True)
class ResumeLayout:
    """A résumé, ready to be written in any form."""

    name: str
    label: str
    contact: tuple[tuple[str, str], ...]  # words, address to follow or nothing
    summary: str
    sections: tuple[ResumeSection, ...]
    day: str  # on which its claims were compared with the records, YYYY-MM-DD
    document: ResumeDocument = field(default_factory=dict)

    @property
    def key_words(self) -> tuple[str, ...]:
        """The words of each key that signed what goes along; none: nothing is sealed."""
        return tuple(dict.fromkeys(open_claim(bullet.raw).fingerprint for bullet in self.proofs))

    @property
    def bullets(self) -> tuple[SealedBullet, ...]:
        """All bullets, in the order in which they are shown."""
        return tuple(bullet for section in self.sections for entry in section.entries for bullet in entry.bullets)

    @property
    def proofs(self) -> tuple[SealedBullet, ...]:
        """One sealed bullet of each claim file that goes along; of two forms of a claim, the one that shows more."""
        sealed_bullets = sorted(
            (bullet for bullet in self.bullets if bullet.is_sealed), key=lambda bullet: len(bullet.raw)
        )
        return tuple({bullet.claim_id: bullet for bullet in sealed_bullets}.values())


def lay_out(
    document: ResumeDocument,
    claims: Mapping[str, HeldClaim],
    day: str,
    variants: Sequence[str] = tuple(VARIANTS),
) -> ResumeLayout:
    """A document as it is shown, each bullet beside its claim.

    `claims`: one's own, by number; `variants`: the forms that the house lets leave.
    """
    basics = document.get("basics", {})
    sections = tuple(
        ResumeSection(title, _as_lines(entries) if name in _LISTS else entries)
        for name, title in _TITLES.items()
        if (entries := tuple(_entry(name, entry, claims, variants) for entry in entries_of(document, name)))
    )
    plain = {name: unmarked(str(basics.get(name, ""))) for name in ("name", "label", "summary")}
    return ResumeLayout(
        plain["name"], plain["label"], tuple(_contact(basics)), plain["summary"], sections, day, document,
    )  # fmt: skip


_LISTS: Final = ("skills", "languages", "interests")
_TITLES: Final = {
    "work": "Work", "projects": "Projects", "volunteer": "Volunteering", "education": "Education", "certificates": "Certificates",
    "awards": "Awards", "publications": "Publications", "skills": "Skills", "languages": "Languages", "interests": "Interests",
    "references": "References",
}  # fmt: skip
# section -> fields of the title, of the detail beside it, of the text below
_FIELDS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]] = {
    "work": (("position",), ("name", "location"), ("description", "summary")),
    "projects": (("name",), ("entity",), ("description",)),
    "volunteer": (("position",), ("organization",), ("summary",)),
    "education": (("studyType", "area"), ("institution",), ("score",)),
    "certificates": (("name",), ("issuer",), ()),
    "awards": (("title",), ("awarder",), ("summary",)),
    "publications": (("name",), ("publisher",), ("summary",)),
    "skills": (("name",), ("level",), ()),
    "languages": (("language",), ("fluency",), ()),
    "interests": (("name",), (), ()),
    "references": (("name",), (), ("reference",)),
}


def _as_lines(entries: tuple[ResumeEntry, ...]) -> tuple[ResumeEntry, ...]:
    """Short entries, each on a line of its own: Listening, expert: phone, mail."""
    lines = (
        ": ".join(filter(None, (", ".join(filter(None, (entry.title, entry.detail))), entry.summary)))
        for entry in entries
    )
    return (ResumeEntry("", summary="\n".join(lines)),)


def _entry(
    section: str, entry: dict[str, Any], claims: Mapping[str, HeldClaim], variants: Sequence[str]
) -> ResumeEntry:
    titles, details, summaries = _FIELDS[section]
    title = " ".join(str(entry[name]) for name in titles if name in entry)
    detail = ", ".join(str(entry[name]) for name in details if name in entry)
    if not title:
        title, detail = detail or _TITLES[section], ""
    lists = [", ".join(map(str, entry.get(name, ()))) for name in ("keywords", "courses", "roles")]
    words = [*(str(entry.get(name, "")) for name in summaries), *lists]
    bullets = (
        tuple(seal_bullet(text, claims, variants) for text in entry.get("highlights", ()))
        if section in SEALED_SECTIONS
        else ()
    )
    title, detail, summary = (unmarked(text) for text in (title, detail, "\n".join(filter(None, words))))
    return ResumeEntry(title, detail, _span(entry), summary, bullets, str(entry.get("url", "")))


def _span(entry: dict[str, Any]) -> str:
    """From when to when: May 2021 – Aug 2024, 2019 – today, Jun 2020."""
    single = entry.get("date") or entry.get("releaseDate")
    if single:
        return _month(str(single))
    start, end = (_month(str(entry.get(name, ""))) for name in ("startDate", "endDate"))
    if start == end or not start:
        return end
    return f"{start} – {end or 'today'}"


def _month(day: str) -> str:
    parts = day.split("-")
    if len(parts) > 1 and parts[1].isdecimal() and 1 <= int(parts[1]) <= 12:
        return f"{_MONTHS[int(parts[1]) - 1]} {parts[0]}"
    return parts[0]


def _contact(basics: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """How to reach somebody, in words and as an address."""
    place = basics.get("location", {})
    if words := ", ".join(str(place[name]) for name in ("city", "region", "countryCode") if name in place):
        yield words, ""
    if mail := basics.get("email"):
        yield mail, f"mailto:{mail}"
    if phone := basics.get("phone"):
        yield phone, ""
    for profile in basics.get("profiles", ()):
        if not profile.get("url") and profile.get("username"):
            yield f"{profile.get('network', '')} {profile['username']}".strip(), ""
    addresses = [basics.get("url"), *(profile.get("url") for profile in basics.get("profiles", ()))]
    for address in filter(None, map(str, filter(None, addresses))):
        is_web = address.lower().startswith(("https://", "http://"))
        yield address.removeprefix("https://").removeprefix("http://").rstrip("/"), address if is_web else ""
