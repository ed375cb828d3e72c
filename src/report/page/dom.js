
// How the page is written. Every text goes in as text: what came from the wire is never markup.

const SVG = "http://www.w3.org/2000/svg";
const HOUR = 3600e3;
const DAY = 24 * HOUR;

/** Distances between the lines of an axis, in milliseconds. */
const STEPS = [
  1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 900e3, 1800e3,
  HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 30 * DAY, 90 * DAY, 365 * DAY,
];

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** An element of HTML; strings among the children become text. */
function make(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** An element of SVG. */
function draw(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

const byId = (id) => document.getElementById(id);

/** Text that somebody else may have chosen. */
const said = (text) => make("span", { class: "said" }, text);

/** Milliseconds since 1970 of a moment in RFC 3339. */
const ms = (stamp) => Date.parse(stamp.slice(0, 23) + "Z");
const second = (moment) => new Date(moment).toISOString().slice(0, 19).replace("T", " ");
const clock = (moment) => second(moment).slice(11);
const counted = (count, thing) => `${count} ${thing}${count === 1 ? "" : "s"}`;

/** Nothing that was inferred is certain, so rounding never makes it so. */
const percent = (share) => `${Math.min(99, Math.round(share * 100))} %`;

/** `tcp/445 97 %`. */
const how = (member) => [member.service, percent(member.confidence)].filter(Boolean).join(" ");

/** A table with a title for each column; `cells` are nodes or strings. */
function table(titles, rows) {
  const row = (cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell)));
  const head = make("tr", {}, ...titles.map((title) => make("th", { scope: "col" }, title)));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows.map(row)));
}

/** A line of time from `left` to `right`, and the round moments on it. */
function timeAxis(from, to, left, right) {
  const length = Math.max(to - from, 1000);
  const step = STEPS.find((step) => length / step <= 8) ?? STEPS.at(-1);
  const ticks = [];
  for (let tick = Math.ceil(from / step) * step; tick <= from + length; tick += step) ticks.push(tick);
  const name = (tick) => {
    if (step >= DAY) return second(tick).slice(0, 10);
    return length > DAY ? second(tick).slice(5, 16) : clock(tick);
  };
  const x = (moment) => left + (right - left) * Math.min(1, Math.max(0, (moment - from) / length));
  return { x, ticks, name, right };
}

/** The lines of an axis, with their names above. */
function drawAxis(axis, top, bottom) {
  const lines = axis.ticks.flatMap((tick) => {
    const x = axis.x(tick);
    const line = draw("line", { class: "tick", x1: x, x2: x, y1: top, y2: bottom });
    const name = { class: "tick-label", x, y: top - 6, "text-anchor": "middle" };
    return [line, draw("text", name, axis.name(tick))];
  });
  return draw("g", { "aria-hidden": "true" }, ...lines);
}

/** An address from `x` on, squeezed where it would reach over `end`. */
function drawName(host, x, y, end) {
  const long = host.length * 7.5 > end - x;
  const squeezed = long ? { textLength: end - x, lengthAdjust: "spacingAndGlyphs" } : {};
  return draw("text", { x, y, ...squeezed }, host);
}

/** A score from 0 to 100 as a bar, with the limits of the verdicts. */
function scoreBar(score, verdict) {
  const limit = (at) => draw("line", { class: "limit", x1: at, x2: at, y1: 0, y2: 10 });
  return draw("svg", { class: "bar", width: 100, height: 10, "aria-hidden": "true" },
    draw("rect", { class: "track", width: 100, height: 10, rx: 2 }),
    draw("rect", { class: verdict, width: score, height: 10, rx: 2 }), limit(50), limit(90));
}

function scored(host) {
  return make("span", { class: "score" },
    make("span", { class: "value" }, host.peak.toFixed(1)), scoreBar(host.peak, host.verdict));
}
