"""What every report is made of: the page, its pieces and its charts, in one HTML file that needs nothing else.

Everything that comes from data passes through `markupsafe`, so markup in it shows as the text it is.
"""

from tensaku.report.bars import Bar, bar_chart
from tensaku.report.control import Reading, control_chart
from tensaku.report.lines import Line, Mark, line_chart
from tensaku.report.page import page
from tensaku.report.pieces import Figure, cards, count, duration, grid, percent, section, strip

__all__ = [
    "Bar",
    "Figure",
    "Line",
    "Mark",
    "Reading",
    "bar_chart",
    "cards",
    "control_chart",
    "count",
    "duration",
    "grid",
    "line_chart",
    "page",
    "percent",
    "section",
    "strip",
]
