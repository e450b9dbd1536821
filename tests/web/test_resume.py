"""The résumé on its page: private, sealed by claims, brought along and taken along."""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from tests.claim.test_checks import CLAIM_ID, KEY
from tests.web.conftest import House, book, signed_claim
from wellserved.actions import house_rules, resumes
from wellserved.claim.carriers import claim_files
from wellserved.claim.check import check_claim
from wellserved.errors import RequestError, UnknownNameError
from wellserved.journal import keys
from wellserved.journal.models import Resume
from wellserved.store.models import Claim, HouseRules, Person

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])
SIGNED = "It went from 10 days to 9 days."


@pytest.fixture(autouse=True)
def _compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Claims of these tests rest on no records: they are as their state says."""
    monkeypatch.setattr(
        "wellserved.web.views.resume.list_claims",
        lambda _workspace, person, _remake: list(Claim.objects.filter(owner=person)),
    )


def form_of(**changed: Any) -> dict[str, Any]:
    """The page's form, as a browser sends it."""
    facts = {
        "name": "Kim Müller", "label": "Clerk", "email": "", "phone": "", "city": "Köln", "url": "", "summary": "", "skills": "Listening: phone, mail",
        "languages": "German, native\nEnglish, fluent", "work-TOTAL_FORMS": "1", "work-INITIAL_FORMS": "0", "education-TOTAL_FORMS": "1",
        "education-INITIAL_FORMS": "0", "work-0-position": "Clerk", "work-0-name": "Contoso", "work-0-startDate": "2024-03",
        "work-0-highlights": f"- {SIGNED} (checked: {CLAIM_ID})\n\nMy own word.",
    }  # fmt: skip
    return facts | changed


def test_a_resume_is_written_sealed_and_taken_along(staff: House, as_: As) -> None:
    signed_claim(staff.kim)
    client = as_(staff.kim)
    assert client.post("/resume/", form_of()).status_code == 302
    page = client.get("/resume/").content.decode()
    assert "as signed" in page
    assert "own word" in page
    for form in resumes.RESUME_FORMATS:
        answer = client.get(f"/resume/as/{form}")
        assert answer.status_code == 200
        assert answer.headers["Content-Disposition"] == f'attachment; filename="resume.{form}"'
        if form != "md":
            [raw] = claim_files(answer.content)
            assert check_claim(raw, KEY).exit_code == 0
    written = json.loads(client.get("/resume/as/json").content)
    assert written["skills"] == [{"name": "Listening", "keywords": ["phone", "mail"]}]
    assert written["languages"][1] == {"language": "English", "fluency": "fluent"}
    client.post("/resume/", form_of(**{"work-0-highlights": f"It went from 12 days to 9 days. (checked: {CLAIM_ID})"}))
    assert "not as signed" in client.get("/resume/").content.decode()


def test_what_was_signed_in_a_week_stands_in_its_report(staff: House, as_: As) -> None:
    claim = signed_claim(staff.kim)
    week = "{}-W{:02d}".format(*timezone.localdate().isocalendar()[:2])
    address = f"/reports/{week}/as/txt"
    assert f"{claim.sentence} (claim {CLAIM_ID})" in as_(staff.kim).get(address).content.decode()
    assert claim.sentence not in as_(staff.peer).get(address).content.decode()
    Claim.objects.update(state="stale")
    assert claim.sentence not in as_(staff.kim).get(address).content.decode()


def test_nobody_else_reads_it_and_it_lies_in_no_table(staff: House, as_: As) -> None:
    as_(staff.kim).post("/resume/", form_of(summary="a canary of kim"))
    for other in (staff.peer, staff.lead, staff.admin):
        assert "canary" not in as_(other).get("/resume/").content.decode()
    assert b"canary" not in b"".join(bytes(row.body) for row in Resume.objects.all())
    assert book(staff.kim).resume() is not None
    assert book(staff.peer).resume() is None


def test_a_claim_of_somebody_else_seals_nothing(staff: House, as_: As) -> None:
    signed_claim(staff.peer)
    client = as_(staff.kim)
    client.post("/resume/", form_of())
    assert "you have no claim of this number" in client.get("/resume/").content.decode()
    assert CLAIM_ID.encode() not in client.get("/resume/as/md").content


def test_the_house_says_what_may_leave(staff: House, as_: As) -> None:
    claim = signed_claim(staff.kim)
    client = as_(staff.kim)
    client.post("/resume/", form_of())
    assert as_(staff.kim).post("/claims/limits", {"claims_show": "nothing"}).status_code == 404
    assert as_(staff.admin).post("/claims/limits", {"claims_show": "ratios"}).status_code == 302
    assert "your house does not let these figures leave" in client.get("/resume/").content.decode()
    assert "(checked" not in client.get("/resume/as/md").content.decode()
    with pytest.raises(RequestError, match="ratios alone"):
        house_rules.require_allowed("full")
    assert client.get(f"/claims/{claim.id}/file?variant=full").status_code == 422
    with pytest.raises(UnknownNameError):
        house_rules.set_claim_limit(staff.admin, "everything")
    assert HouseRules.objects.count() == 1


def test_a_claim_that_is_stale_tells_its_owner_alone(staff: House, as_: As) -> None:
    claim = signed_claim(staff.kim)
    client = as_(staff.kim)
    client.post("/resume/", form_of())
    claim.state, claim.reason = "stale", "its records were corrected"
    claim.save()
    assert "its records were corrected" in client.get("/resume/").content.decode()
    for form in ("md", "html", "json"):
        raw = client.get(f"/resume/as/{form}").content.decode()
        assert SIGNED in raw
        assert "corrected" not in raw
        assert CLAIM_ID not in raw


def test_what_may_be_added_comes_from_claims_and_the_journal(staff: House, as_: As) -> None:
    signed_claim(staff.kim)
    book(staff.kim).write({"word": "thanks", "text": "Acme liked the new form"})
    book(staff.kim).write({"word": "missed", "text": "a failure is no bullet"})
    client = as_(staff.kim)
    page = client.get("/resume/").content.decode()
    offered = re.findall(r'name="add" value="([^"]+)"', page)
    assert offered == [f"{SIGNED} (checked: {CLAIM_ID})", "Acme liked the new form"]
    typed = {"work-0-highlights": "", "summary": "typed, and not saved yet"}
    assert client.post("/resume/", form_of(add=offered[0], **typed)).status_code == 302
    again = form_of(
        add=offered[1], **{"work-INITIAL_FORMS": "1", "work-0-number": "0", "work-0-highlights": offered[0]}
    )
    assert client.post("/resume/", again | {"summary": "kept"}).status_code == 302
    page = client.get("/resume/").content.decode()
    assert 'name="add" value=' not in page
    assert "kept" in page
    assert "as signed" in page


def test_one_is_brought_along_and_what_no_form_shows_stays(staff: House, as_: As) -> None:
    document = {
        "basics": {"name": "Kim"}, "awards": [{"title": "Best desk", "date": "2023"}],
        "work": [{"name": "Contoso", "position": "Clerk", "url": "https://contoso.example", "highlights": ["Own."]}],
    }  # fmt: skip
    client = as_(staff.kim)
    file = SimpleUploadedFile("resume.json", json.dumps(document).encode(), "application/json")
    assert client.post("/resume/file", {"file": file}).status_code == 302
    client.post(
        "/resume/", form_of(**{"work-INITIAL_FORMS": "1", "work-0-number": "0", "work-0-highlights": "Own.\nNew."})
    )
    written = json.loads(client.get("/resume/as/json").content)
    assert written["awards"] == document["awards"]
    assert written["work"][0]["url"] == "https://contoso.example"
    assert written["work"][0]["highlights"] == ["Own.", "New."]
    bad = client.post("/resume/file", {"file": io.BytesIO(b"%PDF-1.7")}, follow=True).content.decode()
    assert "The file is no JSON." in bad
    wrong = client.post("/resume/", form_of(**{"work-0-startDate": "5/2024"}))
    assert (wrong.status_code, "it is marked" in wrong.content.decode()) == (422, True)
    assert client.post("/resume/file").status_code == 302


def test_a_resume_from_before_a_reset_is_brought_back_beside_the_new_one(staff: House) -> None:
    before = book(staff.kim)
    before.open_with_password("first password")
    before.keep_resume({"basics": {"name": "before"}})
    code = before.new_recovery()
    after = book(staff.kim)
    after.open_with_password("another password")
    assert after.resume() is None
    after.keep_resume({"basics": {"name": "after"}})
    after.unlock(keys.normalise_code(code))
    assert after.resume() == {"basics": {"name": "after"}}
    assert after.earlier_resumes() == [{"basics": {"name": "before"}}]
    after.keep_resume({"basics": {"name": "later"}})
    assert after.earlier_resumes() == [{"basics": {"name": "before"}}]


def test_what_was_not_changed_stays_to_the_letter_and_an_old_window_overwrites_nothing(staff: House, as_: As) -> None:
    document = {
        "basics": {"name": "Kim", "profiles": [{"network": "X", "username": "kim"}]},
        "skills": [{"name": "Office (Word, Excel)", "level": "Master", "keywords": ["EU law, tenders"]}, {"name": "Tools: CRM", "note": "x"}],
        "languages": [{"language": "Spanish, Latin America", "fluency": "good", "since": 3}],
        "work": [{"name": "Contoso", "highlights": ["Two\nlines", "One"]}, {"location": "hidden alone"}],
        "education": [{"institution": "School", "score": "1.0"}],
    }  # fmt: skip
    client, journal = as_(staff.kim), book(staff.kim)
    journal.keep_resume(document)
    page = client.get("/resume/").content.decode()
    fields = _fields_of(page)
    assert client.post("/resume/", fields).status_code == 302
    assert book(staff.kim).resume() == document
    old_window = _fields_of(client.get("/resume/").content.decode())
    client.post("/resume/", {**old_window, "summary": "new"})
    late = client.post("/resume/", {**old_window, "summary": "from an old window"})
    assert (late.status_code, "changed meanwhile" in late.content.decode()) == (422, True)
    assert (book(staff.kim).resume() or {})["basics"]["summary"] == "new"


def _fields_of(page: str) -> dict[str, str]:
    """What a browser would send of the page's form, unchanged."""
    form = page[page.index('name="revision"') - 200 :]
    fields = {
        match[1]: html.unescape(match[2])
        for match in re.finditer(
            r'<input type="(?:hidden|text|email|url|number)" name="([\w-]+)"(?: value="([^"]*)")?', form
        )
        if match[2] is not None
    }
    fields |= {
        match[1]: html.unescape(match[2]).lstrip("\n")
        for match in re.finditer(r'<textarea name="([\w-]+)"[^>]*>(.*?)</textarea>', form, re.DOTALL)
    }
    fields.pop("csrfmiddlewaretoken", None)
    return fields
