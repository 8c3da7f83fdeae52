// What of a graph is to be seen: some of its phases, some of its modules closed.
"use strict";

// Closed at first, from the inside, until no more than this many boxes are left.
const MOST_BOXES = 220;

class Model {
  constructor(graph, depth) {
    this.graph = graph;
    this.closed = new Set(); // clusters
    this.hidden = new Set(); // phases
    this.phases = [...new Set(graph.nodes.filter((n) => n.op >= 0).map((n) => n.phase))];
    this.depth = [];
    graph.clusters.forEach((c, i) => (this.depth[i] = c.parent < 0 ? 1 : this.depth[c.parent] + 1));
    this.closeFused();
    if (depth < 0) this.closeUntilClear();
    else graph.clusters.forEach((c, i) => !c.isPhase && this.modulesAround(i) > depth && this.closed.add(i));
  }

  // What is fused shows its inside when it is asked for, one by one.
  closeFused() {
    this.graph.clusters.forEach((c, i) => c.fused && this.closed.add(i));
  }

  modulesAround(cluster) {
    let count = 0;
    for (let c = cluster; c >= 0; c = this.graph.clusters[c].parent) {
      const { isPhase, fused } = this.graph.clusters[c];
      count += isPhase || fused ? 0 : 1;
    }
    return count;
  }

  closeUntilClear() {
    for (let depth = this.depth.reduce((a, b) => Math.max(a, b), 0); depth > 0; --depth) {
      if (this.visible().boxes.length <= MOST_BOXES) return;
      this.graph.clusters.forEach((_, i) => this.depth[i] === depth && this.closed.add(i));
    }
  }

  // The outermost closed cluster around a node; -1 for none.
  closedAround(cluster) {
    let found = -1;
    for (let c = cluster; c >= 0; c = this.graph.clusters[c].parent) if (this.closed.has(c)) found = c;
    return found;
  }

  isShown(node) {
    return !this.hidden.has(node.phase) || (node.op < 0 && node.cluster < 0);
  }

  // Opens what hides a node.
  reveal(n) {
    const node = this.graph.nodes[n];
    for (let c = node.cluster; c >= 0; c = this.graph.clusters[c].parent) this.closed.delete(c);
    this.hidden.delete(node.phase);
  }

  setAll(closed) {
    this.closed.clear();
    this.closeFused();
    if (closed) this.graph.clusters.forEach((c, i) => c.isPhase || this.closed.add(i));
  }

  // {boxes, edges, clusters}: boxes and edges as to be laid out; clusters with their index in `clusterOf`.
  visible() {
    const { nodes, edges, clusters } = this.graph;
    const boxes = [], boxOf = new Map(), inside = new Map();
    const add = (key, box) => {
      if (!boxOf.has(key)) boxOf.set(key, boxes.push({ key, ...box }) - 1);
      return boxOf.get(key);
    };
    const boxOfNode = (n) => {
      const node = nodes[n], c = this.closedAround(node.cluster);
      if (c < 0) return add(`n${n}`, { node: n, outputs: node.outputs });
      if (!inside.has(c)) inside.set(c, new Map());
      return add(`c${c}`, { closed: c, nodes: [], outputs: [] });
    };
    nodes.forEach((node, n) => {
      if (node.op >= 0 && this.isShown(node)) boxOfNode(n);
    });
    const drawn = [], seen = new Set();
    edges.forEach(([from, to, output, grad, mark]) => {
      if (!this.isShown(nodes[to])) return;
      const a = nodes[from];
      if (!this.isShown(a) && nodes[to].kind === "output") return; // nothing of it is shown
      const source = this.isShown(a) ? boxOfNode(from) : add(`g${from}`, { ghost: from, outputs: a.outputs });
      const target = boxOfNode(to);
      if (source === target) return;
      const crosses = a.phase !== nodes[to].phase && nodes[to].kind !== "output";
      const closed = boxes[source].closed, bundled = closed !== undefined && crosses && !clusters[closed].fused;
      let port = output;
      if (closed !== undefined) {
        // What a module makes for other parts of the step leaves it as one line.
        const ports = inside.get(closed), key = bundled ? "all" : `${from} ${output}`, { outputs } = boxes[source];
        if (!ports.has(key)) ports.set(key, outputs.push(a.outputs[output] || "") - 1);
        port = ports.get(key);
        if (bundled) {
          const made = (boxes[source].bundle = boxes[source].bundle || new Set()).add(`${from} ${output}`);
          if (made.size > 1) outputs[port] = `${made.size} tensors`;
        }
      }
      if (closed !== undefined || boxes[target].closed !== undefined) {
        const key = `${source} ${port} ${target}`;
        if ((bundled || boxes[target].closed !== undefined) && seen.has(key)) return;
        seen.add(key);
      }
      const leaf = a.op < 0;
      drawn.push({ from: source, to: target, output: port, grad, crosses, mark,
                   weight: mark ? 0 : crosses ? 1 : leaf ? (a.kind === "input" ? 1 : 0) : grad ? 3 : 2 });
    });
    nodes.forEach((node, n) => {
      const c = this.closedAround(node.cluster);
      if (c >= 0 && boxOf.has(`c${c}`)) boxes[boxOf.get(`c${c}`)].nodes.push(n);
    });
    // Leaves that nothing reads any more go as well.
    const needed = new Set(drawn.flatMap((e) => [e.from, e.to]));
    const kept = boxes.map((box, i) => needed.has(i) || box.closed !== undefined ||
                                       (box.node !== undefined && nodes[box.node].op >= 0));
    return this.compact(boxes, drawn, kept, clusters);
  }

  compact(boxes, edges, kept, clusters) {
    const newBox = [], newCluster = new Map(), out = { boxes: [], edges: [], clusters: [] };
    const clusterFor = (c) => {
      if (c < 0) return -1;
      if (!newCluster.has(c)) {
        const parent = clusterFor(clusters[c].parent);
        newCluster.set(c, out.clusters.push({ index: c, parent }) - 1);
      }
      return newCluster.get(c);
    };
    boxes.forEach((box, i) => {
      if (!kept[i]) return;
      const around = box.node !== undefined ? this.graph.nodes[box.node].cluster
                   : box.closed !== undefined ? clusters[box.closed].parent : -1;
      newBox[i] = out.boxes.push({ ...box, cluster: clusterFor(around) }) - 1;
    });
    for (const e of edges)
      if (kept[e.from] && kept[e.to]) out.edges.push({ ...e, from: newBox[e.from], to: newBox[e.to] });
    return out;
  }

  // Sum over what a box stands for; undefined if it is not known of any.
  amount(box, what) {
    if (box.node !== undefined && this.graph.nodes[box.node].inner) return undefined; // known of the whole only
    const list = box.closed !== undefined ? box.nodes : box.node !== undefined ? [box.node] : [];
    const known = list.map((n) => this.graph.nodes[n][what]).filter((x) => x !== undefined);
    return known.length ? known.reduce((a, b) => a + b, 0) : undefined;
  }

  total(what) {
    return this.graph.nodes.reduce((sum, n) => sum + (this.isShown(n) && n[what] ? n[what] : 0), 0);
  }

  // Ops that are drawn once for many count as many, those inside of a fused one as one together.
  countOps(list, within = -1) {
    const { nodes, clusters } = this.graph;
    return list.reduce((sum, n) => {
      if (nodes[n].op < 0 || nodes[n].inner === 1) return sum;
      let count = nodes[n].times || 1;
      for (let c = nodes[n].cluster; c >= 0 && c !== within; c = clusters[c].parent) count *= clusters[c].times;
      return sum + count;
    }, 0);
  }

  knows(what) {
    return this.graph.nodes.some((n) => n[what] > 0);
  }

  // What a node is called: "layers.0.weight", and "layers.1.weight" where the one stands for the other.
  names(n) {
    this.known ||= [];
    return this.known[n] ||= this.allNames(this.graph.nodes[n]).join("\n").toLowerCase();
  }

  allNames(node) {
    const { clusters } = this.graph, all = [node.title, node.name, clusters[node.cluster]?.path].filter(Boolean);
    for (let c = node.cluster; c >= 0; c = clusters[c].parent) {
      const { path, also } = clusters[c];
      if (!path || !also) continue;
      const below = all.filter((name) => name === path || name.startsWith(path + "."));
      for (const other of also) all.push(...below.map((name) => other + name.slice(path.length)));
    }
    return all;
  }

  text(n) {
    const node = this.graph.nodes[n];
    return [this.names(n), node.detail, ...node.outputs, ...node.facts.flat()].join("\n").toLowerCase();
  }
}

// ---- numbers as people read them

function amountText(what, x) {
  if (x === undefined) return "";
  const steps = what === "seconds" ? [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]]
    : what === "bytes" ? [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]]
    : [[1e12, "TFLOP"], [1e9, "GFLOP"], [1e6, "MFLOP"], [1e3, "kFLOP"], [1, "FLOP"]];
  const [size, unit] = steps.find(([least]) => x >= least) || steps[steps.length - 1];
  const n = x / size;
  return `${n >= 100 || Number.isInteger(n) ? Math.round(n) : n.toPrecision(3)} ${unit}`;
}
