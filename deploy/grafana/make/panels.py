"""Kinds of panels, each with one way to look on all dashboards; what they ask is not known here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.builders import table as table_panel
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from .colours import BAD, GOOD, NEUTRAL, WARNING
from .queries import Query
from .units import MONEY, SIGNS

Panel = Builder[models.Panel]
Steps = Sequence[tuple[float, str]]
"""Thresholds: from which value on which colour."""

RISING: Steps = ((0.1, WARNING), (0.3, BAD))
"""Of a share that should be small."""
DATASOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
WHOLE_WIDTH = 24


class _Common(Protocol):
    """What builders of all kinds of panels have."""

    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: models.DataSourceRef) -> Self: ...
    def unit(self, unit: str) -> Self: ...
    def span(self, w: int) -> Self: ...
    def height(self, h: int) -> Self: ...
    def with_target(self, target: prometheus.Dataquery) -> Self: ...
    def thresholds(self, thresholds: Builder[models.ThresholdsConfig]) -> Self: ...
    def data_links(self, links: list[Builder[models.DashboardLink]]) -> Self: ...
    def override_by_name(self, name: str, properties: list[models.DynamicConfigValue]) -> Self: ...
    def override_by_regexp(self, regexp: str, properties: list[models.DynamicConfigValue]) -> Self: ...


Kind = TypeVar("Kind", bound=_Common)


@dataclass(frozen=True, slots=True)
class Look:
    """What panels of all kinds have: their words, unit, size on the grid of 24 columns, thresholds and links.

    *colours* are by the value that the legend begins with.
    """

    title: str
    text: str
    unit: str
    width: int = 12
    height: int = 8
    steps: Steps = ()
    links: Sequence[Builder[models.DashboardLink]] = ()
    colours: Mapping[str, str] | None = None


def tile(
    title: str, text: str, unit: str, *, steps: Steps = (), colours: Mapping[str, str] | None = None, width: int = 4
) -> Look:
    """Give the look of a number in the row at the top, where six have room."""
    return Look(title, text, unit, width=width, height=4, steps=steps, colours=colours)


def lines(look: Look, *queries: Query, top: float | None = None, dashed: Steps = ()) -> Panel:
    """Give lines over time. *top* is the end of the axis, *dashed* are limits drawn across."""
    return _over_time(look, queries, stacked=False, top=top, dashed=dashed)


def stack(look: Look, *queries: Query) -> Panel:
    """Give areas over time, on top of each other: parts of a whole."""
    return _over_time(look, queries, stacked=True, top=None, dashed=())


def number(look: Look, *queries: Query) -> Panel:
    """Give the latest value in large letters, one for each series."""
    panel = (
        _dressed(stat.Panel(), look, queries)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields(""))
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .color_mode(shapes.BigValueColorMode.VALUE)
        .text_mode(shapes.BigValueTextMode.AUTO)
    )
    return panel if look.steps else panel.color_scheme(_fixed(NEUTRAL))


def bars(look: Look, *queries: Query) -> Panel:
    """Give one bar for each series, by its latest value."""
    return (
        _dressed(bargauge.Panel(), look, queries)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields(""))
        .orientation(shapes.VizOrientation.HORIZONTAL)
        .display_mode(shapes.BarGaugeDisplayMode.BASIC)
        .min(0)
    )


def timeline(look: Look, query: Query, words: Mapping[str, str], *, first: int = 1) -> Panel:
    """Give one row for each series, coloured by what its numbers stand for: *words* with their colours in order."""
    return (
        _dressed(statetimeline.Panel(), look, (query,))
        .mappings([_mapping(words, first)])
        .show_value(shapes.VisibilityMode.NEVER)
        .row_height(0.85)
        .merge_values(True)
        .fill_opacity(80)
        .legend(common.VizLegendOptions().display_mode(shapes.LegendDisplayMode.LIST).show_legend(True))
    )


def heat(look: Look, query: Query, *, scheme: str = "Oranges") -> Panel:
    """Give one row of cells for each series, the darker the more."""
    colours = (
        heatmap.HeatmapColorOptions()
        .mode(HeatmapColorMode.SCHEME)
        .scheme(scheme)
        .steps(64)
        .exponent(0.5)
        .fill("dark-orange")
    )
    return (
        _dressed(heatmap.Panel(), look, (query,))
        .calculate(False)
        .color(colours)
        .cell_gap(1)
        .cell_values(heatmap.CellValues().unit(look.unit))
        .rows_frame(heatmap.RowsHeatmapOptions().layout(shapes.HeatmapCellLayout.AUTO).value(look.title))
        .mode(shapes.TooltipDisplayMode.SINGLE)
        .show_legend()
    )


@dataclass(frozen=True, slots=True)
class Column:
    """A column of numbers: the query gives one for each row."""

    title: str
    unit: str
    expr: str
    steps: Steps = ()


def table(look: Look, *columns: Column, hidden: Sequence[str] = (), sort: str = "") -> Panel:
    """Give a table: a row for each set of labels, which all columns share; *hidden* labels are left out.

    Rows are in the order of the column *sort*, the most first.
    """
    queries = [Query(column.expr, instant=True) for column in columns]
    panel = _dressed(table_panel.Panel(), look, queries, form=PromQueryFormat.TABLE)
    panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    left_out = dict.fromkeys(("Time", *hidden), True)
    panel.with_transformation(models.DataTransformerConfig(id_val="organize", options={"excludeByName": left_out}))
    panel.filterable(True)
    for letter, column in zip(ascii_uppercase, columns, strict=False):
        properties = [_property("displayName", column.title), _property("unit", column.unit)]
        if column.steps:
            properties += [
                _property("thresholds", _thresholds(column.steps).build()),
                _property("custom.cellOptions", {"type": "color-text"}),
            ]
        # A single query keeps the plain name.
        panel.override_by_name(f"Value #{letter}" if len(columns) > 1 else "Value", properties)
    if sort:
        panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(True)])
    return panel


def _over_time(look: Look, queries: Sequence[Query], *, stacked: bool, top: float | None, dashed: Steps) -> Panel:
    panel = (
        _dressed(timeseries.Panel(), look, queries)
        .min(0)
        .line_width(1)
        .fill_opacity(60 if stacked else 8)
        .show_points(shapes.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(shapes.LegendDisplayMode.TABLE)
            .placement(shapes.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["mean", "lastNotNull"])
        )
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
        .stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL if stacked else shapes.StackingMode.NONE))
    )
    if top is not None:
        panel.max(top)
    if dashed:
        panel.thresholds(_thresholds(dashed))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.DASHED))
    return panel


def _dressed(
    panel: Kind, look: Look, queries: Sequence[Query], *, form: PromQueryFormat = PromQueryFormat.TIME_SERIES
) -> Kind:
    panel.title(look.title).description(look.text).datasource(DATASOURCE).unit(look.unit)
    panel.span(look.width).height(look.height)
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(_target(letter, query, form))
    if look.steps:
        panel.thresholds(_thresholds(look.steps))
    if look.links:
        panel.data_links(list(look.links))
    for word, colour in (look.colours or {}).items():
        panel.override_by_regexp(f"/^{word}\\b/", [_property("color", {"mode": "fixed", "fixedColor": colour})])
    if look.unit == MONEY and "$currency" in look.title:
        for code, unit in SIGNS.items():
            panel.override_by_regexp(f"/\\b{code}$/", [_property("unit", unit)])
    return panel


def _target(letter: str, query: Query, form: PromQueryFormat) -> prometheus.Dataquery:
    target = prometheus.Dataquery().ref_id(letter).expr(query.expr).datasource(DATASOURCE).format(form)
    if query.legend:
        target.legend_format(query.legend)
    if query.step:
        target.interval(query.step)
    return target.instant() if query.instant else target.range()


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    found = [
        models.Threshold(value=None, color=GOOD),
        *(models.Threshold(value=at, color=name) for at, name in steps),
    ]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(found)


def _mapping(words: Mapping[str, str], first: int) -> models.ValueMap:
    return models.ValueMap(
        options={
            str(at): models.ValueMappingResult(text=word, color=colour, index=at - first)
            for at, (word, colour) in enumerate(words.items(), start=first)
        }
    )


def _fixed(colour: str) -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(models.FieldColorModeId.FIXED).fixed_color(colour)


def _property(name: str, value: object) -> models.DynamicConfigValue:
    return models.DynamicConfigValue(id_val=name, value=value)
