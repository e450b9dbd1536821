"""A résumé as JSON, as Markdown, and as a page of HTML that needs nothing beside it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any, Final

from wellserved.claim.sentence import GRADES
from wellserved.resume.document import SCHEMA_ADDRESS, SEALED_SECTIONS, entries_of
from wellserved.resume.layout import ResumeEntry, ResumeLayout
from wellserved.resume.sealing import STATE_MEANINGS, BulletState, SealedBullet

SIGNS: Final[dict[BulletState, str]] = {
    "as signed": "✓", "numbers as signed": "✓", "not as signed": "✗", "no longer holds": "", "own word": "",
}  # fmt: skip
"""What stands before a bullet: signed, changed after signing; nothing: one's own word."""
_MARKDOWN_MARKS: Final = re.compile(r"([\\`*_{}\[\]<>#|~])")


def legend(layout: ResumeLayout) -> tuple[str, ...]:
    """What the marks of a résumé mean, and how its numbers are checked."""
    states = {bullet.state for bullet in layout.bullets}
    lines = []
    if layout.proofs:
        lines.append(
            f"✓ Signed by the employer's records of service, and compared with them on {layout.day}. Whoever has this file can check "
            "it with the page check.html or the command wellserved claim verify, got from the employer or from the project wellserved."
        )
        grades = {bullet.grade for bullet in layout.proofs}
        lines += [f"{grade.capitalize()}: {meaning}." for grade, meaning in GRADES.items() if grade in grades]
        lines += [
            f"The words of the signing key, to compare with the employer's: {words}." for words in layout.key_words
        ]
    if "not as signed" in states:
        lines.append("✗ Its numbers are not those that were signed: the seal is broken.")
    if states & {"own word", "no longer holds"}:
        lines.append("Lines without a mark are the author's own word.")
    return tuple(lines)


def proof_lines(layout: ResumeLayout) -> tuple[str, ...]:
    """The sentences as they were signed, each with the number of its claim, and where the house shows it."""
    return tuple(
        f"{bullet.claim_id}: {bullet.sentence}{f' {bullet.address}' if bullet.address else ''}"
        for bullet in layout.proofs
    )


def resume_json(layout: ResumeLayout) -> bytes:
    """JSON Resume: bullets are plain texts with their marks; what is behind each stands in `meta.wellserved`."""
    document = json.loads(json.dumps(layout.document))
    bullets, claims, states = iter(layout.bullets), [], {}
    for section in SEALED_SECTIONS:
        for place, entry in enumerate(entries_of(document, section)):
            for index in range(len(entry.get("highlights", ()))):
                bullet = next(bullets)
                entry["highlights"][index] = bullet.marked_text
                pointer = f"/{section}/{place}/highlights/{index}"
                states[pointer] = {"state": bullet.state, "means": STATE_MEANINGS[bullet.state]}
                if bullet.is_sealed:
                    claims.append(_claim_facts(bullet, pointer))
    meta = document.setdefault("meta", {})
    meta["wellserved"] = {
        "compared": layout.day,
        "keys": list(layout.key_words),
        "highlights": states,
        "claims": claims,
    }
    document["$schema"] = SCHEMA_ADDRESS
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def _claim_facts(bullet: SealedBullet, pointer: str) -> dict[str, Any]:
    return {
        "pointer": pointer, "id": bullet.claim_id, "grade": bullet.grade, "sentence": bullet.sentence, "sha256": hashlib.sha256(bullet.raw).hexdigest(),
        "file": base64.b64encode(bullet.raw).decode(), **({"url": bullet.address} if bullet.address else {}),
    }  # fmt: skip


def resume_markdown(layout: ResumeLayout) -> bytes:
    """Markdown; its claim files travel beside it, or in another form of the résumé."""
    contact = " · ".join(
        f"[{_plain(words)}]({address})" if address else _plain(words) for words, address in layout.contact
    )
    blocks = [
        f"# {_plain(layout.name or 'Résumé')}",
        f"**{_plain(layout.label)}**" if layout.label else "",
        contact,
        _plain(layout.summary),
    ]
    for section in layout.sections:
        blocks.append(f"## {section.title}")
        blocks += [_markdown_entry(entry) for entry in section.entries]
    if notes := legend(layout):
        blocks += ["---", *map(_plain, notes), "\n".join(f"- {_plain(line)}" for line in proof_lines(layout))]
    return ("\n\n".join(filter(None, blocks)) + "\n").encode()


def _markdown_lines(text: str) -> str:
    """Lines that stay lines."""
    return _plain(text).replace("\n", "  \n")


def _markdown_bullet(bullet: SealedBullet) -> str:
    """A bullet between its sign and its mark, as Markdown."""
    return f"{SIGNS[bullet.state]} {_plain(bullet.marked_text)}".strip()


def _plain(text: str) -> str:
    return _MARKDOWN_MARKS.sub(r"\\\1", text)


def _markdown_entry(entry: ResumeEntry) -> str:
    head = f"### {_plain(entry.title)}" + (f", {_plain(entry.detail)}" if entry.detail else "") if entry.title else ""
    lines = "\n".join(f"- {_markdown_bullet(bullet)}" for bullet in entry.bullets)
    return "\n\n".join(
        filter(None, (head, f"*{entry.span}*" if entry.span else "", _markdown_lines(entry.summary), lines))
    )


_STYLE: Final = """
body{font:16px/1.5 system-ui,Segoe UI,Roboto,sans-serif;color:#17212b;background:#fff;max-width:46em;margin:2em auto;padding:0 1em}
h1{margin:0;font-size:1.9em}h2{font-size:1.15em;border-bottom:1px solid #cdd4de;margin:1.6em 0 .4em}h3{font-size:1em;margin:1em 0 0}
.quiet{color:#566072;margin:.1em 0}ul{margin:.3em 0;padding-left:0;list-style:none}li{margin:.25em 0;padding-left:1.5em;text-indent:-1.5em;overflow-wrap:anywhere}
.sign{display:inline-block;width:1.5em;text-indent:0}.broken{color:#a3251b}.mark{color:#566072;font-size:.85em}a{color:#1f5fa8;overflow-wrap:anywhere}footer{margin-top:2.5em;font-size:.85em;border-top:1px solid #cdd4de}
@media print{body{margin:0;max-width:none}}
"""


def resume_html(layout: ResumeLayout) -> bytes:
    """A page without script that carries its claim files."""
    title = escape(layout.name or "Résumé")
    contact = " · ".join(_link(words, address) for words, address in layout.contact)
    parts = [
        f"<h1>{title}</h1>",
        _paragraph(layout.label),
        f'<p class="quiet">{contact}</p>' if contact else "",
        _paragraph(layout.summary),
    ]
    for section in layout.sections:
        parts.append(f"<section><h2>{escape(section.title)}</h2>{''.join(map(_html_entry, section.entries))}</section>")
    parts.append("".join(_html_footer(layout)))
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{style}'"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><title>{title}</title><style>{_STYLE}</style></head>'
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    ).encode()


def _link(words: str, address: str) -> str:
    return f'<a href="{escape(address)}">{escape(words)}</a>' if address else escape(words)


def _paragraph(text: str, kind: str = "") -> str:
    mark = f' class="{kind}"' if kind else ""
    return "".join(f"<p{mark}>{escape(line)}</p>" for line in text.split("\n") if line.strip())


def _html_entry(entry: ResumeEntry) -> str:
    is_web = entry.url.lower().startswith(("https://", "http://"))
    head = (
        ""
        if not entry.title
        else f"<h3>{_link(entry.title, entry.url if is_web else '')}{', ' + escape(entry.detail) if entry.detail else ''}</h3>"
    )
    bullets = "".join(_html_bullet(bullet) for bullet in entry.bullets)
    return (
        head + _paragraph(entry.span, "quiet") + _paragraph(entry.summary) + (f"<ul>{bullets}</ul>" if bullets else "")
    )


def _html_bullet(bullet: SealedBullet) -> str:
    broken = ' class="broken"' if bullet.state == "not as signed" else ""
    mark = bullet.marked_text.removeprefix(bullet.text).strip()
    sign = SIGNS[bullet.state] or "•"
    sign_html = f'<span class="sign" aria-hidden="true">{sign}</span>'
    note = f' <span class="mark">{escape(mark)}</span>' if mark else ""
    return f"<li{broken}>{sign_html}{escape(bullet.text)}{note}</li>"


def _html_footer(layout: ResumeLayout) -> Iterator[str]:
    notes = legend(layout)
    if not notes:
        return
    yield "<footer>" + "".join(f"<p>{escape(note)}</p>" for note in notes)
    for bullet in layout.proofs:
        data = base64.b64encode(bullet.raw).decode()
        name = f"claim-{bullet.claim_id}.json"
        shown_at = f" {_link(bullet.address, bullet.address)}" if bullet.address else ""
        yield f'<p><a download="{name}" href="data:application/json;base64,{data}">{name}</a>: {escape(bullet.sentence)}{shown_at}</p>'
    yield "</footer>"
