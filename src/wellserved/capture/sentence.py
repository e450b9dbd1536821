"""What kind of moment a sentence speaks of, where nobody said so at its head: proposed, and never taken in silence.

English and German, by one table that is read from the top: the first rule whose pattern is found proposes its word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wellserved.capture import CapturedLine


@dataclass(frozen=True)
class SentenceRule:
    """One way in which people speak of a kind of moment."""

    name: str
    pattern: re.Pattern[str]
    word: str


def _rule(name: str, word: str, *patterns: str) -> SentenceRule:
    return SentenceRule(name, re.compile("|".join(patterns), re.IGNORECASE), word)


SENTENCE_RULES: Final = (
    _rule(
        "a promise that cannot be kept", "broken",
        r"\b(?:can['’]?t|cannot|can not|won['’]?t|will not|unable to|not able to)\b[^.;!?]{0,60}?\b(?:keep|make it|manage|meet|finish|deliver|be (?:done|ready|there|able|finished))\b",
        r"\b(?:can['’]?t|cannot|won['’]?t) make\b", r"\b(?:have|had) to (?:cancel|call off)\b",
        r"\bschaff(?:e|en|t)\b[^.;!?]{0,60}\bnicht\b", r"\bnicht (?:ein)?(?:halten|gehalten|schaffen|geschafft)\b", r"\bwird nichts(?: mehr)?\b",
        r"\b(?:can['’]?t|cannot|won['’]?t|wont|will not|not going to)\b[^.;!?]{0,80}\b(?:promised|told (?:him|her|them)|i said|had said|as agreed|after all)\b", r"\b(?:won['’]?t|can['’]?t) (?:get to|be able|come|arrive|happen|work out|get (?:it|there|round))\b", r"\b(?:klappt|geht|wird|k(?:ö|oe)nnen|kann)\b[^.;!?]{0,60}\b(?:doch nicht|nicht mehr|leider nicht|nicht wie)\b", r"\b(?:trotz|entgegen) (?:der |meiner )?zusage\b", r"\bmuss(?:te)? ich absagen\b", r"\bwill be late (?:with|for)\b", r"\bnot (?:be )?(?:ready|done|finished|available) (?:by|on time|until|in time)\b",
        r"\bpromised\b[^.;!?]{0,80}\b(?:is(?:n['’]?t| not)|are(?:n['’]?t| not)|we['’]re not|not doing|not going|fell through|got pulled)\b",
    ),
    _rule(
        "another time was agreed", "renegotiated",
        r"\bagreed (?:with|on|to)\b[^.;!?]{0,80}\b(?:instead|new|later|until|now)\b", r"\b(?:re-?scheduled|postponed|put off)\b",
        r"\b(?:moved|pushed|shifted)(?: it| back| out)? (?:to|from|until)\b[^.;!?]{0,60}(?:agree|fine|ok)",
        r"\b(?:moved|pushed) (?:back )?to (?:next )?(?:mon|tue|wed|thu|fri|sat|sun|tomorrow|\d)", r"\bverschoben\b", r"\bneuen? Termin\b",
        r"\b(?:settled on|agreed on|changed (?:it |that )?to|swapped (?:it )?(?:to|for)|instead)\b[^.;!?]{0,60}\b(?:instead|mon|tue|wed|thu|fri|sat|sun|tomorrow|next|\d)", r"\b(?:mon|tue|wed|thu|fri|sat|sun|tomorrow|\d)[^.;!?]{0,60}\binstead\b", r"\b(?:neu vereinbart|umgebucht auf|verlegt auf|auf (?:den )?\d[^.;!?]{0,30} verlegt|stattdessen)\b", r"\bextended (?:it |the deadline )?(?:to|until)\b",
    ),
    _rule(
        "a lesson", "lesson",
        r"^\W{0,3}(?:next time|from now on|in future|always|never|note to self|n(?:ä|ae)chstes mal|beim n(?:ä|ae)chsten mal|immer|nie wieder|k(?:ü|ue)nftig)\b",
        r"\b(?:learn(?:ed|t)\b(?! (?:that )?(?:from|of) (?:a|the) customer)|lesson|gelernt|gemerkt, dass)\b",
        r"\b(?:better to|never again|lieber (?:erst|gleich|vorher)|k(?:ü|ue)nftig|ab jetzt|in zukunft|from now on|next time|n(?:ä|ae)chstes mal|it pays to|rule of thumb|remember to|merke)\b", r"^\W{0,3}if you\b", r"\bthe hard way\b",
        r"\b(?:turns out you|won['’]?t do that again|should always|have to remember)\b",
    ),
    _rule(
        "an idea", "idea",
        r"^\W{0,3}(?:idea|idee|vorschlag|suggestion)\b", r"^\W{0,3}(?:why (?:don['’]?t|not|do we not)|how about|what if|maybe (?:we|i)|perhaps we|we (?:could|should)\b|could (?:we|have)|should we|can we not|"
        r"wie w(?:ä|ae)re|warum (?:nicht|machen wir)|k(?:ö|oe)nnten wir|wir (?:k(?:ö|oe)nnten|sollten)|man (?:k(?:ö|oe)nnte|sollte)|vielleicht (?:k|s))",
        r"\bwould be (?:better|good|great|easier) (?:if|to)\b", r"\bw(?:ä|ae)re (?:gut|besser|sinnvoll)\b",
        r"^\W{0,3}(?:maybe|perhaps|vielleicht|imagine)\b", r"\b(?:we|they|guests|patients|customers|people|everyone|outpatients) could (?:get|have|use|do|see|put|print|offer|just)\b", r"\b(?:would save|w(?:ü|ue)rde (?:uns )?(?:viel )?(?:zeit|arbeit)? ?spar|spart)\b", r"^\W{0,3}(?:a|an|one|ein|eine) [^.;!?]{0,80}\b(?:so (?:that )?[^.;!?]{0,30} (?:need not|can|don['’]?t have|wouldn['’]?t)|would (?:help|save|stop)|damit)\b",
        r"\b(?:suggests?|suggested|schl(?:ä|ae)gt vor|proposes)\b",
    ),
    _rule(
        "a failure was made right", "recovered",
        r"\b(?:fixed|repaired|corrected|sorted (?:it )?out|made (?:it |that )?(?:right|good|up)|put (?:it |that )?right|apologi[sz]ed)\b",
        r"\b(?:back (?:up|online|to normal|in order)|working again|runs again)\b", r"\bwith (?:an? )?apolog", r"\b(?:waived|credited|refunded|reversed)\b(?![^.;!?]{0,60}\b(?:as|like) )",
        r"\bcancelled the [^.;!?]{0,40}\b(?:fee|charge|fine|reminder|invoice)\b",
        r"\bl(?:ä|ae)uft wieder\b", r"\b(?:behoben|korrigiert|nachgeholt|berichtigt|entschuldigt|wiedergutgemacht|ausgebessert)\b", r"\bwieder in ordnung\b",
        r"\b(?:(?:all |got it |is |are )sorted|after all|took [^.;!?]{0,40} off|made up for|replaced (?:it|the|his|her|their)|resent|re-?sent|re-?done|redid|restored|recovered|working (?:fine )?now|works (?:fine )?(?:now|again)|comped|upgraded (?:him|her|them)[^.;!?]{0,40}(?:for|because|after|as))\b", r"\b(?:erstattet|ersetzt|ausgetauscht|geht wieder|funktioniert wieder|wiederhergestellt|gutgeschrieben|repariert)\b",
        r"\b(?:make up for|bereinigt|vers(?:ö|oe)hnt|refunded it|off (?:his|her|their) bill)\b",
    ),
    _rule(
        "more than was expected", "exceeded",
        r"\b(?:sooner|earlier|faster|quicker|more|better|longer) than\b[^.;!?]{0,30}\b(?:expected|hoped|thought|asked|agreed|promised|planned|needed|they|she|he|had)\b",
        r"\b(?:reckoned|counted) (?:with|on)\b", r"\bcould(?:n['’]?t| not) believe\b", r"\b(?:fr(?:ü|ue)her|schneller|mehr|besser) als (?:erwartet|gedacht|gehofft|versprochen|geplant|vereinbart|er|sie)\b",
        r"\b(?:went|gone) the extra mile\b", r"\bnicht damit gerechnet\b",
        r"\b(?:on my own time|in my (?:own )?(?:break|lunch)|(?:she|he|they) (?:cried|hugged)|speechless|blown away|didn['’]?t expect|hadn['’]?t expected|never expected|surprised (?:him|her|them)|as a surprise|without being asked|before (?:he|she|they) (?:even )?asked)\b", r"\b(?:hat(?:te)?n? nicht (?:damit )?(?:erwartet|gerechnet)|(?:ü|ue)berrascht|noch vor (?:der|dem))\b",
        r"\b(?:only (?:wanted|expected|asked)|had no idea we|before i said|they['’]d been told it (?:takes|would))\b",
    ),
    _rule(
        "a promise was kept", "kept",
        r"\b(?:as|like) (?:(?:i|we) )?(?:had )?(?:promised|agreed|said|told)\b", r"\bas i said i would\b", r"\b(?:we|i) had (?:promised|agreed)\b",
        r"\bkept (?:my|our|the) (?:promise|word)\b", r"\bwie (?:[^\W\d_]{2,12} )?(?:versprochen|vereinbart|zugesagt|besprochen|abgemacht|angek(?:ü|ue)ndigt)\b", r"\bp(?:ü|ue)nktlich geliefert\b",
        r"\bwie (?:[^\W\d_]{2,12} )?(?:abgesprochen|ausgemacht|verabredet)\b", r"\b(?:exactly )?(?:when|as|what) i(?:['’]d| had) (?:said|told|promised)\b", r"\bas (?:arranged|discussed|announced)\b",
        r"\b(?:days?|hours?|minutes?) before i (?:had )?(?:said|promised)\b", r"\bp(?:ü|ue)nktlich wie\b",
    ),
    _rule(
        "a promise", "promise",
        r"^\W{0,3}(?:i |we )?(?:have |ve )?(?:promise[ds]?|said yes|versprochen|zugesagt)\b", r"^\W{0,3}(?:promised|told) \S+(?: \S+)? (?:i|we|he|she|they|it)(?:['’]ll|['’]d| will| would)\b",
    ),
    _rule(
        "a customer gave thanks", "thanks",
        r"\bthank(?:s|ed|ful)?\b(?! (?:god|goodness))", r"\b(?:prais(?:e|ed|ing)|grateful|delighted|compliment\w*)\b", r"\b(?:so|very|really|over the moon|super) (?:happy|pleased|glad)\b",
        r"\b(?:chocolates?|flowers|cake|card) (?:for|from|to)\b", r"\bsent (?:us |me |the team )?(?:chocolates?|flowers|a card|cake)\b",
        r"\b(?:bedankt|bedanken|dankt|dankbar|gelobt|lobt|lob)\b", r"\b(?:sehr|richtig|total|so) (?:froh|gl(?:ü|ue)cklich|zufrieden|begeistert)\b",
        r"\b(?:gave|left|brought) (?:me|us|the team) (?:a )?(?:hug|tip|cake|flowers|chocolates|five stars|a lovely|a nice)\b", r"\b(?:loved|raved|appreciat\w+|chuffed|made (?:her|his|their) day)\b", r"\b(?:freut sich|hat sich (?:sehr )?gefreut|begeistert|super service|gro(?:ß|ss)es lob)\b",
        r"\b(?:thx|shook my hand|nice (?:mail|email|note|letter|words|review)|made my day|saved (?:my|her|his|their|our) (?:day|morning|week|life)|brilliant|lovely (?:mail|note|words|review)|wrote to my (?:boss|manager))\b", r"\bnoch (?:keiner|niemand|nie)[^.;!?]{0,30}(?:geholfen|erlebt)\b",
    ),
    _rule(
        "expected and got", "gap",
        r"\bexpected\b[^.;!?]{0,80}\b(?:got|received|but)\b", r"\berwartet\b[^.;!?]{0,80}\b(?:bekommen|bekam|aber|erhalten)\b", r"\b(?:gave|rated|rates|gibt|gab|bewertet)\b[^.;!?]{0,60}\b\d ?(?:of|out of|von|/) ?\d",
        r"\b\d ?(?:of|out of|von|/) ?\d stars?\b", r"\b\d (?:stars?|sterne)\b",
        r"\bexpected \d",
    ),
    _rule(
        "a customer complained", "complaint",
        r"\bcomplain", r"\b(?:beschwer|reklamier|beklag)", r"\b(?:annoyed|angry|furious|upset|unhappy|disappointed|fed up|cross (?:with|that|about)|livid|not happy|irritated)\b",
        r"\b(?:ver(?:ä|ae)rgert|sauer|w(?:ü|ue)tend|ungehalten|unzufrieden|entt(?:ä|ae)uscht|emp(?:ö|oe)rt|genervt)\b",
        r"\b(?:says?|said|tells? (?:me|us)|told (?:me|us)|claims?|finds?|feels?|meint|sagt|findet)\b[^.;!?]{0,60}\b(?:always|never|nobody|no one|no-one|not once|waited|waiting|ignored|rude|unfriendly|too (?:long|late|slow)|nie(?:mand)?|keiner|immer|zu (?:lange|sp(?:ä|ae)t)|gewartet|unfreundlich)\b",
        r"\b(?:moan(?:s|ed)?|grumbl\w+|shouted|yelled|rant(?:s|ed)?|threaten\w*|demand(?:s|ed)|not (?:amused|impressed)|third time|second time|again and again|has had enough|frustrated)\b", r"\b(?:schimpft|schimpfte|droht|verlangt|zum (?:zweiten|dritten|vierten) mal|stinksauer|gemeckert|meckert|kritisiert)\b", r"\bwhy (?:it|nobody|no one|we|the) [^.;!?]{0,40}(?:take|takes|took|always|never|still)\b",
        r"\b(?:tired of|every single (?:day|time)|sick of)\b",
    ),
    _rule(
        "an expectation was missed", "missed",
        r"\b(?:forg[eo]t(?:ten)?|failed|fail(?:ed)? to|screwed|messed up|mixed (?:up|him|her|them)|slipped (?:my|our|through)|overlooked|my (?:mistake|fault|bad|error)|our (?:mistake|fault|error)|because of (?:me|us)|breach(?:ed)?|missed|dropped the ball|too late)\b",
        r"\blet (?:\S+ ){1,4}down\b", r"\bwrong\b", r"\b(?:did|was|were|had|have|has)(?:n['’]?t| not)\b[^.;!?]{0,40}\b(?:call|phone|answer|reply|send|sent|tell|told|inform|ready|back|come|came|turn)",
        r"\bnobody (?:showed|came|told|called|turned|answered|informed|noticed)\b", r"\btold (?:nobody|no one|no-one)\b", r"\bshould have\b", r"\bhad to wait\b",
        r"\b(?:vergessen|verg(?:a|ae|ä)(?:ß|ss)|falsch\w{0,2}|vers(?:ä|ae)umt|verpasst|verschlafen|(?:ü|ue)bersehen|verwechselt|vertauscht|zu sp(?:ä|ae)t|mein fehler|unser fehler|nicht (?:zur(?:ü|ue)ck)?gerufen|nicht gemeldet|nicht erschienen|im stich)\b",
        r"\b(?:lost|broke|damaged|spilled|misplaced|mis-?read|double[- ]booked|over-?booked|deleted|wiped|locked (?:him|her|them) out|sent (?:him|her|them) away|kept (?:him|her|them) waiting|left (?:him|her|them)|without (?:telling|the)|had to (?:phone|call|ask|come|remind|chase|stand|walk|sleep))\b", r"\b(?:sorry|oops|sadly|embarrass\w+|ashamed)\b", r"\bwaited (?:\S+ ){1,4}?(?:hours?|minutes?|mins?|days?|weeks?|h)\b", r"\b(?:stunden?|minuten?|tage?|wochen?)[^.;!?]{0,40}\bgewartet\b", r"\b(?:darf nicht passieren|h(?:ä|ae)tte nicht passieren|verloren|kaputt|doppelt (?:gebucht|belegt|vergeben)|gel(?:ö|oe)scht|liegen (?:ge)?(?:lassen|geblieben)|umsonst|peinlich|nicht (?:informiert|bescheid|angerufen|weitergegeben|weitergeleitet|bestellt|gebucht|eingetragen|erreicht|reserviert)|ausgefallen)\b", r"\b(?:didn['’]?t|hadn['’]?t|wasn['’]?t|weren['’]?t|never|didnt|wasnt) (?:been )?(?:get|got|order\w*|book\w*|pass\w*|forward\w*|clean\w*|work\w*|there|reserved|set up|reached|arriv\w*)\b",
        r"\bsat in (?:my|our|the) (?:queue|inbox)\b", r"\bnever (?:made it|set up|told|came|reached|got)\b", r"\bnobody (?:looked|knew|picked)\b", r"\bcharged [^.;!?]{0,40} twice\b", r"\bh(?:ä|ae)tte(?:n)? (?:ich|wir)[^.;!?]{0,40}(?:sollen|m(?:ü|ue)ssen)\b", r"\bnoch nicht (?:gemacht|fertig|bereit|da)\b",
    ),
    _rule(
        "something was promised", "promise",
        r"\bpromis(?:e|ed|ing)\b", r"\b(?:i|we)['’]?ll\b", r"\b(?:i|we) (?:will|shall)\b", r"^\W{0,3}will \w", r"\bgets? back to\b", r"\bget back to\b", r"\b(?:i|we)['’]d (?:get|call|ring|send|have|be|bring|come)\b",
        r"\btold\b[^.;!?]{0,50}\b(?:(?:he|she|they|it|i|we)(?:['’]ll|['’]d| will| would)|that [^.;!?]{0,40}\b(?:arrives?|comes?|starts?|will))\b",
        r"\b(?:gets?|will get|receives?|will have)\b[^.;!?]{0,80}\b(?:by|before|until|tomorrow|tonight|on (?:mon|tue|wed|thu|fri|sat|sun))", r"\bring [^.;!?]{0,40}\b(?:at|on|tomorrow)\b",
        r"\b(?:zugesagt|versprochen|versprech|zusage)\b", r"\bbekomm(?:t|en)\b[^.;!?]{0,80}\bbis\b", r"\b(?:rufe|melde|schicke|bringe|kl(?:ä|ae)re|komme|liefere|k(?:ü|ue)mmere)\b[^.;!?]{0,80}\b(?:morgen|(?:ü|ue)bermorgen|heute|montag|dienstag|mittwoch|donnerstag|freitag|um|bis|zur(?:ü|ue)ck)\b",
        r"\b(?:i|we) (?:said|told (?:him|her|them)) (?:i|we)(?:['’]ll|['’]d| would| will)\b", r"\b(?:need|have|has|owe) (?:to )?(?:call|ring|get back|let (?:him|her|them) know|send)\b[^.;!?]{0,60}\b(?:by|before|until|tomorrow|today|tonight|at)\b", r"\b(?:kriegt|kriegen|erh(?:ä|ae)lt|erhalten|hat)\b[^.;!?]{0,80}\b(?:bis|sp(?:ä|ae)testens)\b", r"\b(?:versprochen|zugesichert|sage? [^.;!?]{0,40} zu)\b", r"\b(?:is|are) (?:getting|due) [^.;!?]{0,60}\b(?:by|before|on|tomorrow)\b",
        r"\b(?:owe|owes)\b[^.;!?]{0,40}\b(?:call|answer|reply|mail|quote)", r"\bsaid yes to\b", r"\b(?:he|she|they|you)['’]ll (?:hear|have|get)\b", r"\b(?:gave|given|give)\b[^.;!?]{0,30}\bmy word\b", r"\bwill look into\b", r"\btold\b[^.;!?]{0,60}\b(?:will be|is|are)\b[^.;!?]{0,30}\b(?:by|on|before|tomorrow)\b", r"\bmelde mich\b", r", i said\b",
    ),
    _rule(
        "an expectation was met", "met",
        r"\bas (?:specified|ordered|requested|planned|expected)\b", r"\bon time\b", r"\b(?:all (?:she|he|they) needed|exactly what (?:she|he|they))\b", r"\b(?:satisfied|content|no complaints|nothing to add)\b", r"\b(?:\w+ )?(?:hours?|days?|minutes?|time) agreed\b",
        r"\b(?:zufrieden|wie (?:bestellt|gew(?:ü|ue)nscht|geplant)|rechtzeitig|fristgerecht|p(?:ü|ue)nktlich)\b",
        r"\b(?:in time|as (?:he|she|they)(?:['’]d| had) been told|(?:was|were) (?:fine|ok|happy) with|nothing to (?:moan|complain)|went (?:smoothly|as planned|fine|well)|all (?:good|fine|as it should)|found [^.;!?]{0,40} (?:ok|fine|good)|exactly as|ran (?:smoothly|on time))\b", r"\b(?:alles (?:gut|bestens|in ordnung|wie)|reibungslos|hat gepasst|passte alles|nichts zu meckern|p(?:ü|ue)nktlich fertig)\b",
        r"\b(?:went to plan|to plan|as they (?:wanted|asked)|what the sla|inside the (?:hour|day))\b",
    ),
    _rule(
        "a customer asked for something", "asked",
        r"\b(?:wants?|asks?|asked|wonders?|would like|needs?|requests?|requested|hopes?|enquired?|inquired?)\b(?: us| me)?(?: \S+){0,2}? ?(?:to know|if|whether|for|about|to|a|an|his|her|their|the|we|another|more|when|how)\b",
        r"\b(?:m(?:ö|oe)chten?|fragt(?:e|en)?|bittet|bat|w(?:ü|ue)nscht|w(?:ü|ue)nschen|will wissen|wollen wissen|h(?:ä|ae)tte gern|braucht)\b",
        r"\b(?:can|could|may|do) (?:we|i|you|they|he|she) (?:have|get|change|move|use|bring|borrow|extend|stay|check)\b[^.;!]{0,80}\?", r"\b(?:is (?:after|looking for|asking)|are (?:after|looking for|asking)|request(?:s|ed|ing)?|enquir\w+|inquir\w+|has asked|have asked)\b", r"\b(?:anfrage|h(?:ä|ae)tten? gern|sucht|erkundigt sich|will (?:einen|eine|ein|den|die|das)|brauchen|fragt nach)\b",
        r"^\W{0,3}can \w+[^.;!]{0,80}\?", r"\basked (?:at|by|in|on|when|today|yesterday|this)\b",
    ),
    _rule(
        "one's own judgement", "self",
        r"^\W{0,3}(?:good|bad|great|terrible|tough|long|poor) day\b", r"^\W{0,3}(?:i )?was (?:too )?(?:short|impatient|patient|rude|tired|unfriendly|grumpy|calm|friendly|proud)\b", r"\b(?:too little|no|lost my) patience\b",
        r"^\W{0,3}(?:heute )?(?:war ich|ich war)(?: heute)? (?:zu )?(?:ungeduldig|geduldig|unfreundlich|gereizt|kurz angebunden|m(?:ü|ue)de|freundlich)\b", r"\bguter tag|schlechter tag\b",
        r"\b(?:not |quite |really )?proud of (?:today|myself|how)\b", r"\b(?:rushed (?:everyone|everybody|all)|wasn['’]?t my best|not my best|my best) ?(?:day|shift)?\b", r"\bstolz auf (?:mich|heute)\b",
    ),
)  # fmt: skip
"""Read from the top; each pattern has a longest match, so that a line costs as much as it is long."""


_TITLED = re.compile(
    r"(?<![\w@#+])((?:mrs?|ms|miss|dr|prof|frau|herrn?|familie|family)\b\.? (?:dr\.? )?[^\W\d_][\w’-]{1,39}(?: (?!I\b)[A-ZÀ-ÖØ-Þ][a-zà-öø-ÿ][\w’-]{0,39})?)"
    r"(?:['’]s?\b)?",
    re.IGNORECASE,
)  # the second name is written with a capital, whatever the case of the first


@dataclass(frozen=True)
class Proposal:
    """What a sentence may be, and the line as it would be written then: its word at the head, its customer marked."""

    rule: SentenceRule
    line: str

    @property
    def word(self) -> str:
        """The word that is proposed."""
        return self.rule.word


def propose_for(captured_line: CapturedLine) -> Proposal | None:
    """What a line may be that says nothing at its head; None: it says what it is, or it is a note."""
    if captured_line.word != "note" or captured_line.text != captured_line.line:
        return None
    return propose(captured_line.line, captured_line.customer is not None)


def propose(text: str, has_customer: bool = False) -> Proposal | None:
    """What a line without a word at its head may be; None: a note. `has_customer`: it names one that is known."""
    rule = propose_rule(text)
    if rule is None:
        return None
    return Proposal(rule, f"{rule.word}: {text.strip() if has_customer else mark_customer(text.strip())}")


def mark_customer(text: str) -> str:
    """The sentence with the name after its first title marked as a customer's, unless a customer is marked already."""
    name = _titled_name(text)
    if name is None or '+"' in text:
        return text
    return re.sub(rf"(?<![\w@#+\"]){re.escape(name)}(?!\w)", f'+"{name}"', text, count=1)


def _titled_name(text: str) -> str | None:
    """Mrs Jones, herr brandt, Familie Seidel: a name after its title; a capitalised thing after it is none of it."""
    match = _TITLED.search(text)
    if match is None:
        return None
    words = match[1].split()
    title_count = 2 if len(words) > 2 and words[1].rstrip(".").casefold() == "dr" else 1
    if len(words) > title_count + 1 and not (words[-1][0].isupper() and words[title_count][0].isupper()):
        words = words[: title_count + 1]
    if words[0].casefold() in ("frau", "herr", "herrn", "familie"):
        words = words[: title_count + 1]  # in German every noun has a capital
    return " ".join(words)


def propose_rule(text: str) -> SentenceRule | None:
    """The first rule that a sentence follows; None: it is a note."""
    plain_text = " ".join(text.split())
    return next((rule for rule in SENTENCE_RULES if rule.pattern.search(plain_text)), None)
