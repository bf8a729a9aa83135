// Draws every chart of the page: `charts` is the list of Report.Chart records.
const digits = v => v === 0 ? "0" : Math.abs(v) >= 100 ? v.toFixed(0) : String(Number(v.toPrecision(3)));
const scaled = (v, step, units) => {
  let i = 0;
  while (v >= step * 0.9995 && i < units.length - 1) { v /= step; i++; }
  return digits(v) + "\u00a0" + units[i];
};
const text = {
  BYTES: v => scaled(v, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]),
  MEMORY: v => scaled(v, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]),
  NANOSECONDS: v => scaled(v, 1000, ["ns", "µs", "ms", "s"]),
  INSTRUCTIONS: v => scaled(v, 1000, ["", "thousand", "million", "billion"]).trim(),
  RATIO: v => digits(v) + "x",
  SHARE: v => digits(v * 100) + "\u00a0%",
};
const axisName = { NANOSECONDS: "time", INSTRUCTIONS: "instructions", RATIO: "ratio" };

function errorBars(series) {
  return {
    type: "custom", name: series.name, silent: true, z: 3, tooltip: { show: false },
    itemStyle: { color: series.colour },
    encode: { x: 0, y: [1, 2] },
    data: series.points.filter(p => p.high > p.low).map(p => [Math.log2(p.x), p.low, p.high]),
    renderItem(_, api) {
      const low = api.coord([api.value(0), api.value(1)]), high = api.coord([api.value(0), api.value(2)]);
      const style = { stroke: series.colour, lineWidth: 1.3, opacity: 0.8 };
      const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style });
      return { type: "group", children: [line(low[0], low[1], high[0], high[1]),
        line(low[0] - 3, low[1], low[0] + 3, low[1]), line(high[0] - 3, high[1], high[0] + 3, high[1])] };
    },
  };
}

const fonts = { fontFamily: "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif" };
const encode = echarts.format.encodeHTML;

// The names of categories stand left of the plot. On a narrow page, such as a phone's, they are broken into lines.
const NARROW = 560;
const namesWidth = width => width < NARROW ? Math.round(width * 0.36) : 200;
const names = (css, width) => ({ color: css.ink, fontSize: width < NARROW ? 11 : 12.5, lineHeight: 15,
  width: namesWidth(width) - 12, overflow: "break" });
// The legend takes as many rows as its names need, and the plot begins below it.
const ROW = 24;
function legendRows(chart, width, itemWidth) {
  let rows = 1, used = 0;
  for (const s of chart.series) {
    const needs = itemWidth + 21 + echarts.format.getTextRect(s.name, "12.5px " + fonts.fontFamily).width;
    if (used && used + needs > width - 10) { rows++; used = 0; }
    used += needs;
  }
  return rows;
}
const legend = (chart, css, itemWidth) => ({
  top: 4, textStyle: { color: css.ink, fontSize: 12.5 }, itemWidth, itemHeight: 9, itemGap: 16,
  data: chart.series.map(s => s.name),
});
const belowLegend = (chart, width, itemWidth, gap) => 4 + ROW * legendRows(chart, width, itemWidth) + gap;

// What charts share: the look of a tooltip, a row for each series in it, all values, and dashed lines of reference.
const tip = css => ({
  backgroundColor: css.ground, borderColor: css.line, textStyle: { color: css.ink, fontSize: 13 }, confine: true,
});
function tipTable(chart, heading, isMeant) {
  const show = text[chart.unit];
  const range = p => p.high > p.low ? ` <span class="range">(${show(p.low)} \u2013 ${show(p.high)})</span>` : "";
  return `<b>${heading}</b><table class="tip">` + chart.series.map(s => {
    const p = s.points.find(isMeant), name = `<span style="color:${s.colour}">\u25cf</span> ${encode(s.name)}`;
    return p ? `<tr><td>${name}</td><td>${show(p.y)}${range(p)}</td></tr>` : "";
  }).join("") + "</table>";
}
const positives = chart => chart.series.flatMap(s => s.points.flatMap(p => [p.low, p.high]))
  .concat(chart.references.map(r => r.y)).filter(v => v > 0);
const references = (chart, css, axis, position) => chart.references.length ? {
  silent: true, symbol: "none", lineStyle: { color: css.soft, type: "dashed", width: 1.2 },
  data: chart.references.map(r => ({
    [axis]: r.y, label: { formatter: r.label, position, color: css.soft, fontSize: 12 },
  })),
} : undefined;

function bars(chart, css, width) {
  return {
    animation: false, textStyle: fonts,
    grid: { left: namesWidth(width), right: width < NARROW ? 76 : 90, top: 12, bottom: 8 },
    xAxis: { type: "value", min: 0, show: false },
    yAxis: { type: "category", data: chart.categories, inverse: true, axisTick: { show: false },
      axisLine: { lineStyle: { color: css.line } }, axisLabel: names(css, width) },
    // One series per bar, each drawn in the middle of its category.
    series: chart.series.map(s => ({ name: s.name, type: "bar", color: s.colour, barGap: "-100%", barMaxWidth: 18,
      data: chart.categories.map((_, c) => s.points.find(p => p.x === c)?.y ?? null),
      label: { show: true, position: "right", color: css.ink, fontSize: 12.5,
        formatter: item => text[chart.unit](item.value) } })),
  };
}

// The height of a category's row: dots must not cover each other.
const rowHeight = chart => Math.max(30, 8 * chart.series.length + 6);

// One row per category, in it one dot per series with its interval.
function dots(chart, css, width) {
  const show = text[chart.unit], ratio = chart.unit === "RATIO";
  const all = positives(chart);
  const shift = i => (i - (chart.series.length - 1) / 2) * Math.min(8, (rowHeight(chart) - 4) / chart.series.length);
  const tooltip = item => {
    const c = item.value[1];
    return tipTable(chart, encode(chart.categories[c]), p => p.x === c);
  };
  const axis = { axisLabel: { color: css.soft, fontSize: 12, formatter: show, hideOverlap: true },
    splitLine: { lineStyle: { color: css.line } } };
  return {
    animation: false, textStyle: fonts,
    legend: legend(chart, css, 12),
    grid: { left: namesWidth(width), right: width < NARROW ? 20 : 40, top: belowLegend(chart, width, 12, 18),
      bottom: 30 },
    tooltip: { ...tip(css), trigger: "item", formatter: tooltip },
    xAxis: ratio
      ? { ...axis, type: "log", logBase: 2, min: Math.pow(2, Math.floor(Math.log2(Math.min(...all)))),
        max: Math.pow(2, Math.ceil(Math.log2(Math.max(...all)))) }
      : { ...axis, type: "value", min: 0 },
    yAxis: { type: "category", data: chart.categories, inverse: true, axisTick: { show: false },
      axisLine: { show: false }, splitLine: { show: true, lineStyle: { color: css.line } },
      axisLabel: names(css, width) },
    series: chart.series.map((s, i) => ({
      type: "custom", name: s.name, color: s.colour, itemStyle: { color: s.colour }, encode: { x: [0, 2, 3], y: 1 },
      data: s.points.map(p => [p.y, p.x, p.low, p.high]),
      renderItem(_, api) {
        const at = v => api.coord([v, api.value(1)]), [x, y] = at(api.value(0)), row = y + shift(i);
        return { type: "group", children: [
          { type: "line", shape: { x1: at(api.value(2))[0], y1: row, x2: at(api.value(3))[0], y2: row },
            style: { stroke: s.colour, lineWidth: 1.5 } },
          { type: "circle", shape: { cx: x, cy: row, r: 4 }, style: { fill: s.colour } }] };
      },
      markLine: i ? undefined : references(chart, css, "xAxis", "start"),
    })),
  };
}

function lines(chart, css, width) {
  const show = text[chart.unit];
  const all = positives(chart);
  const decade = (v, round) => Math.pow(10, round(Math.log10(v)));
  const axis = { axisLabel: { color: css.soft, fontSize: 12 }, axisLine: { lineStyle: { color: css.line } },
    splitLine: { lineStyle: { color: css.line } }, nameTextStyle: { color: css.soft } };
  const exponents = chart.series.flatMap(s => s.points.map(p => Math.log2(p.x)));
  const low = Math.floor(Math.min(...exponents)), high = Math.ceil(Math.max(...exponents));
  const tooltip = exponent =>
    tipTable(chart, text.BYTES(Math.pow(2, exponent)), p => Math.log2(p.x) === exponent);
  return {
    animation: false, textStyle: fonts,
    legend: legend(chart, css, 18),
    grid: { left: 12, right: 28, top: belowLegend(chart, width, 18, 26), bottom: 28, containLabel: true },
    tooltip: { ...tip(css), trigger: "axis",
      formatter: items => items.length ? tooltip(items[0].value[0]) : "" },
    xAxis: { ...axis, type: "value", min: low, max: high, interval: Math.max(1, 2 * Math.round((high - low) / 20)),
      name: "block size", nameLocation: "middle", nameGap: 30,
      axisLabel: { ...axis.axisLabel, formatter: v => text.BYTES(Math.pow(2, v)), hideOverlap: true } },
    yAxis: { ...axis, type: "log", min: decade(Math.min(...all), Math.floor),
      max: decade(Math.max(...all), Math.ceil), name: axisName[chart.unit],
      axisLabel: { ...axis.axisLabel, formatter: show } },
    series: chart.series.flatMap((s, i) => [{
      name: s.name, type: "line", color: s.colour, symbol: "circle", symbolSize: 6, lineStyle: { width: 2.2 },
      data: s.points.map(p => [Math.log2(p.x), p.y]),
      markLine: i ? undefined : references(chart, css, "yAxis", "insideStartBottom"),
    }, errorBars(s)]),
  };
}

// Amounts of memory over time; each holds until the next look.
function courses(chart, css, width) {
  const axis = { axisLine: { lineStyle: { color: css.line } }, splitLine: { lineStyle: { color: css.line } }, min: 0 };
  const label = { color: css.soft, fontSize: 12, hideOverlap: true };
  return {
    animation: false, textStyle: fonts,
    legend: legend(chart, css, 18),
    grid: { left: 12, right: 28, top: belowLegend(chart, width, 18, 26), bottom: 12, containLabel: true },
    tooltip: { ...tip(css), trigger: "axis",
      axisPointer: { label: { formatter: item => text.NANOSECONDS(item.value) } }, valueFormatter: text.MEMORY },
    xAxis: { ...axis, type: "value", max: "dataMax", axisLabel: { ...label, formatter: text.NANOSECONDS } },
    yAxis: { ...axis, type: "value", axisLabel: { ...label, formatter: text.MEMORY } },
    series: chart.series.map(s => ({ name: s.name, type: "line", step: "end", color: s.colour, symbol: "none",
      lineStyle: { width: 1.8 }, data: s.points.map(p => [p.x, p.y]) })),
  };
}

let drawn = [];
function draw() {
  const style = getComputedStyle(document.documentElement);
  const value = name => style.getPropertyValue("--" + name).trim();
  const css = Object.fromEntries(["ink", "soft", "line", "ground"].map(name => [name, value(name)]));
  drawn.forEach(c => c.dispose());
  drawn = [...document.querySelectorAll(".chart")].map(element => {
    const data = charts[Number(element.dataset.chart)], categories = data.categories.length;
    const dotted = categories && (data.unit === "RATIO" || data.unit === "SHARE");
    const rows = legendRows(data, element.clientWidth, dotted ? 12 : 18);
    element.style.height = (dotted ? 60 + ROW * rows + rowHeight(data) * categories
      : categories ? 30 + 34 * categories : 400 + ROW * rows) + "px";
    const chart = echarts.init(element, null, { renderer: "svg" });
    const options = dotted ? dots : categories ? bars : data.unit === "MEMORY" ? courses : lines;
    chart.setOption(options(data, css, element.clientWidth));
    return chart;
  });
}
draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
// Where names stand depends on the width.
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) {
    width = innerWidth;
    draw();
  }
});
addEventListener("beforeprint", draw);
