"""`windows:` through the command line: tables by hand, pipelines by chance, and real data, row by row."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.places import ONLY_IN_FULL
from tests.support.windows import chance, cli, cmapss, crowd, fraud, nab, retail, tables
from tests.support.windows.table import Table


@pytest.mark.parametrize("table", [*tables.TABLES, *tables.FEATURE_TABLES], ids=lambda table: table.name)
def test_the_engine_gives(table: Table, tmp_path: Path) -> None:
    cli.check(table.case(), tmp_path)


# The last two met a window that was empty when something came out of order.
@pytest.mark.parametrize("seed", [*range(100), 1217, 1309])
def test_the_engine_agrees_with_the_reference(seed: int, tmp_path: Path) -> None:
    cli.check(chance.case(seed), tmp_path)


def test_many_rows_come_in_several_batches(tmp_path: Path) -> None:
    case = chance.long_case(1, 20_000)
    scored = cli.check(case, tmp_path)
    assert len(scored.accepted) > 2 * 8192, "more than two of the program's batches"


def test_the_handbooks_features_of_every_payment(tmp_path: Path) -> None:
    case = fraud.case()
    scored = cli.check(case, tmp_path)
    golden, rows = fraud.golden()
    golden.check(fraud.golden_rows(scored.accepted, rows), scored.rejected)


def test_customers_and_products_of_a_shop(tmp_path: Path) -> None:
    scored = cli.check(retail.customers_and_products(), tmp_path)
    assert f"NULL_KEY           {retail.WITHOUT_CUSTOMER}" in scored.said


def test_products_of_a_shop(tmp_path: Path) -> None:
    cli.check(retail.products(), tmp_path)


@pytest.mark.parametrize("late", ["default", pytest.param("reject", marks=ONLY_IN_FULL), "use"])
def test_58_sensors_whose_clocks_lie_years_apart(late: nab.Late, tmp_path: Path) -> None:
    cli.check(nab.case(late), tmp_path)


def test_58_sensors_one_after_the_other(tmp_path: Path) -> None:
    cli.check(nab.case("default", "files"), tmp_path)


def test_engines_over_their_last_cycles(tmp_path: Path) -> None:
    cli.check(cmapss.case(), tmp_path)


def test_the_place_of_a_rejected_row_is_told(tmp_path: Path) -> None:
    case = next(table for table in tables.TABLES if "null in a block" in table.name).case()
    cli.score(case, tmp_path)
    lines = (tmp_path / "rejected.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert all('"stage":"windows"' in line for line in lines), lines


def test_a_key_of_a_hundred_thousand_events_in_one_millisecond(tmp_path: Path) -> None:
    cli.check(crowd.one_millisecond(100_000), tmp_path)
