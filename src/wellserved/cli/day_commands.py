"""Something to do today, and one's own days, at a terminal."""

from __future__ import annotations

from wellserved.cli.databases import prepare_workspace
from wellserved.cli.shared import Format, FormatOption, HomeOption, OutputOption, UserOption, app, say, show_tables
from wellserved.errors import RequestError


@app.command("today")
def today_(user_name: UserOption = None, home: HomeOption = None) -> None:
    """Say one thing to do today, with its reason; or that nothing waits."""
    workspace = prepare_workspace(home)
    from django.conf import settings
    from django.utils import timezone

    from wellserved.actions import membership, prompts
    from wellserved.journal.handle import Journal
    from wellserved.store.access import AccessScope

    person = membership.find_person(user_name)
    journal = Journal(person.pk, settings.SECRET_KEY.encode())
    prompt = prompts.todays_prompt(workspace, AccessScope(person), journal, timezone.now())
    say(prompt.words if prompt else "Nothing waits for you today.")
    if not journal.is_readable:
        say("Your journal is closed here: what it holds was not looked at. The page Today opens it.")


@app.command("evenness")
def evenness_(
    user_name: UserOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Tell whether your service is the same every day, by the ratings of your own cases."""
    workspace = prepare_workspace(home)
    from wellserved.actions import evenness_questions, membership
    from wellserved.moments import NotComputable
    from wellserved.render.tables.people import evenness_table

    person = membership.find_person(user_name)
    if not person.served_as:
        raise RequestError(
            "Nobody has said by which name the records know you.", "`wellserved user add --served-as` says it."
        )
    result = evenness_questions.own_evenness(workspace, person.served_as)
    if isinstance(result, NotComputable):
        raise RequestError(f"That cannot be told: {result.reason}.", "Wait for ratings, or import them.")
    show_tables([evenness_table(result)], format_, output, "Your days")
