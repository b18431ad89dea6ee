"""Charts: lines that are interrupted where nothing is known, stacked columns, and flavors by size."""

from datetime import date

from pages.charts import bars, landscape, percentages

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


def test_columns_are_stacked_on_an_axis_that_is_easy_to_read() -> None:
    chart = bars([("Run 1", "/1", [("missing", "missing", 3), ("differs", "different", 0)]), ("Run 2", "", [])])
    assert chart is not None
    assert [tick.text for tick in chart.ticks] == ["0", "2", "4"]
    assert [tick.at for tick in chart.ticks] == [100, 50, 0]
    first, second = chart.bars
    assert [(part.at, part.length, part.words) for part in first.parts] == [(0, 75, "missing")]
    assert (first.words, second.words, second.total) == ("Run 1: 3 missing", "Run 2: none", 0)
    assert first.at + first.thickness < second.at
    assert chart.key == [("missing", "missing")]
    chart = bars([("a", "", [("good", "servers", 130)])])
    assert chart is not None
    assert chart.ticks[-1].text == "200"
    assert bars([("Run 1", "", [("missing", "missing", 0)])]) is bars([]) is None


def test_flavors_of_one_size_are_one_dot_and_each_step_doubles() -> None:
    chart = landscape([("a", 1, 1024), ("b", 2, 2048), ("c", 1, 1024), ("d", 4, 4096)])
    assert chart is not None
    assert [(dot.names, dot.across, dot.up) for dot in chart.dots] == [
        (["a", "c"], 5, 95),
        (["b"], 50, 50),
        (["d"], 95, 5),
    ]
    assert [tick.text for tick in chart.across] == ["1", "2", "4"]
    assert [tick.text for tick in chart.up] == ["1 GiB", "2 GiB", "4 GiB"]
    assert landscape([("alone", 3, 1500)]) is not None
    assert landscape([]) is None
