"""Writers of the concurrency test: python -m tests.web.writers THREADS EACH; prints what was acknowledged, a line an id."""

from __future__ import annotations

import os
import sys
import threading
import uuid

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "wellserved.web.settings"
django.setup()

from django.conf import settings  # noqa: E402
from django.db import connections  # noqa: E402
from django.utils import timezone  # noqa: E402

from wellserved.actions import sharing  # noqa: E402
from wellserved.journal.handle import Journal  # noqa: E402
from wellserved.store.models import Person  # noqa: E402


def write(person: Person, each: int) -> None:
    """Share and write, one after the other; every second one touches the same customer."""
    book = Journal(person.pk, settings.SECRET_KEY.encode())
    for number in range(each):
        id_ = uuid.uuid4()
        if number % 2:
            sharing.share(
                person, {"word": "asked", "customer": "Acme" if number % 4 == 1 else str(id_)}, timezone.now(), id_=id_
            )
        else:
            book.write({"word": "note", "line": "note: among many"}, id_)
        sys.stdout.write(f"{id_}\n")
    connections.close_all()


if __name__ == "__main__":
    threads, each = int(sys.argv[1]), int(sys.argv[2])
    person = Person.objects.get()
    many = [threading.Thread(target=write, args=(person, each)) for _ in range(threads)]
    for one in many:
        one.start()
    for one in many:
        one.join()
