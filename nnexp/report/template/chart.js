"use strict";
// Line and dot charts as SVG, drawn at the width that there is, read with a pointer or with the arrow keys.
const SVG = "http://www.w3.org/2000/svg";

function element(parent, name, attributes, text) {
  const made = parent.namespaceURI === SVG || name === "svg" ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.appendChild(made);
  return made;
}

function shortNumber(value) {
  if (value === null || value === undefined || !isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e7) return value.toExponential(1);
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  if (size !== 0 && size < 0.001) return value.toExponential(1);
  return String(Number(value.toPrecision(4)));
}

function niceTicks(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  const power = Math.pow(10, Math.floor(Math.log10(rough)));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
  const ticks = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++) ticks.push(at * step);
  return ticks;
}

// Whether one value would press all others together: that of a run that is about to diverge.
function farApart(positive, known) {
  if (positive.length < known.length / 2) return false;
  const sorted = [...positive].sort((a, b) => a - b);
  return sorted[sorted.length - 1] > 100 * quantile(sorted, 0.5);
}

// A scale of values to 0..1. A logarithmic one gives zero a place of its own below the least positive value.
function makeScale(values, log) {
  const known = values.filter((v) => v !== null && isFinite(v));
  let low = Math.min(...known), high = Math.max(...known);
  const positive = known.filter((v) => v > 0);
  if (!log && farApart(positive, known)) log = true;
  if (log && positive.length) {
    const least = Math.min(...positive), most = Math.max(...positive, least * 1.01);
    const foot = low <= 0 ? 0.08 : 0;
    const span = Math.log10(most / least);
    const place = (v) => (v <= 0 ? 0 : foot + (1 - foot) * Math.log10(v / least) / span);
    const ticks = [];
    if (foot) ticks.push(0);
    const first = Math.floor(Math.log10(least)), last = Math.floor(Math.log10(most));
    const parts = span > 1.4 ? [1] : [1, 2, 5];
    for (let decade = first; decade <= last; decade++)
      for (const part of parts) {
        const value = part * Math.pow(10, decade);
        if (value >= least * 0.999 && value <= most * 1.001) ticks.push(value);
      }
    if (ticks.length - (foot ? 1 : 0) < 2) ticks.push(...niceTicks(least, most, 4).filter((t) => t > 0 && t >= least && t <= most));
    return { place, ticks: Array.from(new Set(ticks)) };
  }
  if (!(high > low)) { low -= Math.abs(low) * 0.05 + 0.01; high += Math.abs(high) * 0.05 + 0.01; }
  const margin = (high - low) * 0.04;
  low -= margin; high += margin;
  return { place: (v) => (v - low) / (high - low), ticks: niceTicks(low, high, 5) };
}

// spec: {series: [{name, color, dash, x, y, low, high, n}], xLabel, yLabel, xLog, yLog, hidden: Set, step, onToggle}
function lineChart(host, spec) {
  host.replaceChildren();
  const legend = element(host, "ul", { class: "legend" });
  for (const one of spec.series) {
    const button = element(element(legend, "li"), "button", { type: "button", "aria-pressed": String(!spec.hidden.has(one.name)) });
    const key = element(button, "svg", { viewBox: "0 0 26 10", "aria-hidden": "true" });
    element(key, "line", { x1: 0, x2: 26, y1: 5, y2: 5, stroke: one.color, "stroke-width": 2, "stroke-dasharray": one.dash });
    mark(key, one, 13, 5, 4);
    button.append(one.name + (one.n ? ` (n=${one.n})` : ""));
    button.addEventListener("click", () => spec.onToggle(one.name, button));
  }
  const seen = spec.series.filter((one) => !spec.hidden.has(one.name));
  const width = Math.max(280, host.clientWidth), height = Math.round(Math.min(460, Math.max(260, width * 0.45)));
  const left = 58, right = 14, top = 10, bottom = 46;
  const svg = element(host, "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: "0", "aria-label": `${spec.yLabel} against ${spec.xLabel}; arrow keys read values` });
  const output = element(host, "output", { class: "readout", "aria-live": "polite" });
  const xs = seen.flatMap((one) => one.x), ys = seen.flatMap((one) => [...one.y, ...(one.low || []), ...(one.high || [])]);
  if (!ys.some((v) => v !== null)) {
    element(svg, "text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, seen.length ? "Nothing was measured." : "All methods are hidden.");
    return;
  }
  const across = makeScale(xs, spec.xLog), up = makeScale(ys, spec.yLog);
  if (!spec.xLog || !across.ticks.length) Object.assign(across, tight(xs));
  if (spec.yRange) Object.assign(up, tight(spec.yRange));
  const px = (v) => left + across.place(v) * (width - left - right);
  const py = (v) => height - bottom - up.place(v) * (height - top - bottom);
  for (const tick of up.ticks) {
    if (up.place(tick) < -0.001 || up.place(tick) > 1.001) continue;
    element(svg, "line", { x1: left, x2: width - right, y1: py(tick), y2: py(tick), stroke: "#e6eaee" });
    element(svg, "text", { x: left - 8, y: py(tick) + 4, "text-anchor": "end", class: "axis" }, shortNumber(tick));
  }
  let before = -1e9;
  for (const tick of across.ticks) {
    const place = across.place(tick);
    if (place < -0.001 || place > 1.001) continue;
    element(svg, "line", { x1: px(tick), x2: px(tick), y1: top, y2: height - bottom, stroke: "#e6eaee" });
    if (px(tick) - before < 34) continue;
    before = px(tick);
    element(svg, "text", { x: px(tick), y: height - bottom + 18, "text-anchor": place > 0.97 ? "end" : "middle", class: "axis" }, shortNumber(tick));
  }
  element(svg, "text", { x: (left + width - right) / 2, y: height - 8, "text-anchor": "middle" }, spec.xLabel);
  element(svg, "text", { transform: `translate(13 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, spec.yLabel);
  for (const one of seen) {
    if (one.low && one.n > 1) element(svg, "path", { d: band(one, px, py), fill: one.color, opacity: 0.16 });
  }
  for (const one of seen) {
    element(svg, "path", { d: steps(one.x, one.y, px, py), fill: "none", stroke: one.color, "stroke-width": 2, "stroke-dasharray": one.dash, "stroke-linejoin": "round" });
  }
  seen.forEach((one, at) => {
    // Each method's marks stand at places of their own, so that lines on one another are still told apart.
    const known = one.x.map((x, i) => i).filter((i) => one.y[i] !== null && one.x[i] > 0);
    let last = -1e9;
    for (const i of known) {
      const x = px(one.x[i]);
      if (x - left < 12 + (at % 5) * 22 || x - last < 110) continue;
      last = x;
      mark(svg, one, x, py(one.y[i]), 4.5);
    }
  });
  const cross = element(svg, "line", { y1: top, y2: height - bottom, stroke: "#59636e", "stroke-dasharray": "3 3", visibility: "hidden" });
  const dots = seen.map((one) => element(svg, "circle", { r: 4, fill: one.color, stroke: "white", visibility: "hidden" }));
  const places = Array.from(new Set(xs)).sort((a, b) => a - b);
  let chosen = places.length - 1;
  function read(index) {
    chosen = Math.max(0, Math.min(places.length - 1, index));
    const x = places[chosen];
    cross.setAttribute("x1", px(x)); cross.setAttribute("x2", px(x)); cross.setAttribute("visibility", "visible");
    output.replaceChildren();
    element(output, "span", {}, `${spec.xLabel.split(" (")[0]} ${shortNumber(x)}:`);
    seen.forEach((one, at) => {
      let index = -1;
      for (let i = 0; i < one.x.length && one.x[i] <= x; i++) if (one.y[i] !== null) index = i;
      const known = index >= 0;
      dots[at].setAttribute("visibility", known ? "visible" : "hidden");
      if (known) { dots[at].setAttribute("cx", px(x)); dots[at].setAttribute("cy", py(one.y[index])); }
      const range = known && one.low && one.n > 1 ? ` [${shortNumber(one.low[index])}, ${shortNumber(one.high[index])}]` : "";
      const part = element(output, "span", {}, one.name + " ");
      element(part, "b", {}, known ? shortNumber(one.y[index]) : "–");
      part.append(range);
    });
  }
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width * width;
    let best = 0;
    places.forEach((x, i) => { if (Math.abs(px(x) - at) < Math.abs(px(places[best]) - at)) best = i; });
    read(best);
  });
  svg.addEventListener("keydown", (event) => {
    const jump = { ArrowLeft: chosen - 1, ArrowRight: chosen + 1, PageDown: chosen - 10, PageUp: chosen + 10, Home: 0, End: places.length - 1 }[event.key];
    if (jump === undefined) return;
    event.preventDefault();
    read(jump);
  });
  svg.addEventListener("focus", () => read(chosen));
}

// A method's mark in matplotlib's letters, for eyes that do not tell its colour.
function mark(parent, one, x, y, r) {
  const look = { fill: one.color, stroke: "white", "stroke-width": 1 };
  const at = (points) => points.map(([a, b]) => `${(x + a * r).toFixed(1)},${(y + b * r).toFixed(1)}`).join(" ");
  const star = Array.from({ length: 10 }, (_, i) => [Math.sin(i * Math.PI / 5), -Math.cos(i * Math.PI / 5)].map((v) => v * (i % 2 ? 0.45 : 1.25)));
  const plus = [[-0.4, -1.1], [0.4, -1.1], [0.4, -0.4], [1.1, -0.4], [1.1, 0.4], [0.4, 0.4], [0.4, 1.1], [-0.4, 1.1], [-0.4, 0.4], [-1.1, 0.4], [-1.1, -0.4], [-0.4, -0.4]];
  const shapes = {
    s: [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]], D: [[0, -1.2], [1.2, 0], [0, 1.2], [-1.2, 0]],
    "^": [[0, -1.1], [1.1, 0.9], [-1.1, 0.9]], v: [[0, 1.1], [1.1, -0.9], [-1.1, -0.9]],
    "<": [[-1.1, 0], [0.9, -1.1], [0.9, 1.1]], ">": [[1.1, 0], [-0.9, -1.1], [-0.9, 1.1]],
    P: plus, X: plus.map(([a, b]) => [(a - b) * 0.72, (a + b) * 0.72]), "*": star,
  };
  if (shapes[one.marker]) return element(parent, "polygon", { points: at(shapes[one.marker]), ...look });
  return element(parent, "circle", { cx: x, cy: y, r, ...look });
}

function tight(values) {
  const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
  return { place: (v) => (v - low) / span, ticks: niceTicks(low, low + span, 6) };
}

function steps(x, y, px, py) {
  let path = "", last = null;
  for (let i = 0; i < x.length; i++) {
    if (y[i] === null) { last = null; continue; }
    const across = px(x[i]).toFixed(1), up = py(y[i]).toFixed(1);
    path += last === null ? `M${across} ${up}` : `H${across}V${up}`;
    last = up;
  }
  return path;
}

function band(one, px, py) {
  const known = one.x.map((_, i) => i).filter((i) => one.low[i] !== null && one.high[i] !== null);
  if (!known.length) return "";
  const there = steps(known.map((i) => one.x[i]), known.map((i) => one.high[i]), px, py);
  const reversed = known.slice().reverse();
  let back = `L${px(one.x[reversed[0]]).toFixed(1)} ${py(one.low[reversed[0]]).toFixed(1)}`;
  for (let k = 1; k < reversed.length; k++) back += `V${py(one.low[reversed[k]]).toFixed(1)}H${px(one.x[reversed[k]]).toFixed(1)}`;
  return there + back + "Z";
}

function quantile(sorted, share) {
  const at = (sorted.length - 1) * share, below = Math.floor(at);
  return sorted[below] + (sorted[Math.min(below + 1, sorted.length - 1)] - sorted[below]) * (at - below);
}

// groups: [{name, color, values: [{value, title}]}]; one strip a method, its name above it.
function dotChart(host, groups, label) {
  host.replaceChildren();
  const width = Math.max(280, host.clientWidth), narrow = width < 560, strip = narrow ? 74 : 58;
  const left = 14, right = 22, bottom = 44;
  const height = groups.length * strip + bottom;
  const svg = element(host, "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${label} of every run by method: ` + groups.map((g) => `${g.name}, ${g.values.length} runs`).join("; ") });
  const all = groups.flatMap((group) => group.values.map((v) => v.value));
  if (!all.length) {
    element(svg, "text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "Nothing was measured.");
    return;
  }
  const scale = makeScale(all, false);
  const px = (v) => left + scale.place(v) * (width - left - right);
  let before = -1e9;
  for (const tick of scale.ticks) {
    if (scale.place(tick) < 0 || scale.place(tick) > 1) continue;
    element(svg, "line", { x1: px(tick), x2: px(tick), y1: 4, y2: height - bottom, stroke: "#e6eaee" });
    if (px(tick) - before < 40) continue;
    before = px(tick);
    element(svg, "text", { x: px(tick), y: height - bottom + 17, "text-anchor": "middle", class: "axis" }, shortNumber(tick));
  }
  element(svg, "text", { x: width / 2, y: height - 7, "text-anchor": "middle" }, label);
  groups.forEach((group, row) => {
    const top = row * strip, middle = top + strip - 20;
    element(svg, "rect", { x: left, y: top + 5, width: 11, height: 11, rx: 3, fill: group.color });
    const sorted = group.values.map((v) => v.value).sort((a, b) => a - b);
    const said = sorted.length ? `median ${shortNumber(quantile(sorted, 0.5))}, n=${sorted.length}` : "no finished run";
    element(svg, "text", { x: left + 18, y: top + 15 }, narrow ? group.name : `${group.name}: ${said}`);
    if (narrow) element(svg, "text", { x: left + 18, y: top + 31, class: "axis" }, said);
    if (!sorted.length) return;
    const [low, high] = [quantile(sorted, 0.25), quantile(sorted, 0.75)];
    element(svg, "rect", { x: px(low), y: middle - 11, width: Math.max(1, px(high) - px(low)), height: 22, fill: group.color, opacity: 0.14 });
    group.values.forEach((one, at) => {
      const aside = 2 * ((at * 0.618034) % 1) - 1;
      const dot = element(svg, "circle", { cx: px(one.value), cy: middle + 9 * aside, r: 4, fill: group.color, "fill-opacity": 0.75, stroke: "white", "stroke-width": 0.7 });
      element(dot, "title", {}, one.title);
    });
    element(svg, "line", { x1: px(quantile(sorted, 0.5)), x2: px(quantile(sorted, 0.5)), y1: middle - 13, y2: middle + 13, stroke: "#1c2228", "stroke-width": 2 });
  });
}
