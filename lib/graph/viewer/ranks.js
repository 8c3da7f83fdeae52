// Rows of the items of a level: longest paths, then shorter links by moving items along their slack, then the shortest
// links that there are by moving whole parts (the network simplex method).
"use strict";

const COLUMNS = 8, LOOSE = 8; // in a row; items of a part that is small
const PIVOTS = 1000000; // times items and links

function assignRanks(level) {
  const n = level.items.length;
  const above = Array.from({ length: n }, () => []), below = Array.from({ length: n }, () => []);
  for (const link of level.links) {
    above[link.to].push(link.from);
    below[link.from].push(link.to);
  }
  const waits = above.map((list) => list.length);
  const order = [];
  waits.forEach((count, i) => count || order.push(i));
  for (let next = 0; next < order.length; ++next)
    for (const to of below[order[next]]) if (--waits[to] === 0) order.push(to);
  const rank = new Array(n).fill(0);
  for (const item of order)
    for (const to of below[item]) rank[to] = Math.max(rank[to], rank[item] + 1);
  // Moves items along their slack where that shortens the links in sum.
  const shift = (down) => {
    let moved = false;
    for (let k = 0; k < order.length; ++k) {
      const item = order[down ? order.length - 1 - k : k];
      const up = above[item], low = below[item];
      if (level.items[item].border || up.length + low.length === 0) continue;
      let target = rank[item];
      if (down && low.length && low.length >= up.length)
        target = low.reduce((least, to) => Math.min(least, rank[to] - 1), Infinity);
      else if (!down && up.length > low.length)
        target = up.reduce((most, from) => Math.max(most, rank[from] + 1), 0);
      moved = moved || target !== rank[item];
      rank[item] = target;
    }
    return moved;
  };
  for (let pass = 0; pass < 12; ++pass) {
    const sank = shift(true), rose = shift(false);
    if (!sank && !rose) break;
  }
  shortenLinks(level, rank);
  wrapLoose(level, rank);
  let low = Infinity, high = 0, upper = false;
  level.items.forEach((item, i) => {
    upper = upper || item.border < 0;
    if (item.border) return;
    low = Math.min(low, rank[i]);
    high = Math.max(high, rank[i]);
  });
  if (low > high) low = high;
  level.rank = level.items.map((item, i) =>
    item.border < 0 ? 0 : (item.border > 0 ? high + 1 : rank[i]) - low + (upper ? 1 : 0));
}

// Many small parts that have nothing to do with each other stand in several rows rather than in one endless one.
function wrapLoose(level, rank) {
  const part = rank.map((_, i) => i);
  const firstOf = (i) => {
    while (part[i] !== i) i = part[i] = part[part[i]];
    return i;
  };
  for (const link of level.links) {
    const a = firstOf(link.from), b = firstOf(link.to);
    part[Math.max(a, b)] = Math.min(a, b);
  }
  const items = rank.map(() => []);
  rank.forEach((_, i) => items[firstOf(i)].push(i));
  const parts = items.filter((list) => list.length && list.length <= LOOSE && !list.some((i) => level.items[i].border));
  const columns = Math.max(COLUMNS, Math.ceil(Math.sqrt(2 * parts.length)));
  let row = 0, next = 0;
  parts.forEach((list, k) => {
    if (k % columns === 0) row = next;
    const ranks = list.map((i) => rank[i]), low = Math.min(...ranks);
    next = Math.max(next, row + Math.max(...ranks) - low + 1);
    for (const i of list) rank[i] += row - low;
  });
}

function shortenLinks(level, rank) {
  const n = level.items.length, tiesOf = Array.from({ length: n }, () => []);
  const ties = level.links.filter((link) => !level.items[link.from].border && !level.items[link.to].border)
    .map((link) => ({ upper: link.from, lower: link.to, inTree: false }));
  if (!ties.length) return;
  for (const tie of ties) {
    tiesOf[tie.upper].push(tie);
    tiesOf[tie.lower].push(tie);
  }
  const slack = (tie) => rank[tie.lower] - rank[tie.upper] - 1;
  const other = (tie, item) => (tie.upper === item ? tie.lower : tie.upper);
  const shortest = (list) => list.reduce((best, tie) => (!best || slack(tie) < slack(best) ? tie : best), undefined);

  // Ties of length 1 that join all items which are joined at all; false if a part had to be moved first.
  const growTree = () => {
    const tree = new Int32Array(n).fill(-1);
    for (const tie of ties) tie.inTree = false;
    for (let root = 0; root < n; ++root) {
      if (tree[root] >= 0) continue;
      const members = [root];
      tree[root] = root;
      for (let next = 0; next < members.length; ++next)
        for (const tie of tiesOf[members[next]]) {
          const to = other(tie, members[next]);
          if (tree[to] >= 0 || slack(tie) !== 0) continue;
          tie.inTree = true;
          tree[to] = root;
          members.push(to);
        }
      const nearest = shortest(members.flatMap((item) => tiesOf[item]).filter((tie) =>
        (tree[tie.upper] === root) !== (tree[tie.lower] === root)));
      if (!nearest) continue;
      const by = tree[nearest.upper] === root ? slack(nearest) : -slack(nearest);
      for (const item of members) rank[item] += by;
      return false;
    }
    return true;
  };
  while (!growTree());

  const most = Math.max(4, Math.min(4 * n, PIVOTS / (n + ties.length)));
  for (let pivot = 0; pivot < most; ++pivot) {
    // What hangs on an item has numbers in a row; pull is what it gains by sinking.
    const parent = new Array(n), visit = new Int32Array(n).fill(-1), last = new Int32Array(n), pull = new Float64Array(n);
    const visited = [];
    for (let root = 0; root < n; ++root) {
      if (visit[root] >= 0) continue;
      const stack = [root];
      while (stack.length) {
        const item = stack.pop();
        visit[item] = last[item] = visited.push(item) - 1;
        for (const tie of tiesOf[item]) {
          if (!tie.inTree || tie === parent[item]) continue;
          parent[other(tie, item)] = tie;
          stack.push(other(tie, item));
        }
      }
    }
    for (const tie of ties) {
      ++pull[tie.upper];
      --pull[tie.lower];
    }
    let best = -1, gain = 0;
    for (let k = n - 1; k >= 0; --k) {
      const item = visited[k], tie = parent[item];
      if (!tie) continue;
      const above = other(tie, item), now = tie.lower === item ? pull[item] : -pull[item];
      pull[above] += pull[item];
      last[above] = Math.max(last[above], last[item]);
      if (now > gain) [best, gain] = [item, now];
    }
    if (best < 0) return;
    const leaving = parent[best], sinks = leaving.lower === best;
    const hangs = (item) => visit[item] >= visit[best] && visit[item] <= last[best];
    const entering = shortest(ties.filter((tie) => hangs(tie.upper) === sinks && hangs(tie.lower) !== sinks));
    if (!entering) return;
    const by = sinks ? slack(entering) : -slack(entering);
    for (let k = visit[best]; k <= last[best]; ++k) rank[visited[k]] += by;
    leaving.inTree = false;
    entering.inTree = true;
  }
}
