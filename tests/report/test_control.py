"""Control charts: every figure drawn where it is, limits as steps, what is outside marked."""

from __future__ import annotations

import re

from tensaku.report import Reading, control_chart

TITLE = ("応答時間", "seconds")


def heights(chart: str, style: str) -> list[float]:
    return [float(y) for y in re.findall(rf'<circle class="{style}" cx="[\d.]+" cy="([\d.]+)"', chart)]


def test_values_and_limits_are_drawn() -> None:
    rows = [Reading(f"2026-0{n}", value) for n, value in enumerate((2.0, 3.0, 2.5), 1)]
    rows.append(Reading("2026-04", 9.0, 1.0, 2.5, 4.0, out=True))
    chart = str(control_chart(TITLE, rows))
    inside, (outside,) = heights(chart, "reading-dot"), heights(chart, "reading-dot out")
    assert len(inside) == 3
    assert outside < min(inside)  # higher on the drawing is further down in its numbers
    assert chart.count('class="bound"') == 2
    assert chart.count('class="middle"') == 1
    assert "2026-04 9 !" in chart
    bounds = re.findall(r'<polyline class="bound" points="[\d.]+,([\d.]+)', chart)
    low, high = map(float, bounds)
    assert high < low < 200
    assert outside < high


def test_gaps_one_month_and_nothing() -> None:
    assert control_chart(TITLE, []) == ""
    assert control_chart(TITLE, [Reading("2026-01", None)]) == ""
    assert heights(str(control_chart(TITLE, [Reading("2026-01", 0.0)])), "reading-dot")
    gap = [Reading("2026-01", 1.0, 0.5, 1.0, 1.5), Reading("2026-02", None), Reading("2026-03", 1.2, 0.5, 1.0, 1.5)]
    chart = str(control_chart(TITLE, gap))
    assert len(heights(chart, "reading-dot")) == 2
    assert chart.count('class="bound"') == 4  # no limit is drawn through a month without one


def test_many_months_keep_their_newest_and_words_are_text() -> None:
    rows = [Reading(f"{2000 + n // 12}-{n % 12 + 1:02d}", float(n)) for n in range(60)]
    chart = str(control_chart(("<b>", ""), rows))
    assert len(heights(chart, "reading-dot")) == 24
    assert "2004-12" in chart
    assert "<b><b>" not in chart
    assert "&lt;b&gt;" in chart
