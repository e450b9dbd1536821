"""One's résumé: edited on one page, its bullets beside one's claims, and taken along."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from wellserved.actions import resumes
from wellserved.actions.claims import list_claims
from wellserved.resume.document import MAX_BULLET_LETTERS, MAX_RESUME_BYTES, ResumeFormatError, read_resume
from wellserved.web.access_middleware import journal_of, person_of, required_permission
from wellserved.web.analysis import remake_claim
from wellserved.web.resume_forms import ResumeForms


@required_permission("own", "GET", "POST")
def resume(request: HttpRequest) -> HttpResponseBase:
    """The résumé: what it says, what seals each line, and what may be added."""
    journal, person = journal_of(request), person_of(request)
    document = resumes.current_resume(journal, person)
    forms = ResumeForms(document, request.POST or None)
    if request.method == "POST" and forms.is_valid():
        try:
            added = request.POST.get("add", "").strip()[:MAX_BULLET_LETTERS]
            resumes.keep_resume(journal, resumes.with_bullet(forms.changed_document(), added))
        except ResumeFormatError as error:
            forms.person.add_error(None, f"{error.problem} {error.remedy}")
        else:
            messages.success(request, _("Saved."))
            return redirect("resume")
    claims = list_claims(settings.WORKSPACE, person, remake_claim)
    layout = resumes.resume_layout(document, claims)
    context: dict[str, Any] = {
        "forms": forms,
        "layout": layout,
        "suggestions": resumes.suggest_bullets(journal, claims),
        "formats": resumes.RESUME_FORMATS,
        "earlier": range(len(journal.earlier_resumes())),
    }
    return render(request, "resume.html", context, status=422 if forms.has_errors else 200)


@required_permission("own")
def resume_as(request: HttpRequest, form: str) -> HttpResponse:
    """The résumé to take along, every claim behind it compared with the records first."""
    if form not in resumes.RESUME_FORMATS:
        raise Http404
    journal, person = journal_of(request), person_of(request)
    document = resumes.current_resume(journal, person)
    layout = resumes.resume_layout(
        document, list_claims(settings.WORKSPACE, person, remake_claim), request.build_absolute_uri("/").rstrip("/")
    )
    media_type, write = resumes.RESUME_FORMATS[form]
    headers = {"Content-Disposition": f'attachment; filename="resume.{form}"'}
    return HttpResponse(write(layout), content_type=media_type, headers=headers)


@required_permission("own", "GET", "POST")
def resume_file(request: HttpRequest) -> HttpResponseBase:
    """Bring a JSON Resume along, in place of the present one; or look at one of before."""
    journal = journal_of(request)
    if request.method == "GET":
        earlier = journal.earlier_resumes()
        number = request.GET.get("earlier", "")
        if not (number.isascii() and number.isdecimal() and int(number) < len(earlier)):
            raise Http404
        headers = {"Content-Disposition": f'attachment; filename="resume-before-{number}.json"'}
        raw = json.dumps(earlier[int(number)], ensure_ascii=False, indent=2)
        return HttpResponse(raw, content_type="application/json", headers=headers)
    file = request.FILES.get("file")
    if file is None:
        messages.error(request, _("Choose a file first."))
        return redirect("resume")
    try:
        resumes.keep_resume(journal, read_resume(file.read(MAX_RESUME_BYTES + 1)))
    except ResumeFormatError as error:
        messages.error(request, f"{error.problem} {error.remedy}")
        return redirect("resume")
    messages.success(request, _("Read. What you had before is replaced."))
    return redirect("resume")
