"""Measures that somebody wants to see first."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from wellserved.actions.favourites import set_favourite
from wellserved.errors import UnknownNameError
from wellserved.web.access_middleware import person_of, required_permission


@required_permission("read_measures", "POST")
def favourite_measure(request: HttpRequest, name: str) -> HttpResponseBase:
    """Make a measure a favourite of one's own, or none."""
    try:
        set_favourite(person_of(request), name, request.POST.get("do") == "add")
    except UnknownNameError as error:
        raise Http404 from error
    return redirect(f"{reverse('measure', args=[name])}?every=month")
