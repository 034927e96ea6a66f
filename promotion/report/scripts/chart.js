/* Figures by version with their intervals. The table below it tells the same, so a screen reader skips it. */

const STROKES = ["--accent", "--good", "--warn"];
const DASHES = [[], [6, 4], [2, 3]];

/** ``rows`` are [version, evidence], ascending; ``names`` at most three figures. */
function chart(rows, names) {
  const place = h("div", { class: "chart", "aria-hidden": "true" });
  const style = getComputedStyle(document.documentElement);
  const colours = Object.fromEntries([...STROKES, "--soft", "--line"].map((name) => [name, style.getPropertyValue(name).trim()]));
  const points = pointsOf(rows, names);
  const data = [points.map((one) => one.x), ...names.map((_, index) => points.map((one) => one.index === index ? one.value : null))];
  const options = { ...frameOf(rows, points, colours), series: seriesOf(names, colours), hooks: { draw: [(plot) => drawIntervals(plot, points, colours)] } };
  // Only once it is on the page has it a width.
  requestAnimationFrame(() => { if (place.isConnected) new uPlot({ width: Math.max(240, place.clientWidth - 20), ...options }, data, place); });
  return place;
}

/** Each figure stands a little beside its version's middle, so that its interval covers no other. */
function pointsOf(rows, names) {
  const beside = (index) => (index - (names.length - 1) / 2) * 0.1;
  return rows.flatMap(([version, one]) => names.map((name, index) => (
    { x: version + beside(index), index, value: one.figures[name] ?? null, ends: interval(one, name) })));
}

function frameOf(rows, points, colours) {
  const bounds = points.flatMap((one) => [one.value, ...(one.ends || [])]).filter((one) => typeof one === "number");
  const low = Math.min(...bounds), high = Math.max(...bounds), room = (high - low) * 0.08 || 0.01;
  const line = { stroke: colours["--line"], width: 1 };
  const axis = { stroke: colours["--soft"], grid: line, ticks: line };
  return {
    height: 260,
    cursor: { show: false },
    legend: { live: false },
    scales: { x: { time: false, range: () => [rows[0][0] - 0.5, rows[rows.length - 1][0] + 0.5] }, y: { range: () => [low - room, high + room] } },
    axes: [
      { ...axis, incrs: [1, 2, 5, 10, 50], values: (_, ticks) => ticks.map((one) => Number.isInteger(one) ? `v${one}` : "") },
      { ...axis, size: 64 },
    ],
  };
}

function seriesOf(names, colours) {
  return [{ label: "by version" }, ...names.map((name, index) => {
    const stroke = colours[STROKES[index]];
    return { label: name, stroke, width: 2, dash: DASHES[index], spanGaps: true, points: { size: 8, show: true, fill: stroke } };
  })];
}

function drawIntervals(plot, points, colours) {
  const { ctx, bbox } = plot;
  const cap = 4 * devicePixelRatio;
  ctx.save();
  ctx.lineWidth = 1.5 * devicePixelRatio;
  for (const one of points) {
    if (!one.ends || one.value === null) continue;
    const x = plot.valToPos(one.x, "x", true);
    // An end that is not known is drawn to the edge.
    const [bottom, top] = one.ends.map((end, index) => end === null ? bbox.top + (index ? 0 : bbox.height) : plot.valToPos(end, "y", true));
    ctx.strokeStyle = colours[STROKES[one.index]];
    ctx.beginPath();
    ctx.moveTo(x, bottom);
    ctx.lineTo(x, top);
    for (const y of [bottom, top]) { ctx.moveTo(x - cap, y); ctx.lineTo(x + cap, y); }
    ctx.stroke();
  }
  ctx.restore();
}
