"""Measures that somebody wants to see first: their own choice, that nobody else sees."""

from __future__ import annotations

from wellserved.measure import find_measure
from wellserved.store.models import Person


def set_favourite(person: Person, name: str, is_favourite: bool) -> None:
    """Make a measure a favourite of one's own, or none; raises where there is no such measure."""
    measure = find_measure(name)
    kept_favourites = [favourite for favourite in person.favourites if favourite != measure.name]
    person.favourites = [*kept_favourites, measure.name] if is_favourite else kept_favourites
    person.save(update_fields=["favourites"])
