"""labkit.charts: what holds for every chart."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import plotly.graph_objects as go
import plotly.io
import pytest

from labkit import charts
from labkit.errors import DefinitionError

PER_MODEL = [charts.cost_latency, charts.latency, charts.ttft, charts.scores, charts.tokens_cost]
ALL = [*PER_MODEL, charts.cost_parts, charts.drift, charts.frontier, charts.slices, charts.speed]
every_chart = pytest.mark.parametrize("chart", ALL, ids=lambda chart: chart.__name__)

HOSTILE = [
    "x/<img src=x onerror=alert(1)>",
    "x/<script>alert(1)</script>",
    "x/</script><script>alert(1)</script>",
    'x/<a href="javascript:alert(1)">click</a>',
    "x/<b>bold</b>&amp;",
    "x/$\\frac{1}{2}$",
    "x/%{x} %{y:.3f}",
    "x/a\u202eb\u200bc",
    "x/\x1b[31mred\nline",
]


def _texts(found):
    """Every string in a figure that Plotly would draw."""
    return json.dumps(json.loads(plotly.io.to_json(found)), ensure_ascii=False)


def test_the_names_are_complete():
    """`__all__` lists what there is, and nothing else can be had."""
    assert charts.__all__ == [
        "agreement",
        "block_effects",
        "cost_latency",
        "cost_parts",
        "drift",
        "forest",
        "frontier",
        "latency",
        "nights",
        "scores",
        "slices",
        "speed",
        "step_costs",
        "tokens_cost",
        "ttft",
    ]
    assert dir(charts) == charts.__all__
    with pytest.raises(AttributeError, match="pie"):
        getattr(charts, "pie")  # noqa: B009


@every_chart
def test_a_chart_takes_a_run_or_a_frame(chart, rows):
    """Anything with `.generations()` draws the same figure as its frame."""

    class Run:
        def generations(self, *, columns=None):
            return rows()

    assert _texts(chart(Run())) == _texts(chart(rows()))


TOLD_APART = [chart for chart in ALL if chart is not charts.scores]
told_apart = pytest.mark.parametrize("chart", TOLD_APART, ids=lambda chart: chart.__name__)


@told_apart
@pytest.mark.parametrize(
    ("by", "title", "label"),
    [
        (None, " 4 combinations", "q · local/a"),
        (["prompt", "model"], " 4 combinations", "q · local/a"),
        ("model", " 2 models over 2 prompts", "local/a"),
        ("prompt", " 2 prompts over 2 models", "q"),
    ],
)
def test_prompts_and_models_are_told_apart_as_asked(chart, rows, by, title, label):
    """By model, by prompt, by both; without a word by both where there are several prompts."""
    frame = rows(prompts=["p", "q"])
    if chart is charts.cost_parts and by == "prompt":
        with pytest.raises(DefinitionError, match="over several models, whose prices differ"):
            chart(frame, by=by)
        return
    found = chart(frame, by=by)
    assert title in found.layout.title.text
    drawn = _texts(found)
    assert any(f'"{label}{end}' in drawn for end in ('"', "<", ","))
    assert (" · local/a" in drawn) == (by not in ("model", "prompt"))


@told_apart
def test_one_prompt_is_not_told_of(chart, rows):
    """Where all models got the same prompt they alone are the contenders."""
    title = chart(rows()).layout.title.text
    assert " 2 models" in title
    assert "over" not in title


@told_apart
@pytest.mark.parametrize("by", ["sample", [], ["model", "model"]])
def test_what_cannot_be_told_apart_is_refused(chart, rows, by):
    """A wrong `by` says what there is."""
    with pytest.raises(DefinitionError, match="compare by 'model', 'prompt' or"):
        chart(rows(), by=by)


def test_a_model_keeps_its_colour_whatever_is_compared(rows):
    """By model and by both: one colour for each model, one marker for each prompt, no two alike."""
    frame = rows([f"openai/m{i}" for i in range(3)], prompts=["p", "q", "r"])
    alone = {trace.name: trace.marker.color for trace in charts.cost_latency(frame, by="model").data}
    looks = {}
    for trace in charts.cost_latency(frame).data:
        prompt, model = trace.name.split(" · ")
        assert trace.marker.color == alone[model]
        looks[prompt, model] = (trace.marker.symbol, trace.marker.color)
    assert len(set(looks.values())) == 9
    assert len({(prompt, symbol) for (prompt, _), (symbol, _) in looks.items()}) == 3
    assert {trace.line.color for trace in charts.latency(frame, by="prompt").data if trace.name} == {
        "#7f7f7f"
    }


@every_chart
@pytest.mark.parametrize("what", ["empty", "all failed", "all stopped", "not scored", "all replayed"])
def test_nothing_to_draw_is_a_sentence(chart, rows, what):
    """A frame without data gives a figure; where nothing can be drawn it says so."""
    frame = {
        "empty": rows().iloc[:0],
        "all failed": rows(status="failed", latency_s=None, ttft_s=None, cost_usd=None).assign(
            **{"score.exact": None}
        ),
        "all stopped": rows(status="stopped", latency_s=None, cost_usd=None).assign(**{"score.exact": None}),
        "not scored": rows().drop(columns="score.exact"),
        "all replayed": rows(replayed_from="g1", latency_s=None, ttft_s=None),
    }[what]
    found = chart(frame)
    assert isinstance(found, go.Figure)
    if not found.data:
        assert found.layout.annotations[0].text
        assert "n = 0" in found.layout.title.text


@every_chart
def test_one_row_is_drawn(chart, rows):
    """A single answer is a point without an interval, or a sentence; not a crash."""
    found = chart(rows(models=["m"], samples=1))
    assert found.data or found.layout.annotations[0].text


@every_chart
def test_a_missing_column_or_a_wrong_thing_is_named(chart, rows):
    """What is no run, and a frame without models, are DefinitionErrors."""
    with pytest.raises(DefinitionError, match="'model'"):
        chart(rows().drop(columns="model"))
    with pytest.raises(DefinitionError, match="not a dict"):
        chart({})


@every_chart
def test_paper_is_transparent_and_text_grey(chart, rows):
    """The figure fits a light and a dark page."""
    layout = chart(rows()).layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert layout.font.color == "#7f7f7f"


def test_a_model_has_one_colour_and_one_marker_everywhere(rows):
    """In each chart of a frame a model is drawn in the same colour."""
    frame = rows([f"openai/m{i}" for i in range(12)])
    from labkit.charts.model_styles import styles

    style = styles(set(frame["model"]))["openai/m7"]
    for chart in (charts.cost_latency, charts.latency, charts.ttft):
        (trace,) = [t for t in chart(frame).data if t.name and t.name.startswith("openai/m7")]
        assert (trace.line.color or trace.marker.color) == style.colour
    assert f'"{style.colour}"' in _texts(charts.scores(frame))


@every_chart
def test_local_models_say_so(chart, rows):
    """A local model's latency is never mixed with remote ones without a word."""
    assert "local/a" in _texts(chart(rows()))


@every_chart
def test_labels_take_the_place_of_ids(chart, rows):
    """A given label is shown, escaped."""
    drawn = _texts(chart(rows(), labels={"local/a": "A <few-shot base>"}))
    assert "A &lt;few-shot base&gt;" in drawn
    assert "local/a" not in drawn


@every_chart
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_never_reach_plotly_as_markup(chart, rows, name):
    """Names are escaped, made visible, and never part of a hover template."""
    found = chart(rows([name, "openai/b"], prompts=[name]).rename(columns={"score.exact": f"score.{name}"}))
    drawn = _texts(found)
    assert "<img" not in drawn
    assert "<script" not in drawn
    assert "<a href" not in drawn
    assert "<b>" not in drawn
    assert not set(drawn) & set("\u202e\u200b\x1b$")
    assert not any(trace.hovertemplate or trace.texttemplate for trace in found.data)


class _Scripts(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)


@every_chart
def test_exported_html_has_no_element_from_data(chart, rows):
    """A chart written to HTML has the same elements whatever its names are."""
    clean, dirty = _Scripts(), _Scripts()
    clean.feed(plotly.io.to_html(chart(rows(["openai/b"])), include_plotlyjs=False))
    dirty.feed(plotly.io.to_html(chart(rows([HOSTILE[2]], prompts=[HOSTILE[2]])), include_plotlyjs=False))
    assert dirty.tags == clean.tags


@pytest.mark.alone
def test_a_browser_shows_the_very_characters(rows, chromium):
    """In Chromium, hostile names make no element, no link, no dialog; the characters themselves are seen."""
    import plotly.offline

    names = [name for name in HOSTILE if "\x1b" not in name]
    figures = [chart(rows(names, prompts=names[:2])) for chart in ALL]
    spoken: list[str] = []
    page = chromium.new_page(viewport={"width": 1000, "height": 800})
    page.on("dialog", lambda dialog: spoken.append(dialog.message))
    page.on("request", lambda request: spoken.append(request.url))
    page.set_content("<div id='c'></div>")
    page.add_script_tag(content=plotly.offline.get_plotlyjs())
    for found in figures:
        page.evaluate(
            """async figure => {
                await Plotly.newPlot('c', figure.data, figure.layout, {displayModeBar: false});
                const last = figure.data.findLastIndex(trace => trace.hovertext);
                const {xaxis = 'x', yaxis = 'y'} = figure.data[last];
                if (figure.data[last].type !== 'heatmap') // its cells are pointed at below
                    Plotly.Fx.hover('c', [{curveNumber: last, pointNumber: 0}], [xaxis + yaxis]);
            }""",
            json.loads(plotly.io.to_json(found)),
        )
        page.wait_for_timeout(120)
        if found.data[-1].type == "heatmap":
            box = page.locator("#c .heatmaplayer image").bounding_box()
            page.mouse.move(box["x"] + 1, box["y"] + 1)
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 2)
            page.locator("#c .hoverlayer text").first.wait_for()
        assert page.locator("#c a[href], #c img, #c iframe, #c script").count() == 0
        seen = page.locator("#c").inner_text() + page.locator("#c").evaluate("e => e.textContent")
        assert page.locator("#c .hoverlayer text").count() > 0
        assert "<script>alert(1)</script>" in seen
        assert "$\\frac{1}{2}$" in seen
    page.close()
    assert not spoken
