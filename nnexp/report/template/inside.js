// Boundaries and paths of all methods at one moment of one clock.
function insideView(data, state) {
  const slider = document.getElementById("moment"), text = document.getElementById("moment-text");
  const play = document.getElementById("play"), note = document.getElementById("inside-note");
  const cards = document.getElementById("boundaries"), plane = document.getElementById("plane-chart");
  const units = { iteration: "iterations", evaluations: "evaluations", seconds: "s" };
  let timer = null, drawn = [], marks = [];

  const task = () => data.inside[state.task] || { why: "Nothing was recorded." };
  const clock = () => (task().clocks || {})[state.clock];
  const color = (name) => data.methods.find((m) => m.name === name).color;

  function absent(found) {
    const missing = data.methods.map((m) => m.name).filter((name) => found.losses && !found.losses[name]);
    if (found.beyond) return ` ${missing.length} more methods are not shown.`;
    return missing.length ? ` Without a finished run of this seed: ${missing.join("; ")}.` : "";
  }

  function stop() {
    if (timer !== null) clearInterval(timer);
    timer = null;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  }

  function show() {
    const now = clock();
    if (!now) return;
    const at = Number(slider.value), moment = now.moments[at];
    const words = state.clock === "seconds" ? `${shortNumber(moment)} s` : `${shortNumber(Math.round(moment))} ${units[state.clock]}`;
    text.textContent = words;
    slider.setAttribute("aria-valuetext", words);
    for (const paint of drawn) paint(at);
    for (const move of marks) move(at);
  }

  function boundaryCards() {
    cards.replaceChildren();
    drawn = [];
    const found = task().boundary, now = clock();
    document.getElementById("boundaries-title").textContent = task().no_boundary ? "Predictions" : "Decision boundaries";
    if (!found) {
      element(cards, "p", { class: "note" }, task().no_boundary || task().why || "");
      for (const [name, shown] of Object.entries(task().predictions || {})) {
        const figure = element(cards, "figure", { class: "predictions" }), caption = element(figure, "figcaption");
        element(caption, "span", { class: "swatch", style: `background:${color(name)}`, "aria-hidden": "true" });
        caption.append(name);
        for (const one of shown) element(figure, "img", { src: one.image, alt: `${one.title} of ${name}` });
      }
      return;
    }
    const points = found[state.points];
    for (const [name, strip] of Object.entries(found.strips)) {
      const figure = element(cards, "figure"), caption = element(figure, "figcaption");
      element(caption, "span", { class: "swatch", style: `background:${color(name)}`, "aria-hidden": "true" });
      caption.append(name);
      const side = 400;
      const canvas = element(figure, "canvas", { width: side, height: side, role: "img", "data-method": name });
      const loss = element(figure, "div", { class: "loss" });
      const image = new Image();
      const paint = (at) => {
        const frame = now.at[name][at], context = canvas.getContext("2d");
        if (image.complete && image.naturalWidth) {
          context.imageSmoothingEnabled = true;
          // Half a pixel inside its frame, or smoothing mixes in the frames above and below.
          context.drawImage(image, 0, frame * found.size + 0.5, found.size, found.size - 1, 0, 0, side, side);
        }
        if (points) {
          for (let i = 0; i < points.x.length; i++) {
            context.beginPath();
            context.arc(points.x[i] * side, points.y[i] * side, 4.5, 0, 7);
            context.fillStyle = found.colors[points.class[i] % found.colors.length];
            context.fill();
            context.strokeStyle = "white";
            context.stroke();
          }
        }
        const value = shortNumber(task().losses[name][frame]);
        loss.textContent = `training loss ${value}`;
        canvas.setAttribute("aria-label", `Decision boundary of ${name}, training loss ${value}`);
      };
      drawn.push(paint);
      image.onload = () => paint(Number(slider.value));
      image.src = strip;
    }
  }

  function planeChart() {
    plane.replaceChildren();
    marks = [];
    const found = task().plane, now = clock(), said = document.getElementById("plane-text"), table = document.getElementById("plane-table");
    table.replaceChildren();
    table.hidden = !found;
    if (!found) {
      said.textContent = task().no_plane || task().why || "";
      return;
    }
    const width = Math.max(280, plane.clientWidth), left = 26, top = 6, bottom = 56;
    const across = width - left - 6, down = Math.min(across, 520);
    const svg = element(plane, "svg", { viewBox: `0 0 ${width} ${down + top + bottom}`, role: "img", "aria-label": "Training loss on the plane, with the path of each method from the common start" });
    const px = (x) => left + x * across, py = (y) => top + y * down;
    element(svg, "image", { href: found.image, x: left, y: top, width: across, height: down, preserveAspectRatio: "none" });
    for (const level of found.contours)
      for (const line of level) {
        let path = "";
        for (let i = 0; i < line.length; i += 2) path += `${i ? "L" : "M"}${px(line[i]).toFixed(1)} ${py(line[i + 1]).toFixed(1)}`;
        element(svg, "path", { d: path, fill: "none", stroke: "#7d8793", "stroke-width": 0.6 });
      }
    const [first, second] = found.explained.map((share) => (share === null ? "" : ` (${Math.round(100 * share)}% of the distance)`));
    element(svg, "text", { x: left + across / 2, y: top + down + 18, "text-anchor": "middle" }, `direction 1${first}`);
    element(svg, "text", { transform: `translate(15 ${top + down / 2}) rotate(-90)`, "text-anchor": "middle" }, `direction 2${second}`);
    const shade = element(element(svg, "defs"), "linearGradient", { id: "shade" });
    element(shade, "stop", { offset: "0", "stop-color": "rgb(255,255,255)" });
    element(shade, "stop", { offset: "1", "stop-color": "rgb(137,137,137)" });
    const bar = top + down + 30;
    element(svg, "rect", { x: left + across / 2 - 60, y: bar, width: 120, height: 10, fill: "url(#shade)", stroke: "#8a949e", "stroke-width": 0.7 });
    element(svg, "text", { x: left + across / 2 - 66, y: bar + 10, "text-anchor": "end", class: "axis" }, `loss ${shortNumber(found.low)}`);
    element(svg, "text", { x: left + across / 2 + 66, y: bar + 10, class: "axis" }, `${shortNumber(found.high)} or more`);
    const names = Object.keys(found.paths);
    for (const name of names) {
      const path = found.paths[name];
      const d = path.x.map((x, i) => `${i ? "L" : "M"}${px(x).toFixed(1)} ${py(path.y[i]).toFixed(1)}`).join("");
      element(svg, "path", { d, fill: "none", stroke: "white", "stroke-width": 4.5, "stroke-linejoin": "round" });
      element(svg, "path", { d, fill: "none", stroke: color(name), "stroke-width": 2, "stroke-linejoin": "round" });
      path.x.forEach((x, i) => element(svg, "circle", { cx: px(x), cy: py(path.y[i]), r: 2, fill: color(name) }));
    }
    const start = found.paths[names[0]];
    element(svg, "circle", { cx: px(start.x[0]), cy: py(start.y[0]), r: 5, fill: "white", stroke: "#1c2228", "stroke-width": 1.5 });
    for (const name of names) {
      const path = found.paths[name];
      const mark = element(svg, "circle", { r: 7, fill: color(name), stroke: "white", "stroke-width": 2, "data-method": name });
      element(mark, "title", {}, name);
      marks.push((at) => {
        const frame = Math.min(now.at[name][at], path.x.length - 1);
        mark.setAttribute("cx", px(path.x[frame]));
        mark.setAttribute("cy", py(path.y[frame]));
      });
    }
    const share = found.explained.reduce((a, b) => a + (b || 0), 0);
    said.textContent = `The plane holds ${Math.round(100 * share)}% of the paths' squared distance from the common start.`;
    errataTable(table, found, now, names);
  }

  // At each moment: the true loss of every method, the plane's at the nearest point, and how far it is from the plane.
  function errataTable(host, found, now, names) {
    const made = element(host, "table");
    element(made, "caption", {}, "The plane against the truth, at the moment chosen");
    const head = element(element(made, "thead"), "tr");
    ["method", "true loss", "plane's loss", "off the plane"].forEach((title, at) => element(head, "th", { scope: "col", class: at ? "right" : "" }, title));
    const body = element(made, "tbody");
    for (const name of names) {
      const row = element(body, "tr"), first = element(row, "th", { scope: "row" });
      element(first, "span", { class: "swatch", style: `background:${color(name)}`, "aria-hidden": "true" });
      first.append(name);
      const cells = [0, 1, 2].map(() => element(row, "td", { class: "right" }));
      marks.push((at) => {
        const frame = Math.min(now.at[name][at], found.true[name].length - 1);
        cells[0].textContent = shortNumber(found.true[name][frame]);
        cells[1].textContent = shortNumber(found.shown[name][frame]);
        cells[2].textContent = `${Math.round(100 * found.off[name][frame])}%`;
      });
    }
  }

  function rebuild(keep) {
    const found = task(), now = clock(), usable = Boolean(now);
    for (const one of [slider, play]) one.disabled = !usable;
    note.textContent = found.seed === undefined ? found.why : `Runs of seed ${found.seed}` + (found.why ? `. ${found.why}` : ", at which the methods come nearest to their medians; the luckiest seed is not chosen.") + absent(found);
    if (usable) {
      const share = keep ? Number(slider.value) / Math.max(1, Number(slider.max)) : 1;
      slider.max = now.moments.length - 1;
      slider.value = Math.round(share * (now.moments.length - 1));
    }
    boundaryCards();
    planeChart();
    show();
  }

  slider.addEventListener("input", () => { stop(); show(); });
  play.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (Number(slider.value) >= Number(slider.max)) slider.value = 0;
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    timer = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      show();
      if (Number(slider.value) >= Number(slider.max)) stop();
    }, 130);
    show();
  });
  return { rebuild, stop };
}
