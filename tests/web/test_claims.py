"""Claims on the pages: signed by whom the declaration names, listed by their owner alone, handed out as much as one chooses."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from tests.claim.quotes import CHANGE, quote_rows, quote_workspace, write_quotes
from tests.claim.test_checks import CLAIM_ID, RAW
from tests.web.conftest import House, plain_recipe, signed_claim
from wellserved.actions import claim_drafts, claim_evidence, claim_exports, house_rules, improvements
from wellserved.actions import claims as claim_actions
from wellserved.claim.check import check_claim
from wellserved.claim.draft import ClaimDraft
from wellserved.claim.file import open_claim
from wellserved.claim.verdict import declaration_digest
from wellserved.errors import ClaimRefusedError, RequestError, WorkspaceError
from wellserved.improvement import IMPROVEMENTS_FILE, Improvement
from wellserved.storage import log
from wellserved.storage.workspace import Workspace
from wellserved.store.models import Claim, Event, Person
from wellserved.web import analysis
from wellserved.web.views import claims as claim_views

As = Callable[[Person], Client]
pytestmark = pytest.mark.django_db(databases=["default", "journal"])


@pytest.fixture(scope="module")
def quote_draft(tmp_path_factory: pytest.TempPathFactory) -> ClaimDraft:
    """What may be said of quotes that are answered faster."""
    folder = tmp_path_factory.mktemp("quotes")
    workspace = quote_workspace(folder, write_quotes(folder / "q.csv", quote_rows(2, 2.5)))
    return claim_drafts.draft_from_improvement(workspace, "triage", "owner")


@pytest.fixture
def triage(place: Workspace, quote_draft: ClaimDraft, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An improvement of kim's whose verdict carries a claim."""
    file = place.folder / IMPROVEMENTS_FILE
    before = file.read_bytes() if file.exists() else None
    name = f"triage-{datetime.now(UTC):%H%M%S%f}"
    declaration = Improvement(
        name, "Straight to whoever knows", str(CHANGE), "time_to_first_reply", who="kim", helpers=("peer",)
    )
    improvements.declare_improvement(place, declaration, datetime(2025, 10, 1, tzinfo=UTC))
    recipe = replace(quote_draft.recipe, improvement=name, declaration=declaration_digest(declaration), zone=place.zone)
    draft = replace(quote_draft, recipe=recipe, log_version=log.latest_version(place))
    answer = lambda _answer, _name, role: replace(draft, role=role, secret=secrets.token_bytes(32))  # noqa: E731
    for road in ("cached_answer", "fresh_answer"):
        monkeypatch.setattr(claim_views, road, answer)
    yield name
    if before is None:  # the workspace is that of all tests
        file.unlink()
    else:
        file.write_bytes(before)


def sign(client: Client, name: str) -> Any:
    """Sign what the page shows."""
    page = client.get(f"/improvements/{name}/claim").content.decode()
    sentence = re.search(r'name="sentence" value="([^"]+)"', page)
    return client.post(f"/improvements/{name}/claim", {"sentence": sentence[1] if sentence else ""})


def test_whom_the_declaration_names_signs_and_nobody_else_sees_it(staff: House, as_: As, triage: str) -> None:
    kim, peer, quality = as_(staff.kim), as_(staff.peer), as_(staff.quality)
    page = kim.get(f"/improvements/{triage}/claim").content.decode()
    assert "Reduced the typical (median) time to first reply to quote requests from 12-15 days to 2-3 days" in page
    assert "Sign it as mine" in page
    assert "does not name you" in quality.get(f"/improvements/{triage}/claim").content.decode()
    assert quality.post(f"/improvements/{triage}/claim").status_code == 200
    assert Claim.objects.count() == 0
    assert sign(kim, triage).status_code == 302
    (claim,) = Claim.objects.all()
    assert claim.id in kim.get("/claims/").content.decode()
    for other in (peer, quality, as_(staff.lead), as_(staff.admin)):
        assert claim.id not in other.get("/claims/").content.decode()
        assert other.get(f"/claims/{claim.id}/file").status_code == 404
        assert other.post(f"/claims/{claim.id}/withdraw").status_code == 404
    assert Event.objects.filter(deed="signed a claim", object="").count() == 1
    assert not Event.objects.filter(object__contains=claim.id).exists()


def test_a_file_shows_what_was_chosen(staff: House, as_: As, triage: str) -> None:
    kim = as_(staff.kim)
    sign(kim, triage)
    (claim,) = Claim.objects.all()
    words = re.findall(r'<p class="key">([a-z ]+)</p>', kim.get("/claims/").content.decode())[0]
    for variant, shows_figures, shows_service in (("full", True, True), ("ratio", False, True), ("", False, False)):
        answer = kim.get(f"/claims/{claim.id}/file" + (f"?variant={variant}" if variant else ""))
        assert check_claim(answer.content, words).exit_code == 0
        assert (b"12-15 days" in answer.content) == shows_figures
        assert (b"quote requests" in answer.content) == shows_service
        assert answer["Content-Disposition"] == f'attachment; filename="claim-{claim.id}.json"'
        person = {item["name"]: item["value"] for item in json.loads(answer.content)["disclosures"]}["person"]
        assert person == {"name": "kim", "role": "owner"}
    assert kim.get(f"/claims/{claim.id}/file?variant=all").status_code in (404, 422)


def test_a_newer_claim_takes_its_place_and_a_withdrawn_one_is_not_handed_out(
    staff: House, as_: As, triage: str
) -> None:
    kim = as_(staff.kim)
    sign(kim, triage)
    sign(kim, triage)
    newest, oldest = Claim.objects.all()
    assert (oldest.state, oldest.reason) == ("superseded", f"{newest.id} has taken its place")
    assert kim.post(f"/claims/{newest.id}/withdraw").status_code == 302
    assert kim.post(f"/claims/{newest.id}/withdraw").status_code == 422  # once
    assert kim.post(f"/claims/{oldest.id}/withdraw").status_code == 422
    assert kim.get(f"/claims/{newest.id}/file").status_code == 422
    page = kim.get("/claims/").content.decode()
    assert "withdrawn" in page
    assert "superseded" in page


def test_what_the_record_does_not_carry_is_said(
    staff: House, as_: As, triage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> Any:
        raise ClaimRefusedError("Harm is shown: reopen_rate is worse.", "Mend it.")

    monkeypatch.setattr(claim_views, "cached_answer", refuse)
    page = as_(staff.kim).get(f"/improvements/{triage}/claim").content.decode()
    assert "Harm is shown: reopen_rate is worse." in page
    assert "Sign it" not in page


def test_a_claim_is_compared_with_the_records_before_it_is_shown(
    staff: House, as_: As, monkeypatch: pytest.MonkeyPatch, place: Workspace
) -> None:
    claim = signed_claim(staff.kim)
    root = claim_actions.opened(claim).evidence_root
    recipe = plain_recipe(place)
    Claim.objects.update(log_version=-5, recipe=recipe)
    answers = iter([claim_evidence.RemadeEvidence("00" * 32, {}, ()), claim_evidence.RemadeEvidence(root, {}, ())])
    monkeypatch.setattr(analysis, "fresh_answer", lambda *_arguments: next(answers))
    page = as_(staff.kim).get("/claims/").content.decode()
    assert "6 of 6 months now have another number" in page
    assert Claim.objects.get(id=CLAIM_ID).state == "stale"
    assert as_(staff.kim).get(f"/claims/{CLAIM_ID}/file").status_code == 422  # compared once a version
    Claim.objects.update(log_version=-5)  # the correction is taken back
    as_(staff.kim).get("/claims/")
    assert Claim.objects.get(id=CLAIM_ID).state == "current"
    assert Claim.objects.get(id=CLAIM_ID).log_version == log.latest_version(place)


def test_what_was_not_shown_is_not_signed(staff: House, as_: As, triage: str) -> None:
    page = as_(staff.kim).post(f"/improvements/{triage}/claim", {"sentence": "Saved the world."}).content.decode()
    assert "The record says something else by now" in page
    assert Claim.objects.count() == 0


def test_a_name_that_one_gives_oneself_is_nobody_s_claim(staff: House, as_: As, triage: str) -> None:
    staff.quality.first_name = "kim"
    staff.quality.save()
    assert "does not name you" in as_(staff.quality).get(f"/improvements/{triage}/claim").content.decode()


@pytest.mark.parametrize("deed", ["change", "withdraw"])
def test_another_declaration_turns_a_claim(staff: House, as_: As, triage: str, place: Workspace, deed: str) -> None:
    kim = as_(staff.kim)
    sign(kim, triage)
    improvements.change_improvement(place, triage, {"helpers": ("peer", "lead")})  # who helped decides nothing
    assert "current" in kim.get("/claims/").content.decode()
    if deed == "change":
        improvements.change_improvement(place, triage, {"settles": "2025-11-03"})
    else:
        improvements.withdraw_improvement(place, triage, "it never happened")
    page = kim.get("/claims/").content.decode()
    assert ("declaration of the improvement was changed" if deed == "change" else "improvement was withdrawn") in page
    assert kim.get(f"/claims/{Claim.objects.get().id}/file").status_code == 422


def test_a_withdrawal_while_it_is_compared_stays(
    staff: House, monkeypatch: pytest.MonkeyPatch, place: Workspace
) -> None:
    claim = signed_claim(staff.kim)
    Claim.objects.update(log_version=-5, recipe=plain_recipe(place))

    def remake(*_arguments: object) -> claim_evidence.RemadeEvidence:
        claim_actions.withdraw_claim(staff.kim, CLAIM_ID)
        return claim_evidence.RemadeEvidence(claim_actions.opened(claim).evidence_root, {}, ())

    claim_actions.refresh_claims(place, list(Claim.objects.all()), remake)
    assert Claim.objects.get(id=CLAIM_ID).state == "withdrawn"


def test_what_cannot_be_compared_now_is_no_fault_of_the_claim(staff: House, place: Workspace) -> None:
    signed_claim(staff.kim)
    Claim.objects.update(log_version=-5, recipe=plain_recipe(place))

    def remake(*_arguments: object) -> claim_evidence.RemadeEvidence:
        raise WorkspaceError("Another import has been writing for ten minutes.", "Wait for it.")

    claims = list(Claim.objects.all())
    claim_actions.refresh_claims(place, claims, remake)
    assert claims[0].reason.startswith("not compared with the newest records yet: Another import")
    assert (Claim.objects.get().state, Claim.objects.get().log_version) == ("current", -5)
    with pytest.raises(RequestError, match="is not handed out"):
        claim_exports.export_claim(place, staff.kim, CLAIM_ID, "full", remake)


def test_the_page_that_checks_comes_as_a_file(staff: House, as_: As) -> None:
    answer = as_(staff.kim).get("/claims/check.html")
    assert answer["Content-Disposition"] == 'attachment; filename="check.html"'
    assert b"Check a claim" in answer.content


def test_a_claim_has_an_address_as_long_as_its_owner_and_the_house_let_it(staff: House, as_: As) -> None:
    claim, kim, stranger = signed_claim(staff.kim), as_(staff.kim), Client()
    assert stranger.get(f"/c/{CLAIM_ID}").status_code == 404
    assert as_(staff.peer).post(f"/claims/{CLAIM_ID}/address", {"variant": "full"}).status_code == 404
    assert kim.post(f"/claims/{CLAIM_ID}/address", {"variant": "ratio_without_service"}).status_code == 302
    claim.refresh_from_db()
    at = f"/c/{claim.address}"
    assert len(claim.address) == 22
    own = kim.get(f"/claims/{CLAIM_ID}/address").content.decode()
    assert f"http://testserver{at}" in own
    assert stranger.get(f"/c/{CLAIM_ID}").status_code == 404  # its number stands in files, and leads nowhere
    assert "<svg" in own
    page = stranger.get(at).content.decode()
    assert str(open_claim(RAW).shown["sentence_ratio_without_service"]) in page
    assert claim.sentence not in page
    assert check_claim(stranger.get(f"{at}/file").content).exit_code == 1
    assert stranger.get("/claims/check.html").status_code == 200
    claim.refresh_from_db()
    claim.state = "stale"
    claim.save()
    assert "It no longer holds as it was signed" in stranger.get(at).content.decode()
    assert kim.post(f"/claims/{CLAIM_ID}/address", {"variant": "full"}).status_code == 422
    house_rules.set_claim_limit(staff.admin, "nothing")
    assert stranger.get(at).status_code == stranger.get(f"{at}/file").status_code == 404
    house_rules.set_claim_limit(staff.admin, "figures")
    claim_actions.withdraw_claim(staff.kim, CLAIM_ID)
    assert "Show it there no more" in kim.get("/claims/").content.decode()
    assert kim.post(f"/claims/{CLAIM_ID}/address", {"variant": ""}).status_code == 302
    assert stranger.get(at).status_code == 404


def test_the_worker_compares_claims_with_new_records(
    staff: House, place: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = signed_claim(staff.kim)
    compared: list[str] = []
    monkeypatch.setattr(
        claim_actions, "refresh_claims", lambda _workspace, claims: compared.extend(one.id for one in claims)
    )
    claim_actions.refresh_outdated_claims(place)
    assert compared == []
    Claim.objects.filter(pk=claim.pk).update(log_version=claim.log_version - 1)
    claim_actions.refresh_outdated_claims(place)
    assert compared == [CLAIM_ID]
