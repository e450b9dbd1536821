"""Every address of the product; what each is for stands at its view."""

from __future__ import annotations

from django.urls import include, path, re_path, register_converter
from django.urls.converters import StringConverter

from wellserved.web.api import api
from wellserved.web.views import (
    analytics,
    changes,
    claims,
    connections,
    health,
    journal,
    journal_key,
    overview,
    people,
    profile,
    records,
    resume,
    team,
    weekly,
)

handler500 = "wellserved.web.error_handling.server_error_page"


class WeekConverter(StringConverter):
    """2026-W48."""

    regex = r"\d{4}-W\d{2}"


register_converter(WeekConverter, "week")

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("", journal.today, name="today"),
    path("numbers/", overview.numbers, name="numbers"),
    path("search", overview.search, name="search"),
    path("sample", overview.sample, name="sample"),
    path("journal/", journal.journal, name="journal"),
    path("journal/understanding", journal.line_preview, name="understanding"),
    path("journal/search", journal.search_journal, name="search_journal"),
    path("journal/new", journal.new_entry, name="new_entry"),
    path("journal/export", journal.export_journal, name="take_along"),
    path("journal/unlock", journal_key.unlock, name="unlock"),
    path("journal/lock", journal_key.lock, name="lock"),
    path("journal/<uuid:id_>/", journal.entry, name="entry"),
    path("journal/<uuid:id_>/erase", journal.erase, name="erase"),
    path("journal/<uuid:id_>/more", journal.follow_up, name="go_on"),
    path("journal/<uuid:id_>/join", journal.join, name="join"),
    path("journal/<uuid:id_>/share", journal.share, name="share"),
    path("protocol", journal.protocol, name="protocol"),
    path("promises/", journal.promises, name="promises"),
    re_path(r"^promises/(?P<where>journal|shared)/(?P<id_>[0-9a-f-]{36})$", journal.update_promise, name="settle"),
    path("calendar/<str:token>.ics", journal.feed, name="feed"),
    path("shared/<uuid:id_>/", team.shared_moment, name="shared"),
    path("shared/<uuid:id_>/follow", team.add_follow_up, name="follow"),
    path("shared/<uuid:id_>/withdraw", team.withdraw_shared_moment, name="withdraw"),
    path("helped/<int:id_>", team.confirm_help, name="helped"),
    path("failures/", team.failures, name="failures"),
    path("causes/", team.causes, name="causes"),
    path("customers/", team.customers, name="customers"),
    path("customers/file", team.customers_file, name="customers_file"),
    path("customers/why", team.access_reason, name="say_why"),
    path("customers/<int:id_>/", team.customer, name="customer"),
    path("customers/<int:id_>/merge", team.merge, name="merge"),
    path("customers/<int:id_>/part", team.unmerge, name="part"),
    path("accounts/", team.accounts, name="accounts"),
    path("accounts/<int:id_>/", team.account, name="account"),
    path("measures/", analytics.measures, name="measures"),
    path("measures/<str:name>/", analytics.measure, name="measure"),
    path("measures/<str:name>/cases", analytics.cases, name="cases"),
    path("measures/<str:name>/cases/<str:source>/<path:case_id>", analytics.case, name="case"),
    path("explore/<slug:name>/", analytics.explore, name="explore"),
    path("improvements/", changes.improvements, name="improvements"),
    path("improvements/new", changes.new_improvement, name="new_improvement"),
    path("improvements/<str:name>/", changes.improvement, name="improvement"),
    path("improvements/<str:name>/claim", claims.improvement_claim, name="improvement_claim"),
    path("claims/", claims.claims, name="claims"),
    path("claims/limits", claims.claim_limits, name="claim_limits"),
    path("claims/check.html", claims.claim_checker, name="claim_checker"),
    path("claims/<slug:id_>/file", claims.claim_file, name="claim_file"),
    path("claims/<slug:id_>/withdraw", claims.withdraw_claim, name="withdraw_claim"),
    path("resume/", resume.resume, name="resume"),
    path("resume/add", resume.add_bullet, name="add_bullet"),
    path("resume/file", resume.resume_file, name="resume_file"),
    path("resume/as/<slug:form>", resume.resume_as, name="resume_as"),
    path("reports/", weekly.reports, name="reports"),
    path("reports/service/<str:source>", analytics.service_report, name="service_report"),
    path("reports/<week:week>/", weekly.week, name="week"),
    path("reports/<week:week>/as/<slug:form>", weekly.week_as, name="week_as"),
    path("data/", records.data_, name="data"),
    path("data/<slug:import_id>/refusals", records.refusals, name="refusals"),
    path("me/", profile.me, name="me"),
    path("me/judgement", profile.judgement, name="judgement"),
    path("me/passphrase", journal_key.passphrase, name="passphrase"),
    path("me/recovery", journal_key.recovery, name="recovery"),
    path("me/anew", journal_key.begin_anew, name="begin_anew"),
    path("me/read", journal_key.read_notice, name="read_notice"),
    path("me/calendar", connections.new_feed, name="new_feed"),
    path("me/keys", connections.new_key, name="new_key"),
    path("me/keys/<int:id_>/end", connections.end_key, name="end_key"),
    path("me/hooks", connections.new_hook, name="new_hook"),
    path("me/hooks/<uuid:id_>/end", connections.end_hook, name="end_hook"),
    path("people/", people.people, name="people"),
    path("people/<int:id_>/", people.person, name="person"),
    path("invitation/<str:token>", people.invitation, name="invitation"),
    path("audit/", people.audit, name="audit"),
    path("login/", include("allauth.account.urls")),
    path("login/2fa/", include("allauth.mfa.urls")),
    path("api/v1/", api.urls),
]
