"""The store's tables of contracts, objectives and business cases: what a house plans, and what it is bound by."""

from __future__ import annotations

import uuid
from typing import ClassVar, cast

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wellserved.value.contracts import ContractTerms
from wellserved.value.contracts import NoticeTo as NoticeToName
from wellserved.value.contracts import NoticeUnit as NoticeUnitName


class NoticeUnitChoice(models.TextChoices):
    """What notice is counted in."""

    day = "day", _("days")
    month = "month", _("months")


class NoticeToChoice(models.TextChoices):
    """At the end of what it takes effect, before the contract's own end."""

    none = "none", _("the contract's end alone")
    month = "month", _("the end of any month")
    quarter = "quarter", _("the end of any quarter")
    year = "year", _("the end of any year")


class ExitKind(models.TextChoices):
    """Why a contract may be left early."""

    no_right = "", _("no right to leave early")
    any_time = "any_time", _("at any time")
    service_level = "service_level", _("a service level that was missed")
    price = "price", _("a change of price")
    control = "control", _("a change of owner")


class Contract(models.Model):
    """A contract with an account: when it ends, by when one decides, and what lets either side out."""

    account = models.ForeignKey("store.Account", models.CASCADE, related_name="contracts")
    starts = models.DateField(_("begins"))
    ends = models.DateField(_("last day"), null=True, blank=True)  # None: it runs until notice is given
    notice_value = models.PositiveIntegerField(_("notice"), default=0)
    notice_unit = models.CharField(
        _("in"), max_length=5, choices=NoticeUnitChoice.choices, default=NoticeUnitChoice.month
    )
    notice_to = models.CharField(
        _("takes effect at"), max_length=7, choices=NoticeToChoice.choices, default=NoticeToChoice.none
    )
    renews_itself = models.BooleanField(_("goes on by itself"), default=False)
    value_year = models.DecimalField(_("worth a year"), max_digits=14, decimal_places=2, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    exit_kind = models.CharField(_("may be left early for"), max_length=13, choices=ExitKind.choices, blank=True)
    exit_measure = models.CharField(_("the service level"), max_length=60, blank=True)
    exit_threshold = models.FloatField(_("is missed beyond"), null=True, blank=True)  # in the measure's unit
    exit_periods = models.PositiveSmallIntegerField(_("months in a row"), null=True, blank=True)
    exit_words = models.TextField(_("the clause in words"), max_length=2000, blank=True)
    reference = models.CharField(_("contract number"), max_length=100, blank=True)

    class Meta:
        ordering: ClassVar = ["ends", "pk"]

    def __str__(self) -> str:
        return f"{self.account}, {self.reference or self.starts}"

    @property
    def terms(self) -> ContractTerms:
        """What it says of its end."""
        unit, to = cast(NoticeUnitName, self.notice_unit), cast(NoticeToName, self.notice_to)
        return ContractTerms(self.starts, self.ends, self.notice_value, unit, to, self.renews_itself)


class ContractDeed(models.Model):
    """What became of a contract, and when we learnt it."""

    class Deed(models.TextChoices):
        """What can become of one."""

        renewed = "renewed", _("renewed")
        left_at_end = "left_at_end", _("left at the end")
        left_early = "left_early", _("left early")
        notice_given = "notice_given", _("notice given")

    contract = models.ForeignKey(Contract, models.CASCADE, related_name="deeds")
    deed = models.CharField(_("what"), max_length=12, choices=Deed.choices)
    on = models.DateField(_("on"))
    known_on = models.DateField(_("known since"))

    class Meta:
        ordering: ClassVar = ["on", "pk"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["contract", "deed", "on"], name="deed_once")]


class Objective(models.Model):
    """What a house, or a team, wants to reach."""

    name = models.CharField(_("objective"), max_length=150)
    owner = models.ForeignKey("store.Person", models.SET_NULL, null=True, related_name="objectives")
    team = models.ForeignKey("store.Team", models.CASCADE, null=True, blank=True, related_name="objectives")
    since = models.DateField(_("since"))
    until = models.DateField(_("until"), null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["team__name", "name"]

    def __str__(self) -> str:
        return self.name


class ObjectiveMeasure(models.Model):
    """A measure that carries an objective, and what it shall reach by when."""

    objective = models.ForeignKey(Objective, models.CASCADE, related_name="measures")
    measure = models.CharField(_("measure"), max_length=60)
    version = models.PositiveSmallIntegerField()  # of its definition, when the target was set
    target = models.FloatField(_("target"), null=True, blank=True)  # in the measure's unit
    by = models.DateField(_("by"), null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["objective", "measure"], name="objective_measure_once")
        ]


class RoleLine(models.Model):
    """The work by which a role, or a whole team, moves a measure."""

    team = models.ForeignKey("store.Team", models.CASCADE, related_name="lines")
    role = models.CharField(_("role"), max_length=100, blank=True)  # empty: everybody of the team
    work = models.CharField(_("the work"), max_length=200)
    measure = models.CharField(_("measure"), max_length=60)

    class Meta:
        ordering: ClassVar = ["team__name", "role", "pk"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["team", "role", "measure"], name="role_line_once")]


class TeamRating(models.Model):
    """What one person says, for their team, of how another team served it in a month; no customer's rating."""

    person = models.ForeignKey("store.Person", models.CASCADE, related_name="+")
    by_team = models.ForeignKey("store.Team", models.CASCADE, related_name="+")  # of the person, then
    rated_team = models.ForeignKey("store.Team", models.CASCADE, related_name="+")
    month = models.CharField(max_length=7)  # 2026-12
    score = models.PositiveSmallIntegerField()  # 1 to 5

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["person", "rated_team", "month"], name="team_rating_once")
        ]


class SavedCase(models.Model):
    """A business case as it was put together: its owner's, and of those who look after money."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey("store.Person", models.CASCADE, related_name="business_cases")
    title = models.CharField(_("what is to be solved"), max_length=150)
    words = models.TextField(_("in customers' words"), max_length=2000, blank=True)
    asked = models.TextField(_("what is asked of the sponsor"), max_length=1000, blank=True)
    wrong_if = models.TextField(_("what would show that we are wrong"), max_length=1000, blank=True)
    problem = models.CharField(_("problem"), max_length=40, blank=True)
    improvement = models.CharField(_("improvement"), max_length=60, blank=True)
    measure = models.CharField(_("the leader's number that it moves"), max_length=60, blank=True)
    inputs = models.JSONField()  # name -> low, high, measured, origin
    years = models.FloatField(_("years ahead"), default=1.0)
    currency = models.CharField(_("currency"), max_length=3)
    result = models.JSONField()  # as it was computed when it was kept
    widened = models.FloatField(default=1.0)  # by how much its stated ranges were widened
    came = models.FloatField(null=True, blank=True)  # in money over the horizon
    came_on = models.DateField(null=True, blank=True)
    came_from = models.CharField(max_length=300, blank=True)  # the verdict that says so
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["-created"]

    def __str__(self) -> str:
        return self.title
