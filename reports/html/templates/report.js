// Draws the charts one after the other, in the page's colours; again when these, or the width, change.
"use strict";
(function () {
  const charts = Array.from(document.querySelectorAll("[data-chart]"));
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");

  function themed(layout, narrow) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = { gridcolor: colour("--line"), linecolor: colour("--line"), tickcolor: colour("--line") };
    const base = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true,
      font: { color: colour("--ink"), size: narrow ? 11 : 12.5, family: "system-ui, sans-serif" },
      margin: { l: 60, r: 16, t: 12, b: 44 }, transition: still.matches ? { duration: 0 } : undefined,
      legend: { orientation: "h", y: -0.22, yanchor: "top", x: 0, xanchor: "left" },
      hoverlabel: { namelength: 24 }, barmode: layout.barmode
    };
    const merged = Object.assign({}, base, layout);
    for (const name of ["xaxis", "yaxis"]) {
      if (layout[name]) { merged[name] = Object.assign({}, axis, layout[name]); }
    }
    return merged;
  }

  function draw(place) {
    const chart = JSON.parse(document.getElementById(place.dataset.chart).textContent);
    const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
    for (const trace of chart.data) {
      if (trace.type === "parcoords") {
        trace.labelfont = trace.tickfont = { color: ink, size: 11 };
        trace.rangefont = { color: "rgba(0,0,0,0)", size: 1 };
      }
      for (const whisker of [trace.error_x, trace.error_y]) { if (whisker) { whisker.color = ink; } }
    }
    const options = { responsive: true, displayModeBar: false, scrollZoom: false };
    return Plotly.react(place, chart.data, themed(chart.layout, place.clientWidth < 480), options)
      .then(function () { place.dataset.drawn = "yes"; })
      .catch(function (problem) { place.textContent = "This chart could not be drawn; its table is below."; throw problem; });
  }

  function drawFrom(number) {
    if (number < charts.length) { draw(charts[number]).finally(function () { setTimeout(drawFrom, 0, number + 1); }); }
    else { document.documentElement.dataset.drawn = String(charts.length); }
  }

  dark.addEventListener("change", function () { drawFrom(0); });
  drawFrom(0);
})();
