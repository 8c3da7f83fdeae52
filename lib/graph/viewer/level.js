// One level: rows, and the order within rows.
"use strict";

const BUS = 16;
const WORK = 150000;
const STARTS = 16;

function layOutLevel(level, head, foot) {
  assignRanks(level);
  makeRows(level);
  orderRows(level);
  placeColumns(level);
  routeLinks(level, head, foot);
}

function makeRows(level) {
  level.vertices = level.items.map((item, i) =>
    ({ item: i, left: item.left, right: item.right, row: level.rank[i], place: 0, x: 0 }));
  level.segments = [];
  const leaving = new Map(), passing = new Map();
  const attachment = (link) => `${link.from} ${link.fromDx}`;
  for (const link of level.links) leaving.set(attachment(link), (leaving.get(attachment(link)) || 0) + 1);
  level.chains = level.links.map((link, l) => {
    const track = leaving.get(attachment(link)) >= BUS ? attachment(link) : `link ${l}`;
    const chain = [];
    let upper = link.from, upperDx = link.fromDx;
    for (let row = level.rank[link.from] + 1; row <= level.rank[link.to]; ++row) {
      const key = `${track} ${row}`;
      let segment = level.segments.length;
      if (row === level.rank[link.to]) {
        level.segments.push({ upper, lower: link.to, upperDx, lowerDx: link.toDx, weight: link.weight });
      } else if (passing.has(key)) {
        segment = passing.get(key);
        level.segments[segment].weight = Math.max(level.segments[segment].weight, link.weight);
      } else {
        passing.set(key, segment);
        const lower = level.vertices.push({ item: -1, left: 0, right: 0, row, place: 0, x: 0 }) - 1;
        level.segments.push({ upper, lower, upperDx, lowerDx: 0, weight: link.weight });
      }
      chain.push(segment);
      upper = level.segments[segment].lower;
      upperDx = 0;
    }
    return chain;
  });
  level.above = level.vertices.map(() => []);
  level.below = level.vertices.map(() => []);
  level.segments.forEach((segment, s) => {
    level.above[segment.lower].push(s);
    level.below[segment.upper].push(s);
  });
  const starts = level.items.map((_, i) => i).filter((i) => level.above[i].length === 0);
  level.rows = walk(level, starts.concat(level.vertices.map((_, i) => i)), true);
  number(level);
}

// Rows in the order in which a walk from `starts` comes by.
function walk(level, starts, down) {
  const rows = Array.from({ length: level.rank.reduce((most, r) => Math.max(most, r + 1), 0) }, () => []);
  const seen = new Uint8Array(level.vertices.length);
  for (const start of starts) {
    if (seen[start]) continue;
    const stack = [start];
    seen[start] = 1;
    while (stack.length) {
      const v = stack.pop();
      rows[level.vertices[v].row].push(v);
      const next = (down ? level.below : level.above)[v];
      for (let i = next.length - 1; i >= 0; --i) {
        const w = down ? level.segments[next[i]].lower : level.segments[next[i]].upper;
        if (!seen[w]) stack.push(w);
        seen[w] = 1;
      }
    }
  }
  return rows;
}

function number(level) {
  for (const row of level.rows) row.forEach((v, place) => (level.vertices[v].place = place));
}

function position(level, vertex, dx) {
  const v = level.vertices[vertex], width = v.left + v.right;
  return v.place + (width > 0 ? (0.98 * (dx + v.left)) / width - 0.49 : 0);
}

function inversions(values) {
  if (values.length < 2) return 0;
  const sorted = Float64Array.from(values).sort();
  const tree = new Int32Array(sorted.length + 1);
  const indexOf = (value) => {
    let low = 0, high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  let count = 0;
  values.forEach((value, seen) => {
    const index = indexOf(value);
    let notAbove = 0;
    for (let i = index; i > 0; i -= i & -i) notAbove += tree[i];
    count += seen - notAbove;
    for (let i = index; i < tree.length; i += i & -i) ++tree[i];
  });
  return count;
}

function countCrossings(level) {
  let count = 0;
  for (const row of level.rows) {
    const ends = [];
    for (const v of row)
      for (const s of level.below[v]) {
        const g = level.segments[s];
        ends.push([position(level, g.upper, g.upperDx), position(level, g.lower, g.lowerDx)]);
      }
    ends.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    count += inversions(ends.map((end) => end[1]));
  }
  return count;
}

function orderRows(level) {
  const size = level.vertices.length + level.segments.length + 1;
  const clamp = (x, low, high) => Math.max(low, Math.min(high, Math.floor(x)));
  const sweeps = clamp(WORK / size, 2, 24), swaps = clamp(WORK / 4 / size, 1, 8);
  const keysOf = (v, fromAbove) => {
    const keys = (fromAbove ? level.above : level.below)[v].map((s) => {
      const g = level.segments[s];
      return fromAbove ? position(level, g.upper, g.upperDx) : position(level, g.lower, g.lowerDx);
    });
    return keys.sort((a, b) => a - b);
  };
  const median = (keys) => {
    const n = keys.length, m = n >> 1;
    if (n % 2) return keys[m];
    if (n === 2) return (keys[0] + keys[1]) / 2;
    const left = keys[m - 1] - keys[0], right = keys[n - 1] - keys[m];
    if (left + right === 0) return (keys[m - 1] + keys[m]) / 2;
    return (keys[m - 1] * right + keys[m] * left) / (left + right);
  };
  const sortRow = (row, fromAbove) => {
    const movable = [], slots = [];
    row.forEach((v, i) => {
      const keys = keysOf(v, fromAbove);
      if (!keys.length) return;
      movable.push([median(keys), v]);
      slots.push(i);
    });
    movable.sort((a, b) => a[0] - b[0]);
    slots.forEach((slot, i) => (row[slot] = movable[i][1]));
    row.forEach((v, place) => (level.vertices[v].place = place));
  };
  const between = (a, b) => {
    let count = 0, i = 0;
    for (const key of a) {
      while (i < b.length && b[i] < key) ++i;
      count += i;
    }
    return count;
  };
  const swapInRow = (row, ties) => {
    const up = row.map((v) => keysOf(v, true)), low = row.map((v) => keysOf(v, false));
    let improved = false;
    for (let i = 0; i + 1 < row.length; ++i) {
      const now = between(up[i], up[i + 1]) + between(low[i], low[i + 1]);
      if (!now) continue;
      const then = between(up[i + 1], up[i]) + between(low[i + 1], low[i]);
      if (then > now || (then === now && !ties)) continue;
      improved = improved || then < now;
      for (const list of [row, up, low]) [list[i], list[i + 1]] = [list[i + 1], list[i]];
    }
    row.forEach((v, place) => (level.vertices[v].place = place));
    return improved;
  };
  const copy = () => level.rows.map((row) => row.slice());
  const run = () => {
    let best = copy(), fewest = countCrossings(level);
    for (let sweep = 0, idle = 0; sweep < sweeps && fewest > 0 && idle < 6; ++sweep) {
      const down = sweep % 2 === 0;
      for (let k = 0; k < level.rows.length; ++k)
        sortRow(level.rows[down ? k : level.rows.length - 1 - k], down);
      for (let pass = 0; pass < swaps; ++pass) {
        let improved = false;
        for (const row of level.rows) improved = swapInRow(row, sweep % 4 < 2) || improved;
        if (!improved) break;
      }
      const crossings = countCrossings(level);
      ++idle;
      if (crossings >= fewest) continue;
      idle = 0;
      fewest = crossings;
      best = copy();
    }
    level.rows = best;
    number(level);
    return fewest;
  };
  let fewest = run();
  if (!fewest || size > WORK / 50) return;
  // Other starts sometimes lead to better ends: from below, then from the best with its rows shaken.
  let best = copy();
  const keepBetter = () => {
    const crossings = run();
    if (crossings < fewest) best = copy();
    else level.rows = best.map((row) => row.slice());
    fewest = Math.min(fewest, crossings);
    number(level);
  };
  level.rows = walk(level, level.rows.slice().reverse().flat(), false);
  number(level);
  keepBetter();
  let dice = 1;
  for (let start = 0; start < Math.min(STARTS, WORK / 4 / size) && fewest > 0; ++start) {
    const reach = 1 + (start % 4) * 2;
    for (const row of level.rows) {
      const keys = new Map(row.map((v) => {
        dice = (Math.imul(dice, 1664525) + 1013904223) >>> 0; // the same way every time
        return [v, level.vertices[v].place + reach * (dice / 2 ** 32 - 0.5)];
      }));
      row.sort((v, w) => keys.get(v) - keys.get(w));
    }
    number(level);
    keepBetter();
  }
}
