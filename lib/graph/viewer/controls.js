// The page: pointer, keys, buttons, search, details.
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const models = data.graphs.map(({ graph }) => Object.assign(new Model(graph, data.depth), { kinds: data.kinds }));
  const view = new View($("canvas"));
  let current = 0, chosen, here, matches = [], match = -1;
  const model = () => models[current];
  const say = (text) => ($("said").textContent = text);
  view.sideways = data.sideways;

  const boxIndex = (key) => view.shown.boxes.findIndex((box) => box.key === key);
  const boxOf = (key) => view.shown.boxes[boxIndex(key)];

  function draw(anchor) {
    view.draw(model(), anchor);
    $("empty").hidden = view.shown.boxes.length > 0;
    mark();
    const { nodes } = model().graph, ops = model().countOps([...nodes.keys()].filter((n) => model().isShown(nodes[n])));
    $("title").replaceChildren(data.title, html("small", { textContent: `${ops} ${ops === 1 ? "op" : "ops"}` }));
    if (here && boxIndex(here) < 0) here = undefined;
  }

  // Classes of what is chosen, found and walked to.
  function mark() {
    const found = new Set(matches.map(keyOf));
    $("canvas").classList.toggle("searching", $("search").value.trim() !== "");
    for (const [key, made] of view.elements) {
      made.classList.toggle("chosen", key === chosen);
      made.classList.toggle("here", key === here);
      made.classList.toggle("match", found.has(key));
      made.classList.toggle("current", match >= 0 && key === keyOf(matches[match]));
    }
    if (here) $("canvas").setAttribute("aria-activedescendant", `box-${here}`);
    view.light(boxIndex(chosen || here));
  }

  // The box that shows a node now.
  function keyOf(n) {
    const c = model().closedAround(model().graph.nodes[n].cluster);
    return c >= 0 ? `c${c}` : `n${n}`;
  }

  // ---- modules

  function toggle(cluster, open) {
    const c = model().graph.clusters[cluster];
    if (open) model().closed.delete(cluster);
    else model().closed.add(cluster);
    if (chosen && boxIndex(chosen) >= 0 && !open) chosen = undefined;
    here = open ? undefined : `c${cluster}`;
    draw(`c${cluster}`);
    say(`${c.title} ${open ? "opened" : "closed"}`);
  }

  function setAll(closed) {
    model().setAll(closed);
    draw();
    view.fit();
    say(closed ? "All modules closed" : "All modules opened");
  }

  // ---- details

  function facts(box) {
    const { nodes, clusters } = model().graph, list = [];
    if (box.closed !== undefined) {
      const cluster = clusters[box.closed];
      if (cluster.path) list.push(["module", cluster.path]);
      if (cluster.times > 1) list.push(["repeated", `${cluster.times} times in a row`]);
      if (cluster.fused) list.push(...cluster.facts);
    } else {
      const node = nodes[box.node === undefined ? box.ghost : box.node];
      if (node.name && node.name !== node.title) list.push(["name", node.name]);
      if (node.cluster >= 0 && clusters[node.cluster].path) list.push(["module", clusters[node.cluster].path]);
      list.push(...node.facts);
    }
    for (const [what, name] of [["seconds", "time"], ["bytes", "memory"], ["flops", "arithmetic"]]) {
      const amount = model().amount(box, what);
      if (amount === undefined) continue;
      const all = model().total(what), share = all > 0 && amount > 0 ? ` (${((100 * amount) / all).toPrecision(2)} %)` : "";
      list.push([name, amountText(what, amount) + share]);
    }
    return list;
  }

  function factList(list) {
    const made = html("dl");
    list.forEach(([what, fact], i) => {
      const again = i > 0 && list[i - 1][0] === what; // one heading for several
      const words = html("dd");
      for (const part of String(fact).split(/(?<=[._/])/)) words.append(part, html("wbr")); // names break behind a dot
      made.append(html("dt", { textContent: again ? "" : what }), words);
    });
    return made;
  }

  function neighbours(title, pairs) {
    if (!pairs.length) return [];
    const list = html("ul");
    for (const [index, text] of pairs) {
      const box = view.shown.boxes[index];
      const button = html("button", { type: "button", onclick: () => choose(box.key, true) }, view.say(box).title, " ",
        html("small", { textContent: text }));
      list.append(html("li", {}, button));
    }
    return [html("h3", { textContent: title }), list];
  }

  function choose(key, bring) {
    chosen = key;
    const box = key && boxOf(key);
    $("tip").hidden = true;
    $("details").hidden = !box;
    if (box) {
      here = key;
      const said = view.say(box), index = boxIndex(key), kind = html("span", { className: "kind", textContent: data.kinds[said.kind].meaning });
      kind.style.cssText = `background:var(--${said.kind}-fill);border-color:var(--${said.kind}-line);color:var(--${said.kind}-text)`;
      const shape = (e) => view.shown.boxes[e.from].outputs[e.output] || view.say(view.shown.boxes[e.from]).detail;
      $("details-body").replaceChildren(html("h2", { textContent: said.title }), kind, factList(facts(box)),
        ...neighbours("From", view.shown.edges.filter((e) => e.to === index).map((e) => [e.from, shape(e)])),
        ...neighbours("To", view.shown.edges.filter((e) => e.from === index).map((e) => [e.to, shape(e)])));
      if (box.closed !== undefined)
        $("details-body").append(html("h3", { textContent: data.kinds[said.kind].meaning.startsWith("fused") ? "What it holds" : "Module" }),
          html("button", { type: "button", textContent: "Open", onclick: () => toggle(box.closed, true) }));
      say([said.title, said.detail].filter(Boolean).join(", "));
      if (bring) view.bring(key);
    }
    mark();
  }

  function tip(event) {
    const made = event && event.target.closest && event.target.closest(".box");
    const box = made && view.shown.boxes[made.dataset.index];
    $("tip").hidden = !box || box.key === chosen; // the details say it already
    view.light(box ? Number(made.dataset.index) : boxIndex(chosen || here));
    if ($("tip").hidden) return;
    const said = view.say(box);
    $("tip").replaceChildren(html("b", { textContent: said.title }), " ", said.detail, factList(facts(box)));
    const { offsetWidth: w, offsetHeight: h } = $("tip");
    $("tip").style.left = `${Math.max(6, Math.min(innerWidth - w - 6, event.clientX + 14))}px`;
    $("tip").style.top = `${event.clientY + h + 24 > innerHeight ? Math.max(6, event.clientY - h - 12) : event.clientY + 16}px`;
  }

  // ---- search

  function search() {
    const words = $("search").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const found = (text) => words.every((word) => text.includes(word));
    matches = !words.length ? [] : model().graph.nodes.map((_, n) => n).filter((n) => found(model().text(n)));
    const named = matches.filter((n) => found(model().names(n)));
    matches = [...named, ...matches.filter((n) => !named.includes(n))];
    match = matches.length ? 0 : -1;
    showMatch();
  }

  function showMatch() {
    $("matches").textContent = !$("search").value.trim() ? "" : matches.length ? `${match + 1} of ${matches.length}` : "none";
    mark();
    if (match >= 0) view.bring(keyOf(matches[match]));
  }

  function nextMatch(by) {
    if (!matches.length) return;
    match = (match + by + matches.length) % matches.length;
    const n = matches[match];
    if (keyOf(n) !== `n${n}` || !model().isShown(model().graph.nodes[n])) {
      model().reveal(n);
      buttons();
      draw();
    }
    showMatch();
    choose(keyOf(n), true);
  }

  // ---- switches

  function buttons() {
    $("views").hidden = models.length < 2;
    $("views").replaceChildren(...data.graphs.map(({ name }, i) => pressable(name, i === current, () => {
      current = i;
      chosen = here = undefined;
      choose();
      buttons();
      search();
      draw();
      view.fit();
    })));
    $("phases").hidden = model().phases.length < 2;
    $("phases").replaceChildren(...model().phases.map((phase) => {
      const made = pressable(phase, !model().hidden.has(phase), () => {
        if (!model().hidden.delete(phase)) model().hidden.add(phase);
        buttons();
        choose();
        draw();
        view.fit();
        say(`${phase} ${model().hidden.has(phase) ? "hidden" : "shown"}`);
      });
      made.style.setProperty("--phase", `var(--op${phase === "forward" ? "" : `-${phase}`}-line)`);
      return made;
    }));
    for (const option of $("colour").options) {
      option.disabled = option.value !== "kind" && !model().knows(option.value);
      option.title = option.disabled && option.value === "seconds" ? "Not measured" : "";
    }
    $("colour-field").hidden = [...$("colour").options].slice(1).every((option) => option.disabled);
    if ($("colour").selectedOptions[0].disabled) $("colour").value = view.metric = "kind";
  }

  function pressable(text, pressed, onclick) {
    const made = html("button", { type: "button", textContent: text, onclick });
    made.setAttribute("aria-pressed", pressed);
    return made;
  }

  function turnTheme() {
    const themes = ["", "light", "dark"], root = document.documentElement;
    const next = themes[(themes.indexOf(root.dataset.theme || "") + 1) % 3];
    if (next) root.dataset.theme = next;
    else delete root.dataset.theme;
    view.colour();
    say(next ? `${next} theme` : "theme of the system");
  }

  function turn() {
    view.sideways = !view.sideways;
    draw();
    view.fit();
  }

  // ---- walking along the edges

  function walk(direction) {
    if (!view.shown.boxes.length) return;
    if (!here) return go(view.shown.boxes[0].key);
    const index = boxIndex(here), rect = view.picture.boxes[index];
    const flow = view.sideways ? { right: "to", left: "from", down: "after", up: "before" }
                               : { down: "to", up: "from", right: "after", left: "before" };
    const way = flow[direction], middle = (r) => (view.sideways ? r.y + r.height / 2 : r.x + r.width / 2);
    let options;
    if (way === "to") options = view.shown.edges.filter((e) => e.from === index).map((e) => e.to);
    else if (way === "from") options = view.shown.edges.filter((e) => e.to === index).map((e) => e.from);
    else {
      const sign = way === "after" ? 1 : -1;
      const along = (r) => (view.sideways ? r.x + r.width / 2 : r.y + r.height / 2);
      options = view.picture.boxes.map((r, i) => [i, sign * (middle(r) - middle(rect)), Math.abs(along(r) - along(rect))])
        .filter(([i, across, off]) => i !== index && across > 1 && off < 60)
        .sort((a, b) => a[1] + 3 * a[2] - b[1] - 3 * b[2]).map(([i]) => i).slice(0, 1);
    }
    options.sort((a, b) => Math.abs(middle(view.picture.boxes[a]) - middle(rect)) - Math.abs(middle(view.picture.boxes[b]) - middle(rect)));
    if (options.length) go(view.shown.boxes[options[0]].key);
  }

  function go(key) {
    here = key;
    if (chosen) return choose(key, true);
    view.bring(key);
    mark();
    const said = view.say(boxOf(key));
    say([said.title, said.detail].filter(Boolean).join(", "));
  }

  function enter() {
    const box = here && boxOf(here);
    if (!box) return;
    if (box.closed !== undefined) toggle(box.closed, true);
    else choose(chosen === here ? undefined : here);
  }

  // Closes the module that the walker is in.
  function leave() {
    const box = here && boxOf(here);
    if (box && box.cluster >= 0) toggle(view.shown.clusters[box.cluster].index, false);
  }

  function escape() {
    if ($("search").value) {
      $("search").value = "";
      search();
    } else if (chosen) choose();
    else {
      here = undefined;
      mark();
    }
  }

  // ---- pointer

  const pointers = new Map();
  let moved = 0;
  const stage = $("canvas");
  const position = (event) => {
    const r = stage.getBoundingClientRect();
    return { x: event.clientX - r.left, y: event.clientY - r.top };
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    pointers.set(event.pointerId, position(event));
    moved = 0;
  });
  stage.addEventListener("pointermove", (event) => {
    const was = pointers.get(event.pointerId);
    if (!was) return tip(event);
    const at = position(event);
    moved += Math.abs(at.x - was.x) + Math.abs(at.y - was.y);
    if (moved < 4) return;
    if (!stage.hasPointerCapture(event.pointerId)) stage.setPointerCapture(event.pointerId);
    stage.classList.add("dragged");
    tip();
    const others = [...pointers].filter(([id]) => id !== event.pointerId);
    if (others.length) {
      const [, other] = others[0];
      const distance = (a) => Math.hypot(a.x - other.x, a.y - other.y) || 1;
      view.zoomAbout(distance(at) / distance(was), other.x, other.y);
    } else view.place({ x: view.at.x + at.x - was.x, y: view.at.y + at.y - was.y, zoom: view.at.zoom });
    pointers.set(event.pointerId, at);
  });
  for (const end of ["pointerup", "pointercancel"])
    stage.addEventListener(end, (event) => {
      pointers.delete(event.pointerId);
      stage.classList.remove("dragged");
    });
  stage.addEventListener("pointerleave", () => tip());
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { x, y } = position(event), lines = event.deltaMode === 1 ? 16 : 1;
    view.zoomAbout(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)), x, y);
    tip();
  }, { passive: false });
  stage.addEventListener("click", (event) => {
    if (moved >= 4) return;
    const head = event.target.closest(".head"), made = event.target.closest(".box");
    if (head) toggle(Number(head.dataset.close), false);
    else choose(made ? made.dataset.key : undefined);
  });
  stage.addEventListener("dblclick", (event) => {
    const made = event.target.closest(".box"), box = made && view.shown.boxes[made.dataset.index];
    if (!box) return;
    if (box.closed !== undefined) toggle(box.closed, true);
    else if (box.cluster >= 0) toggle(view.shown.clusters[box.cluster].index, false);
  });

  // ---- keys

  const keys = {
    ArrowUp: () => walk("up"), ArrowDown: () => walk("down"), ArrowLeft: () => walk("left"), ArrowRight: () => walk("right"),
    Enter: enter, " ": enter, Backspace: leave, Escape: escape,
    "/": () => $("search").focus(), n: () => nextMatch(1), N: () => nextMatch(-1),
    "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), f: () => view.overview(), 0: () => view.overview(),
    e: () => setAll(false), c: () => setAll(true), d: turn, t: turnTheme, "?": () => $("help").showModal(),
  };
  const zoom = (factor) => view.zoomAbout(factor, stage.clientWidth / 2, stage.clientHeight / 2);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
    const typing = event.target.matches("input, select"), pressing = event.target.matches("button");
    if (typing && event.key !== "Escape" && !(event.target === $("search") && event.key === "Enter")) return;
    if (pressing && (event.key === "Enter" || event.key === " ")) return;
    if (typing && event.key === "Enter") {
      event.preventDefault();
      return nextMatch(event.shiftKey ? -1 : boxIndex(chosen) >= 0 ? 1 : 0);
    }
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    if (typing) event.target.blur();
    act();
  });

  $("search").addEventListener("input", search);
  $("colour").addEventListener("change", () => {
    view.metric = $("colour").value;
    view.colour();
  });
  $("close-all").onclick = () => setAll(true);
  $("open-all").onclick = () => setAll(false);
  $("turn").onclick = turn;
  $("theme").onclick = turnTheme;
  $("help-button").onclick = () => $("help").showModal();
  $("zoom-in").onclick = () => zoom(1.25);
  $("zoom-out").onclick = () => zoom(0.8);
  $("fit").onclick = () => view.overview();
  $("details-close").onclick = () => choose();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => view.colour());
  addEventListener("resize", () => tip());

  buttons();
  draw();
  view.fit();
})();
