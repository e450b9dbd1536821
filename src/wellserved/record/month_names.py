"""Names of months as people write them beside English, for dates such as 9. März 2026 or 9 de enero de 2026.

German, French, Spanish, Portuguese, Italian, Dutch, Polish, Russian, Turkish, Swedish, Danish and Czech: whole and
short, also as they are bent within a date.
"""

from __future__ import annotations

from typing import Final

FOREIGN_MONTHS: Final = {
    "Jan": "januar jänner janvier janv enero ene janeiro gennaio gen januari styczeń sty stycznia январь янв января ocak oca leden ledna",
    "Feb": "februar feber février févr fév fevr febrero fevereiro fev febbraio februari luty lut lutego февраль фев февр февраля şubat şub únor února",
    "Mar": "märz mär mrz mars marzo março maart mrt marzec marca март мар марта mart marts březen března",
    "Apr": "avril avr abril abr aprile kwiecień kwi kwietnia апрель апр апреля nisan nis duben dubna",
    "May": "mai mayo maio maggio mag mei maj maja май мая mayıs květen května",
    "Jun": "juni juin junio junho giugno giu czerwiec cze czerwca июнь июн июня haziran haz červen června",
    "Jul": "juli juillet juil julio julho luglio lug lipiec lip lipca июль июл июля temmuz tem červenec července",
    "Aug": "août aoû aout agosto ago augustus augusti sierpień sie sierpnia август авг августа ağustos ağu srpen srpna",
    "Sep": "sept septembre septiembre setembro set settembre wrzesień wrz września сентябрь сен сент сентября eylül eyl září",
    "Oct": "oktober okt octobre octubre outubro out ottobre ott październik paź października октябрь окт октября ekim eki říjen října",
    "Nov": "novembre noviembre novembro listopad lis listopada listopadu ноябрь ноя нояб ноября kasım kas",
    "Dec": "dezember dez décembre déc diciembre dic dezembro dicembre grudzień gru grudnia декабрь дек декабря aralık ara prosinec prosince",
}
"""English short name -> the names of the month elsewhere, where they are not the English ones."""

CROATIAN_MONTHS: Final = (
    r"(?i)siječ|veljač|ožuj|travnja|travanj|svibnja|svibanj|lipnja|lipanj|srpanj|kolovoz|ruj(?:an|na)|studen"
)
"""Months as Croatian calls them, where `listopad` is October: it is November in Polish and Czech."""
NOVEMBER_OR_OCTOBER: Final = "listopad"

_EDGE = r"[\d .,/-]"


def month_rules() -> list[tuple[str, str]]:
    """RE2 patterns and replacements that turn each name into the English one, a dot behind it included."""
    return [
        (
            rf"(?i)(^|{_EDGE})(?:{'|'.join(sorted(names.split(), key=len, reverse=True))})\.?($|{_EDGE})",
            rf"\1{month}\2",
        )
        for month, names in FOREIGN_MONTHS.items()
    ]
