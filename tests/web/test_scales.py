"""An own scale in the pages, the API, the journal's line, what is shared, and a backup."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from typer.testing import CliRunner

from tests.test_scales import SMILE
from tests.web.conftest import House, book
from wellserved.actions import backups, sharing, worker
from wellserved.actions.questions import ask_measures
from wellserved.actions.writing import capture_line
from wellserved.cli import app
from wellserved.errors import DamageError, RequestError, ScaleError
from wellserved.journal.models import Entry
from wellserved.measure import MeasureQuestion, find_measure
from wellserved.scales import SCALES_FILE, USED_SCALES_FILE, load_scales
from wellserved.storage import log
from wellserved.storage.workspace import Workspace, create_workspace
from wellserved.store.access import AccessScope
from wellserved.store.models import Person, Shared
from wellserved.web.forms import EntryForm, FollowForm

pytestmark = pytest.mark.django_db(databases=["default", "journal"])
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def smiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The workspace that the pages read, with a scale of its own."""
    made = create_workspace(tmp_path / "smiling", "UTC")
    (made.folder / SCALES_FILE).write_text(SMILE, encoding="utf-8")
    monkeypatch.setattr(settings, "WORKSPACE", made)
    return made


def test_a_page_offers_the_scale_and_holds_scores_to_it(
    staff: House, as_: Callable[[Person], Client], smiling: Workspace
) -> None:
    client = as_(staff.kim)
    assert "smile4, 1 to 4" in client.get("/journal/new").content.decode()
    given = {"word": "gap", "text": "x", "at": "2026-03-02T09:00", "expected": "4", "score": "9", "scale": "smile4"}
    assert "The scale runs from 1 to 4." in client.post("/journal/new", given).content.decode()
    assert client.post("/journal/new", {**given, "score": "3"}).status_code == 302
    (page,) = book(staff.kim).decrypt(Entry.objects.filter(owner=staff.kim.pk))
    assert (page.facts["score"], page.facts["scale"]) == (3, "smile4")
    assert not EntryForm({**given, "scale": "smile5", "score": "3"}).is_valid()


def test_a_score_between_the_steps_of_a_scale_is_refused_wherever_it_is_written(
    staff: House, smiling: Workspace
) -> None:
    entry = {"word": "gap", "text": "x", "at": "2026-03-02T09:00"}
    for score, scale, why in (
        ("3.5", "smile4", "whole numbers alone"),
        ("6.5", "nps10", "whole numbers alone"),
        ("4.2", "stars5", "whole and half numbers alone"),
        ("9", "smile4", "runs from 1 to 4"),
    ):
        for form in (
            EntryForm({**entry, "score": score, "scale": scale}),
            FollowForm({"word": "gap", "score": score, "scale": scale}),
        ):
            assert why in form.errors.as_text(), (type(form), score, scale)
        with pytest.raises(RequestError, match=rf"{score} is not on the scale {scale}.*runs from .* in whole"):
            sharing.share(staff.kim, {"word": "thanks", "score": float(score), "scale": scale}, AT)
    for form in (
        EntryForm({**entry, "score": "4.5", "scale": "stars5"}),
        FollowForm({"word": "gap", "score": "4.5", "scale": "stars5"}),
    ):
        assert form.is_valid()


def test_a_line_and_the_api_take_the_scale(staff: House, smiling: Workspace) -> None:
    one = capture_line("thanks: Acme likes the form, smile4 Great", AccessScope(staff.kim))
    assert (one.score, one.scale) == (4, "smile4")
    with pytest.raises(RequestError, match="9 is not on the scale smile4"):
        sharing.share(staff.kim, {"word": "thanks", "score": 9, "scale": "smile4"}, AT)
    with pytest.raises(RequestError, match=r"There is no scale 'smile5'.*points10.*smile4"):
        sharing.share(staff.kim, {"word": "thanks", "score": 1, "scale": "smile5"}, AT)


def test_what_is_shared_fixes_the_meaning_and_counts(staff: House, smiling: Workspace) -> None:
    for number in range(12):
        sharing.share(
            staff.kim, {"word": "gap", "score": 4 - number % 2 * 3, "scale": "smile4", "customer": "Acme"}, AT
        )
    assert not (smiling.folder / USED_SCALES_FILE).exists()
    sharing.write_pending(smiling, AT)
    assert json.loads((smiling.folder / USED_SCALES_FILE).read_text(encoding="utf-8"))["smile4"]["good_from"] == 3
    (series,) = ask_measures(smiling, MeasureQuestion((find_measure("rating_good"),)))
    assert series.value == (0.5,)
    (smiling.folder / SCALES_FILE).write_text(SMILE.replace("good_from = 3", "good_from = 4"), encoding="utf-8")
    with pytest.raises(ScaleError, match="good_from was 3 and is 4"):
        ask_measures(smiling, MeasureQuestion((find_measure("rating_good"),)))


@pytest.mark.parametrize("text", ["[smile4]", "", SMILE.replace("good_from = 3", "good_from = 4")])
def test_what_is_not_on_a_broken_scale_is_written_and_backed_up(
    staff: House, smiling: Workspace, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Ratings on it wait, also ahead of the others and as many as a batch; the worker says why."""
    nights: list[Workspace] = []
    monkeypatch.setattr(backups, "write_nightly_backup", nights.append)
    monkeypatch.setattr(sharing, "MAX_MOMENTS_AT_ONCE", 2)
    own = {"word": "gap", "score": 4, "scale": "smile4", "customer": "Acme"}
    sharing.share(staff.kim, own, AT)
    worker.work_once(smiling)
    held = [sharing.share(staff.kim, own, AT).pk for _ in range(3)]
    others = ({"word": "gap", "score": 4, "scale": "csat5"}, {"word": "promise"}, {"word": "thanks", "text": "well"})
    for facts in others:
        sharing.share(staff.kim, {"customer": "Acme", **facts}, AT)
    (smiling.folder / SCALES_FILE).write_text(text, encoding="utf-8")
    for _ in range(2):
        with pytest.raises(ScaleError, match="smile4"):
            worker.work_once(smiling)
    assert set(Shared.objects.filter(pending=True).values_list("pk", flat=True)) == set(held)
    assert nights == [smiling] * 3
    (smiling.folder / SCALES_FILE).write_text(SMILE, encoding="utf-8")
    worker.work_once(smiling)
    assert not Shared.objects.filter(pending=True).exists()
    (series,) = ask_measures(smiling, MeasureQuestion((find_measure("rating_good"),), where=(("scale", "smile4"),)))
    assert series.n == (4,)


def test_a_kept_meaning_that_is_damaged_holds_back_ratings_on_own_scales_alone(
    staff: House, smiling: Workspace
) -> None:
    for scale in ("smile4", "csat5", "points10"):
        sharing.share(staff.kim, {"word": "gap", "score": 4, "scale": scale, "customer": "Acme"}, AT)
    (smiling.folder / USED_SCALES_FILE).write_text("{", encoding="utf-8")
    assert sharing.write_pending(smiling, AT) == 2
    with pytest.raises(DamageError, match=r"scales-used\.json is damaged"):
        sharing.write_pending(smiling, AT)


def test_both_files_are_in_every_backup(staff: House, smiling: Workspace, tmp_path: Path) -> None:
    sharing.share(staff.kim, {"word": "gap", "score": 4, "scale": "smile4", "customer": "Acme"}, AT)
    sharing.write_pending(smiling, AT)
    target = tmp_path / "saved.zip"
    with zipfile.ZipFile(target, "w") as zipped:
        backups._pack_files(smiling, zipped, *log.stored_files(smiling), lambda *_: None)
    other = create_workspace(tmp_path / "other", "UTC")
    with zipfile.ZipFile(target) as saved:
        for name in (SCALES_FILE, USED_SCALES_FILE):
            assert saved.read(f"files/{name}") == (smiling.folder / name).read_bytes()
        backups._unpack_files(other, saved)
    assert load_scales(other.folder)["smile4"] == load_scales(smiling.folder)["smile4"]
    assert (other.folder / USED_SCALES_FILE).exists()


def test_a_question_that_ended_otherwise_is_asked_anew_when_the_scales_change(smiling: Workspace) -> None:
    from wellserved.web.analysis import version_of

    before = version_of(smiling)
    (smiling.folder / SCALES_FILE).unlink()
    assert version_of(smiling) != before
    assert "smile4" not in load_scales(smiling.folder)
    assert CliRunner().invoke(app, ["scales", "--home", str(smiling.folder)]).exit_code == 0


def test_a_broken_file_ends_in_a_sentence_on_every_page(
    staff: House, as_: Callable[[Person], Client], smiling: Workspace
) -> None:
    (smiling.folder / SCALES_FILE).write_text("[smile4]", encoding="utf-8")
    said = "smile4: lowest and highest and good_from are missing"
    client = as_(staff.kim)
    for answer in (client.get("/journal/new"), client.post("/journal/", {"line": "thanks: Acme"})):
        assert answer.status_code < 500
        assert answer.status_code in (302, 405) or said in answer.content.decode()
    assert said in client.get("/journal/new").content.decode()
