"""Made cases, for benchmarks alone: three years, twelve teams, one case in eight open."""

from __future__ import annotations

from pathlib import Path

import duckdb

from wellserved.cases import CASE_TYPES

START, DAYS = 1_640_995_200, 1_095  # 2022-01-01 UTC


def write(folder: Path, cases: int) -> None:
    """Write `cases/` as the product stores them and `export.parquet` as a helpdesk would export them."""
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    db.execute("SELECT setseed(0.5)")
    end = START + DAYS * 86_400
    db.execute(f"""
        CREATE TABLE made AS SELECT i, a, due, CASE WHEN r <= {end} AND NOT lost THEN r END AS r, team, service, channel,
               handovers, reopens, chases, CASE WHEN rated THEN stars END AS stars, CASE WHEN a + p <= {end} AND NOT lost THEN a + p END AS p,
               CASE WHEN handovers > 0 AND a + p // 2 <= {end} THEN a + p // 2 END AS h, complaints,
               CASE WHEN answered AND r <= {end} AND NOT lost THEN returned END AS returned
        FROM (SELECT i, a, a + 86400 * (2 + i % 19) AS due, a + CAST(exp(11.5 + 1.3 * z) AS BIGINT) AS r, lost,
                     60 + CAST(exp(8 + 1.1 * z) AS BIGINT) AS p,
                     'team ' || (i * 7919 % 12) AS team, 'service ' || (i * 104729 % 150) AS service,
                     'channel ' || (i % 5) AS channel, CAST(floor(random() * 2.3) AS BIGINT) AS handovers,
                     CAST(random() < 0.07 AS BIGINT) AS reopens, CAST(floor(random() * 1.4) AS BIGINT) AS chases,
                     CAST(random() < 0.03 AS BIGINT) AS complaints, random() < 0.3 AS answered, random() < 0.1 AS returned,
                     1 + floor(random() * 5) AS stars, random() < 0.2 AS rated
              FROM (SELECT i, {START} + CAST(random() * {DAYS * 86_400} AS BIGINT) AS a, random() < 0.1 AS lost,
                           sqrt(-2 * ln(1 - random())) * cos(6.283185307 * random()) AS z FROM range({cases}) t(i)))
    """)
    month = "year(to_timestamp({0})) * 100 + month(to_timestamp({0}))"
    given = {
        "source": "'made'", "team": "team", "service": "service", "channel": "channel", "case_id": "CAST(i AS VARCHAR)",
        "moments": "3", "asked_s": "a", "asked_day": "a // 86400", "asked_month": month.format("a"), "resolution_secs": "r - a", "late_secs": "r - due",
        "resolved_s": "r", "resolved_day": "r // 86400", "resolved_month": month.format("r"),
        "closed": "CAST(r IS NOT NULL AS INTEGER)", "abandoned": "0", "resolutions": "CAST(r IS NOT NULL AS INTEGER)", "reopens": "reopens",
        "promise_fate": "CASE WHEN r IS NULL THEN 0 WHEN r <= due THEN 1 ELSE 2 END", "chases": "chases", "contacts": "1 + chases",
        "reply_secs": "p - a", "handover_secs": "h - a", "source_kept": "r <= due",
        "handovers": "handovers", "promises": "1", "due_s": "due", "due_day": "due // 86400", "due_month": month.format("due"),
        "complaints": "complaints", "returns": "coalesce(returned, false)", "accepts": "coalesce(NOT returned, false)", "failures": "0", "score": "stars",
        "scale": "CASE WHEN stars IS NOT NULL THEN 'stars5' END", "resolved_unknown": "0", "closed_first": "0",
        "due_first": "0", "last_s": "coalesce(r, a)",
    }  # fmt: skip
    columns = ", ".join(f"CAST({given.get(name, 'NULL')} AS {kind}) AS {name}" for name, kind in CASE_TYPES.items())
    target = folder / "cases"
    db.execute(
        f"COPY (SELECT {columns} FROM made) TO '{target}' (FORMAT parquet, COMPRESSION snappy, PARTITION_BY (asked_month))"
    )
    stamp = "make_timestamp({0} * 1000000)"
    db.execute(
        f"COPY (SELECT i AS id, {stamp.format('a')} AS opened, {stamp.format('due')} AS due, {stamp.format('r')} AS closed, "
        f"{stamp.format('p')} AS replied, {stamp.format('h')} AS passed_on, team, service, handovers, reopens, chases, complaints, "
        f"returned, r <= due AS met, stars FROM made) TO '{folder / 'export.parquet'}' (FORMAT parquet, COMPRESSION zstd)"
    )
