// Drawing what a model shows: elements are kept from one drawing to the next, so that boxes move to their new places.
"use strict";

const LINE = 12; // between the lines of a box
const SVG = "http://www.w3.org/2000/svg";
const HEAT_LIGHT = [[255, 247, 236], [253, 187, 132], [227, 74, 51], [140, 10, 10]];
const HEAT_DARK = [[48, 40, 36], [140, 60, 20], [227, 100, 51], [254, 232, 200]];

function element(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  for (const child of children) made.append(child);
  return made;
}

function html(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const measure = (() => {
  const context = document.createElement("canvas").getContext("2d");
  return (text, size, weight = "") => {
    context.font = `${weight} ${size}px Helvetica, Arial, "Liberation Sans", sans-serif`;
    return context.measureText(text).width;
  };
})();

function heat(t, dark) {
  const stops = dark ? HEAT_DARK : HEAT_LIGHT;
  const x = Math.min(1, Math.max(0, t)) * (stops.length - 1), i = Math.min(stops.length - 2, Math.floor(x));
  return stops[i].map((a, k) => Math.round(a + (stops[i + 1][k] - a) * (x - i)));
}

const css = (rgb) => `rgb(${rgb.join(",")})`;
const isBright = (rgb) => rgb[0] * 0.299 + rgb[1] * 0.587 + rgb[2] * 0.114 > 140;

class View {
  constructor(canvas) {
    this.canvas = canvas;
    this.world = canvas.querySelector("#world");
    this.layers = Object.fromEntries(["clusters", "edges", "boxes"].map((id) => [id, canvas.querySelector(`#${id}`)]));
    this.elements = new Map(); // by key: boxes and clusters
    this.at = { x: 0, y: 0, zoom: 1 };
    this.sideways = false;
    this.metric = "kind";
  }

  // ---- where we look

  place({ x, y, zoom }) {
    this.at = { x, y, zoom: Math.min(6, Math.max(0.02, zoom)) };
    this.world.setAttribute("transform", `translate(${this.at.x} ${this.at.y}) scale(${this.at.zoom})`);
    this.canvas.classList.toggle("far", this.at.zoom < 0.5);
    this.canvas.classList.toggle("farther", this.at.zoom < 0.28);
    this.canvas.style.backgroundPosition = `${this.at.x}px ${this.at.y}px`;
  }

  zoomAbout(factor, x, y) {
    const zoom = Math.min(6, Math.max(0.02, this.at.zoom * factor)), f = zoom / this.at.zoom;
    this.place({ x: x - (x - this.at.x) * f, y: y - (y - this.at.y) * f, zoom });
  }

  fit() {
    const { clientWidth: w, clientHeight: h } = this.canvas, { width, height } = this.picture;
    const zoom = Math.min(1.25, (w - 48) / Math.max(1, width), (h - 84) / Math.max(1, height));
    // A tall drawing is read from its top at a size that can be read.
    const readable = Math.max(zoom, Math.min(0.62, (w - 48) / Math.max(1, width)));
    const y = height * readable > h - 84 ? 24 : (h - 36 - height * readable) / 2;
    const seen = this.picture.boxes.filter((r) => y + r.y * readable < h);
    const left = seen.reduce((a, r) => Math.min(a, r.x), Infinity), right = seen.reduce((a, r) => Math.max(a, r.x + r.width), 0);
    const middle = seen.length && width * readable > right - left ? (left + right) / 2 : width / 2;
    this.place({ x: w / 2 - middle * readable, y, zoom: readable });
  }

  overview() {
    const { clientWidth: w, clientHeight: h } = this.canvas, { width, height } = this.picture;
    const zoom = Math.min(1.25, (w - 48) / Math.max(1, width), (h - 84) / Math.max(1, height));
    this.place({ x: (w - width * zoom) / 2, y: (h - 36 - height * zoom) / 2, zoom });
  }

  // Moves a box into sight, not behind the details. The drawing goes on filling the window's height.
  bring(key) {
    const rect = this.rectOf(key);
    if (!rect) return;
    const { clientWidth: w, clientHeight: h } = this.canvas, zoom = Math.max(this.at.zoom, 0.7);
    const details = document.getElementById("details");
    const right = details.hidden || details.offsetLeft < w / 2 ? w : details.offsetLeft;
    const x = rect.x * zoom + this.at.x, y = rect.y * zoom + this.at.y;
    if (zoom === this.at.zoom && x > 20 && y > 20 && x + rect.width * zoom < right - 20 && y + rect.height * zoom < h - 60) return;
    const last = h - 60 - this.picture.height * zoom, middle = h / 2 - (rect.y + rect.height / 2) * zoom;
    this.place({
      x: right / 2 - (rect.x + rect.width / 2) * zoom,
      y: Math.max(Math.min(24, last), Math.min(Math.max(24, last), middle)),
      zoom,
    });
  }

  rectOf(key) {
    const box = this.shown.boxes.findIndex((b) => b.key === key);
    if (box >= 0) return this.picture.boxes[box];
    const cluster = this.shown.clusters.findIndex((c) => `c${c.index}` === key);
    return cluster >= 0 ? this.picture.clusters[cluster] : undefined;
  }

  // ---- what a box says

  say(box) {
    const { nodes, clusters } = this.model.graph;
    if (box.closed !== undefined) {
      const cluster = clusters[box.closed], ops = this.model.countOps(box.nodes, box.closed);
      if (cluster.fused) return { title: cluster.title, detail: cluster.detail, kind: cluster.fused, foldable: true };
      const kind = cluster.phase === "forward" ? "module" : `module-${cluster.phase}`;
      return { title: cluster.title, detail: `${ops} ${ops === 1 ? "op" : "ops"}`, kind, foldable: true };
    }
    const node = nodes[box.node === undefined ? box.ghost : box.node];
    if (box.ghost !== undefined && node.op >= 0) return { title: node.title, detail: `from ${node.phase}`, kind: "input" };
    if (box.ghost !== undefined) return { title: node.name || node.title, detail: node.detail, kind: node.kind };
    return { title: node.title, detail: node.detail, kind: node.kind };
  }

  lines(said) {
    return said.detail ? said.detail.split("\n") : [];
  }

  sizeOf(said) {
    const title = measure(said.title, 12), lines = this.lines(said);
    if (said.kind === "constant") return { width: title + 8, height: 18 };
    const width = lines.reduce((most, line) => Math.max(most, measure(line, 9.5)), title);
    return { width: Math.max(40, Math.ceil(width) + (said.foldable ? 42 : 20)), height: 26 + LINE * lines.length };
  }

  // ---- drawing

  draw(model, anchor) {
    const before = anchor && this.shown && this.rectOf(anchor);
    this.model = model;
    this.shown = model.visible();
    const said = this.shown.boxes.map((box) => this.say(box));
    this.picture = layOut({
      boxes: this.shown.boxes.map((box, i) => ({
        ...this.sizeOf(said[i]), cluster: box.cluster,
        outputs: box.outputs.map((text) => (text ? { width: measure(text, 9) + 3, height: 13 } : { width: 0, height: 0 })) })),
      edges: this.shown.edges,
      clusters: this.shown.clusters.map((c) => ({
        parent: c.parent, title: { width: measure(`− ${model.graph.clusters[c.index].title}`, 10.5, "700") + 4, height: 15 } })),
      sideways: this.sideways,
    });
    const keys = new Set();
    this.shown.clusters.forEach((_, i) => keys.add(this.drawCluster(i)));
    this.drawEdges();
    this.shown.boxes.forEach((_, i) => keys.add(this.drawBox(i, said[i])));
    for (const [key, made] of this.elements)
      if (!keys.has(key)) {
        made.remove();
        this.elements.delete(key);
      }
    this.colour();
    const after = before && this.rectOf(anchor);
    if (after) {
      const { x, y, zoom } = this.at;
      this.place({ x: x + (before.x + before.width / 2 - after.x - after.width / 2) * zoom, y: y + (before.y - after.y) * zoom, zoom });
    }
  }

  keep(key, kind, layer, rect) {
    let made = this.elements.get(key);
    if (made && made.dataset.kind !== kind) {
      made.remove();
      made = undefined;
    }
    if (!made) {
      made = element("g", { class: `${kind} fresh` });
      made.dataset.kind = kind;
      made.dataset.key = key;
      this.elements.set(key, made);
    }
    made.style.transform = `translate(${rect.x.toFixed(2)}px,${rect.y.toFixed(2)}px)`;
    made.replaceChildren();
    layer.append(made);
    return made;
  }

  drawCluster(i) {
    const { index } = this.shown.clusters[i], cluster = this.model.graph.clusters[index];
    const rect = this.picture.clusters[i], title = this.picture.titles[i];
    const made = this.keep(`c${index}`, "cluster", this.layers.clusters, rect);
    made.classList.toggle("phase", cluster.isPhase);
    made.classList.toggle("opened", !!cluster.fused);
    made.style.setProperty("--phase", `var(--op${cluster.phase === "forward" ? "" : `-${cluster.phase}`}-line)`);
    if (cluster.times > 1)
      for (const by of [6, 3])
        made.append(element("rect", { x: by, y: by, width: rect.width, height: rect.height, rx: 8 }));
    made.append(element("rect", { width: rect.width, height: rect.height, rx: 8 }));
    const x = title.x - rect.x, y = title.y - rect.y;
    const text = element("text", { x: x + 1, y: y + 11 });
    text.textContent = `− ${cluster.title}`;
    const head = element("g", { class: "head", role: "button", "aria-label": `Close ${cluster.title}` },
      element("rect", { x: x - 3, y: y - 2, width: title.width + 6, height: title.height + 4 }), text);
    head.dataset.close = index;
    made.append(head);
    return `c${index}`;
  }

  drawBox(i, said) {
    const box = this.shown.boxes[i], rect = this.picture.boxes[i];
    const made = this.keep(box.key, "box", this.layers.boxes, rect);
    made.id = `box-${box.key}`;
    made.dataset.index = i;
    made.setAttribute("role", "button");
    made.setAttribute("aria-label", [said.title, said.detail, said.kind].filter(Boolean).join(", "));
    const cluster = box.closed === undefined ? undefined : this.model.graph.clusters[box.closed];
    if (cluster && cluster.times > 1)
      for (const by of [6, 3])
        made.append(element("rect", { class: "card", x: by, y: by, width: rect.width, height: rect.height, rx: 6 }));
    made.append(element("rect", { class: "body", width: rect.width, height: rect.height, rx: said.foldable ? 7 : 5 }));
    const x = rect.width / 2 - (said.foldable ? 7 : 0), y = rect.height / 2;
    const write = (kind, at, text) => {
      const t = element("text", { class: kind, ...at });
      t.textContent = text;
      made.append(t);
    };
    const lines = this.lines(said), baseline = y + 4.2 - (LINE / 2) * lines.length;
    write("title", { x, y: baseline }, said.title);
    lines.forEach((line, i) => write("detail", { x, y: baseline + 0.8 + LINE * (i + 1) }, line));
    if (said.foldable) write("fold", { x: rect.width - 12, y: y + 4 }, "+");
    this.picture.labels[i].forEach((label, k) => {
      if (label.width > 0) write("shape", { x: label.x - rect.x + 1, y: label.y - rect.y + 10 }, box.outputs[k]);
    });
    return box.key;
  }

  drawEdges() {
    const p = (x, y) => `${x.toFixed(2)} ${y.toFixed(2)}`;
    this.layers.edges.replaceChildren();
    this.edgeElements = this.shown.edges.map((edge, e) => {
      const curve = this.picture.edges[e];
      const made = element("g", { class: `edge fresh${edge.mark ? ` ${edge.mark}` : edge.crosses ? " across" : edge.grad ? "" : " faint"}` });
      this.layers.edges.append(made);
      if (curve.length < 4) return made;
      const tip = curve[curve.length - 1], before = curve[curve.length - 2];
      const length = Math.hypot(tip.x - before.x, tip.y - before.y) || 1;
      const dx = (tip.x - before.x) / length, dy = (tip.y - before.y) / length;
      let d = `M${p(curve[0].x, curve[0].y)}`;
      for (let i = 1; i + 2 < curve.length; i += 3) {
        const end = i + 3 === curve.length ? { x: tip.x - 4 * dx, y: tip.y - 4 * dy } : curve[i + 2];
        d += `C${p(curve[i].x, curve[i].y)} ${p(curve[i + 1].x, curve[i + 1].y)} ${p(end.x, end.y)}`;
      }
      made.append(element("path", { d }), element("path", { class: "tip", d:
        `M${p(tip.x, tip.y)}L${p(tip.x - 6.5 * dx - 2.8 * dy, tip.y - 6.5 * dy + 2.8 * dx)}` +
        `L${p(tip.x - 6.5 * dx + 2.8 * dy, tip.y - 6.5 * dy - 2.8 * dx)}Z` }));
      return made;
    });
  }

  isDark() {
    const theme = document.documentElement.dataset.theme;
    return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  isAgain(box) {
    return box.node !== undefined && this.model.graph.nodes[box.node].again;
  }

  // By kind, or by how much of something a box takes.
  colour() {
    const dark = this.isDark(), kinds = this.model.kinds;
    const amounts = this.shown.boxes.map((box) => (this.metric === "kind" ? undefined : this.model.amount(box, this.metric)));
    this.most = amounts.reduce((a, b) => Math.max(a, b || 0), 0);
    this.shown.boxes.forEach((box, i) => {
      const made = this.elements.get(box.key), { kind } = this.say(box), style = kinds[kind];
      let fill = `var(--${kind}-fill)`, line = `var(--${kind}-line)`, ink = `var(--${kind}-text)`;
      if (this.metric !== "kind") {
        const rgb = heat(this.most > 0 && amounts[i] ? Math.sqrt(amounts[i] / this.most) : 0, dark);
        const known = amounts[i] !== undefined;
        fill = known ? css(rgb) : "var(--page)";
        line = known ? "var(--edge)" : "var(--cluster-line)";
        ink = !known ? "var(--faint-text)" : isBright(rgb) ? "#1f2933" : "#ffffff";
      }
      for (const rect of made.querySelectorAll("rect")) {
        rect.style.fill = kind === "constant" ? "transparent" : fill;
        rect.style.stroke = kind === "constant" ? "none" : line;
        rect.style.strokeWidth = style.width;
        rect.style.strokeDasharray = this.isAgain(box) ? "2 2" : style.dashed ? "4 2.5" : "";
      }
      for (const text of made.querySelectorAll("text:not(.shape)")) text.style.fill = ink;
    });
    this.drawLegend(dark);
  }

  drawLegend(dark) {
    const legend = document.getElementById("legend");
    legend.replaceChildren();
    if (this.metric !== "kind") {
      const bar = html("i");
      bar.style.background = `linear-gradient(to right, ${[0, 0.25, 0.5, 0.75, 1].map((t) => css(heat(Math.sqrt(t), dark))).join(",")})`;
      legend.append(html("span", { className: "scale" }, "0", bar, amountText(this.metric, this.most)));
      return;
    }
    const there = new Set(this.shown.boxes.map((box) => this.say(box).kind));
    for (const [kind, style] of Object.entries(this.model.kinds)) {
      if (!there.has(kind) || kind === "constant") continue;
      const made = html("span", { textContent: style.meaning });
      made.style.cssText = `background:var(--${kind}-fill);border-color:var(--${kind}-line);color:var(--${kind}-text);` +
        (style.dashed ? "border-style:dashed" : "");
      legend.append(made);
    }
  }

  // Edges of a box stand out.
  light(index) {
    this.edgeElements.forEach((made, e) => {
      const edge = this.shown.edges[e];
      made.classList.toggle("lit", index >= 0 && (edge.from === index || edge.to === index));
      made.classList.toggle("out", index >= 0 && edge.from === index);
    });
  }
}
