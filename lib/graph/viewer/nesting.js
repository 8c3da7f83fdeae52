// The levels of a diagram: one outside of all clusters and one inside of each, and every edge as a way through them.
"use strict";

const ANYWHERE = -1;
const BOTTOM = -2;

function around(diagram, box) {
  const found = [];
  for (let c = diagram.boxes[box].cluster; c >= 0; c = diagram.clusters[c].parent) found.push(c);
  found.push(-1);
  return found;
}

function nest(diagram) {
  const levels = Array.from({ length: diagram.clusters.length + 1 }, () => ({ items: [], links: [] }));
  const levelOf = (cluster) => levels[cluster + 1];
  const itemOfCluster = diagram.clusters.map(() => -1);
  const itemOfBox = [];
  const addItem = (cluster, border) =>
    levelOf(cluster).items.push({ left: 0, right: 0, height: 0, tail: 0, border }) - 1;
  diagram.boxes.forEach((box) => {
    for (let c = box.cluster; c >= 0 && itemOfCluster[c] < 0; c = diagram.clusters[c].parent)
      itemOfCluster[c] = addItem(diagram.clusters[c].parent, 0);
    itemOfBox.push(addItem(box.cluster, 0));
  });

  const meetings = diagram.edges.map((edge) => {
    const out = around(diagram, edge.from), into = around(diagram, edge.to);
    while (out.length > 1 && into.length > 1 && out[out.length - 2] === into[into.length - 2]) {
      out.pop();
      into.pop();
    }
    return {
      cluster: out[out.length - 1],
      from: out.length > 1 ? itemOfCluster[out[out.length - 2]] : itemOfBox[edge.from],
      to: into.length > 1 ? itemOfCluster[into[into.length - 2]] : itemOfBox[edge.to],
      backward: false,
    };
  });
  findBackwardEdges(diagram, levels, meetings);

  const ports = new Map(), links = new Map();
  const used = diagram.boxes.map((box) => box.outputs.map(() => false));
  const port = (cluster, edge, upper) => {
    const key = `${cluster} ${edge.from} ${edge.output} ${upper}`;
    if (!ports.has(key)) ports.set(key, addItem(cluster, upper ? -1 : 1));
    return ports.get(key);
  };
  const borders = (edge, meeting, box, leaves) => {
    const upper = leaves === meeting.backward;
    const found = [{ item: itemOfBox[box], box, cluster: -1, port: -1,
                     output: upper ? ANYWHERE : leaves ? edge.output : BOTTOM }];
    for (let c = diagram.boxes[box].cluster; c !== meeting.cluster; c = diagram.clusters[c].parent)
      found.push({ item: itemOfCluster[c], box: -1, cluster: c, port: port(c, edge, upper), output: 0 });
    return found;
  };
  const inside = (border) => ({ item: border.port, box: -1, cluster: -1, port: -1, output: 0 });
  const legs = diagram.edges.map((edge, e) => {
    const way = [];
    if (edge.from === edge.to) return way;
    const meeting = meetings[e];
    if (edge.output < used[edge.from].length) used[edge.from][edge.output] = true;
    const addLeg = (cluster, from, to) => {
      const upper = meeting.backward ? to : from, lower = meeting.backward ? from : to;
      // Edges stay apart where they end on a box; elsewhere a value runs once.
      const atBox = lower.box >= 0;
      const key = [cluster, upper.item, upper.cluster >= 0 ? upper.port : upper.output, lower.item,
                   lower.port, atBox ? e : -1].join(" ");
      const level = levelOf(cluster);
      if (!links.has(key))
        links.set(key, level.links.push({ from: upper.item, to: lower.item, upper, lower, fromDx: 0, toDx: 0,
                                          weight: 0, freeEnd: atBox }) - 1);
      const link = level.links[links.get(key)];
      link.weight = Math.max(link.weight, edge.weight);
      way.push({ level: cluster + 1, link: links.get(key) });
    };
    const out = borders(edge, meeting, edge.from, true), into = borders(edge, meeting, edge.to, false);
    let cluster = diagram.boxes[edge.from].cluster;
    for (let i = 0; i + 1 < out.length; ++i) {
      addLeg(cluster, out[i], inside(out[i + 1]));
      cluster = diagram.clusters[cluster].parent;
    }
    addLeg(meeting.cluster, out[out.length - 1], into[into.length - 1]);
    for (let i = into.length - 2; i >= 0; --i) addLeg(into[i + 1].cluster, inside(into[i + 1]), into[i]);
    return way;
  });
  return { levels, itemOfBox, itemOfCluster, meetings, legs, used };
}

// Even where boxes have no cycles their clusters may: an edge that closes one runs backward.
function findBackwardEdges(diagram, levels, meetings) {
  const out = levels.map((level) => level.items.map(() => []));
  diagram.edges.forEach((edge, e) => {
    if (edge.from !== edge.to) out[meetings[e].cluster + 1][meetings[e].from].push(e);
  });
  levels.forEach((level, l) => {
    const state = new Uint8Array(level.items.length); // 1: on the stack, 2: done
    for (let start = 0; start < state.length; ++start) {
      if (state[start]) continue;
      const stack = [[start, 0]];
      state[start] = 1;
      while (stack.length) {
        const visit = stack[stack.length - 1];
        const edges = out[l][visit[0]];
        if (visit[1] === edges.length) {
          state[visit[0]] = 2;
          stack.pop();
          continue;
        }
        const meeting = meetings[edges[visit[1]++]];
        meeting.backward = state[meeting.to] === 1;
        if (state[meeting.to]) continue;
        state[meeting.to] = 1;
        stack.push([meeting.to, 0]);
      }
    }
  });
}

