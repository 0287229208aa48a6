// The page's state, its controls, and what each of them redraws.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const axes = Object.keys(data.axes), measures = Object.keys(data.measures);
  const equal = Array.from(document.querySelectorAll(".equal")).map((one) => one.dataset.axis);
  const state = {
    task: data.tasks[0], measure: measures.includes(data.measure) ? data.measure : measures[0], axis: axes[0],
    band: "interval", log: false, clock: axes.find((name) => name !== "epochs") || "iteration", points: "training", equal: equal[0],
  };
  const hidden = new Set();
  const choices = {
    task: data.tasks.map((name) => [name, name]),
    measure: measures.map((name) => [name, data.measures[name].label]),
    axis: axes.map((name) => [name, data.axes[name].split(" (")[0]]),
    band: [["interval", "mean and its 95% interval"], ["spread", "median, 10 to 90% of runs"]],
    clock: [["iteration", "iterations"], ["evaluations", "evaluations"], ["seconds", "seconds"]]
      .sort((one, two) => axes.indexOf(one[0]) - axes.indexOf(two[0])),
    points: [["training", "training"], ["held_out", "held-out"], ["none", "none"]],
    equal: equal.map((name) => [name, (data.axes[name] || name).split(" (")[0]]),
  };
  // Pages without a look inside have none of its controls.
  const view = data.inside ? insideView(data, state) : { stop() {}, rebuild() {} };

  function curves() {
    const found = ((data.curves[state.task] || {})[state.axis]) || { x: [], of: {} };
    const lines = found.of[state.measure] || {};
    const names = state.band === "interval" ? ["mean", "low", "high"] : ["median", "p10", "p90"];
    const series = data.methods.filter((m) => lines[m.name]).map((m) => ({
      ...m, x: found.x, y: lines[m.name][names[0]], low: lines[m.name][names[1]], high: lines[m.name][names[2]], n: lines[m.name].n,
    }));
    lineChart(document.getElementById("curve-chart"), {
      series, hidden, xLabel: data.axes[state.axis] || "", yLabel: (data.measures[state.measure] || { label: "" }).label,
      xLog: found.x.length > 2 && found.x[found.x.length - 1] > 20 * found.x.find((x) => x > 0), yLog: state.log, onToggle: toggle(curves, "curve-chart"),
    });
  }

  function toggle(redraw, host) {
    return (name) => {
      if (hidden.has(name)) hidden.delete(name); else hidden.add(name);
      const at = data.methods.map((m) => m.name).indexOf(name);
      redraw();
      const again = Array.from(document.querySelectorAll(`#${host} .legend button`)).find((b) => b.textContent.startsWith(data.methods[at].name));
      if (again) again.focus();
    };
  }

  function finals() {
    const found = data.finals[state.task] || {};
    const label = (data.measures[state.measure] || { label: "" }).label;
    const groups = data.methods.filter((m) => data.tasks.length < 2 || (found[m.name] || []).length).map((m) => ({
      name: m.name, color: m.color,
      values: (found[m.name] || []).filter((run) => run[state.measure] !== null)
        .map((run) => ({ value: run[state.measure], title: `${m.name}, seed ${run.seed}: ${shortNumber(run[state.measure])}` })),
    }));
    dotChart(document.getElementById("final-chart"), groups, label);
  }

  function tables() {
    for (const one of document.querySelectorAll(".equal")) one.hidden = one.dataset.axis !== state.equal;
    const host = document.getElementById("profile-chart");
    if (!host) return;
    const found = data.profiles[state.equal] || {};
    const series = data.methods.filter((m) => found[m.name]).map((m) => ({ ...m, x: found[m.name].x, y: found[m.name].y }));
    lineChart(host, { series, hidden, xLabel: "factor of the fastest method's cost", yLabel: "share of runs", xLog: true, yLog: false, yRange: [0, 1.02], onToggle: toggle(tables, "profile-chart") });
  }

  const redraw = {
    task: () => { view.stop(); curves(); finals(); view.rebuild(true); }, measure: () => { curves(); finals(); }, axis: curves, band: curves,
    log: curves, clock: () => { view.stop(); view.rebuild(true); }, points: () => view.rebuild(true), equal: tables,
  };

  function chosen(name, value) {
    state[name] = value;
    for (const other of document.querySelectorAll(`select[data-control="${name}"]`)) other.value = value;
    redraw[name]();
  }

  for (const select of document.querySelectorAll("select[data-control]")) {
    const name = select.dataset.control;
    for (const [value, label] of choices[name]) element(select, "option", { value }, label);
    select.value = state[name];
    select.closest("[data-needs]").hidden = choices[name].length < 2;
    select.addEventListener("change", () => chosen(name, select.value));
  }
  for (const place of document.querySelectorAll("[data-radios]")) {
    const name = place.dataset.radios;
    for (const [value, text] of choices[name]) {
      const label = element(place, "label"), input = element(label, "input", { type: "radio", name: place.dataset.group, value });
      label.append(" " + text);
      input.checked = state[name] === value;
      input.addEventListener("change", () => chosen(name, value));
    }
    place.closest("fieldset").hidden = choices[name].length < 2;
  }
  for (const box of document.querySelectorAll('input[data-control="log"]')) box.addEventListener("change", () => chosen("log", box.checked));

  function all() { curves(); finals(); tables(); view.rebuild(false); }
  all();
  let width = document.documentElement.clientWidth;
  window.addEventListener("resize", () => {
    if (document.documentElement.clientWidth === width) return;
    width = document.documentElement.clientWidth;
    curves(); finals(); tables(); view.rebuild(true);
  });
})();
