"""Letters of old code pages: each text is read as it was written, or as Windows-1252 where nothing speaks for another."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellserved.progress import no_progress
from wellserved.sources.bytes import open_text

TEXTS = {
    "cp1251": "Номер;Дата;Тема\n1;2026-01-13;Не работает принтер\n2;2026-01-14;Замена картриджа, срочно!\n",
    "cp1250": "Nr zgłoszenia;Data;Treść\n1;2026-01-13;Nie działa łącze w świetlicy, proszę o pomoc\n2;2026-01-14;Żarówka\n",
    "cp1250 ": "Číslo;Datum;Předmět\n1;2026-01-13;Nefunguje tiskárna, dveře u výtahu, Děkuji, prosím opět zařídit\n",
    "cp932": "番号;日付;件名\n1;2026-01-13;プリンターが動かない\n2;2026-01-14;パスワードを忘れました\n",
    "cp1252": "Nr;Datum;Betreff\n1;2026-01-13;Größe geändert – „äußerst“ ärgerlich\n2;2026-01-14;Tür\n",
    "cp1252 ": "N°;Date;Objet\n1;2026-01-13;Écran cassé, où est l’été ? ça reçu naïve œuvre\n",
    "cp1252  ": "N.;Data;Oggetto\n1;2026-01-13;Perché la città è così, più lunedì; però già martedì\n",
    "cp1252   ": "Sagsnr;Dato;Emne\n1;2026-01-13;Nøgle på kontoret, dør åben, flæskesteg\n2;2026-01-14;Køkken på første\n",
    "cp1252    ": "N;Fecha;Asunto\n1;2026-01-13;¿Cuándo? Señor Muñoz, ¡qué pingüino! 3³ m² ¹ £20\n",
    "cp1252 a": "Nr;Text\n1;Größe 4 m³, 12 m³ und 7 m³, Fußnote¹ und Fußnote²\n",
    "cp1252 b": "Nr;Texto\n1;¿cómo va la contraseña? ¿cuándo? ¿cómo se llama?\n",
    "cp1252 c": "Nr;Text\n1;£400 and £12k for the café; 3³ and 4³\n",
    "cp1252 d": "Nr;Tekst\n1;Løsning gør på få dage, Šimic, åben dør, hør her\n",
    "cp1252 e": "N;Texte\n1;Où est l’aïeul naïf de Škoda, là-bas où il a plu\n",
    "cp1253": "Α;Κείμενο\n1;Καλημέρα σας, πώς είστε σήμερα\n",
    "cp850": "Nr;Name\n1;M\u00fcller und G\u00e2teau, sch\u00f6n gr\u00fc\u00dfen\n",
    "cp1252     ": "Nr;Omschrijving\n1;Coördinatie, één café, coöperatie, ideeën\n",
}


@pytest.mark.parametrize("code_page", TEXTS)
def test_a_text_is_read_as_it_was_written(code_page: str, tmp_path: Path) -> None:
    file = tmp_path / "file.csv"
    file.write_bytes(TEXTS[code_page].encode(code_page.split()[0]))
    text = open_text(file, tmp_path, no_progress)
    names = {"cp1251": "windows-1251", "cp1250": "windows-1250", "cp932": "shift-jis"}
    name = code_page.split()[0]
    assert text.encoding == f"utf-8 with {names.get(name, 'windows-1252')}"  # which every other page is taken for
    if name in (*names, "cp1252"):
        assert text.path.read_text(encoding="utf-8") == TEXTS[code_page]


def test_a_bad_line_among_good_ones_is_judged_alone(tmp_path: Path) -> None:
    """What is UTF-8 speaks for no old page, whatever its bytes would be there."""
    file = tmp_path / "file.csv"
    good = "Nr;Texto\n" + "".join(f"{number};óptica, según, cómo, avión\n" for number in range(50))
    file.write_bytes(good.encode() + "99;España mañana\n".encode("cp1252"))
    text = open_text(file, tmp_path, no_progress)
    assert text.path.read_text(encoding="utf-8") == good + "99;España mañana\n"
