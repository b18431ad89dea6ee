"""Charts: lines that are interrupted where nothing is known, on an axis that shows what differs."""

from datetime import date

from pages.charts import percentages

DAYS = [date(2026, 11, day) for day in range(1, 6)]


def test_a_line_is_interrupted_where_nothing_is_known() -> None:
    chart = percentages(list(zip(DAYS, [100, 96, None, 97, 99], strict=True)))
    assert chart is not None
    assert chart.lines == ["0.0,0.0 25.0,80.0", "75.0,60.0 100.0,20.0"]
    assert chart.areas[0] == "0.0,100 0.0,0.0 25.0,80.0 25.0,100"
    assert chart.dots == [(100.0, 20.0)]
    assert [tick.text for tick in chart.up] == ["95 %", "97.5 %", "100 %"]
    assert [tick.text for tick in chart.across] == ["Nov 5", "Nov 4", "Nov 3", "Nov 2", "Nov 1"]


def test_a_day_alone_is_a_dot_and_nothing_is_no_chart() -> None:
    chart = percentages(list(zip(DAYS, [None, 40, None, None, None], strict=True)))
    assert chart is not None
    assert (chart.lines, chart.dots) == ([], [(25.0, 60.0)])
    assert percentages([(day, None) for day in DAYS]) is None
