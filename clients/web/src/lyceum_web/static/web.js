// Draws the charts of a page from their descriptions (lyceum_web/panels/charts.py says what these hold), and saves them
// as PNG. The page holds all figures without it. Nothing here makes HTML or a style out of text: the policy of the page
// forbids it, so tips are drawn by the chart library (richText) and all texts go in as plain strings.
"use strict";

(() => {
  const LANGUAGE = document.documentElement.lang;
  const LOCALE = LANGUAGE.startsWith("zh") ? "ZH" : "EN";
  const SERIES_COLOURS = 4;
  const CAP_PX = 6;
  const BAR_PX = 48;
  const stillness = matchMedia("(prefers-reduced-motion: reduce)");
  const darkness = matchMedia("(prefers-color-scheme: dark)");

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  const look = () => ({
    text: colour("text"),
    faint: colour("faint"),
    line: colour("line"),
    surface: colour("surface"),
    raised: colour("raised"),
    series: Array.from({ length: SERIES_COLOURS }, (_, at) => colour(`series-${at + 1}`)),
    heat: [colour("heat-low"), colour("heat-high")],
  });

  // How numbers are written, as on the rest of the page.
  const FORMATS = {
    count: { maximumFractionDigits: 0 },
    rate: { maximumSignificantDigits: 4 },
    share: { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 },
  };

  const writer = (chart) => {
    const money = { style: "currency", currency: chart.currency, minimumFractionDigits: chart.digits, maximumFractionDigits: chart.digits };
    const format = new Intl.NumberFormat(LANGUAGE, chart.form === "money" ? money : FORMATS[chart.form]);
    return (value) => (Number.isFinite(value) ? format.format(value) : "–");
  };

  // On an axis there is little room: large numbers are shortened there.
  const shortener = (chart) => {
    if (chart.form === "share") return writer(chart);
    const format = new Intl.NumberFormat(LANGUAGE, { notation: "compact", maximumSignificantDigits: 3 });
    return (value) => format.format(value);
  };

  const axisOf = (colours) => ({
    axisLine: { lineStyle: { color: colours.faint } },
    axisLabel: { color: colours.text, hideOverlap: true },
    nameTextStyle: { color: colours.faint },
    splitLine: { lineStyle: { color: colours.line } },
  });

  const hasInterval = (series) => series.low.length > 0 && series.high.length > 0;

  const isKnown = (value) => typeof value === "number";

  const pointText = (series, at, write) => {
    const interval = hasInterval(series) && isKnown(series.low[at]) ? ` (${write(series.low[at])} – ${write(series.high[at])})` : "";
    return `${series.name}: ${write(series.values[at])}${interval}`;
  };

  // Where the middle of a series' own bar is, from the middle of its category.
  const shift = (chart, place, api) =>
    chart.kind === "bar" ? api.barLayout({ count: chart.series.length, barMaxWidth: BAR_PX })[place].offsetCenter : 0;

  // A vertical line from the low to the high end, with caps.
  const intervals = (chart, series, place, stroke) => ({
    type: "custom",
    name: series.name,
    silent: true,
    z: 3,
    tooltip: { show: false },
    encode: { x: 0, y: [1, 2] },
    data: series.low.map((low, at) => [at, low, series.high[at]]).filter(([, low, high]) => isKnown(low) && isKnown(high)),
    renderItem: (_, api) => {
      const [middle, low] = api.coord([api.value(0), api.value(1)]);
      const x = middle + shift(chart, place, api);
      const high = api.coord([api.value(0), api.value(2)])[1];
      const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: { stroke, lineWidth: 1.5 } });
      return {
        type: "group",
        children: [line(x, low, x, high), line(x - CAP_PX, low, x + CAP_PX, low), line(x - CAP_PX, high, x + CAP_PX, high)],
      };
    },
  });

  const tip = (colours, extra) => ({
    renderMode: "richText",
    confine: true,
    backgroundColor: colours.raised,
    borderColor: colours.line,
    textStyle: { color: colours.text },
    ...extra,
  });

  const overCategories = (chart, colours) => {
    const write = writer(chart);
    const drawn = chart.series.map((series, at) => ({
      type: chart.kind,
      name: series.name,
      data: series.values,
      color: colours.series[at % SERIES_COLOURS],
      symbolSize: 7,
      barMaxWidth: BAR_PX,
      connectNulls: false,
    }));
    const errors = chart.series.flatMap((series, at) => (hasInterval(series) ? [intervals(chart, series, at, colours.text)] : []));
    return {
      grid: { left: 8, right: 16, top: chart.series.length > 1 ? 40 : 16, bottom: chart.categoryName ? 28 : 8, containLabel: true },
      legend: { show: chart.series.length > 1, top: 0, data: chart.series.map((series) => series.name), textStyle: { color: colours.text } },
      xAxis: { type: "category", data: chart.categories, name: chart.categoryName, nameLocation: "middle", nameGap: 28, ...axisOf(colours) },
      yAxis: { type: "value", ...axisOf(colours), axisLabel: { color: colours.text, formatter: shortener(chart) } },
      tooltip: tip(colours, {
        trigger: "axis",
        formatter: (points) => {
          const at = points[0].dataIndex;
          const lines = chart.series.filter((series) => isKnown(series.values[at])).map((series) => pointText(series, at, write));
          return [chart.categories[at], ...lines].join("\n");
        },
      }),
      series: [...drawn, ...errors],
    };
  };

  const gauge = (chart, colours) => ({
    tooltip: { show: false },
    series: [
      {
        type: "gauge",
        min: 0,
        max: 1,
        startAngle: 200,
        endAngle: -20,
        progress: { show: true, width: 16, itemStyle: { color: colours.series[0] } },
        axisLine: { lineStyle: { width: 16, color: [[1, colours.line]] } },
        axisTick: { show: false },
        splitLine: { show: false },
        pointer: { show: false },
        axisLabel: { color: colours.text, distance: -32, formatter: (value) => (value === 0 || value === 1 ? writer(chart)(value) : "") },
        detail: { color: colours.text, fontSize: 28, offsetCenter: [0, 0], formatter: writer(chart) },
        title: { show: false },
        data: [{ value: chart.series[0].values[0], name: chart.series[0].name }],
      },
    ],
  });

  const heat = (chart, colours) => {
    const write = writer(chart);
    const cells = chart.series.flatMap((series, y) => series.values.map((value, x) => [x, y, value])).filter((cell) => isKnown(cell[2]));
    const values = cells.map((cell) => cell[2]);
    const [least, most] = [Math.min(0, ...values), Math.max(...values)];
    return {
      grid: { left: 8, right: 16, top: 16, bottom: 64, containLabel: true },
      xAxis: { type: "category", data: chart.categories, name: chart.categoryName, nameLocation: "middle", nameGap: 28, ...axisOf(colours) },
      yAxis: { type: "category", inverse: true, data: chart.series.map((series) => series.name), ...axisOf(colours) },
      visualMap: {
        min: least, max: most, text: [write(most), write(least)], orient: "horizontal", left: "center", bottom: 0, calculable: false,
        inRange: { color: colours.heat }, textStyle: { color: colours.text }, formatter: write,
      },
      tooltip: tip(colours, {
        formatter: ({ value: [x, y, value] }) => `${chart.series[y].name}, ${chart.categories[x]}: ${write(value)}`,
      }),
      series: [{ type: "heatmap", data: cells, itemStyle: { borderColor: colours.surface, borderWidth: 1 } }],
    };
  };

  const KINDS = { line: overCategories, bar: overCategories, gauge, heat };

  const described = (chart) => {
    const write = writer(chart);
    const parts = chart.series.map((series) => {
      const values = series.values.map((value, at) => `${chart.categories[at] ?? ""} ${write(value)}`.trim());
      return `${series.name}: ${values.join(", ")}`;
    });
    return `${chart.title}. ${parts.join("; ")}`;
  };

  const options = (chart) => {
    const colours = look();
    return {
      animation: !stillness.matches,
      backgroundColor: "transparent",
      textStyle: { color: colours.text, fontFamily: getComputedStyle(document.body).fontFamily },
      aria: { enabled: true, label: { description: described(chart) } },
      ...KINDS[chart.kind](chart, colours),
    };
  };

  const save = (drawn, name) => {
    const link = document.createElement("a");
    link.href = drawn.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: colour("surface") });
    link.download = `${name}.png`;
    link.click();
  };

  const draw = (figure) => {
    const chart = JSON.parse(figure.querySelector("script").textContent);
    const canvas = figure.querySelector(".canvas");
    figure.hidden = false;
    const drawn = echarts.init(canvas, null, { renderer: "canvas", locale: LOCALE });
    drawn.setOption(options(chart));
    canvas.setAttribute("role", "img");
    figure.querySelector(".png").addEventListener("click", () => save(drawn, figure.dataset.file));
    new ResizeObserver(() => drawn.resize()).observe(canvas);
    return { drawn, chart };
  };

  // A chart that cannot be drawn is left out: its figures stand in the table.
  const drawOrHide = (figure) => {
    try {
      return [draw(figure)];
    } catch (failure) {
      figure.hidden = true;
      console.error(failure);
      return [];
    }
  };

  if (typeof echarts === "undefined") return;
  const all = [...document.querySelectorAll("figure.chart")].flatMap(drawOrHide);
  const again = () => all.forEach(({ drawn, chart }) => drawn.setOption(options(chart), { notMerge: true }));
  darkness.addEventListener("change", again);
  stillness.addEventListener("change", again);
})();
