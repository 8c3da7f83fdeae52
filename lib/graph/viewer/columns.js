// One level: columns after Brandes and Köpf, then heights and curves.
"use strict";

const BAND = 25;
const STRAIGHT = 15;
const PORT_BAND = 10;
const WIDE = 240;
const END_STEP = 12;
const END_MARGIN = 9;

function gapBetween(level, a, b) {
  const isBox = (v) => v.item >= 0 && level.items[v.item].border === 0;
  if (isBox(a) && isBox(b)) return 22;
  return isBox(a) || isBox(b) ? 16 : 12;
}

// Segments that may bend: those that cross one between two passing places, and those beside a heavier one.
function findConflicts(level) {
  const conflicts = new Uint8Array(level.segments.length);
  const isInner = (g) => level.vertices[g.upper].item < 0 && level.vertices[g.lower].item < 0;
  for (let r = 1; r < level.rows.length; ++r) {
    const row = level.rows[r];
    let low = -1;
    for (let begin = 0, end; begin < row.length; begin = end) {
      let high = Infinity;
      for (end = begin; end < row.length && high === Infinity; ++end)
        for (const s of level.above[row[end]])
          if (isInner(level.segments[s])) high = level.vertices[level.segments[s].upper].place;
      for (let i = begin; i < end; ++i)
        for (const s of level.above[row[i]]) {
          const place = level.vertices[level.segments[s].upper].place;
          if ((place < low || place > high) && !isInner(level.segments[s])) conflicts[s] = 1;
        }
      if (high !== Infinity) low = Math.max(low, high);
    }
  }
  const weight = level.segments.map((g) => (isInner(g) ? Infinity : g.weight));
  const heaviest = (segments) => segments.reduce((most, s) => Math.max(most, weight[s]), 0);
  const above = level.above.map(heaviest), below = level.below.map(heaviest);
  level.segments.forEach((g, s) => {
    if (weight[s] < below[g.upper] || weight[s] < above[g.lower]) conflicts[s] = 1;
  });
  return conflicts;
}

// One of the four ways of Brandes and Köpf: x of each vertex.
function alignedColumns(level, conflicts, fromAbove, leftmost) {
  const n = level.vertices.length, sign = leftmost ? 1 : -1;
  const root = level.vertices.map((_, i) => i);
  const shift = new Float64Array(n), taken = new Uint8Array(n);
  const rows = fromAbove ? level.rows : level.rows.slice().reverse();
  for (const row of rows.slice(1)) {
    let last = -Infinity;
    for (const v of leftmost ? row : row.slice().reverse()) {
      const sides = [];
      for (const s of (fromAbove ? level.above : level.below)[v]) {
        if (conflicts[s]) continue;
        const g = level.segments[s];
        const w = level.vertices[fromAbove ? g.upper : g.lower], width = w.left + w.right;
        const dx = fromAbove ? g.upperDx : g.lowerDx;
        sides.push([sign * (w.place + (width > 0 ? (0.98 * dx) / width : 0)), s]);
      }
      if (!sides.length) continue;
      sides.sort((a, b) => a[0] - b[0]);
      const tryAlign = (s) => {
        const g = level.segments[s], w = fromAbove ? g.upper : g.lower;
        const place = sign * level.vertices[w].place;
        if (taken[w] || place <= last) return false;
        taken[w] = 1;
        root[v] = root[w];
        shift[v] = shift[w] + sign * (fromAbove ? g.upperDx - g.lowerDx : g.lowerDx - g.upperDx);
        last = place;
        return true;
      };
      const m = sides.length;
      if (!tryAlign(sides[(m - 1) >> 1][1]) && m % 2 === 0) tryAlign(sides[m >> 1][1]);
    }
  }
  const arcs = level.vertices.map(() => []), waits = new Int32Array(n), x = new Float64Array(n);
  for (const row of level.rows) {
    const line = leftmost ? row : row.slice().reverse();
    for (let i = 0; i + 1 < line.length; ++i) {
      const a = level.vertices[line[i]], b = level.vertices[line[i + 1]];
      const apart = gapBetween(level, a, b) + (leftmost ? a.right + b.left : a.left + b.right);
      arcs[root[line[i]]].push([root[line[i + 1]], apart + shift[line[i]] - shift[line[i + 1]]]);
      ++waits[root[line[i + 1]]];
    }
  }
  const order = [];
  for (let v = 0; v < n; ++v) if (root[v] === v && !waits[v]) order.push(v);
  for (let next = 0; next < order.length; ++next)
    for (const [to, distance] of arcs[order[next]]) {
      x[to] = Math.max(x[to], x[order[next]] + distance);
      if (--waits[to] === 0) order.push(to);
    }
  for (let k = order.length - 1; k >= 0; --k) {
    let nearest = Infinity;
    for (const [to, distance] of arcs[order[k]]) nearest = Math.min(nearest, x[to] - distance);
    if (nearest < Infinity) x[order[k]] = Math.max(x[order[k]], nearest);
  }
  return level.vertices.map((_, v) => sign * (x[root[v]] + shift[v]));
}

function placeColumns(level) {
  const conflicts = findConflicts(level);
  const ways = [[true, true], [true, false], [false, true], [false, false]].map(([above, left]) => {
    const x = alignedColumns(level, conflicts, above, left);
    let low = Infinity, high = -Infinity;
    x.forEach((at, i) => {
      low = Math.min(low, at - level.vertices[i].left);
      high = Math.max(high, at + level.vertices[i].right);
    });
    return { x, low, high, left };
  });
  const narrowest = ways.reduce((a, b) => (b.high - b.low < a.high - a.low ? b : a));
  level.vertices.forEach((v, i) => {
    const x = ways.map((way) => way.x[i] + (way.left ? narrowest.low - way.low : narrowest.high - way.high));
    x.sort((a, b) => a - b);
    v.x = (x[1] + x[2]) / 2;
  });
  for (const row of level.rows)
    for (let i = 1; i < row.length; ++i) {
      const a = level.vertices[row[i - 1]], b = level.vertices[row[i]];
      b.x = Math.max(b.x, a.x + a.right + gapBetween(level, a, b) + b.left);
    }
  stackRows(level);
}

// Rows of wide clusters stand below each other: links between them bend rather than make the picture wide.
function stackRows(level) {
  if (!level.items.some((item) => item.isCluster && item.left + item.right >= WIDE)) return;
  const spans = level.rows.map((row) => {
    const first = level.vertices[row[0]], last = level.vertices[row[row.length - 1]];
    return row.length ? [first.x - first.left, last.x + last.right] : [0, 0];
  });
  const [low, high] = spans.reduce((a, b) => (b[1] - b[0] > a[1] - a[0] ? b : a));
  spans.forEach(([left, right], r) => {
    const by = left < low ? low - left : right > high ? high - right : 0;
    for (const v of level.rows[r]) level.vertices[v].x += by;
  });
}

// Numbers in order within +-reach are moved apart; that of the main link stays if it can.
function spread(dx, main, reach) {
  const left = main, right = dx.length - 1 - main;
  const least = Math.min(END_STEP / 2, (2 * reach) / (left + right));
  dx[main] = Math.max(-reach + least * left, Math.min(reach - least * right, dx[main]));
  let step = Math.min(END_STEP, (dx[main] + reach) / Math.max(1, left));
  for (let i = main - 1; i >= 0; --i) dx[i] = Math.max(-reach + step * i, Math.min(dx[i], dx[i + 1] - step));
  step = Math.min(END_STEP, (reach - dx[main]) / Math.max(1, right));
  for (let i = main + 1; i < dx.length; ++i)
    dx[i] = Math.min(reach - step * (dx.length - 1 - i), Math.max(dx[i], dx[i - 1] + step));
}

function routeLinks(level, head, foot) {
  const upperX = (g) => level.vertices[g.upper].x + g.upperDx;
  const lowerX = (g) => level.vertices[g.lower].x + g.lowerDx;
  level.left = level.vertices.reduce((least, v) => Math.min(least, v.x - v.left), Infinity);
  level.right = level.vertices.reduce((most, v) => Math.max(most, v.x + v.right), -Infinity);
  if (!level.vertices.length) level.left = level.right = 0;

  const ends = level.items.map(() => []);
  level.links.forEach((link, l) => link.freeEnd && ends[link.to].push(l));
  const last = (l) => level.segments[level.chains[l][level.chains[l].length - 1]];
  ends.forEach((links, i) => {
    if (links.length < 2) return;
    links.sort((a, b) => upperX(last(a)) - upperX(last(b)));
    const side = Math.min(level.items[i].left, level.items[i].right);
    const room = side - Math.min(END_MARGIN, 0.4 * side);
    const reach = Math.min(room, END_STEP * (links.length - 1));
    const dx = links.map((l) => Math.max(-reach, Math.min(reach, upperX(last(l)) - level.vertices[i].x)));
    let main = 0;
    links.forEach((l, k) => last(l).weight > last(links[main]).weight && (main = k));
    spread(dx, main, reach);
    links.forEach((l, k) => (level.links[l].toDx = last(l).lowerDx = dx[k]));
  });

  const upper = level.items.some((item) => item.border < 0), lower = level.items.some((item) => item.border > 0);
  const top = [], bottom = [];
  let y = upper ? 0 : head;
  level.rows.forEach((row, r) => {
    const isLast = r + 1 === level.rows.length;
    let height = row.reduce((most, v) => Math.max(most, level.vertices[v].item >= 0 ? level.items[v].height : 0), 0);
    if (r === 0 && upper) height = head;
    if (isLast && lower) height = foot;
    top.push(y);
    bottom.push((y += height));
    if (isLast) return;
    let farthest = 0;
    for (const v of row)
      for (const s of level.below[v])
        farthest = Math.max(farthest, Math.abs(upperX(level.segments[s]) - lowerX(level.segments[s])));
    const besidePorts = (r === 0 && upper) || (r + 2 === level.rows.length && lower);
    y += (farthest < 1 ? STRAIGHT : BAND + Math.min(60, 0.12 * Math.max(0, farthest - 60))) - (besidePorts ? PORT_BAND : 0);
  });
  level.height = y + (lower ? 0 : foot);

  level.places = level.items.map((item, i) => {
    const v = level.vertices[i];
    if (item.border) return { x: v.x, y: item.border < 0 ? top[v.row] : bottom[v.row] };
    // Beside what is taller: near what it is linked with.
    const hasAbove = level.above[i].length > 0, hasBelow = level.below[i].length > 0;
    const slack = bottom[v.row] - top[v.row] - item.height, far = slack > 100 && hasAbove !== hasBelow;
    return { x: v.x, y: top[v.row] + (!far ? slack / 2 : hasAbove ? 0 : slack) };
  });
  level.curves = level.links.map((link, l) => {
    const from = level.items[link.from], start = level.places[link.from];
    let at = { x: start.x + link.fromDx, y: start.y + from.height - from.tail };
    const points = [at];
    const goDown = (to) => {
      if (to <= at.y) return;
      points.push({ x: at.x, y: at.y + (to - at.y) / 3 }, { x: at.x, y: to - (to - at.y) / 3 }, { x: at.x, y: to });
      at = points[points.length - 1];
    };
    for (const s of level.chains[l]) {
      const g = level.segments[s], x = lowerX(g), row = level.vertices[g.upper].row;
      if (Math.abs(x - at.x) < 1e-6) continue;
      const y0 = bottom[row], y1 = top[row + 1];
      goDown(y0);
      points.push({ x: at.x, y: y0 + 0.55 * (y1 - y0) }, { x, y: y1 - 0.55 * (y1 - y0) }, { x, y: y1 });
      at = points[points.length - 1];
    }
    goDown(level.places[link.to].y);
    return points;
  });
}
