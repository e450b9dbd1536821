"""The store's tables. Who may see which row is decided in `access` alone."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Iterable
from typing import ClassVar, Final

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wellserved.capture import MAX_ENTRY_LETTERS, SEVERITIES


def token_digest(token: str) -> str:
    """What is kept of a random token: its hash, never the token."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """192 random bits, safe in an address."""
    return secrets.token_urlsafe(24)


class Team(models.Model):
    """People who serve together; its name is the team's name in the log."""

    name = models.CharField(_("name"), max_length=100, unique=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What somebody may see beyond their own; docs/access.md has the table."""

    member = "member", _("member")
    lead = "lead", _("team lead")
    quality = "quality", _("quality")
    finance = "finance", _("finance")
    admin = "admin", _("administrator")
    auditor = "auditor", _("auditor")
    alone = "alone", _("alone on this computer")


class Person(AbstractUser):
    """Somebody who serves."""

    role = models.CharField(_("role"), max_length=10, choices=Role.choices, default=Role.member)
    team = models.ForeignKey(Team, models.SET_NULL, null=True, blank=True, related_name="people")
    served_as = models.CharField(_("name in the records"), max_length=200, blank=True)  # person_id in the log
    feed = models.CharField(max_length=64, blank=True, db_index=True)  # digest of the calendar feed's token
    feed_has_contracts = models.BooleanField(default=False)  # it was made when it was said that it holds these
    prompt_mail_at = models.TimeField(
        _("something to do today by mail, on working days at (empty: never)"), null=True, blank=True
    )
    favourites = models.JSONField(
        default=list, blank=True
    )  # names of measures that they want to see first, in their order
    reset_at = models.DateTimeField(null=True, blank=True)  # another password was given to them; None: they read so
    reset_by = models.CharField(max_length=150, blank=True)

    @property
    def called(self) -> str:
        """The name to show."""
        return self.get_full_name() or self.username


class Invitation(models.Model):
    """A link that makes one person, once, within three days."""

    digest = models.CharField(max_length=64, unique=True)
    username = models.CharField(max_length=150)
    role = models.CharField(max_length=10, choices=Role.choices)
    team = models.ForeignKey(Team, models.SET_NULL, null=True, blank=True)
    by = models.ForeignKey(Person, models.CASCADE)
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True)


MONEY_BANDS: Final = (10_000, 50_000, 250_000, 1_000_000)  # borders of what a lead sees of money


def money_borders(amount: float) -> tuple[int, int | None]:
    """The borders of the span that an amount lies in; None: it has no upper one."""
    low = max((border for border in MONEY_BANDS if amount >= border), default=0)
    return low, min((border for border in MONEY_BANDS if amount < border), default=None)


def money_band(amounts: Iterable[float], currency: str) -> str:
    """Amounts together as a span, for those who are not to know the figures: each one's own span, added up, so that a sum tells
    no more of its parts than they do."""
    borders = [money_borders(amount) for amount in amounts]
    low = sum(lower for lower, _upper in borders)
    high = None if any(upper is None for _lower, upper in borders) else sum(upper or 0 for _lower, upper in borders)
    limits = {"low": f"{low:,}", "high": f"{high:,}" if high else ""}
    span = (gettext("%(low)s to %(high)s") if high else gettext("%(low)s or more")) % limits
    return f"{span} {currency}".strip()


class Account(models.Model):
    """Who pays or is served as a whole, and what it is worth."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    revenue_year = models.DecimalField(_("revenue a year"), max_digits=14, decimal_places=2, null=True, blank=True)
    revenue_to_date = models.DecimalField(_("revenue to date"), max_digits=14, decimal_places=2, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    since = models.DateField(_("customer since"), null=True, blank=True)
    expected_years = models.DecimalField(
        _("expected years left"), max_digits=4, decimal_places=1, null=True, blank=True
    )
    team = models.ForeignKey(Team, models.SET_NULL, null=True, blank=True)  # whose lead looks after it
    recorded_as = models.CharField(_("name in the records, if another"), max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["name"]

    @property
    def known_names(self) -> tuple[str, ...]:
        """By what names the records may know it."""
        return (self.name, self.recorded_as) if self.recorded_as else (self.name,)

    @property
    def band(self) -> str:
        """A year's revenue as a span, for those who are not to know the figure."""
        return "" if self.revenue_year is None else money_band([float(self.revenue_year)], self.currency)

    def __str__(self) -> str:
        return self.name


class Customer(models.Model):
    """A person or a department that is served; internal ones are customers like any other."""

    name = models.CharField(_("name"), max_length=200, unique=True)  # customer_id in the log
    internal = models.BooleanField(_("inside the house"), default=False)
    account = models.ForeignKey(Account, models.SET_NULL, null=True, blank=True, related_name="customers")
    merged_into = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="duplicates")

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Cause(models.Model):
    """A cause of failures: a small tree that a team keeps."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    parent = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="children")

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Audience(models.TextChoices):
    """Who sees a shared moment."""

    team = "team", _("my team")
    lead = "lead", _("my team lead")
    quality = "quality", _("team leads and quality")


class Shared(models.Model):
    """A moment as its author shared it: a copy that can be changed and withdrawn; it enters the log of moments."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    author = models.ForeignKey(Person, models.CASCADE, related_name="shared")
    team = models.ForeignKey(Team, models.SET_NULL, null=True, related_name="shared")
    audience = models.CharField(max_length=10, choices=Audience.choices, default=Audience.team)
    thread = models.UUIDField(db_index=True)  # the case it belongs to
    begun_by = models.ForeignKey(Person, models.CASCADE, related_name="begun")  # who shared the first of the thread
    word = models.CharField(max_length=20)
    at = models.DateTimeField()
    due = models.DateTimeField(null=True, blank=True)
    open = models.BooleanField(default=False)  # a promise or a failure that waits for its end
    customer = models.ForeignKey(Customer, models.SET_NULL, null=True, blank=True, related_name="shared")
    service = models.CharField(max_length=100, blank=True)
    channel = models.CharField(max_length=50, blank=True)
    # never in the log, so that withdrawing it takes it back
    text = models.TextField(max_length=MAX_ENTRY_LETTERS, blank=True)
    expected = models.FloatField(null=True, blank=True)
    score = models.FloatField(null=True, blank=True)
    scale = models.CharField(max_length=10, blank=True)
    cause = models.CharField(max_length=80, blank=True)
    severity = models.CharField(max_length=10, blank=True, choices=[(level, level) for level in SEVERITIES])
    hours = models.FloatField(null=True, blank=True)
    amount = models.FloatField(null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    returns = models.PositiveIntegerField(null=True, blank=True)
    returns_saved = models.PositiveIntegerField(null=True, blank=True)
    created = models.DateTimeField(default=timezone.now)
    changed = models.DateTimeField(default=timezone.now)
    withdrawn = models.DateTimeField(null=True)
    pending = models.BooleanField(default=True, db_index=True)  # not yet, or not yet so, in the log
    log_version = models.BigIntegerField(null=True)  # that holds it

    class Meta:
        ordering: ClassVar = ["-at"]
        indexes: ClassVar = [
            models.Index(fields=["author", "-at"]),
            models.Index(fields=["team", "-at"]),
            models.Index(fields=["word", "-at"]),
            models.Index(fields=["word", "-at"], name="shared_open", condition=models.Q(open=True)),
            models.Index(fields=["customer", "-at"]),
        ]


class Helper(models.Model):
    """Somebody who helped to make a failure right, once they confirm it."""

    shared = models.ForeignKey(Shared, models.CASCADE, related_name="helpers")
    person = models.ForeignKey(Person, models.CASCADE)
    confirmed = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["shared", "person"], name="helper_once")]


class ApiKey(models.Model):
    """A key for programs: its owner's rights, cut down to its scopes."""

    owner = models.ForeignKey(Person, models.CASCADE, related_name="keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=8)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.CharField(max_length=200)  # parted by blanks
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True)


class Sent(models.Model):
    """What a request with an idempotency key was answered, so that it is done once."""

    owner = models.ForeignKey(Person, models.CASCADE)
    key = models.CharField(max_length=100)
    digest = models.CharField(max_length=64)  # of the request's body
    answer = models.JSONField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["owner", "key"], name="sent_once")]


class Hook(models.Model):
    """An address that another program sends moments to, each signed."""

    class Sort(models.TextChoices):
        """How the sender signs and what it sends."""

        standard = "standard", "Standard Webhooks"
        chatwoot = "chatwoot", "Chatwoot"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(Person, models.CASCADE, related_name="hooks")
    sort = models.CharField(max_length=10, choices=Sort.choices)
    secret = models.CharField(max_length=100)
    used = models.DateTimeField(null=True)


class Look(models.Model):
    """Somebody looked at the numbers of somebody."""

    viewer = models.ForeignKey(Person, models.CASCADE, related_name="+")
    subject = models.CharField(max_length=200, db_index=True)  # person_id in the log
    what = models.CharField(max_length=200)
    at = models.DateTimeField(default=timezone.now)


class Event(models.Model):
    """What was done to people, keys, accounts and data: never what somebody wrote."""

    actor = models.CharField(max_length=150)
    deed = models.CharField(max_length=50)
    object = models.CharField(max_length=200)
    at = models.DateTimeField(default=timezone.now, db_index=True)


class Claim(models.Model):
    """A sentence that somebody had signed, for themselves; nobody else lists it."""

    id = models.CharField(primary_key=True, max_length=12, editable=False)
    owner = models.ForeignKey(Person, models.CASCADE, related_name="claims")
    sentence = models.TextField()
    file = models.TextField()  # as it was signed, with all that may be hidden
    secret = models.CharField(max_length=64)  # what its evidence is salted with
    recipe = models.JSONField()  # how its evidence is made anew: what was asked, of what time
    issued = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=10, default="current")
    reason = models.TextField(blank=True)  # why it is no longer current
    since = models.DateTimeField(null=True)  # of the state, where it is another
    log_version = models.BigIntegerField()  # up to which it was compared with the records
    published = models.CharField(max_length=30, blank=True)  # the form in which anybody with its address sees it
    address = models.CharField(
        max_length=30, blank=True, db_index=True
    )  # a random one: the number stands in files and lists

    class Meta:
        ordering: ClassVar = ["-issued"]


class ClaimLimit(models.TextChoices):
    """What of claims may leave the house."""

    figures = "figures", _("figures and ratios")
    ratios = "ratios", _("ratios alone")
    nothing = "nothing", _("nothing")


class HouseRules(models.Model):
    """What the house decided for everybody; one row."""

    claims_show = models.CharField(
        _("what claims may show outside"), max_length=10, choices=ClaimLimit.choices, default=ClaimLimit.figures
    )


class Practice(models.Model):
    """A way of serving that others can take up: from a declared improvement, from an idea, or just described."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    what = models.TextField(_("what one does"), max_length=1000)
    improvement = models.CharField(_("improvement"), max_length=60, blank=True)  # by its name
    idea_giver = models.ForeignKey(Person, models.SET_NULL, null=True, blank=True, related_name="ideas_started")
    idea_from = models.CharField(_("idea from"), max_length=150, blank=True)  # who is nobody here
    starter = models.ForeignKey(Person, models.CASCADE, related_name="practices")
    since = models.DateField(_("since"))
    until = models.DateField(_("until"), null=True, blank=True)
    shows_tree = models.BooleanField(_("everybody here may see who took it up"), default=False)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Adoption(models.Model):
    """Somebody, or a team, took a practice up."""

    practice = models.ForeignKey(Practice, models.CASCADE, related_name="adoptions")
    person = models.ForeignKey(Person, models.CASCADE, null=True, blank=True, related_name="adoptions")
    team = models.ForeignKey(Team, models.CASCADE, null=True, blank=True, related_name="adoptions")
    since = models.DateField(_("since"))
    until = models.DateField(_("until"), null=True, blank=True)
    taught_by = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="taught"
    )  # None: by the starter
    entered_by = models.ForeignKey(Person, models.CASCADE, related_name="+")
    confirmed = models.DateTimeField(null=True)  # by whoever took it up, or a lead of the team
    taught_confirmed = models.DateTimeField(null=True)  # by whoever taught it
    taught_declined = models.DateTimeField(null=True)  # by whoever is said to have taught it

    class Meta:
        ordering: ClassVar = ["since", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["practice", "person"], name="adopted_once_by_person"),
            models.UniqueConstraint(fields=["practice", "team"], name="adopted_once_by_team"),
            models.CheckConstraint(
                condition=models.Q(person__isnull=False, team__isnull=True)
                | models.Q(person__isnull=True, team__isnull=False),
                name="adopted_by_somebody",
            ),
        ]


class AdoptionHelper(models.Model):
    """Somebody who helped others to take a practice up, once they confirm it."""

    adoption = models.ForeignKey(Adoption, models.CASCADE, related_name="helpers")
    person = models.ForeignKey(Person, models.CASCADE, related_name="+")
    confirmed = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["adoption", "person"], name="adoption_helper_once")]


class AgreedShares(models.Model):
    """Other shares of what came of a practice at one adopter than equal links; they hold once all concerned have signed."""

    practice = models.ForeignKey(Practice, models.CASCADE, related_name="agreed_shares")
    adoption = models.ForeignKey(
        Adoption, models.CASCADE, null=True, related_name="agreed_shares"
    )  # None: the starter's own
    parts = models.JSONField()  # holder -> a fraction, as 1/3
    signed = models.JSONField(default=dict)  # holder -> when, UTC
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["-created"]


class WeeklyMail(models.Model):
    """To whom somebody sends their week, and when."""

    owner = models.OneToOneField(Person, models.CASCADE, related_name="weekly_mail")
    recipients = models.TextField(_("to"), max_length=1000)  # addresses, one a line
    weekday = models.PositiveSmallIntegerField(_("on"), default=4)  # 0: Monday
    at = models.TimeField(_("at"))
    by_itself = models.BooleanField(_("without asking me"), default=False)
    covers_team = models.BooleanField(_("about what my team shared"), default=False)
    with_pdf = models.BooleanField(_("with a PDF"), default=False)
    begins = models.DateTimeField(default=timezone.now)  # nothing of before is caught up
    handled = models.DateTimeField(
        null=True
    )  # the last instant at which it was due and looked after, whether or not there was a word

    @property
    def weekday_name(self) -> str:
        """The day of the week, by its name."""
        return str(WEEKDAYS[self.weekday])


class Unsubscription(models.Model):
    """Where somebody can stop somebody's mails; and whether they did."""

    digest = models.CharField(max_length=64, unique=True)  # of the token in the mail
    owner = models.ForeignKey(Person, models.CASCADE, related_name="+")  # whose mails
    address = models.CharField(max_length=254)
    stopped = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["owner", "address"])]


class MailState(models.TextChoices):
    """Where a mail is on its way."""

    queued = "queued", _("waits")
    connecting = "connecting", _("is being sent")
    handing_over = "handing_over", _("is being handed over")
    sent = "sent", _("sent")
    uncertain = "uncertain", _("may have been sent")
    failed = "failed", _("not sent")
    stopped = "stopped", _("not sent: its reader stopped these mails")
    cancelled = "cancelled", _("taken back")


class Outgoing(models.Model):
    """A mail, to one reader, of one period: it leaves once."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(Person, models.CASCADE, related_name="outgoing")
    period = models.CharField(max_length=20)  # 2026-W48; with a count where it is sent again on purpose
    address = models.CharField(max_length=254)
    reader = models.CharField(max_length=254)  # the address in small letters
    is_automatic = models.BooleanField(default=False)
    content = models.BinaryField()  # the whole mail, sealed by the workspace's secret; empty once it has left
    state = models.CharField(max_length=12, choices=MailState.choices, default=MailState.queued, db_index=True)
    tries = models.PositiveSmallIntegerField(default=0)
    run_at = models.DateTimeField(default=timezone.now)
    not_after = models.DateTimeField(null=True)  # when it is worth nothing any more; None: it always is
    lease_until = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)
    created = models.DateTimeField(default=timezone.now)
    changed = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["-created"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["owner", "period", "reader"], name="outgoing_once")]


from wellserved.store import plan_models as plan_models  # noqa: E402  the app's other tables, which point to these
