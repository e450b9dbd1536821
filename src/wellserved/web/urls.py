"""Every address of the product; what each is for stands at its view."""

from __future__ import annotations

from django.urls import include, path, re_path, register_converter
from django.urls.converters import StringConverter

from wellserved.web import failing
from wellserved.web.api import api
from wellserved.web.views import daily, health, numbers, own, people, together

handler500 = failing.server_error_page


class WeekConverter(StringConverter):
    """2026-W48."""

    regex = r"\d{4}-W\d{2}"


register_converter(WeekConverter, "week")

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("", daily.today, name="today"),
    path("journal/", daily.journal, name="journal"),
    path("journal/understanding", daily.line_preview, name="understanding"),
    path("journal/new", daily.new_entry, name="new_entry"),
    path("journal/export", daily.export_journal, name="take_along"),
    path("journal/unlock", own.unlock, name="unlock"),
    path("journal/lock", own.lock, name="lock"),
    path("journal/<uuid:id_>/", daily.entry, name="entry"),
    path("journal/<uuid:id_>/erase", daily.erase, name="erase"),
    path("journal/<uuid:id_>/more", daily.follow_up, name="go_on"),
    path("journal/<uuid:id_>/join", daily.join, name="join"),
    path("journal/<uuid:id_>/share", daily.share, name="share"),
    path("protocol", daily.protocol, name="protocol"),
    path("promises/", daily.promises, name="promises"),
    re_path(r"^promises/(?P<where>journal|shared)/(?P<id_>[0-9a-f-]{36})$", daily.update_promise, name="settle"),
    path("calendar/<str:token>.ics", daily.feed, name="feed"),
    path("shared/<uuid:id_>/", together.shared_moment, name="shared"),
    path("shared/<uuid:id_>/follow", together.add_follow_up, name="follow"),
    path("shared/<uuid:id_>/withdraw", together.withdraw_shared_moment, name="withdraw"),
    path("helped/<int:id_>", together.confirm_help, name="helped"),
    path("failures/", together.failures, name="failures"),
    path("causes/", together.causes, name="causes"),
    path("customers/", together.customers, name="customers"),
    path("customers/file", together.customers_file, name="customers_file"),
    path("customers/why", together.access_reason, name="say_why"),
    path("customers/<int:id_>/", together.customer, name="customer"),
    path("customers/<int:id_>/merge", together.merge, name="merge"),
    path("customers/<int:id_>/part", together.unmerge, name="part"),
    path("accounts/", together.accounts, name="accounts"),
    path("accounts/<int:id_>/", together.account, name="account"),
    path("measures/", numbers.measures, name="measures"),
    path("measures/<str:name>/", numbers.measure, name="measure"),
    path("measures/<str:name>/cases", numbers.cases, name="cases"),
    path("measures/<str:name>/cases/<str:source>/<path:case_id>", numbers.case, name="case"),
    path("improvements/", numbers.improvements, name="improvements"),
    path("improvements/<str:name>/", numbers.improvement, name="improvement"),
    path("reports/", own.reports, name="reports"),
    path("reports/service/<str:source>", numbers.service_report, name="service_report"),
    path("reports/<week:week>/", own.week, name="week"),
    path("reports/<week:week>/as/<slug:form>", own.week_as, name="week_as"),
    path("data/", numbers.data_, name="data"),
    path("data/<slug:import_id>/refusals", numbers.refusals, name="refusals"),
    path("me/", own.me, name="me"),
    path("me/judgement", own.judgement, name="judgement"),
    path("me/passphrase", own.passphrase, name="passphrase"),
    path("me/recovery", own.recovery, name="recovery"),
    path("me/anew", own.begin_anew, name="begin_anew"),
    path("me/read", own.read_notice, name="read_notice"),
    path("me/calendar", own.new_feed, name="new_feed"),
    path("me/keys", own.new_key, name="new_key"),
    path("me/keys/<int:id_>/end", own.end_key, name="end_key"),
    path("me/hooks", own.new_hook, name="new_hook"),
    path("me/hooks/<uuid:id_>/end", own.end_hook, name="end_hook"),
    path("people/", people.people, name="people"),
    path("people/<int:id_>/", people.person, name="person"),
    path("invitation/<str:token>", people.invitation, name="invitation"),
    path("audit/", people.audit, name="audit"),
    path("login/", include("allauth.account.urls")),
    path("login/2fa/", include("allauth.mfa.urls")),
    path("api/v1/", api.urls),
]
