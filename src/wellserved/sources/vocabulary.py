"""The words of helpdesks: what columns are called, and what stands in them; in English, German and French, the commonest
in Spanish, Portuguese, Italian, Dutch and Polish too.

Patterns are read against a column's plain words (`columns.plain`): lower case, without accents. Those of one role
stand in order, the surest first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from wellserved.sources.columns import plain_words


@dataclass(frozen=True)
class ColumnRole:
    """What a column may be: a kind of moment or a fact, by words of its name."""

    name: str
    patterns: tuple[str, ...]
    exclusion: str = r"(?!)"  # words that rule it out


_PROMISE_NAMES = (
    r"escalation|due|target|deadline|sla|breach|faellig|fallig|frist|echeance|plan(?:ned|ifie\w*)|estimat\w*|expected|scheduled"
    r"|vencim\w*|limite|plazo|scadenz\w*|prazo|streef\w*|previst\w*|stimat\w*|estimad\w*|gepland\w*|planowan\w*|prevue?s?|geplant\w*|wunsch\w*|voraussichtlich\w*|requested (?:compl|resol|close|end|deliver)\w*|\beta\b"
)
_CUSTOMER_NAMES = (
    r"customers?|requester|requestors?|requested by|caller|client|contact|reporter|reported by|opened by|demandeur|kunden?"
    r"|kunde|anforderer|melder|antragsteller|user|citizen|patient|guest"
    r"|clientes?|solicitante|usuario|richiedente|utente|requerente|klant|aanvrager|klient|zglaszajacy|tenant|resident|member|mieter|huurder|locataire|inquilino|bewohner|musteri"
)
_OTHER_LENGTHS = (  # that are not counted by the calendar, or are something else's
    r"business|working|office|arbeits|geschaft|ouvr|laboral|wait|agent|handl|hold|paus|pending|effort|aufwand|average|avg|next|status|count"
)
MOMENTS: Final = (  # in this order: a column that one has taken is no other's
    ColumnRole(
        "reopened",
        (
            r"\bre ?open\w*|wieder ?(ge|er)?offnet\w*|wiederer\w*|reouv\w*|rouvert\w*|reabier\w*|reapert\w*|reabert\w*|riapert\w*|heropend",
        ),
        r"count|number",
    ),
    ColumnRole(
        "promised",
        (
            r"\b(due|deadline|scadenza|vencimiento|vencimento|faellig\w*|fallig\w*|frist|echeance|prazo|streefdatum|zieltermin)\b(?!.*(first|respon|repl|antwort))",
            r"(clos\w*|resol\w*|solution) .*(escalation|due|target|deadline|by)\b|due by\b|^ttr\b|time to resolve",
            r"(plan|estimat|expected|scheduled|geplant|wunsch|voraussichtlich|requested).*(compl|clos|resol|end|los|erled|abschl)|(resol|clot|fin)\w* prevu",
            rf"\b({_PROMISE_NAMES}|promis\w*|zieltermin|date limite|expected (by|date))",
            r"^soll\b",
        ),
        r"first|respon|repl|antwort|reaktion|prise en compte|^tto\b|own\b|overdue|status|violat",
    ),
    ColumnRole(
        "replied",
        (
            r"(first|initial|erste\w*|premiere) .*(respon|repl|antwort|reaktion|reponse)",
            r"\brepl(y|ied)\b|beantwortet|repondu",
            r"(primera|primeira|prima|eerste|pierwsza) (respuesta|resposta|risposta|reactie|antwoord|odpowiedz)",
        ),
        rf"{_PROMISE_NAMES}|last|dernier|letzte|status|\bby\b|contact|customer|requester|client|kunde",
    ),
    ColumnRole(
        "resolved",
        (
            r"\b(resolv|solved|resolution|solution|gelost|geloest|losung|resolu|behoben|erledigt|fixed)",
            r"\b(closed?|closing|closure|complet|finish|geschlossen|abgeschlossen|schliess\w*|cloture|ferm(e|eture)|ended|done)\b"
            r"|\b(complet|finish|clotur)\w*",
            r"\b(abschluss|abgeschl|fertiggestellt|fertigstell|ausgefuhrt|settled|avslut|lukket|vyriz|terminad|kapan|afgerond|zakoncz|vyres|uzavr)\w*"
            r"|\b(fertig|erl|abschl|traite|klart|fin|fini|fine|termine)\b|^lost( dato| den)?$",
            r"\b(resuelt|resoluc|solucion|cerrad|cierre|finaliz|resolvid|fechad|fecham|encerr|conclu|risolt|risoluz|chius|opgelost|gesloten"
            r"|afgehandeld|rozwiaz|zamkni)\w*",
        ),
        rf"{_PROMISE_NAMES}|\bby\b|code|reason|first respon|\bsla\b|pending|auto|requested",
    ),
    ColumnRole("assigned", (r"(first|initial\w*|erst\w*) (assigned|assignment|zugewiesen)",)),
    ColumnRole(
        "asked",
        (
            r"\b(creat|open|report|receiv|submit|request|logged|raised|erstell|angelegt|eroffn|eingang|eingegangen|gemeldet"
            r"|ouvert|creation|cree\b|recu\b|demande|signale)",
            r"\b(cread|abiert|apert|recib|registr|solicit|abert|criad|ricev|aangemaakt|geopend|gemeld|ontvang|utworz|zglosz|otwar"
            r"|angenommen|erfasst|eingelangt|oprettet|opprettet|inkom|skapad|nahlas|erdat|acilis|olustur|zalozen|vytvor|called in|appel)\w*",
            r"\b(start|begin|date|datum|time|zeit|timestamp|fecha|data|hora)",
        ),
        rf"updat|modif|chang|geander|aktualis|derniere|mise a jour|last|letzte|viewed|contact|pending|birth|organi[sz]ation|account|company|customer|user|firma|kunde|{_PROMISE_NAMES}",
    ),
)
LENGTHS: Final = (  # how long after the opening a moment came
    ColumnRole(
        "replied",
        (
            r"(first|initial|erste\w*|premiere|primera|primeira|prima|eerste) .*(respon|repl|antwort|reaktion|reponse|respuesta|resposta|risposta|reactie)",
            r"\b(respon\w*|repl\w*|reponse|respuesta|resposta|risposta|reactie) (time|duration)|(time|tiempo|tempo|delai|temps) .*(respon|repl|reponse|respuesta|resposta|risposta)",
            r"\b(antwort|reaktions|reactie)(zeit|dauer|tijd)\b|\bsvartid\b",
        ),
        rf"{_OTHER_LENGTHS}|resol|losung|solu",
    ),
    ColumnRole(
        "resolved",
        (
            r"\b(resol\w*|solution|solv\w*|completion) (time|duration)|(time|hours|days|minutes|tiempo|tempo|delai|temps|duree|durata|duracion|czas) .*(resol|solv|solu|rozwiaz)",
            r"\b(dauer|zeit) bis\b|\blosningstid\b",
            r"\bage at (clos|resol)|\b(losungs|erledigungs|durchlauf|oplos|doorloop)(zeit|dauer|tijd)\b|\bbearbeitungsdauer\b",
            r"(time|hours|days|minutes|tiempo|tempo|delai|temps|duree|durata|duracion|czas) .*(clos|complet|cierre|chiusura|fech|clotur)|\b(closing|closure) time",
            r"^(duration|dauer|duree|duracion|duracao|durata|turnaround( time)?|tat|lead time|cycle time)\b",
        ),
        rf"{_OTHER_LENGTHS}|first|respon\w* time|target|\bsla\b|due",
    ),
)
UPDATE_NAMES: Final = r"updat|modif|chang|geander|anderung|aktualis|mise a jour|last|letzte|dernier|viewed|ultim|laatst|gewijzigd|actualiz|atualiz|aggiorn|birth|geburt"
"""Names of columns that say when a row was last touched, or are about somebody."""
FACT_ROLES: Final = (
    ColumnRole(
        "customer_id",
        (
            rf"\b({_CUSTOMER_NAMES})\b.*\b(id|no|nr|number|key|nummer|code)\b",
            rf"\b({_CUSTOMER_NAMES})\b.*\be ?mail|^e ?mail( address)?$",
            rf"^({_CUSTOMER_NAMES})( ({_CUSTOMER_NAMES}))?$",
            rf"\b({_CUSTOMER_NAMES})\b.*\bname|^full name$",
        ),
        r"interaction|count|anzahl|nombre|respon|time|date|satisf|type|medium|wait|rating|agent|domain|phone|address",
    ),
    ColumnRole(
        "account_id",
        (
            r"\b(account|organi[sz]ation|company|firma|unternehmen|societe|entreprise|mandant|empresa|azienda|bedrijf|organizacion|organizacao)\b",
        ),
        r"domain|phone",
    ),
    ColumnRole("internal", (r"^(internal|intern|interne)$",)),
    ColumnRole(
        "person_id",
        (
            r"\b(assignee|assigned to|agent|owner|handled by|teammate|technician|technicien|bearbeiter|zustandig\w*|besitzer"
            r"|agente|tecnico|asignado( a)?|responsable|responsavel|assegnatario|behandelaar)\b",
        ),
        r"interaction|station|group|gruppe|groupe|team|count|wait|replied|response",
    ),
    ColumnRole(
        "team",
        (
            r"\b(team|group|gruppe|groupe|assignment group|support group|equipe|equipo|grupo|gruppo|zespol)\b",
            r"\b(department|abteilung|queue|queue name|warteschlange|agency|entite|entity|service desk|project name|departamento|reparto|afdeling|dzial)\b",
        ),
        r"station|\bid\b|count",
    ),
    ColumnRole(
        "service",
        (
            r"request type|ticket type|sub ?category|sous categorie|unterkategorie|vorgangsart|type de demande",
            r"issue type|^(type|typ|art|service|dienst|dienstleistung|prestation|thema|tipo|servicio|servizio|servico|soort)$",
            r"\b(service|issue)\b",
        ),
        r"\b(id|key|no|number|desk|level|links?)\b",
    ),
    ColumnRole(
        "category",
        (r"categor|kategorie", r"\b(product|produkt|produit|topic|topics|class|reason)\b"),
        r"clos|resol|sub|sous|unter|\bid\b",
    ),
    ColumnRole(
        "channel",
        (
            r"\b(channel|source|via|kanal|canal|contact type|medium|eingangskanal|origine|create article type|canale|kanaal|origen)\b",
        ),
    ),
    ColumnRole("priority", (r"priorit|priorid|priorytet", r"\b(severity|urgency|urgence|dringlichkeit|gravite)\b")),
    ColumnRole(
        "place",
        (
            r"\b(city|district|neighbou?rhood|location|site|standort|ort|stadt|lieu|ville|region|bundesland|ciudad|cidade|citta|sede|ubicacion|stad|miasto)\b",
            r"\bstate\b",
        ),
    ),
)
CASE_NUMBER_NAMES: Final = (  # a case's number, the one that people use first
    r"\b(ticket|case|incident|issue|request|conversation|complaint|vorgangs?|fall) ?(number|no|nr|nummer|key|schlussel)\b|ticketnummer|vorgangsnummer",
    r"^(number|nummer|numero|nro|n|key|expediente|incidencia|chamado|melding|zgloszenie)$|^(n|nro|numero|nr) (de |di |del |do )?(ticket|incidencia|expediente|chamado|zgloszenia|melding)",
    r"\b(ticket|case|incident|issue|request|enquiry|complaint|conversation|vorgangs?|fall) ?(enquiry )?(id|ref\w*)\b|^(case|ticket|incident|vorgang)$",
    r"^id$|kennung|sagsnr|arendenr|aktenzeichen|^akt$|^referenz$|cislo",
    r"\b(id|no|nr|number|key|ref|reference|kennung)$|(nr|num)$",
    r"ticket|case|incident|enquiry|complaint",
)
CUSTOMER_NAMES: Final = _CUSTOMER_NAMES
TEXT_NAMES: Final = r"\b(subject|title|summary|short description|description|titel|betreff|beschreibung|titre|objet|sujet|words|question|message|asunto|assunto|oggetto|onderwerp|temat|descripcion|descricao|descrizione|omschrijving|opis)\b"
STATUS_NAMES: Final = r"^(status|state|statut|zustand|etat|estado|situacao|stato|stan|(ticket|case|incident|request|current \w+|conversation) (status|state))$"
RATING_NAMES: Final = (
    r"satisf|csat|rating|survey|\brecommend\b|weiterempf|\brecomend\w*|\bstars?\b|\bnps\b|\bscore\b|zufrieden|bewertung|sterne|\bnote\b|schulnote|evaluation"
    r"|valorac|calific|puntuac|encuesta|avaliac|soddisf|\bvoto\b|tevreden|cijfer|beoordel|\bocena\b"
)
NOT_RATING_NAMES: Final = r"date|comment|remark|kommentar|commentaire|reason|\bsla\b|priorit|lead|credit|\bat\b|time|complex|health|risk|impact|urgenc|\bsent\b|count|\bself\b|\bagent\b|internal|intern\b"
GRADE_NAMES: Final = (
    r"\bnote\b|schulnote|\bgrade\b|\bnota\b|\bvoto\b|cijfer|\bocena\b"  # of which the least may be the best
)
SLA_NAMES: Final = (
    r"\bsla\b|^late$|verspatet|en retard|te laat|on ?time|resolution status|timely|eingehalten|breach|violat|overdue"
)
NOT_SLA_NAMES: Final = r"first respon|first repl|time to|diff|every response"
LATE_NAMES: Final = r"breach|violat|overdue|missed|failed|\blate\b|verpasst|verfehlt"  # such a column's yes means that the promise was missed

CLOSED_STATUSES: Final = frozenset(
    [
        "closed",
        "resolved",
        "solved",
        "done",
        "completed",
        "complete",
        "finished",
        "fixed",
        "geschlossen",
        "gelost",
        "geloest",
        "erledigt",
        "abgeschlossen",
        "clos",
        "cloture",
        "clotures",
        "resolu",
        "ferme",
        "termine",
        "erfolgreich geschlossen",
        *("cerrado", "cerrada", "resuelto", "resuelta", "finalizado", "finalizada", "solucionado", "solucionada"),
        *("fechado", "fechada", "encerrado", "encerrada", "resolvido", "resolvida", "concluido", "concluida"),
        *("chiuso", "chiusa", "risolto", "risolta", "gesloten", "opgelost", "afgehandeld", "afgerond"),
        *("zamkniete", "zamkniety", "rozwiazane", "rozwiazany", "zakonczone"),
    ]
)
"""A status that says that the case is over."""
CANCELLED_STATUSES: Final = frozenset(
    [
        "cancelled",
        "canceled",
        "abandoned",
        "rejected",
        "declined",
        "withdrawn",
        "spam",
        "junk",
        "duplicate",
        "merged",
        "deleted",
        "storniert",
        "abgelehnt",
        "abgebrochen",
        "zuruckgezogen",
        "annule",
        "rejete",
        *(
            "anulado",
            "anulada",
            "cancelado",
            "cancelada",
            "rechazado",
            "annullato",
            "annullata",
            "geannuleerd",
            "anulowane",
        ),
    ]
)
"""A status that says that the case is over and nobody was served."""
_CLOSED_BEGINNINGS = (
    "closed",
    "resolved",
    "solved",
    "completed",
    "done",
    "geschlossen",
    "gelost",
    "erfolgreich geschlossen",
    "clos",
    "resolu",
)


def is_closed_status(status: str) -> bool:
    """Whether a state's plain words say that the case is over, as `closed complete` does."""
    return status in CLOSED_STATUSES or status.startswith(tuple(f"{word} " for word in _CLOSED_BEGINNINGS))


def is_cancelled_status(status: str) -> bool:
    """Whether a state's plain words say that nobody was served."""
    return bool(CANCELLED_STATUSES & set(status.split()))


def is_open_status(status: str) -> bool:
    """Whether a state's plain words say that the case is not over."""
    first_word = status.split(" ")[0] if status else ""
    return (
        status in OPEN_STATUSES
        or first_word in OPEN_WORDS
        or "progress" in status
        or status.startswith(("re open", "reopen", "wieder"))  # Re-opened is two plain words
    )


OPEN_WORDS: Final = frozenset(
    [
        "new",
        "open",
        "opened",
        "pending",
        "waiting",
        "assigned",
        "reopened",
        "awaiting",
        "on",
        "in",
        "neu",
        "offen",
        "wartend",
        "wartet",
        "zugewiesen",
        "nouveau",
        "ouvert",
        "en",
        "active",
        "stalled",
        "escalated",
        "planned",
        *(
            "abierto",
            "abierta",
            "nuevo",
            "nueva",
            "pendiente",
            "asignado",
            "aberto",
            "aberta",
            "novo",
            "nova",
            "pendente",
        ),
        *(
            "em",
            "aperto",
            "aperta",
            "nuovo",
            "nuova",
            "nieuw",
            "lopend",
            "openstaand",
            "wacht",
            "otwarte",
            "otwarty",
            "nowe",
            "nowy",
            "w",
        ),
    ]
)
"""The words that a state of a case that is not over begins with."""
OPEN_STATUSES: Final = frozenset(
    [
        "new",
        "open",
        "opened",
        "pending",
        "in",
        "progress",
        "on",
        "hold",
        "waiting",
        "assigned",
        "neu",
        "offen",
        "offnet",
        "wartend",
        "in",
        "bearbeitung",
        "nouveau",
        "ouvert",
        "en",
        "cours",
        "en",
        "attente",
        "stalled",
        "active",
        "work",
    ]
)
EVENT_NAMES: Final = (
    r"^(event|action|activity|event type|action type|ereignis|aktion|aktivitat|evenement|evento|accion"
    r"|(new|nouveau|nouvel|neuer|nuevo|nuovo|nowy) (status|state|statut|etat|estado|stato)|status|state|statut)$"
)
_EVENT_WORDS: Final = {  # kind of moment -> what such an event is called
    "asked": "created|opened|received|submitted|new|reported|logged|erstellt|eroffnet|neu|cree|creado|abierto|ouvert|nouveau|nuevo|nuovo|nowy|nowe",
    "reopened": "reopened|re opened|wieder geoffnet|wiedereroffnet|rouvert|reabierto",
    "resolved": "resolved|solved|closed|completed|done|gelost|geschlossen|erledigt|resolu|cloture|ferme|resuelto|cerrado",
    "replied": "replied|reply|answered|responded|agent reply|public reply|beantwortet|antwort|repondu|respondido",
    "assigned": "assigned|taken|accepted|zugewiesen|ubernommen|assigne|asignado",
    "escalated": "escalated|eskaliert|escalade|escalado",
    "chased": "customer reply|customer replied|chased|reminded|kunde antwortet|nachfrage",
}
_EVENT_TAIL = (
    r"( (by|to|from|ticket|case|request|incident|von|an|durch|par|a|por)\b.*)?"  # created by Ana; not: new part ordered
)


def kind_of_event(words: str) -> str:
    """The kind of moment that an event's plain words tell; empty: none that is known."""
    return next((kind for kind, names in _EVENT_WORDS.items() if re.fullmatch(f"({names}){_EVENT_TAIL}", words)), "")


SURVEY_SENT_WORDS: Final = frozenset(("offered", "sent", "survey sent", "angeboten", "envoye"))
"""A rating that was asked for and not given."""
SURVEY_NOT_SENT_WORDS: Final = frozenset(("unoffered", "not offered", "not rated", "no rating"))
GOOD_WORDS: Final = frozenset(
    (
        *(
            "good",
            "good with comment",
            "happy",
            "very happy",
            "extremely happy",
            "satisfied",
            "very satisfied",
            "positive",
        ),
        *(
            "great",
            "awesome",
            "excellent",
            "thumbs up",
            "gut",
            "sehr gut",
            "zufrieden",
            "sehr zufrieden",
            "bon",
            "satisfait",
        ),
        *("tres satisfait", "amazing", "bueno", "buena", "muy bueno", "muy buena", "satisfecho", "muy satisfecho"),
        *(
            "bom",
            "muito bom",
            "satisfeito",
            "buono",
            "ottimo",
            "soddisfatto",
            "goed",
            "zeer goed",
            "tevreden",
            "zeer tevreden",
        ),
    )
)
BAD_WORDS: Final = frozenset(
    (
        *(
            "bad",
            "bad with comment",
            "unhappy",
            "very unhappy",
            "extremely unhappy",
            "dissatisfied",
            "very dissatisfied",
        ),
        *("unsatisfied", "negative", "not good", "poor", "terrible", "thumbs down", "schlecht", "unzufrieden"),
        *("sehr unzufrieden", "mauvais", "insatisfait", "tres insatisfait", "neutral", "just okay", "ok", "okay"),
        *("malo", "mala", "muy malo", "regular", "insatisfecho", "muy insatisfecho", "ruim", "insatisfeito"),
        *("cattivo", "pessimo", "insoddisfatto", "slecht", "matig", "ontevreden", "zeer ontevreden"),
    )
)
_VERDICTS = (  # a kept promise, and a missed one
    ("Within SLA", "SLA Violated"),
    ("In SLA", "Out of SLA"),
    ("Met", "Missed"),
    ("ONTIME", "OVERDUE"),
    ("On time", "Late"),
    ("Achieved", "Failed"),
    ("Kept", "Broken"),
    ("Fulfilled", "Breached"),
    ("Eingehalten", "Nicht eingehalten"),
    ("Respecté", "Dépassé"),
    ("true", "false"),
    ("Sí", "No"),
    ("Sim", "Não"),
    ("Yes", "No"),
    ("Y", "N"),
    ("1", "0"),
    ("Ja", "Nein"),
    ("Oui", "Non"),
)
KEPT_VERDICTS: Final = {plain_words(kept_word): missed_word for kept_word, missed_word in _VERDICTS}
"""A promise kept, in plain words -> the word for the contrary."""
MISSED_VERDICTS: Final = {plain_words(missed_word): kept_word for kept_word, missed_word in _VERDICTS} | {
    "violated": "Met"
}
"""A promise missed, in plain words -> the word for the contrary."""
YES_NO_WORDS: Final = frozenset(plain_words(word) for pair in _VERDICTS[-8:] for word in pair)
"""Words that answer what the column's name asks."""
