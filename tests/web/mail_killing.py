"""Mails while whoever sends them is killed, again and again: python -m tests.web.mail_killing KILLS; prints what became of them.

WELLSERVED_HOME names a workspace that has a mail server.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from datetime import timedelta

import django

MAILS = 60  # to as many readers, at first and whenever all are gone


def main(kills: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "wellserved.web.settings"
    django.setup()
    from django.conf import settings
    from django.db import connections
    from django.utils import timezone

    from wellserved.actions import membership, outgoing, setup
    from wellserved.actions.mail_settings import required_settings
    from wellserved.store.models import MailState, Outgoing

    setup.prepare(settings.WORKSPACE)
    owner = membership.ensure_sole_user()
    mail = outgoing.PreparedMail("A week", "text\n", "<html><body>text</body></html>")
    sender = required_settings(settings.WORKSPACE)
    for number in range(MAILS):
        outgoing.queue_mail(owner, "2026-W48", f"reader{number}@example.org", mail, sender, timezone.now(), True)
    connections.close_all()
    rng, killed = random.Random(7), 0
    while killed < kills:
        seconds = rng.uniform(0.005, 0.08)
        child = os.fork()
        if child == 0:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            outgoing.deliver_due(settings.WORKSPACE, timezone.now())
            os._exit(0)
        killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        Outgoing.objects.exclude(lease_until=None).update(lease_until=timezone.now() - timedelta(seconds=1))
        if not Outgoing.objects.filter(state__in=(MailState.queued, MailState.connecting)).exists():
            for number in range(MAILS):  # so that every kill meets mails
                address = f"more{killed}-{number}@example.org"
                outgoing.queue_mail(owner, "2026-W48", address, mail, sender, timezone.now(), True)
        connections.close_all()
    for _again in range(5):
        outgoing.deliver_due(settings.WORKSPACE, timezone.now())
        Outgoing.objects.exclude(lease_until=None).update(lease_until=timezone.now() - timedelta(seconds=1))
    rows = {str(row.id): row.state for row in Outgoing.objects.all()}
    sys.stdout.write(json.dumps({"killed": killed, "states": rows}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
