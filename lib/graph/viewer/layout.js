// Layered drawings of boxes and edges within nested clusters, by the steps of lib/graph/layout: every cluster is laid
// out by itself and is then one box of the cluster around it. layOut(diagram) is a pure function:
//   diagram: {boxes: [{width, height, cluster, outputs: [{width, height}]}], edges: [{from, to, output, weight}],
//             clusters: [{parent, title: {width, height}}], sideways: bool}
//   result:  {width, height, boxes, clusters, titles: [{x, y, width, height}], labels: [[rect]], edges: [[{x, y}]]}
// with cubic Bezier curves of 3 n + 1 points.
"use strict";

const PADDING = 12;
const TITLE_GAP = 6;
const LABEL_GAP = 5;
const OUTPUT_GAP = 12;

function layOut(diagram) {
  const turned = (size) => (diagram.sideways ? { width: size.height, height: size.width } : size);
  const boxes = diagram.boxes.map((box) =>
    ({ ...turned(box), cluster: box.cluster, outputs: box.outputs.map(turned), dx: [] }));
  const titles = diagram.clusters.map((cluster) => turned(cluster.title));
  const nesting = nest(diagram), { levels } = nesting;
  const boxesIn = levels.map(() => []), clustersIn = levels.map(() => []);
  boxes.forEach((box, b) => boxesIn[box.cluster + 1].push(b));
  diagram.clusters.forEach((c, i) => nesting.itemOfCluster[i] >= 0 && clustersIn[c.parent + 1].push(i));
  const titlePlaces = diagram.clusters.map(() => ({ x: 0, y: 0 }));

  const measureBox = (b, item) => {
    const box = boxes[b], used = nesting.used[b];
    box.outputs = box.outputs.map((size, k) => (used[k] ? size : { width: 0, height: 0 }));
    item.tail = Math.max(0, ...box.outputs.map((size) => size.height));
    let side = box.width / 2;
    if (used.filter(Boolean).length <= 1) {
      box.dx = used.map(() => 0);
      for (const size of box.outputs) side = Math.max(side, size.width + LABEL_GAP);
    } else {
      const room = (size) => (size.width > 0 ? size.width + LABEL_GAP : 0);
      const sum = box.outputs.reduce((all, size) => all + room(size) + OUTPUT_GAP, 0);
      box.width = Math.max(box.width, sum);
      const gap = OUTPUT_GAP + (box.width - sum) / box.outputs.length;
      let x = -box.width / 2;
      box.dx = box.outputs.map((size) => {
        const width = room(size) + gap, at = diagram.sideways ? x + width - gap / 2 : x + gap / 2;
        x += width;
        return at;
      });
      side = box.width / 2;
    }
    item.left = diagram.sideways ? side : box.width / 2;
    item.right = diagram.sideways ? box.width / 2 : side;
    item.height = box.height + item.tail;
  };
  const offset = (end) => {
    if (end.cluster >= 0) {
      const inside = levels[end.cluster + 1];
      return inside.places[end.port].x - (inside.left + inside.right) / 2;
    }
    return end.box < 0 || end.output < 0 ? 0 : boxes[end.box].dx[end.output] || 0;
  };
  const makeRoomForTitle = (level, c) => {
    const title = titles[c];
    if (diagram.sideways) {
      level.left -= title.width + 2 * TITLE_GAP - PADDING;
      level.height = Math.max(level.height, title.height + 2 * TITLE_GAP);
      titlePlaces[c] = { x: level.left + TITLE_GAP, y: TITLE_GAP };
      return;
    }
    const room = title.width + 2 * TITLE_GAP;
    let first = level.right, last = level.left;
    level.items.forEach((item, i) => {
      if (item.border >= 0) return;
      first = Math.min(first, level.places[i].x);
      last = Math.max(last, level.places[i].x);
    });
    const atRight = last > level.left && first - level.left < level.right - last &&
                    level.right - last < room && first - level.left < room;
    if (atRight) level.right = Math.max(level.right, last + room);
    else level.left = Math.min(level.left, first - room);
    titlePlaces[c] = { x: atRight ? level.right - TITLE_GAP - title.width : level.left + TITLE_GAP, y: 4 };
  };

  for (let l = levels.length - 1; l >= 0; --l) {
    const level = levels[l];
    for (const b of boxesIn[l]) measureBox(b, level.items[nesting.itemOfBox[b]]);
    for (const c of clustersIn[l]) {
      const item = level.items[nesting.itemOfCluster[c]], inside = levels[c + 1];
      item.left = item.right = (inside.right - inside.left) / 2;
      item.height = inside.height;
      item.isCluster = true;
    }
    for (const link of level.links) {
      link.fromDx = offset(link.upper);
      link.toDx = offset(link.lower);
    }
    if (l > 0 && !level.items.length) continue;
    const head = l === 0 ? 0 : diagram.sideways ? PADDING : titles[l - 1].height + TITLE_GAP;
    layOutLevel(level, head, l === 0 ? 0 : PADDING);
    if (l === 0) continue;
    level.left -= PADDING;
    level.right += PADDING;
    makeRoomForTitle(level, l - 1);
  }
  return placed(diagram, boxes, titles, titlePlaces, nesting, boxesIn, clustersIn);
}

function placed(diagram, boxes, titles, titlePlaces, nesting, boxesIn, clustersIn) {
  const { levels } = nesting;
  const nothing = () => ({ x: 0, y: 0, width: 0, height: 0 });
  const picture = { boxes: [], clusters: diagram.clusters.map(nothing), titles: diagram.clusters.map(nothing),
                    labels: boxes.map(() => []) };
  const origins = [{ x: -levels[0].left, y: 0 }];
  levels.forEach((level, l) => {
    for (const b of boxesIn[l]) {
      const at = level.places[nesting.itemOfBox[b]], box = boxes[b];
      const x = origins[l].x + at.x, y = origins[l].y + at.y;
      picture.boxes[b] = { x: x - box.width / 2, y, width: box.width, height: box.height };
      picture.labels[b] = box.outputs.map((size, k) => ({
        x: x + box.dx[k] + (diagram.sideways ? -LABEL_GAP - size.width : LABEL_GAP),
        y: y + box.height, width: size.width, height: size.height }));
    }
    for (const c of clustersIn[l]) {
      const inside = levels[c + 1], at = level.places[nesting.itemOfCluster[c]];
      const width = inside.right - inside.left;
      const x = origins[l].x + at.x - width / 2, y = origins[l].y + at.y;
      picture.clusters[c] = { x, y, width, height: inside.height };
      origins[c + 1] = { x: x - inside.left, y };
      picture.titles[c] = { x: origins[c + 1].x + titlePlaces[c].x, y: y + titlePlaces[c].y,
                            width: titles[c].width, height: titles[c].height };
    }
  });
  picture.edges = diagram.edges.map((_, e) => {
    const points = [];
    for (const leg of nesting.legs[e]) {
      const curve = levels[leg.level].curves[leg.link].map((p) =>
        ({ x: p.x + origins[leg.level].x, y: p.y + origins[leg.level].y }));
      if (nesting.meetings[e].backward) curve.reverse();
      for (const p of points.length ? curve.slice(1) : curve) points.push(p);
    }
    return points;
  });
  picture.width = levels[0].right - levels[0].left;
  picture.height = levels[0].height;
  if (diagram.sideways) turn(picture);
  return picture;
}

function turn(picture) {
  const turnRect = (r) => {
    [r.x, r.y] = [r.y, r.x];
    [r.width, r.height] = [r.height, r.width];
  };
  for (const list of [picture.boxes, picture.clusters, picture.titles, ...picture.labels]) list.forEach(turnRect);
  for (const curve of picture.edges) for (const p of curve) [p.x, p.y] = [p.y, p.x];
  [picture.width, picture.height] = [picture.height, picture.width];
}
