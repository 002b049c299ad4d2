"""The report: whole, safe, offline; and drawn by a real browser where there is one."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from chromium import CHROMIUM, visit

from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.storage.results import Results
from hemobench.errors import BenchmarkError
from hemobench.reports.comparison.comparison import report_columns
from hemobench.reports.html.report import plotly_js, write_report
from hemobench.reports.shipped import RESULTS
from hemobench.reports.validation.repeats import concluded

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "{{ 7*7 }}",
    "<b>bold</b>%{x}",
    "&lt;i&gt;",
]


class Page(HTMLParser):
    """Collects what a test asks for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text: list[str] = []
        self._in: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in = [*self._in, tag] if tag in ("script", "style") else self._in

    def handle_endtag(self, tag: str) -> None:
        self._in = self._in[:-1] if self._in and self._in[-1] == tag else self._in

    def handle_data(self, data: str) -> None:
        (self.scripts if self._in[-1:] == ["script"] else self.text).append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def results(quick_results: Results) -> Results:
    """Of four strategies."""
    runs = quick_results.runs[quick_results.runs["strategy"] != "hyperopt-tpe"]
    return Results(runs, quick_results.trials[quick_results.trials["run"].isin(runs.index)])


@pytest.fixture(scope="module")
def report(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(results, path, startup={"sssr": "24 random trials"})
    return path


@pytest.fixture(scope="module")
def page(report: Path) -> Page:
    return Page(report.read_text(encoding="utf-8").replace(plotly_js(), ""))


def hostile_report(run: Callable[..., Any], collect: Callable[..., Results], path: Path) -> str:
    runs = [
        run(name, seed, (1, 0.2 + k / 50), (2, 0.1 + k / 50)) for k, name in enumerate(HOSTILE) for seed in range(6)
    ]
    runs += [run("random", seed, (1, 0.3), status="strategy-error") for seed in range(6)]
    results = collect(runs)
    trials = results.trials.assign(**{"config.dropout_1": 0.2, "config.hidden_size": 512, "config.batch_size": 32})
    write_report(Results(results.runs, trials), path, heading=HOSTILE[0], startup={HOSTILE[1]: HOSTILE[0]})
    return path.read_text(encoding="utf-8")


def test_the_answer_comes_first(page: Page) -> None:
    text = " ".join("".join(page.text).split())
    assert text.index("bone-marrow@published, 5000 GPU-hours") < text.index("Leaderboard")
    assert text.index("not known: ") < text.index("Leaderboard")  # three seeds
    assert "With 5 GPU-hours on c-nmc@published: not known: " in text
    assert "Suite test" in text
    assert "no critical-difference diagram of 2 tasks" in text
    assert "Provenance" in text
    assert "calibrat" in text or "published figures beside what this benchmark gives" in text


def test_nothing_is_fetched(page: Page, report: Path) -> None:
    for _, attrs in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert not attrs.get(name) or str(attrs[name]).startswith(("#", "data:,")), attrs
    policy = next(str(meta["content"]) for meta in page.named("meta") if "Content-Security-Policy" in str(meta))
    assert policy.startswith("default-src 'none'")
    assert not re.search(r"https?:", policy)
    assert not re.search(r"@import|url\(", report.read_text(encoding="utf-8").split("</style>")[0])
    assert report.read_text(encoding="utf-8").count(plotly_js()) == 1
    assert report.stat().st_size < 10e6


def test_it_can_be_read_without_seeing_it(page: Page) -> None:
    assert page.named("html")[0]["lang"] == "en"
    assert [len(page.named(tag)) for tag in ("main", "header", "footer", "h1")] == [1, 1, 1, 1]
    assert page.tags[next(k for k, (tag, _) in enumerate(page.tags) if tag == "body") + 1][1]["class"] == "skip"
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for attrs in page.named("a"):
        assert str(attrs["href"]).removeprefix("#") in ids
    for _, attrs in page.tags:
        for name in ("aria-labelledby", "aria-describedby"):
            assert name not in attrs or attrs[name] in ids
    assert len(page.named("caption")) == len(page.named("table")) > 10
    others = sum(text.startswith(("In words:", "The card of", "What these runs")) for text in page.text)
    assert others >= 6
    assert len(page.named("figcaption")) == len(page.named("figure")) == len(page.named("details")) - others
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(later - before <= 1 for before, later in pairwise(levels))


def test_charts_do_not_rest_on_colour(page: Page) -> None:
    charts = [json.loads(text) for text in page.scripts if text.startswith('{"data"')]
    assert len(charts) == len(page.named("figure"))
    for chart in charts:
        lines = [trace for trace in chart["data"] if trace.get("name") and trace.get("mode") == "lines+markers"]
        looks = [(trace["line"]["dash"], trace["marker"]["symbol"]) for trace in lines]
        assert len(looks) == len(set(looks))
        bars = [trace["marker"]["pattern"]["shape"] for trace in chart["data"] if "pattern" in trace.get("marker", {})]
        assert len(bars) == len(set(bars))


def test_parallel_coordinates_are_in_the_papers_colours(page: Page) -> None:
    charts = [json.loads(text) for text in page.scripts if '"parcoords"' in text and text.startswith('{"data"')]
    assert len(charts) == 2
    trace = charts[0]["data"][0]
    groups = np.array(trace["line"]["color"])
    assert (groups == 4).sum() == 10  # random search's top ten
    assert {1, 2, 3} <= set(groups.tolist())
    assert (np.diff(groups) >= 0).all()  # the most telling are drawn last
    labels = [dimension["label"] for dimension in trace["dimensions"]]
    assert (labels[0], labels[-1]) == ("trial of", "micro F1 %")
    top = np.array(trace["dimensions"][-1]["values"])
    assert top[groups == 4].min() >= top[groups == 1].max()


def test_hostile_names_are_text(run: Callable[..., Any], collect: Callable[..., Results], tmp_path: Path) -> None:
    page = Page(hostile_report(run, collect, tmp_path / "report.html").replace(plotly_js(), ""))
    assert not page.named("img")
    assert not page.named("b")
    text = "".join(page.text)
    for name in HOSTILE:
        assert name in text
    assert "<b>luck</b>" in text  # an error's text
    assert [script for script in page.scripts if "alert(" in script and not script.startswith('{"data"')] == []
    charts = [json.loads(script) for script in page.scripts if script.startswith('{"data"')]
    names = {str(trace.get("name")) for chart in charts for trace in chart["data"]}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in names  # which plotly shows as it was
    assert not any("<" in name for name in names)


def test_a_report_of_nothing_comparable(
    run: Callable[..., Any], collect: Callable[..., Results], tmp_path: Path
) -> None:
    write_report(collect([run("random", 0, (2, 0.1)), run("tpe", 1, (2, 0.1))]), tmp_path / "report.html")
    assert "nothing can be compared" in (tmp_path / "report.html").read_text(encoding="utf-8")
    write_report(collect([run("tpe", 0, status="unfinished")]), tmp_path / "report.html")
    assert "not known: no strategy has a result on every seed" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_second_phase_has_its_figures_and_what_they_rest_on(worked: Results, tmp_path: Path) -> None:
    values = {"random": [80.0, 82.0], "sssr": [81.0, 85.0]}
    sides = {"validation": values, "test": values}
    found = concluded(sides, "c-nmc@live", "accuracy", 40, {"test": {"auroc": {"random": [90.25, 92.5]}}})
    phase = replace(found, basis=("First weights: <none>.",))
    write_report(worked, tmp_path / "report.html", validations=[phase])
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    start = text.index('id="phases"')
    section = text[start : text.index("</section>", start)]
    for words in ("c-nmc@live, test accuracy in %, 40 epochs", "83.00", "AUC", "91.38", "First weights: &lt;none&gt;."):
        assert words in section
    assert 'href="#phases"' in text


def test_a_file_that_cannot_be_written(worked: Results, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="No such file"):
        write_report(worked, tmp_path / "none" / "report.html")


def test_thirty_seeds_take_megabytes(results: Results, tmp_path: Path) -> None:
    copies, beyond = range(10), results.runs.index.max() + 1
    seeds = [results.runs.assign(seed=results.runs["seed"] + 3 * k) for k in copies]
    runs = [of.set_axis(results.runs.index + beyond * k) for k, of in zip(copies, seeds, strict=True)]
    trials = [results.trials.assign(run=results.trials["run"] + beyond * k) for k in copies]
    many = Results(pd.concat(runs).rename_axis("run"), pd.concat(trials, ignore_index=True))
    assert many.runs["seed"].nunique() == 30
    write_report(many, tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 10e6


def browse(url: Path, folder: Path) -> tuple[str, str]:
    """What Chromium makes of a page, and what it logs."""
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
        "--hide-scrollbars", "--enable-logging=stderr", f"--user-data-dir={folder / 'profile'}",
        f"--log-net-log={folder / 'net.json'}", "--window-size=1280,2400",
        "--virtual-time-budget=8000", "--dump-dom", url.as_uri(),
    ]  # fmt: skip
    for _ in range(2):  # software WebGL under virtual time hangs now and then, whatever the page
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=45, check=True)
        except subprocess.TimeoutExpired:
            shutil.rmtree(folder / "profile", ignore_errors=True)
        else:
            return done.stdout, done.stderr
    pytest.skip("Chromium hangs on this machine: nothing can be said of the page")


def complaints(log: str) -> list[str]:
    """Console messages of weight; that a machine draws WebGL without a graphics card is none."""
    lines = [line for line in log.splitlines() if "CONSOLE" in line]
    return [line for line in lines if not re.search(r"software WebGL|GL Driver Message", line)]


def hosts(folder: Path) -> set[str]:
    """Every host that a page asked for; Chromium itself asks for its maker's, and then there is no initiator."""
    events = json.loads((folder / "net.json").read_text(errors="replace"))["events"]
    asked = [event["params"] for event in events if "initiator" in event.get("params", {})]
    urls = [str(params.get("url", "")) for params in asked if params["initiator"] != "not an origin"]
    return {url.split("/")[2] for url in urls if not url.startswith(("file:", "data:", "blob:"))}


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_request_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        '<img src="http://nowhere.invalid/x.png"><script>console.error("seen")</script>'
    )
    _, log = browse(tmp_path / "page.html", tmp_path)
    assert hosts(tmp_path) == {"nowhere.invalid"}
    assert len(complaints(log)) == 1


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("hostile", [False, True])
def test_a_browser_draws_every_chart_and_asks_nobody(
    report: Path, run: Callable[..., Any], collect: Callable[..., Results], tmp_path: Path, hostile: bool
) -> None:
    if hostile:
        report = tmp_path / "hostile.html"
        hostile_report(run, collect, report)
    dom, log = browse(report, tmp_path)
    charts = report.read_text(encoding="utf-8").count('role="img"')
    assert complaints(log) == []
    assert hosts(tmp_path) == set()
    assert f'data-drawn="{charts}"' in dom[:2000]
    assert dom.count('data-drawn="yes"') == charts
    shown = dom.split('id="reading"')[0]  # without the library, which has the message in it
    assert "WebGL is not supported" not in shown
    if hostile:
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
        assert "<img" not in re.sub(r"<script.*?</script>", "", shown, flags=re.DOTALL)


LOOK = """(() => {
  const box = (element) => element.getBoundingClientRect();
  const name = (element) => element.tagName + "." + (element.className.baseVal ?? element.className) + ": "
    + element.textContent.trim().slice(0, 60);
  const within = (inner, outer) => inner.left >= outer.left - 1.5 && inner.right <= outer.right + 1.5
    && inner.top >= outer.top - 1.5 && inner.bottom <= outer.bottom + 1.5;
  const overlap = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2;
  const shown = (element) => element.checkVisibility()
    && element.getClientRects().length && !element.closest(".unseen, .skip, thead, .strip")
    && getComputedStyle(element).visibility !== "hidden";
  function page(said) {
    if (document.documentElement.scrollWidth > innerWidth) said.push("the page scrolls sideways");
    for (const element of document.querySelectorAll("body *:not(script)")) {
      if (!shown(element) || element.closest("svg, .js-plotly-plot")) continue;
      const style = getComputedStyle(element);
      const needs = style.display !== "inline" && element.scrollWidth > element.clientWidth + 1;
      // what may be pushed aside on a phone: parallel coordinates, and tables that a reader opens
      const pans = element.matches(".wide .scroll, details .scroll") && innerWidth < 900;
      if (needs && !pans) said.push("too wide for its room: " + name(element));
      const out = box(element).right > innerWidth + 1 || box(element).left < -1;
      if (out && !element.closest(".wide .scroll, details .scroll"))
        said.push("beyond the edge: " + name(element));
    }
  }
  function chart(place, said) {
    if (!place.closest(".wide") && box(place).width > box(place.closest("figure")).width + 1)
      said.push("a chart is wider than its figure: " + name(place));
    for (const svg of place.querySelectorAll("svg.main-svg")) {
      if (!within(box(svg), box(place))) said.push("a plot is larger than its chart: " + name(place));
      for (const text of svg.querySelectorAll("text"))
        if (text.textContent.trim() && box(text).width && !within(box(text), box(place)))
          said.push("cut off in a chart: " + name(text));
    }
    const all = (what) => Array.from(place.querySelectorAll(what)).filter((text) => box(text).width);
    const plots = all(".cartesianlayer .bg, .bglayer .bg"), legends = all(".legend");
    const words = [...all(".xtick text, .ytick text, .xtitle, .ytitle"), ...legends];
    words.forEach((one, k) => words.slice(k + 1).forEach((other) => {
      if (overlap(box(one), box(other))) said.push("one over the other: " + name(one) + " | " + name(other));
    }));
    for (const one of legends) for (const plot of plots)
      if (overlap(box(one), box(plot))) said.push("a legend over a plot: " + name(one));
  }
  function look() {
    const said = [];
    page(said);
    document.querySelectorAll(".chart").forEach((place) => { if (place.checkVisibility()) chart(place, said); });
    return said;
  }
  return look();
})()"""
"""Says what is wider than the room it has, lies beyond an edge, or lies over something else."""
OPENED = """(async () => {
  document.querySelectorAll("details").forEach((each) => { each.open = true; });
  await new Promise((done) => setTimeout(done, 300));
  return LOOK;
})()""".replace("LOOK", LOOK)
"""The same with all details opened."""


@pytest.fixture(scope="module")
def shipped_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a few seeds of all that comes along: seven strategies, two units of time, strategies out of support."""
    path = tmp_path_factory.mktemp("shipped") / "report.html"
    whole = load_results(RESULTS, report_columns)
    runs = whole.runs[whole.runs["seed"] < 6]
    write_report(Results(runs, whole.of(runs.index)), path)
    return path


STYLE = "const style = document.head.appendChild(document.createElement('style')); style.textContent"
FLAWS = {
    "the page scrolls sideways": f"{STYLE} = '#answer p {{ width: 900px }}'",
    "beyond the edge: P": f"{STYLE} = '#answer p {{ width: 900px }}'",
    "too wide for its room: P": f"{STYLE} = '#answer p {{ white-space: nowrap; overflow: hidden }}'",
    "too wide for its room: TD": f"{STYLE} = '.grid td {{ max-width: 3em; overflow: hidden; white-space: nowrap }}'",
    "too wide for its room: DIV.scroll": f"{STYLE} = 'table.grid td {{ min-width: 900px }}'",
    "a chart is wider than its figure": f"{STYLE} = '.figures .chart {{ width: 700px }}'",
    "a plot is larger than its chart": f"{STYLE} = '.chart svg {{ width: 700px; min-width: 700px }}'",
    "cut off in a chart": f"{STYLE} = '.chart .xtitle {{ font-size: 30px !important }}'",
    "a legend over a plot": f"{STYLE} = '.chart .legend {{ transform: translate(80px, 100px) }}'",
    "one over the other": f"{STYLE} = '.chart .ytick text {{ font-size: 60px !important }}'",
}
"""What plants a flaw, by what is said of it."""


# One test a page: a browser's start and the drawing of all charts are what takes long.


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_nothing_is_cut_off_and_what_is_would_be_seen(shipped_report: Path, tmp_path: Path) -> None:
    planted = [f"(() => {{ {flaw}; const said = {LOOK}; style.remove(); return said; }})()" for flaw in FLAWS.values()]
    whole = [LOOK, OPENED]
    narrow, *wider = visit(
        shipped_report, {390: [LOOK, *planted, OPENED], 1280: whole, 1920: whole}, tmp_path / "profile"
    )
    closed, *found, opened = narrow.found
    assert (closed, opened) == ([], [])
    seen = {said: any(line.startswith(said) for line in lines) for said, lines in zip(FLAWS, found, strict=True)}
    assert seen == dict.fromkeys(FLAWS, True)
    for wide in wider:
        assert wide.found == [[], []]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_nothing_is_cut_off_beside_the_papers_and_it_looks_like_a_page(report: Path, tmp_path: Path) -> None:
    for each in visit(report, {390: [LOOK, OPENED], 1280: [LOOK, OPENED]}, tmp_path / "profile"):
        assert each.found == [[], []]
        require_picture(each.picture)


def require_picture(content: bytes) -> None:
    """A dark page with something on it, nothing of which runs over the right edge."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        shot = np.asarray(image.convert("RGB"), dtype=int)
    assert shot[:, :8].mean() < 40
    assert shot.std() > 15
    assert (np.abs(shot[:, -4:] - shot[40, -2]) < 80).mean() > 0.95
