"""What the work is for: objectives, the measures that carry them, and the work that moves these."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from wellserved.actions import objectives as objective_actions
from wellserved.actions import team_ratings
from wellserved.people.sight import LineOfSight
from wellserved.render.charts.sight import sight_picture
from wellserved.store.access import AccessScope, has_permission, record_event
from wellserved.store.models import Team
from wellserved.store.plan_models import Objective, RoleLine
from wellserved.web.access_middleware import required_permission, scope_of
from wellserved.web.analysis import cached_answer, has_records
from wellserved.web.plan_forms import ObjectiveForm, TargetForm, TeamRatingForm, WorkForm


def sight_of(scope: AccessScope) -> LineOfSight:
    """The line of sight as somebody may see it, with what the records say."""
    ask = cached_answer if has_records() else None
    return objective_actions.line_of_sight(scope.person, timezone.localdate(), ask)


@required_permission("read_measures", "GET", "POST")
def objectives(request: HttpRequest) -> HttpResponseBase:
    """My work, the measure that it moves, the objective that this carries, and the customers who are served."""
    scope = scope_of(request)
    form, work = ObjectiveForm(None, initial={"since": timezone.localdate()}), WorkForm()
    rating = _rating_form(request, scope)
    if request.method == "POST" and request.POST.get("do") == "rate":
        if rating is None:
            raise Http404
        if rating.is_valid():
            team_ratings.rate_team(scope.person, now=timezone.now(), **rating.cleaned_data)
            messages.success(request, _("Saved. A second time in the month takes its place."))
            return redirect("objectives")
    elif request.method == "POST":
        scope.require_permission("set_objectives")
        if request.POST.get("do") == "work":
            work = WorkForm(request.POST)
            if work.is_valid():
                facts = work.cleaned_data
                objective_actions.add_work(facts["team"], facts["role"], facts["work"], facts["measure"])
                return redirect("objectives")
        elif request.POST.get("do") == "forget":
            number = request.POST.get("line", "")
            RoleLine.objects.filter(pk=int(number) if number.isdecimal() and len(number) < 10 else 0).delete()
            return redirect("objectives")
        else:
            form = ObjectiveForm(request.POST)
            if form.is_valid():
                row = form.save(commit=False)
                row.owner = scope.person
                row.save()
                record_event(scope.person, "set an objective", row.pk)
                return redirect("objective", row.pk)
    sight = sight_of(scope)
    context = {
        "sight": sight, "picture": sight_picture(sight) if sight.objectives or sight.works else None, "form": form, "work_form": work,
        "may_change": has_permission(scope.person, "set_objectives"), "rating_form": rating, "ratings": team_ratings.latest_ratings(timezone.now()),
    }  # fmt: skip
    return render(request, "objectives.html", context)


def _rating_form(request: HttpRequest, scope: AccessScope) -> TeamRatingForm | None:
    """For whoever shares with a team, where there is another one."""
    own = scope.person.team
    is_sent = request.method == "POST" and request.POST.get("do") == "rate"
    if own is None or not has_permission(scope.person, "share") or not Team.objects.exclude(pk=own.pk).exists():
        return None
    return TeamRatingForm(request.POST if is_sent else None, own=own, auto_id="rate_%s")


@required_permission("set_objectives", "GET", "POST")
def objective(request: HttpRequest, id_: int) -> HttpResponseBase:
    """One objective: change it, and let measures carry it."""
    scope, row = scope_of(request), get_object_or_404(Objective, pk=id_)
    form, target = ObjectiveForm(instance=row), TargetForm()
    deed = request.POST.get("do", "")
    if request.method == "POST" and deed == "measure":
        target = TargetForm(request.POST)
        if target.is_valid():
            facts = target.cleaned_data
            objective_actions.add_measure(row, facts["measure"], facts["target"], facts["by"])
            return redirect("objective", id_)
    elif request.method == "POST" and deed == "forget":
        row.measures.filter(measure=request.POST.get("measure", "")).delete()
        return redirect("objective", id_)
    elif request.method == "POST":
        form = ObjectiveForm(request.POST, instance=row)
        if form.is_valid():
            form.save()
            record_event(scope.person, "changed an objective", row.pk)
            return redirect("objectives")
    return render(request, "objective.html", {"objective": row, "form": form, "target_form": target})
