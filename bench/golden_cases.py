"""What bench/golden.py asks: files, commands, forms and addresses, as tables to add to."""

from __future__ import annotations

from typing import Any, Final

SAMPLES: Final = ("boston311", "servicenow", "cfpb")
FORMS: Final = ("text", "html", "md", "json", "csv", "svg")
PEOPLE: Final = ("boss", "lena", "mia", "quinn", "finn", "audrey")  # admin, lead, member, quality, finance, auditor

CALENDARS: Final = """
[[calendar]]
name = "office"
zone = "America/New_York"
hours = { mon-fri = "09:00-12:30, 13:30-17:00", sat = "10:00-14:00" }
holidays = ["US-MA"]
days = { 2015-12-24 = "09:00-12:00", 2016-03-24 = "closed" }

[[calendar]]
name = "office"
zone = "America/New_York"
from = 2016-03-01
hours = { mon-fri = "08:00-16:00" }

[[calendar]]
name = "night"
zone = "America/New_York"
hours = { mon-sun = "00:00-06:00, 22:00-24:00" }

[[use]]
calendar = "night"
team = ["Group 70", "ANML"]
"""
SCALES: Final = """
[smile4]
lowest = 1
highest = 4
good_from = 3
bad_to = 1
halves = false
words = { Poor = 1, Fair = 2, Good = 3, Great = 4 }
"""
RATED: Final = """
name = "desk"
title = "A desk that asks"
zone = "Europe/Berlin"
case = "No"

[columns]
team = "Team"
service = "Service"
customer_id = "Customer"

[[moment]]
kind = "asked"
at = "Opened"
required = true

[[moment]]
kind = "promised"
at = "Opened"
due = "Due"

[[moment]]
kind = "replied"
at = "Answered"

[[moment]]
kind = "resolved"
at = "Closed"

[[moment]]
kind = "expected"
at = "Opened"
score = "Hoped"
scale = "csat5"

[[moment]]
kind = "rated"
at = "Closed"
score = "Stars"
scale = "csat5"

[[moment]]
kind = "self_rated"
at = "Closed"
score = "Own"
scale = "csat5"
"""


def desk_rows() -> str:
    """A small export with ratings, hopes and own ratings, and three rows that cannot be read."""
    lines = ["No,Opened,Answered,Due,Closed,Team,Service,Customer,Hoped,Stars,Own"]
    for number in range(360):
        day, month, wait = 1 + number % 28, 1 + number // 30, number * 7 % 5
        opened = f"2025-{month:02d}-{day:02d} {8 + number % 9:02d}:{number * 13 % 60:02d}"
        closed = f"2025-{month:02d}-{day:02d} {18 + wait:02d}:{number * 17 % 60:02d}"
        answered = f"2025-{month:02d}-{day:02d} 17:{number * 11 % 60:02d}"
        due = f"2025-{month:02d}-{day:02d} {19 + number % 3:02d}:30"
        stars, own = 1 + (number * 11 + wait) % 5, 1 + (number * 11 + number % 2) % 5
        team, service = ("Red", "Blue", "Green")[number % 3], ("Bill", "Repair")[number % 2]
        ends = f"{closed}" if number % 11 else ""
        lines.append(
            f"{number},{opened},{answered},{due},{ends},{team},{service},C{number % 40},{3 + number % 3},{stars},{own}"
        )
    lines += [
        "400,,,,,Red,Bill,C1,3,3,3",
        "401,yesterday,,,,Red,Bill,C1,3,3,3",
        "402,2025-02-30 10:00,,,,Red,Bill,C1,3,9,3",
    ]
    return "\n".join(lines) + "\n"


FILES: Final = {
    **{f"{name}/{file}": text for name in (*SAMPLES, "desk") for file, text in (("calendars.toml", CALENDARS), ("scales.toml", SCALES))},
    "desk.csv": desk_rows(),
    "desk.toml": RATED,
    "none.toml": "name = 3\n",
    "renewals.csv": "renewals,left,entered,accounts\n1,yes,0,12\n2,no,0,40\n3,yes,1,7\n4,no,2,31\n0,yes,0,9\n",
}  # fmt: skip

QUESTIONS: Final = """
log --imports
measure MEASURES --every month --format json
measure MEASURES --every week --format json
measure MEASURES --by category --format json
promises @json
chain @json
queue --within 4h --slot 1h --handling 10m --goal 0.9 --servers 12 @json
report @json
chart time_to_resolution --every week --rules nhs @json
"""

IN_EVERY_FORM: Final = """
scales @text,html,json,csv
hours @text
measure MEASURES @text
measure asked time_to_resolution promise_kept --every quarter @html,md,json,csv,svg
measure asked --by team @md
measure asked --every day --since 2024-03-01 --until 2024-04-01 @csv
measure time_to_first_reply --as zammad @text
measure asked --where team=nobody
measure asked -o asked.txt
measure promise_kep
measure asked --every fortnight
measure asked --since yesterday
measure asked --where team
promises @all
promises --by promised --since 2023-06-01 @text
chain @text,html,json,csv
queue @text,html,json,csv
queue --within 2d --slot 30m --since 2023-01-01 --until 2024-06-01 @text
report @all
report -o report.html --format html
chart time_to_resolution @all
chart promise_kept --kind "p'" @text
chart asked --kind xmr --screen --phase 2023-10-01 @text
chart asked --kind c --baseline 2023-09-01 @text
chart asked --kind ewma @json
compare time_to_resolution --as zendesk @text,html,json,csv
compare time_to_full_resolution --as jira --with freshdesk @text
shift time_to_resolution --every month @text,html,json,csv
drivers @text,html,json,csv
improve list
"""

SMALL: Final = f"""
[none]
--version
--help
nothing
measure asked
presets
measures @all
scales
inspect missing.csv
inspect desk.csv
import desk.csv
retention 100 80 70 65 @text,json
retention --cohort 0:1000,869,743,653,593,551,517,491 --cohort 2:200,180,171 @text
retention --file renewals.csv @all
retention
retention --entered 2
[desk]
init --zone Nowhere/Else
init --zone Europe/Berlin --dates day
import desk.csv --mapping none.toml
import desk.csv --mapping desk.toml
import desk.csv --mapping desk.toml
log --refusals
measures @text,md
measure MEASURES --every month @json
measure MEASURES --by team @json
agreement @text,json
gap @text,html,json,csv
drivers --where team=Red @text
explain time_to_resolution 17 @text,html,json,csv
explain time_to_resolution nothing
[synth]
init --zone Europe/Berlin
synth 3000 --seed 7
{IN_EVERY_FORM}
adopted --by team --since Repairs=2023-10-02 --since Network=2024-01-01 --measure time_to_resolution @text,html,json,csv
improve add faster --what "Two people more" --measure time_to_resolution --since 2023-10-02 --who Kim --idea-from Ada --helper Bo --helper Cy --where team=Repairs --against team=Shipping --guardrail reopen_rate=2% --guardrail rating_good --worthwhile 10%
improve add kept --what "A clearer promise" --measure promise_kept --since 2023-10-02 --where team=Network --ends 2024-06-03 --age 14 --settles 2023-11-06
improve add paid --what "A bonus" --measure time_to_resolution --since 2023-04-03 --paid-until 2023-10-02 --where team=Billing --every month
improve add none --what "Nothing" --measure nothing --since 2023-04-03
improve change kept --what "A clearer promise, in writing" --worthwhile 5% --guardrail complaint_rate
improve change kept
improve list @text,md,csv
prove faster @all
prove kept @text,json
prove none
prove faster --measure asked
prove
improve withdraw paid --why "The bonus never came"
improve list @json
"""

BOSTON: Final = f"""
[boston311]
init --zone America/New_York
inspect boston311.csv -o drafted.toml
import boston311.csv
{QUESTIONS}
explain time_to_resolution 101001240735 @json
measure MEASURES --by place --format json
prove --measure promise_kept --change 2015-09-07 --where team=PWDx --against team=ISD --parallel @json
"""

SERVICENOW: Final = f"""
[servicenow]
init --zone Europe/Berlin --dates day
inspect servicenow.csv -o drafted.toml
import servicenow.csv
{QUESTIONS}
measure time_to_resolution --as zendesk @json
compare time_to_resolution --as zendesk @json
shift asked @json
hours @json
log
measure MEASURES --by priority --every quarter --since 2016-03-01 --until 2016-07-01 --format json
prove --measure time_to_resolution --change 2016-04-04 --every day --age 3 --guardrail reopen_rate --worthwhile 10% @text
explain time_to_resolution INC0000045 @text
measure MEASURES --by team --format json
"""

CFPB: Final = f"""
[cfpb]
init
init --zone America/New_York --dates month
inspect cfpb.csv -o drafted.toml
import cfpb.csv
{QUESTIONS}
explain time_to_resolution 21494 @text
prove --measure promise_kept_by_source --change 2016-04-04 @json
"""

HOUSE: Final = """
[demo/workspace]
demo --folder demo
log
log --imports
measure MEASURES --by source @json
report
improve add lights --what "Street lights in one round" --measure time_to_resolution --since 2015-09-07 --where source=boston311 --where team=PWDx --guardrail reopen_rate --worthwhile 10%
improve list @text
user list
log "note: written alone"
check
user add boss --role admin <<< short
user add boss --role admin <<< correct horse battery
user add lena --role lead --team "Group 70" --served-as "Resolver 193" <<< correct horse battery
user add mia --role member --team "Group 70" --served-as "Resolver 13" <<< correct horse battery
user add quinn --role quality <<< correct horse battery
user add finn --role finance <<< correct horse battery
user add audrey --role auditor <<< correct horse battery
user add wrong --role king <<< correct horse battery
user add mia <<< correct horse battery
user list
log --as mia "missed: Acme waited 2h on Monday, cause: handover, major, @lena #quotes €200"
log --as mia "promise: +Contoso gets the contract draft by 30 Jul 14:00 #quotes"
log --as mia "promise: +Acme gets an answer by 12/5"
log --as lena "thanks: +Acme for the quick answer, rated 5/5"
log "note: whose?"
"""

BETWEEN: Final = """
[demo/workspace]
worker --once
log
check
measure asked promise_kept --by source @json
promises --by service @text
"""

AFTER: Final = """
[demo/workspace]
user password mia <<< another horse battery
user password nobody <<< another horse battery
user password lena --without-factors <<< another horse battery
user list
worker --once
check
verify
backup saved.zip
improve withdraw lights --why "Not ours"
[restored]
restore missing.zip
restore saved.zip
restore saved.zip
user list
check
verify
measure MEASURES --by source @json
"""

LANES: Final = {"small": SMALL, "boston311": BOSTON, "servicenow": SERVICENOW, "cfpb": CFPB, "house": HOUSE}
"""What is asked side by side, each in a folder of its own; the pages are those of the last."""
UNRUN: Final = {"serve": "it listens until it is ended; its pages are asked one by one, and its help is kept"}

SCOPES: Final = ["journal:write", "moments:write", "measures:read", "promises:read"]
ENTRY: Final = {"word": "missed", "at": "2026-07-07T10:00", "text": "The invoice went to the wrong house", "customer": "Acme",
                "service": "billing", "cause": "handover", "severity": "minor", "hours": "1.5", "amount": "80", "currency": "EUR"}  # fmt: skip
POSTS: Final[tuple[tuple[str, str, dict[str, Any], str], ...]] = (  # who, where, what, the name of what is made
    ("boss", "/people/", {"username": "nora", "role": "member", "team": "Group 70"}, "invitation"),
    ("boss", "/people/", {"username": "mia", "role": "member"}, ""),
    ("finn", "/accounts/", {"name": "Acme Group", "team": "1", "revenue_year": "120000", "currency": "EUR", "since": "2020-01-01",
                            "contract_start": "2025-01-01", "contract_end": "2026-12-31", "notice_days": "90"}, "account"),
    ("finn", "/accounts/", {"name": ""}, ""),
    ("lena", "/customers/", {"name": "Acme", "account": "{account}"}, "customer"),
    ("lena", "/customers/", {"name": "Acme Ltd"}, "duplicate"),
    ("lena", "/customers/", {"name": "Northwind", "internal": "on"}, "second"),
    ("lena", "/customers/{duplicate}/merge", {"other": "{customer}"}, ""),
    ("lena", "/causes/", {"name": "handover", "parent": "process"}, ""),
    ("mia", "/journal/", {"line": "missed: Acme waited 2h for a call, cause: handover, @lena", "do": "look"}, ""),
    ("mia", "/journal/", {"line": "missed: Acme waited 2h for a call, cause: handover, @lena", "do": "save"}, "entry"),
    ("mia", "/journal/", {"line": "promise: Acme gets a plan by 10 Jul 09:00", "do": "save"}, "promise"),
    ("mia", "/journal/", {"line": "promise: +Northwind hears by 20 Jul", "do": "save"}, "later"),
    ("mia", "/journal/", {"line": "promise: +Northwind hears by 12/5", "do": "save"}, ""),
    ("mia", "/journal/", {"line": "thanks: +Northwind for the quick help", "do": "save"}, ""),
    ("mia", "/journal/", {"line": "complaint: +Northwind about the tone", "do": "save"}, "complaint"),
    ("mia", "/journal/", {"line": "gap: +Acme expected 9/10 got 6", "do": "save"}, ""),
    ("mia", "/journal/", {"line": "lesson: <b>ask first</b> & listen", "do": "save"}, ""),
    ("mia", "/journal/", {"line": "idea from Lena: a card at the desk", "do": "save"}, ""),
    ("mia", "/journal/", {"line": "self: good", "do": "save"}, ""),
    ("mia", "/journal/understanding", {"line": "missed: Acme waited 45 min, cause: handover"}, ""),
    ("mia", "/journal/new", ENTRY, "form"),
    ("mia", "/journal/new", {**ENTRY, "text": "", "at": "1066-01-01T10:00"}, ""),
    ("mia", "/journal/{form}/", {**ENTRY, "severity": "major"}, ""),
    ("mia", "/journal/{entry}/more", {"word": "note", "line": "They want a call back"}, ""),
    ("mia", "/journal/{entry}/more", {"word": "recovered", "line": "called back, with an excuse"}, ""),
    ("mia", "/journal/{entry}/share", {"text": "Acme waited two hours, @lena called", "customer": "Acme", "cause": "handover", "audience": "team"}, "shared"),
    ("mia", "/journal/{promise}/share", {"text": "Acme gets a plan", "customer": "Acme", "due": "2026-07-10T09:00", "audience": "team"}, "pledge"),
    ("mia", "/journal/{complaint}/share", {"text": "About the tone", "customer": "Northwind", "audience": "lead"}, "tone"),
    ("lena", "/shared/{shared}/follow", {"word": "met", "text": "Accepted"}, ""),
    ("lena", "/shared/{shared}/follow", {"word": "gap", "text": "", "score": "99", "scale": "csat5"}, ""),
    ("mia", "/promises/journal/{later}", {"word": "renegotiated", "line": "by 24 Jul 12:00"}, ""),
    ("mia", "/promises/shared/{pledge}", {"word": "kept", "line": "sent"}, ""),
    ("mia", "/protocol", {"acknowledged": "on", "thanked": "on", "when": "17 Jul 10:00", "customer": "Acme", "text": "A new quote"}, "card"),
    ("lena", "/helped/1", {"do": "confirm"}, ""),
    ("lena", "/journal/", {"line": "exceeded: +Acme had the plan a day before", "do": "save"}, ""),
    ("lena", "/reports/2026-W28/", {"text": "My own words\n- one\n- two\n"}, ""),
    ("lena", "/me/", {"first_name": "Lena", "last_name": "Light"}, ""),
    ("mia", "/me/recovery", {}, "code"),
    ("mia", "/me/calendar", {}, "feed"),
    ("mia", "/me/hooks", {"sort": "standard"}, "hook"),
    *((name, "/me/keys", {"name": "a program", "scopes": SCOPES, "days": "90"}, f"key_{name}") for name in PEOPLE),
    ("quinn", "/customers/why", {"reason": "a complaint is looked into"}, ""),
)  # fmt: skip

ADDRESSES: Final = """
finn,audrey,quinn,nobody /
finn,quinn,nobody /accounts/
finn /accounts/{account}/
finn,quinn /customers/
quinn /customers/{customer}/
audrey,nobody /audit/
nobody /livez
nobody /login/login/
nobody /api/v1/openapi.json
nobody,finn /api/v1/measures
nobody /measures/asked/
all /
all /livez
all /readyz
all /journal/
all /journal/?word=missed
mia /journal/?before=2026-07-10T08:12:00+00:00&id=00000000-0000-0000-0000-000000000000
all /journal/understanding
all /journal/new
all /journal/export
all /journal/unlock
all /journal/lock
all /journal/{entry}/
mia /journal/{entry}/?change
mia /journal/{form}/
mia /journal/{promise}/
mia /journal/{card}/
all /journal/{entry}/erase
all /journal/{entry}/more
all /journal/{entry}/join
all /journal/{entry}/share
all /protocol
all /promises/
all /promises/?all
all /promises/journal/{promise}
all /promises/shared/{pledge}
nobody,mia /calendar/{feed}.ics
nobody /calendar/nothing.ics
all /shared/{shared}/
mia /shared/{shared}/?change
all /shared/{tone}/
all /shared/{pledge}/
all /shared/{shared}/follow
all /shared/{shared}/withdraw
all /helped/1
all /failures/
all /causes/
all /customers/
lena /customers/?q=acm
all /customers/file
all /customers/why
all /customers/{customer}/
all /customers/{duplicate}/
all /customers/{customer}/merge
all /customers/{duplicate}/part
all /accounts/
all /accounts/{account}/
all /measures/
all /measures/asked/
all /measures/time_to_resolution/?every=month&where=source%3Dboston311
all /measures/time_to_resolution/?every=week&where=source%3Dservicenow
all /measures/promise_kept_by_source/?every=quarter&where=source%3Dcfpb&format=json
all /measures/promise_kept/?by=team&since=2015-06-01&until=2016-01-01&format=csv
all /measures/asked/?where=person_id%3DResolver+13
all /measures/asked/?by=person_id
all /measures/asked/?by=customer_id&format=csv
lena /measures/time_to_first_handover/?every=month&where=source%3Dservicenow
lena /measures/reopen_rate/?every=month&where=source%3Dservicenow
lena /measures/promise_kept/?every=month&where=source%3Dboston311
lena /measures/closed_late/?every=month&where=source%3Dboston311
lena /measures/open_age/?every=month&where=source%3Dcfpb
lena /measures/rating_good/?every=month&where=source%3Dcfpb
lena /measures/nothing/
lena /measures/asked/?every=fortnight
lena /measures/asked/?since=yesterday
lena /measures/asked/?where=team
all /measures/asked/cases
quinn,finn,audrey /measures/asked/cases
quinn /measures/time_to_resolution/cases?where=source%3Dcfpb&since=2016-01-01
all /measures/time_to_resolution/cases/servicenow/INC0000074
all /measures/time_to_resolution/cases/boston311/101001240735
quinn /measures/time_to_resolution/cases/cfpb/21494
all /improvements/
boss,lena /improvements/lights/
lena /improvements/nothing/
all /reports/
all /reports/service/boston311
all /reports/service/servicenow?every=month
all /reports/service/cfpb?format=json
lena /reports/service/journal
lena /reports/service/nothing
all /reports/2026-W28/
all /reports/2026-W27/
mia /reports/2026-W29/
mia /reports/2026-W99/
all /reports/2026-W28/as/txt
all /reports/2026-W28/as/html
all /reports/2026-W28/as/eml
all /reports/2026-W28/as/pdf
mia /reports/2026-W28/as/doc
all /data/
all /data/nothing/refusals
all /me/
all /me/judgement
all /me/passphrase
all /me/recovery
all /me/anew
all /me/read
all /me/calendar
all /me/keys
all /me/keys/1/end
all /me/hooks
all /me/hooks/{hook}/end
all /people/
all /people/3/
boss /people/99/
nobody /invitation/{invitation}
nobody /invitation/nothing
all /audit/
all /login/login/
all /login/logout/
all /login/signup/
all /login/reauthenticate/
all /login/password/change/
all /login/2fa/
all /login/2fa/authenticate/
all /login/2fa/reauthenticate/
all /login/2fa/totp/deactivate/
all /login/2fa/recovery-codes/
all /login/2fa/recovery-codes/generate/
all /login/2fa/recovery-codes/download/
all /login/2fa/webauthn/
lena,nobody /login/2fa/webauthn/keys/1/edit/
lena,nobody /login/2fa/webauthn/keys/1/remove/
lena,nobody /login/confirm-email/
lena,nobody /login/confirm-email/key/
lena,nobody /login/email/
lena,nobody /login/inactive/
lena,nobody /login/login/code/confirm/
lena,nobody /login/password/reset/
lena,nobody /login/password/reset/done/
lena,nobody /login/password/reset/key/1-key/
lena,nobody /login/password/reset/key/done/
lena,nobody /login/password/set/
lena,nobody /login/reauthenticate/code/
lena,nobody /login/reauthenticate/code/confirm/
lena,nobody /api/v1/
all /api/v1/openapi.json
all /api/v1/measures
all /api/v1/measures/asked
all /api/v1/measures/time_to_resolution?every=month&where=source%3Dservicenow
lena /api/v1/measures/nothing
lena /api/v1/measures/asked?every=fortnight
all /api/v1/reports/cfpb
all /api/v1/promises
all /api/v1/moments
all /api/v1/moments/bulk
all /api/v1/journal
all /api/v1/hooks/{hook}
"""

UNASKED: Final = {
    "/login/2fa/totp/activate/": "it shows a secret drawn at random, and its picture",
    "/login/2fa/webauthn/add/": "it holds a challenge drawn at random",
    "/login/2fa/webauthn/reauthenticate/": "it holds a challenge drawn at random",
    "/login/2fa/webauthn/login/": "it holds a challenge drawn at random",
}
"""Addresses, by their shape, that are not asked, and why."""
