"""A résumé as PDF (tagged, PDF/UA-1 and PDF/A-3a, claim files attached) and as a Word document that carries them."""

from __future__ import annotations

import base64
import io
import json
from typing import Any, Final

import segno
import typst
from docx import Document
from docx.document import Document as WordDocument
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor

from wellserved.claim.carriers import CLAIMS_NAMESPACE
from wellserved.resume.layout import ResumeEntry, ResumeLayout
from wellserved.resume.sealing import SealedBullet
from wellserved.resume.texts import SIGNS, legend, proof_lines

_TEMPLATE: Final = """
#let data = json(bytes(sys.inputs.data))
#set document(title: data.name, author: data.author)
#set page(paper: "a4", margin: (x: 2cm, y: 1.8cm))
#set text(size: 10.5pt, lang: "en", fill: rgb("#17212b"))
#set par(leading: .6em)
#show heading.where(level: 1): set text(size: 22pt)
#show heading.where(level: 2): it => block(above: 1.3em, below: .7em, width: 100%, stroke: (bottom: .5pt + rgb("#9aa6b4")), inset: (bottom: .3em), text(size: 12.5pt, it.body))
#show heading.where(level: 3): it => block(above: 1em, below: .5em, text(size: 10.5pt, it.body))
#show link: set text(fill: rgb("#1f5fa8"))
#let quiet(body) = text(fill: rgb("#566072"), body)
#let bullets(items) = list(..items.map(item => {
  let words = item.text + if item.mark != "" { " " + item.mark } else { "" }
  if item.broken { text(fill: rgb("#a3251b"), words) } else { words }
}), marker: none, body-indent: 0pt)
#for claim in data.claims {
  pdf.attach(claim.file, bytes(claim.content), relationship: "supplement", mime-type: "application/json", description: claim.sentence)
}
#heading(level: 1, data.name)
#if data.label != "" { text(size: 12pt, data.label); parbreak() }
#quiet(for (index, item) in data.contact.enumerate() {
  if index > 0 [ · ]
  if item.at(1) != "" { link(item.at(1), item.at(0)) } else { item.at(0) }
})
#for line in data.summary.split("\\n") { if line != "" { par(line) } }
#for section in data.sections {
  heading(level: 2, section.title)
  for entry in section.entries {
    if entry.title != "" { heading(level: 3, outlined: false, entry.title + if entry.detail != "" { ", " + entry.detail } else { "" }) }
    if entry.span != "" { quiet(entry.span); parbreak() }
    for line in entry.summary.split("\\n") { if line != "" { par(line) } }
    if entry.bullets.len() > 0 { block(above: .8em, bullets(entry.bullets)) }
  }
}
#if data.legend.len() > 0 {
  block(above: 2em, width: 100%, stroke: (top: .5pt + rgb("#9aa6b4")), inset: (top: .8em), text(size: 8.5pt, {
    for line in data.legend { par(line) }
    for claim in data.claims {
      if claim.code == "" { par(claim.line) } else {
        grid(columns: (1fr, 2.2cm), column-gutter: 1em, par(link(claim.address, claim.line)), image(bytes(claim.code), format: "svg", width: 2.2cm, alt: "QR code of " + claim.address))
      }
    }
  }))
}
"""


def resume_pdf(layout: ResumeLayout) -> bytes:
    """The PDF; the same résumé always gives the same bytes. Where no font has one of its letters, it is tagged, and no PDF/UA."""
    claims = [
        {
            "file": f"claim-{bullet.claim_id}.json",
            "content": bullet.raw.decode(),
            "sentence": bullet.sentence,
            "line": line,
            "address": bullet.address,
            "code": address_code(bullet.address) if bullet.address else "",
        }
        for bullet, line in zip(layout.proofs, proof_lines(layout), strict=True)
    ]
    sections = [
        {"title": section.title, "entries": [_entry(entry) for entry in section.entries]} for section in layout.sections
    ]
    name = layout.name or "Résumé"
    data = {
        "name": name, "author": name, "label": layout.label, "contact": layout.contact, "summary": layout.summary,
        "sections": sections, "legend": legend(layout), "claims": claims,
    }  # fmt: skip
    return compile_pdf(_TEMPLATE, data)


def compile_pdf(template: str, data: dict[str, Any]) -> bytes:
    """A PDF of a template and its data: PDF/UA-1 and PDF/A-3a; where no font here has a letter of it, tagged, and neither, since the
    standards forbid the box in its place."""
    inputs = {"data": json.dumps(data)}
    try:
        return _compile(template, inputs, ["ua-1", "a-3a"])
    except typst.TypstError:
        return _compile(template, inputs, [])


def address_code(address: str) -> str:
    """An address as a QR code, SVG."""
    code: str = segno.make(address, error="m", micro=False).svg_inline(scale=4, border=2)
    return code


def _compile(template: str, inputs: dict[str, str], standards: list[Any]) -> bytes:
    pdf = typst.compile(template.encode(), format="pdf", sys_inputs=inputs, pdf_standards=standards, timestamp=0)
    return bytes(pdf)


def _entry(entry: ResumeEntry) -> dict[str, Any]:
    """An entry as the template takes it."""
    bullets = [_bullet(bullet) for bullet in entry.bullets]
    return {
        "title": entry.title, "detail": entry.detail, "span": entry.span, "summary": entry.summary, "bullets": bullets,
    }  # fmt: skip


def _bullet(bullet: SealedBullet) -> dict[str, Any]:
    """A bullet as the template takes it."""
    mark = bullet.marked_text.removeprefix(bullet.text).strip()
    return {
        "text": f"{SIGNS[bullet.state] or '•'} {bullet.text}",
        "mark": mark,
        "broken": bullet.state == "not as signed",
    }


def resume_docx(layout: ResumeLayout) -> bytes:
    """The Word document: headings and lists of its own styles, with the claim files as a part that Word keeps."""
    word = Document()
    word.core_properties.title = word.core_properties.author = _printable(layout.name or "Résumé")[:255]
    word.core_properties.language = "en"
    word.core_properties.comments = ""
    for side in ("left_margin", "right_margin", "top_margin", "bottom_margin"):
        setattr(word.sections[0], side, Cm(2))
    word.styles["Normal"].font.size = Pt(10.5)
    word.add_heading(_printable(layout.name or "Résumé"), 0)
    _add_lines(word, layout.label)
    _add_contact(word, layout)
    _add_lines(word, layout.summary)
    for section in layout.sections:
        word.add_heading(section.title, 1)
        for entry in section.entries:
            _add_entry(word, entry)
    if notes := legend(layout):
        word.add_heading("How to check it", 1)
        _add_lines(word, "\n".join((*notes, *proof_lines(layout))))
    _carry_claims(word, layout)
    file = io.BytesIO()
    word.save(file)
    return file.getvalue()


def _add_lines(word: WordDocument, text: str) -> None:
    for line in filter(None, text.split("\n")):
        word.add_paragraph(_printable(line))


def _printable(text: str) -> str:
    """Text without what XML does not allow."""
    return "".join(
        letter
        for letter in text
        if (letter >= " " or letter == "\t") and not "\ud800" <= letter <= "\udfff" and letter not in "\ufffe\uffff"
    )


def _add_contact(word: WordDocument, layout: ResumeLayout) -> None:
    """The ways to reach somebody, as links where they are some."""
    if not layout.contact:
        return
    paragraph = word.add_paragraph()
    for index, (words, address) in enumerate(layout.contact):
        if index:
            paragraph.add_run(" · ")
        run = paragraph.add_run(_printable(words))
        if address:
            relation = paragraph.part.relate_to(
                address, "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink", True
            )
            link = OxmlElement("w:hyperlink")
            link.set(qn("r:id"), relation)
            link.append(run._element)
            run.font.underline = True
            paragraph._element.append(link)


def _add_entry(word: WordDocument, entry: ResumeEntry) -> None:
    if entry.title:
        word.add_heading(_printable(f"{entry.title}{', ' + entry.detail if entry.detail else ''}"), 2)
    _add_lines(word, entry.span)
    _add_lines(word, entry.summary)
    for bullet in entry.bullets:
        paragraph = word.add_paragraph(style="List Bullet")
        run = paragraph.add_run(_printable(f"{SIGNS[bullet.state]} {bullet.marked_text}".strip()))
        if bullet.state == "not as signed":
            run.font.color.rgb = RGBColor(0xA3, 0x25, 0x1B)


def _carry_claims(word: WordDocument, layout: ResumeLayout) -> None:
    """Put the claim files into the document, as custom XML."""
    if not layout.proofs:
        return
    claims = "".join(
        f'<claim id="{bullet.claim_id}">{base64.b64encode(bullet.raw).decode()}</claim>' for bullet in layout.proofs
    )
    xml = f'<?xml version="1.0" encoding="UTF-8"?><claims xmlns="{CLAIMS_NAMESPACE}">{claims}</claims>'
    part = Part(PackURI("/customXml/item9.xml"), "application/xml", xml.encode(), word.part.package)
    word.part.relate_to(part, "http://schemas.openxmlformats.org/officeDocument/2006/relationships/customXml")
