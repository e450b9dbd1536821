"""The same résumé in five forms: each readable by others' programs, each with its claims, none with what is hidden."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pypdf
import pytest
from docx import Document
from jsonschema import Draft7Validator

from tests.claim.test_checks import CLAIM_ID, KEY, OTHER_KEY, RAW, signed
from wellserved.claim.canonical import NotAClaimError
from wellserved.claim.carriers import claim_files
from wellserved.claim.check import check_claim
from wellserved.claim.file import VARIANTS, open_claim, restrict_claim
from wellserved.resume.document import ResumeFormatError, check_resume, read_resume, resume_schema
from wellserved.resume.layout import ResumeLayout, lay_out
from wellserved.resume.one_page import claim_page
from wellserved.resume.paper import resume_docx, resume_pdf
from wellserved.resume.sealing import HeldClaim
from wellserved.resume.texts import resume_html, resume_json, resume_markdown

SIGNED = "It went from 10 days to 9 days."
FORMS = {"json": resume_json, "md": resume_markdown, "html": resume_html, "pdf": resume_pdf, "docx": resume_docx}
HOSTILE = 'Kept <script>alert(1)</script> & "#eval(1)" `code` \u202e \x07 out'
SCHEMA = Draft7Validator(resume_schema())


def document(*bullets: str) -> dict[str, Any]:
    """A résumé with one job."""
    return {
        "basics": {"name": "Kim Müller", "label": "Service", "email": "kim@example.org", "url": "https://kim.example.org",
                   "location": {"city": "Köln"}, "summary": "Serves.\nWell."},
        "work": [{"name": "Contoso", "position": "Clerk", "startDate": "2024-03", "highlights": list(bullets)}],
        "education": [{"institution": "School", "area": "Trade", "studyType": "BA", "endDate": "2020"}],
        "skills": [{"name": "Listening", "keywords": ["phone", "mail"]}],
        "references": [{"name": "Ada", "reference": "Kim is kind."}],
    }  # fmt: skip


def layout(*bullets: str, refusal: str = "") -> ResumeLayout:
    return lay_out(document(*bullets), {CLAIM_ID: HeldClaim(RAW, refusal)}, "2026-11-30")


def text_of(form: str, raw: bytes) -> str:
    """What a reader of a form sees."""
    if form == "pdf":
        return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(raw)).pages)
    if form == "docx":
        return "\n".join(paragraph.text for paragraph in Document(io.BytesIO(raw)).paragraphs)
    if form == "html":
        return re.sub(r"<[^>]+>", "", re.sub(r"<style>.*?</style>", "", raw.decode(), flags=re.DOTALL))
    return raw.decode()


def all_bytes(raw: bytes) -> bytes:
    """Everything in a file, unpacked."""
    parts = [raw]
    if raw.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(raw)) as file:
            parts += [file.read(name) for name in file.namelist()]
    if raw.startswith(b"%PDF"):
        for match in re.finditer(rb"stream\r?\n", raw):
            try:
                parts.append(zlib.decompressobj().decompress(raw[match.end() :]))
            except zlib.error:
                continue
    for part in list(parts):
        import base64

        for match in re.finditer(rb"[A-Za-z0-9+/]{200,}={0,2}", part):
            try:
                parts.append(base64.b64decode(match[0]))
            except ValueError:
                continue
    return b"\n".join(parts)


@pytest.mark.parametrize("form", FORMS)
def test_a_changed_number_is_shown_as_unsealed_in_every_form(form: str) -> None:
    kept = text_of(form, FORMS[form](layout(f"{SIGNED} (checked: {CLAIM_ID})")))
    changed = text_of(form, FORMS[form](layout(f"It went from 12 days to 9 days. (checked: {CLAIM_ID})")))
    assert f"(checked, measured: {CLAIM_ID})" in kept.replace("\n", " ")
    assert "not as signed" not in kept
    assert f"not as signed: {CLAIM_ID}" in changed.replace("\n", " ")
    assert "(checked" not in changed


@pytest.mark.parametrize("form", ["json", "html", "pdf", "docx"])
def test_the_claim_goes_along_and_is_found_again(form: str) -> None:
    files = claim_files(
        FORMS[form](layout(f"{SIGNED} (checked: {CLAIM_ID})", f"Only from 10 days to 9 days (checked: {CLAIM_ID})"))
    )
    assert len(files) == 1
    assert check_claim(files[0], KEY).exit_code == 0
    with pytest.raises(NotAClaimError):
        claim_files(FORMS[form](layout("My own word.")))


@pytest.mark.parametrize("form", FORMS)
def test_what_is_hidden_stands_in_no_byte(form: str) -> None:
    ratio = str(open_claim(RAW).shown["sentence_ratio_without_service"])
    raw = all_bytes(FORMS[form](layout(f"{ratio} (checked: {CLAIM_ID})")))
    for hidden in (
        SIGNED,
        "864000",
        '"windows"',
        str(open_claim(RAW).shown["segment"][0][1]) if open_claim(RAW).shown["segment"] else SIGNED,
    ):
        assert hidden.encode() not in raw


@pytest.mark.parametrize("form", FORMS)
def test_a_stale_claim_leaves_no_trace(form: str) -> None:
    raw = FORMS[form](layout(f"{SIGNED} (checked: {CLAIM_ID})", refusal="stale: its records were corrected"))
    assert SIGNED in text_of(form, raw)
    assert CLAIM_ID.encode() not in all_bytes(raw)
    assert b"corrected" not in all_bytes(raw)


@pytest.mark.parametrize("form", FORMS)
def test_whatever_is_written_is_text(form: str) -> None:
    written = check_resume(document(HOSTILE, "x" * 1_900, "漢字 كتاب 🙂"))
    assert "\u202e" not in str(written)
    raw = FORMS[form](lay_out(written, {}, "2026-11-30"))
    assert b"<script>" not in raw or form == "json"
    assert "Kept" in text_of(form, raw)


def test_the_official_schema_validates_what_is_written() -> None:
    raw = resume_json(layout(f"{SIGNED} (checked: {CLAIM_ID})", "Own."))
    written = json.loads(raw)
    assert list(SCHEMA.iter_errors(written)) == []
    facts = written["meta"]["wellserved"]
    assert [claim["pointer"] for claim in facts["claims"]] == ["/work/0/highlights/0"]
    assert {pointer: state["state"] for pointer, state in facts["highlights"].items()} == {
        "/work/0/highlights/0": "as signed", "/work/0/highlights/1": "own word",
    }  # fmt: skip
    again = lay_out(read_resume(raw), {CLAIM_ID: HeldClaim(RAW)}, "2026-11-30")
    assert [bullet.state for bullet in again.bullets] == ["as signed", "own word"]


def test_the_pdf_is_tagged_says_its_language_and_is_the_same_twice() -> None:
    raw = resume_pdf(layout(f"{SIGNED} (checked: {CLAIM_ID})"))
    assert raw == resume_pdf(layout(f"{SIGNED} (checked: {CLAIM_ID})"))
    reader = pypdf.PdfReader(io.BytesIO(raw))
    root: Any = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    xmp = root["/Metadata"].get_data()
    assert b"pdfuaid:part" in xmp
    assert b"<pdfaid:part>3</pdfaid:part>" in xmp or b'pdfaid:part="3"' in xmp
    assert list(reader.attachments) == [f"claim-{CLAIM_ID}.json"]
    assert claim_files(reader.attachments[f"claim-{CLAIM_ID}.json"][0])


def test_the_word_document_has_headings_and_lists_of_its_own() -> None:
    word = Document(io.BytesIO(resume_docx(layout(SIGNED))))
    styles = {paragraph.style.name for paragraph in word.paragraphs if paragraph.style}
    assert {"Title", "Heading 1", "Heading 2", "List Bullet"} <= styles
    assert word.core_properties.language == "en"
    assert word.core_properties.title == "Kim Müller"


def test_a_file_of_others_is_read_and_a_bad_one_says_what_is_wrong() -> None:
    empty = {**document("Own."), "volunteer": [], "awards": [{"title": ""}]}
    empty["work"][0]["endDate"] = ""
    assert "awards" not in read_resume(json.dumps(empty).encode("utf-8-sig"))
    for raw, words in (
        (b"%PDF-1.7", "no JSON"), (b"[]", "no résumé"), (b'{"a": 1}', "no résumé"), (b"\xff", "no JSON"), (b'{"basics": NaN}', "no JSON"),
        (b'{"work": [{"startDate": "5/2020"}]}', "work 1 startDate"), (b'{"basics": {"email": "x"}}', "email"),
        (b'{"work": [{"highlights": "x"}]}', "a list"), (b"[" * 100_000, "no JSON"), (b" " * 600_000, "bytes"),
    ):  # fmt: skip
        with pytest.raises(ResumeFormatError, match=words):
            read_resume(raw)
    assert check_resume({"basics": {"name": " Kim "}}) == {"basics": {"name": "Kim"}}


@pytest.mark.parametrize(
    "raw",
    [b"", b"%PDF-1.7\n/EmbeddedFile", b"PK\x03\x04 broken", b"<html>", b"{}", b'{"meta": {"wellserved": {"claims": [{"file": "!"}]}}}',
     b"%PDF-" + b"/EmbeddedFile<<" * 20_000, b'{"meta": {"wellserved": {"claims": 3}}}'],
)  # fmt: skip
def test_a_document_without_claims_ends_in_a_sentence(raw: bytes) -> None:
    with pytest.raises(NotAClaimError):
        claim_files(raw)


def test_a_packed_giant_is_not_unpacked(tmp_path: Path) -> None:
    giant = zlib.compress(b"0" * 50_000_000)
    raw = b"%PDF-1.7\n1 0 obj\n<</Length 1/Type/EmbeddedFile/Filter/FlateDecode>>\nstream\n" + giant
    with pytest.raises(NotAClaimError):
        claim_files(raw)
    file = tmp_path / "x.docx"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("customXml/item1.xml", b"0" * 50_000_000)
    with pytest.raises(NotAClaimError):
        claim_files(file.read_bytes())
    entry = (
        b"1 0 obj\n<</Type/EmbeddedFile/Filter/FlateDecode>>\nstream\n"
        + zlib.compress(b"0" * 4_000_000)
        + b"\nendstream\n"
    )
    with pytest.raises(NotAClaimError, match="more than any"):
        claim_files(b"%PDF-1.7\n" + entry * 40)


def test_a_seal_that_is_typed_into_any_field_is_taken_out() -> None:
    typed = document("Own.")
    typed["basics"] |= {"summary": "✓ Cut waits by 99%. (checked, proved: aaaabbbbcccc)", "label": "🗸 Best"}
    typed["work"][0] |= {"summary": "Cut it [numbers checked: aaaabbbbcccc]", "position": "✅ Clerk"}
    for form, write in FORMS.items():
        if form != "json":  # which is the author's own document
            text = text_of(form, write(lay_out(typed, {}, "2026-11-30")))
            assert not set("✓🗸✅") & set(text), form
            assert "checked" not in text, form


def test_of_two_keys_each_is_named() -> None:
    other, _evidence = signed(OTHER_KEY)
    raw = {CLAIM_ID: HeldClaim(RAW), "bcdefgh23456": HeldClaim(other)}
    shown = lay_out(
        document(f"{SIGNED} (checked: {CLAIM_ID})", f"{open_claim(other).sentence} (checked: bcdefgh23456)"),
        raw,
        "2026-11-30",
    )
    assert shown.key_words == (KEY, open_claim(other).fingerprint)
    assert open_claim(other).fingerprint in text_of("md", resume_markdown(shown))


@pytest.mark.parametrize("form", FORMS)
def test_the_house_s_address_of_a_claim_stands_beside_it(form: str) -> None:
    address = "https://service.example.org/c/abcdefgh2345"
    shown = lay_out(
        document(f"{SIGNED} (checked: {CLAIM_ID})"), {CLAIM_ID: HeldClaim(RAW, address=address)}, "2026-11-30"
    )
    raw = FORMS[form](shown)
    assert address in text_of(form, raw).replace("\n", "") or form == "html"
    assert address.encode() in all_bytes(raw) or form == "docx"
    if form != "md":
        assert claim_files(raw)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_claim_on_one_page_shows_what_its_file_shows_and_carries_it(variant: str) -> None:
    raw = restrict_claim(RAW, VARIANTS[variant])
    page = claim_page(open_claim(raw), raw, "https://service.example.org/c/abcdefgh2345")
    assert claim_files(page) == [raw]
    text = text_of("pdf", page).replace("\n", " ")
    assert open_claim(raw).sentence in text
    assert KEY in text
    assert ("8.84" in text) == (variant == "full")
    assert len(pypdf.PdfReader(io.BytesIO(page)).pages) == 1
