
// The evidence about each host over time, a lane each, and which services were used.

/** A letter for each family, because not everybody sees its colour. */
const LETTERS = {
  failure: "F", novelty: "N", decoy: "D", credential: "C", adaptation: "A", lateral: "L",
  causality: "V", content: "T", inference: "I", fingerprint: "P", context: "X",
};
const MEANINGS = {
  failure: "contacts that fail", novelty: "peers that are new", decoy: "addresses nobody uses",
  credential: "logins that fail or wander", adaptation: "approach that changes",
  lateral: "administration as an intruder's", causality: "victims that do the same",
  content: "the same content onward", inference: "language models asked", fingerprint: "like a recorded outbreak",
  context: "new or awakened device",
};
const LANES = { width: 1080, left: 250, right: 1050, top: 26, side: 16, gap: 3 };

/** The sign of a family around (x, y), with a number where it stands for several. */
function drawMark(family, x, y, titles = []) {
  const letter = LETTERS[family] ?? "?";
  return draw("g", { class: `mark ${family}` }, titles.length > 0 ? draw("title", {}, titles.join("\n")) : null,
    draw("rect", { x: x - 8, y: y - 8, width: 16, height: 16, rx: 3 }),
    titles.length > 1 ? draw("text", { class: "several", x, y: y + 3.5 }, letter + titles.length) : draw("text", { x, y: y + 4 }, letter));
}

/** The same within a line of text. */
const sign = (family) => draw("svg", { class: "sign", width: 16, height: 16, "aria-hidden": "true" }, drawMark(family, 8, 8));

function showTimeline(hosts, infected) {
  const all = hosts.flatMap((host) => host.evidence);
  if (all.length === 0) {
    byId("lanes").append(make("p", {}, "There is no evidence against any host."));
    return;
  }
  for (const family of Object.keys(LETTERS).filter((family) => all.some((e) => e.family === family))) {
    byId("legend").append(make("li", {}, sign(family), `${family}: ${MEANINGS[family]}`));
  }
  if (infected.size > 0) {
    const arrow = draw("svg", { class: "sign", width: 16, height: 16, "aria-hidden": "true" }, drawInfected(8, 12));
    byId("legend").append(make("li", {}, arrow, "infected"));
  }
  const moments = [...all.map((e) => ms(e.ts)), ...[...infected.values()].map(({ member }) => ms(member.at))];
  const from = moments.reduce((a, b) => Math.min(a, b));
  const to = moments.reduce((a, b) => Math.max(a, b));
  const axis = timeAxis(from, to, LANES.left + 12, LANES.right);
  const lanes = [];
  let y = LANES.top;
  for (const [place, host] of hosts.entries()) {
    const { nodes, height } = drawLane(host, place, infected.get(host.host), axis, y);
    lanes.push(...nodes);
    y += height;
  }
  byId("lanes").append(draw("svg",
    { class: "picture", viewBox: `0 0 ${LANES.width} ${y + 6}`, role: "group", "aria-label": "Evidence over time; the same is said under Scores explained" },
    drawAxis(axis, LANES.top, y), ...lanes));
}

/** One host's marks: of one family those that would cover each other are one, of others below. */
function drawLane(host, place, infection, axis, top) {
  const { left, right, side, gap } = LANES;
  const ends = [];
  const marks = [];
  for (const evidence of [...host.evidence].sort((a, b) => ms(a.ts) - ms(b.ts))) {
    const x = axis.x(ms(evidence.ts));
    const { family } = evidence;
    const title = `${clock(ms(evidence.ts))} ${evidence.detector}, ${nats(evidence.nats)} nats: ${evidence.summary}`;
    const same = marks.find((mark) => mark.family === family && x - mark.x < side);
    if (same) {
      same.titles.push(title);
      continue;
    }
    let level = ends.findIndex((end) => end <= x - side);
    if (level < 0) level = ends.length;
    ends[level] = x + 2;
    marks.push({ family, x, y: top + gap + side / 2 + level * (side + gap) + 4, titles: [title] });
  }
  const height = Math.max(1, ends.length) * (side + gap) + gap + (infection ? 16 : 8);
  const name = draw("a", { href: `#host-${place}` }, drawName(host.host, 8, top + 19, left - 50));
  const score = draw("text", { class: "tick-label", x: left - 8, y: top + 19, "text-anchor": "end" }, host.peak.toFixed(1));
  const arrow = infection ? [drawInfected(axis.x(ms(infection.member.at)), top + height - 2)] : [];
  const line = draw("line", { class: "tick", x1: 0, x2: right + 12, y1: top + height, y2: top + height });
  return { nodes: [line, name, score, ...arrow, ...marks.map(({ family, x, y, titles }) => drawMark(family, x, y, titles))], height };
}

/** An arrow up from the line of a lane. */
const drawInfected = (x, y) => draw("path", { class: "infected-at", d: `M${x} ${y} v-9 m-4 4 l4 -5 l4 5` });

function showServices(services, total) {
  const place = byId("mix");
  if (services.length === 0) {
    place.append(make("p", {}, "No evidence names a service."));
    return;
  }
  const most = Math.max(...services.map((s) => Math.max(s.evidence, s.infections)));
  const bar = (count, kind) => draw("svg", { width: 300, height: 12, "aria-hidden": "true" },
    draw("rect", { class: `used ${kind}`, width: (300 * count) / most, height: 12, rx: 2 }));
  const cell = (count, kind) => make("span", { class: "score" }, make("span", { class: "value" }, String(count)), bar(count, kind));
  const rows = services.map((s) => [s.service, cell(s.evidence, "evidence"), cell(s.infections, "infections")]);
  place.append(make("div", { class: "scroll" }, table(["service", "pieces of evidence", "infections"], rows)));
  const rest = total - services.length;
  if (rest > 0) place.append(make("p", { class: "note" }, `and ${counted(rest, "more service")}`));
}
