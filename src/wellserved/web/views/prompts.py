"""Something to do today."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone

from wellserved.actions import explorations, prompts
from wellserved.web.access_middleware import journal_of, person_of, required_permission, scope_of
from wellserved.web.analysis import has_records, known_answer


@required_permission("own", "GET", "POST")
def prompt(request: HttpRequest) -> HttpResponseBase:
    """Something to do today: one thing, with its reason; done, later, or no more of these."""
    person, today = person_of(request), timezone.localdate()
    if request.method == "POST":
        deed = request.POST.get("do", "")
        if deed in ("done", "snoozed", "dismissed", "silenced", "shown"):
            rule, subject = request.POST.get("rule", ""), request.POST.get("subject", "")
            prompts.answer_prompt(person.pk, rule, subject, deed, today)  # type: ignore[arg-type]
        return redirect("prompt" if deed == "shown" else "today")
    gaps = None
    if has_records():
        gaps = known_answer(explorations.find_gaps, "service", ())
    day_prompt = prompts.todays_prompt(settings.WORKSPACE, scope_of(request), journal_of(request), timezone.now(), gaps)
    is_fragment = bool(request.headers.get("X-Fragment"))
    context = {
        "prompt": day_prompt,
        "is_fragment": is_fragment,
        "silent": [] if is_fragment else prompts.silent_rules(person.pk, today),
    }
    return render(request, "prompt.html" if is_fragment else "prompt_page.html", context)
