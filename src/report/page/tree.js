
// One incident as a tree over time: a row for each host, which hangs from the line of the host that
// infected it, at the moment when it did.

const TREE = { width: 1080, left: 250, right: 1040, top: 30, row: 30 };

/** Draws `incident`; `choose` hears of the host that somebody wants to know more about. */
function drawTree(incident, choose) {
  const { width, left, right, top, row } = TREE;
  const { members } = incident;
  const from = ms(incident.since);
  const to = Math.max(ms(incident.updated), ...members.map((member) => ms(member.at)));
  const axis = timeAxis(from, to + (to - from) * 0.05, left, right);
  const height = top + row * members.length;
  const y = (place) => top + row * place + row / 2;
  const places = new Map(members.map((member, place) => [member.host, place]));

  const rows = members.map((_, place) => draw("line", { class: "row", x1: 0, x2: right, y1: y(place), y2: y(place) }));
  const edges = members.flatMap((member, place) => drawEdge(member, axis, y(places.get(member.from)), y(place)));
  const hosts = members.map((member, place) => drawMember(member, axis, y(place)));
  const future = draw("rect", { class: "future", y: top, height: height - top });
  const cursor = draw("line", { class: "cursor", y1: top - 4, y2: height });
  const svg = draw("svg",
    { class: "picture tree", viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `Tree of ${incident.id}` },
    drawAxis(axis, top, height), ...rows, ...edges, future, cursor, ...hosts);
  listen(svg, hosts, members, choose);

  /** Shows what had happened by `moment`. */
  svg.showUpTo = (moment) => {
    for (const node of [...edges, ...hosts]) node.classList.toggle("later", node.dataset.at > moment);
    const x = axis.x(moment);
    for (const [name, value] of [["x1", x], ["x2", x]]) cursor.setAttribute(name, value);
    future.setAttribute("x", x);
    future.setAttribute("width", Math.max(0, width - x));
  };
  return svg;
}

/** The line down from who infected it, and the one that it draws from then on. */
function drawEdge(member, axis, above, y) {
  const x = axis.x(ms(member.at));
  const life = draw("line", { class: "life", "data-at": ms(member.at), x1: x, x2: axis.right, y1: y, y2: y });
  if (member.from === null || Number.isNaN(above)) return [life];
  const sure = member.confidence;
  return [life, draw("path", {
    class: sure < 0.5 ? "edge unsure" : "edge", "data-at": ms(member.at), d: `M${x} ${above} V${y}`,
    "stroke-width": 1 + 3 * sure, "stroke-opacity": 0.35 + 0.65 * sure,
  })];
}

function drawMember(member, axis, y) {
  const { row, width, left } = TREE;
  const x = axis.x(ms(member.at));
  const zero = member.from === null;
  const told = zero ? "patient zero" : how(member);
  // Near the end of time there is room on the other side only.
  const late = x > width * 0.8;
  const side = { class: "how", x: late ? x - 15 : x + 15, y: y - 4, "text-anchor": late ? "end" : "start" };
  return draw("g",
    { class: zero ? "member zero" : "member", role: "button", tabindex: "-1", "aria-pressed": "false", "aria-label": inWords(member), "data-host": member.host, "data-at": ms(member.at) },
    draw("rect", { class: "hit", x: 1, y: y - row / 2 + 1, width: width - 2, height: row - 2, rx: 3 }),
    drawName(member.host, 8 + 16 * Math.min(member.depth, 5), y + 4, left - 14),
    draw("circle", { cx: x, cy: y, r: 9 }),
    draw("text", { class: "generation", x, y: y + 4 }, String(member.depth)),
    draw("text", side, told));
}

function inWords(member) {
  const at = `${second(ms(member.at))} UTC`;
  if (member.from === null) return `${member.host}, patient zero, first seen infected ${at}`;
  const over = member.service ? ` over ${member.service}` : "";
  return `${member.host}, generation ${member.depth}, infected ${at} by ${member.from}${over}, ${percent(member.confidence)} sure`;
}

/** Clicks, Enter and Space choose; arrows move between the rows that are shown. */
function listen(svg, hosts, members, choose) {
  const press = (host) => {
    for (const other of hosts) {
      other.setAttribute("aria-pressed", String(other === host));
      other.setAttribute("tabindex", other === host ? "0" : "-1");
    }
    choose(members[hosts.indexOf(host)]);
  };
  hosts[0]?.setAttribute("tabindex", "0");
  svg.addEventListener("click", (event) => {
    const host = event.target.closest(".member");
    if (host) press(host);
  });
  svg.addEventListener("keydown", (event) => {
    const shown = hosts.filter((host) => !host.classList.contains("later"));
    const place = shown.indexOf(event.target);
    const next = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: shown.length - 1 }[event.key];
    if (event.key === "Enter" || event.key === " ") {
      press(event.target);
    } else if (shown[next]) {
      shown[next].focus();
    } else {
      return;
    }
    event.preventDefault();
  });
}
