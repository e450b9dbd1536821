"""A week's report, as it was written, in the forms that it is read in: text, page, PDF, and a mail."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from html import escape
from typing import Any, Final

import typst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

OWN_JUDGEMENT: Final = gettext_noop("My own judgement (take it out where it is for you alone)")
TO_FILL_IN: Final = "..."  # a line that its author fills in, or that is left out
_COURSE: Final = re.compile(
    r"- (?P<name>[^:]{1,60}): (?P<values>\d{1,6}(?:, \d{1,6}){7})"
)  # eight weeks, the oldest first
_PDF: Final = """
#let week = json(bytes(sys.inputs.week))
#set document(title: week.title, author: week.author)
#set page(paper: "a4", margin: 2.2cm)
#set text(size: 10.5pt, lang: "en", fill: rgb("#17212b"))
#show heading.where(level: 1): set text(size: 18pt)
#show heading.where(level: 2): it => block(above: 1.4em, below: .7em, width: 100%, stroke: (bottom: .5pt + rgb("#dbe1e7")), inset: (bottom: .3em), text(size: 12pt, it.body))
#heading(level: 1, week.title)
#text(fill: rgb("#56626f"), week.author)
#for part in week.parts {
  if part.title != "" { heading(level: 2, part.title) }
  for line in part.lines {
    if type(line) == dictionary {
      let top = calc.max(..line.values, 1)
      par(strong(line.name))
      table(columns: line.values.len(), stroke: none, align: center + bottom, inset: (x: 3pt, y: 2pt),
        ..line.values.map(value => box(width: 14pt, height: 30pt * value / top + .5pt, fill: rgb("#1f5fa8"))),
        ..line.values.map(value => text(size: 8pt, str(value))))
    } else if line.starts-with("- ") { list(line.slice(2)) } else { par(line) }
  }
}
"""


def text_of_sections(sections: Mapping[str, Sequence[str]]) -> str:
    """Sections as text: a title, its lines, an empty line; those without lines are left out."""
    blocks = [f"{title}\n" + "\n".join(f"- {line}" for line in lines) for title, lines in sections.items() if lines]
    return "\n\n".join(blocks).rstrip() + "\n"


def _sections(text: str) -> list[dict[str, Any]]:
    """Titles are lines before a list, after an empty line or at the start; everything else stays as it was written."""
    sections: list[dict[str, Any]] = []
    lines: list[str] = []
    rows = [row for row in text.replace("\r\n", "\n").split("\n") if row.strip() != f"- {TO_FILL_IN}"]
    for index, row in enumerate(rows):
        starts_paragraph = index == 0 or not rows[index - 1].strip()
        precedes_list = index + 1 < len(rows) and rows[index + 1].startswith("- ")
        if row.strip() and starts_paragraph and precedes_list and not row.startswith("- "):
            lines = []
            sections.append({"title": row.strip(), "lines": lines})
        elif row.strip():
            if not sections:
                sections.append({"title": "", "lines": lines})
            lines.append(row.strip())
    return sections


def _without_empty_parts(text: str) -> str:
    """The report without the lines that its author did not fill in, and their titles."""
    rows = text.replace("\r\n", "\n").split("\n")
    kept_rows = [
        row for index, row in enumerate(rows) if row.strip() != f"- {TO_FILL_IN}" and not _is_empty_title(rows, index)
    ]
    return "\n".join(kept_rows).rstrip() + "\n"


def _is_empty_title(rows: list[str], index: int) -> bool:
    """A title under which nothing stands but the line to fill in."""
    after = [row.strip() for row in rows[index + 1 : index + 3]]
    is_title = bool(rows[index].strip()) and not rows[index].startswith("- ")
    return is_title and after[:1] == [f"- {TO_FILL_IN}"] and not any(after[1:])


def render_week(text: str, week: str, author: str, form: str) -> bytes:
    """A week's report as txt, html, pdf or eml."""
    return WrittenReport(week_title(week), author, text).as_form(form)


def _render(text: str, title: str, author: str, form: str) -> bytes:
    if form == "txt":
        return f"{title}\n{author}\n\n{text}".encode()
    if form == "html":
        return _html_page(text, title, author).encode()
    if form == "eml":
        return _mail_draft(text, title, author)
    parts = [{**section, "lines": [_course(line) or line for line in section["lines"]]} for section in _sections(text)]
    report_json = json.dumps({"title": title, "author": author, "parts": parts})
    return bytes(typst.compile(_PDF.encode(), format="pdf", sys_inputs={"week": report_json}))


def _course(line: str) -> dict[str, Any] | None:
    """A line that tells a number a week, taken apart; None: another line."""
    match = _COURSE.fullmatch(line.strip())
    return {"name": match["name"], "values": [int(value) for value in match["values"].split(", ")]} if match else None


def _html_line(line: str) -> str:
    """A line of the page; a course of numbers as bars of table cells, which every mail program shows, each above its number."""
    course = _course(line)
    if course is None:
        return f'<li style="margin:.3em 0">{escape(line.removeprefix("- "))}</li>'
    top = max(*course["values"], 1)
    cells = "".join(
        f'<td style="vertical-align:bottom;text-align:center;padding:0 3px;font-size:.8em"><div style="background:#1f5fa8;width:18px;'
        f'height:{round(36 * value / top) + 1}px;margin:0 auto"></div>{value}</td>'
        for value in course["values"]
    )
    table = f'<table role="presentation" style="border-collapse:collapse"><tr>{cells}</tr></table>'
    return f'<li style="margin:.5em 0">{escape(course["name"])}{table}</li>'


def week_title(week: str) -> str:
    """Week 2026-W48, 23 Nov – 29 Nov 2026."""
    first_day = date.fromisocalendar(int(week[:4]), int(week[6:]), 1)
    last_day = first_day + timedelta(days=6)
    days = f"{first_day:%d %b}{f' {first_day:%Y}' if first_day.year != last_day.year else ''} – {last_day:%d %b %Y}"
    return _("Week %(week)s, %(days)s") % {"week": week, "days": days}


@dataclass(frozen=True)
class WrittenReport:
    """A report as its author left it."""

    title: str
    author: str
    text: str

    def as_form(self, form: str) -> bytes:
        """As txt, html, pdf or eml."""
        return _render(_without_empty_parts(self.text), self.title, self.author, form)


def _html_page(text: str, title: str, author: str) -> str:
    """A page for a mail or a file: without script, its style in the tags, where mail programs read it."""
    section_html = []
    for section in _sections(text):
        lines = [str(line) for line in section["lines"]]
        items = "".join(_html_line(line) for line in lines)
        style = "font-size:1.05em;margin:1.4em 0 .3em;border-bottom:1px solid #dbe1e7;padding-bottom:.2em"
        heading = f'<h2 style="{style}">{escape(str(section["title"]))}</h2>' if section["title"] else ""
        section_html.append(f'{heading}<ul style="margin:.3em 0;padding-left:1.2em">{items}</ul>')
    body_style = "font:16px/1.5 system-ui,Segoe UI,Roboto,sans-serif;color:#17212b;max-width:42em;margin:1.5em auto;padding:0 1em"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<title>{escape(title)}</title></head><body style="{body_style}"><h1 style="font-size:1.5em;margin:0">{escape(title)}</h1>'
        f'<p style="color:#56626f;margin:.2em 0 0">{escape(author)}</p>{"".join(section_html)}</body></html>'
    )


def _mail_draft(text: str, title: str, author: str) -> bytes:
    """A draft that a mail program opens ready to be addressed and sent."""
    mail = EmailMessage()
    mail["Subject"] = " ".join(f"{title}, {author}".split())
    mail["X-Unsent"] = "1"
    mail["Date"] = datetime.now(UTC)
    mail.set_content(text)
    mail.add_alternative(_html_page(text, title, author), subtype="html")
    return mail.as_bytes()
