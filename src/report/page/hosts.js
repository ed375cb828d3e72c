
// The table of hosts: it sorts by its titles and filters as somebody types.

/** What the table says, and what it sorts by. */
const COLUMNS = [
  { title: "host", cell: (host) => make("a", { href: `#host-${host.place}` }, host.host), key: (host) => addressKey(host.host) },
  { title: "verdict", cell: (host) => make("span", { class: `verdict ${host.verdict}` }, host.verdict), key: (host) => host.peak },
  { title: "score", cell: (host) => scored(host), key: (host) => host.peak },
  { title: "infected", cell: (host) => infectedCell(host), key: (host) => (host.member ? ms(host.member.at) : Infinity) },
  { title: "first evidence (UTC)", cell: (host) => second(host.first), key: (host) => host.first },
  { title: "detectors", cell: (host) => make("span", { class: "list" }, host.detectors.join(", ")), key: (host) => host.detectors.join() },
  { title: "what it is", cell: (host) => make("span", { class: "list" }, host.kind), key: (host) => host.kind },
  { title: "connections", cell: (host) => String(host.connections), key: (host) => host.connections },
];

/** An address as text that sorts as the address does. */
function addressKey(address) {
  if (!address.includes(".")) return `6${address}`;
  return `4${address.split(".").map((part) => part.padStart(3, "0")).join(".")}`;
}

/** The generation, and below it the incident. */
function infectedCell(host) {
  if (!host.member) return "";
  return make("div", {}, generation(host.member), make("div", { class: "note" }, host.incident));
}

const generation = (member) => (member.from === null ? "patient zero" : `generation ${member.depth}`);

/** What the table needs beside what the page was told. */
function completed(hosts, infected) {
  return hosts.map((host, place) => {
    const { incident, member } = infected.get(host.host) ?? {};
    const detectors = [...new Set(host.evidence.map((e) => e.detector))].sort();
    const row = {
      ...host, place, detectors, member, incident: incident?.id,
      infected: member ? `${generation(member)} of ${incident.id}` : "",
      first: host.evidence.reduce((first, e) => Math.min(first, ms(e.ts)), ms(host.last_seen)),
      kind: [...host.roles, host.internal ? "internal" : "external"].join(", "),
    };
    const services = host.evidence.map((e) => e.service ?? "");
    row.text = [row.host, row.verdict, row.infected, row.kind, ...detectors, ...services, ...host.techniques].join(" ").toLowerCase();
    return row;
  });
}

function showHosts(hosts, total) {
  const place = byId("host-table");
  if (hosts.length === 0) {
    place.append(make("p", {}, "There is no evidence against any host."));
    byId("filter").parentElement.hidden = true;
    return;
  }
  const rows = new Map(hosts.map((host) => [host, make("tr", {}, ...COLUMNS.map((column) => make("td", {}, column.cell(host))))]));
  const body = make("tbody", {}, ...rows.values());
  const titles = COLUMNS.map((column) => make("th", { scope: "col", "aria-sort": "none" }, make("button", { type: "button" }, column.title)));
  place.append(make("table", {}, make("thead", {}, make("tr", {}, ...titles)), body));
  titles.forEach((title, number) => title.firstChild.addEventListener("click", () => {
    const up = title.getAttribute("aria-sort") !== "ascending";
    for (const other of titles) other.setAttribute("aria-sort", "none");
    title.setAttribute("aria-sort", up ? "ascending" : "descending");
    body.append(...sorted(hosts, COLUMNS[number].key, up).map((host) => rows.get(host)));
  }));
  followFilter(hosts, rows, total);
}

function sorted(hosts, key, up) {
  const order = (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : a.place - b.place);
  const hostsUp = [...hosts].sort(order);
  return up ? hostsUp : hostsUp.reverse();
}

/** Every word has to be in a host's row, wherever; the explanations follow. */
function followFilter(hosts, rows, total) {
  const filter = byId("filter");
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const host of hosts) {
      const matches = words.every((word) => host.text.includes(word));
      rows.get(host).hidden = !matches;
      byId(`host-${host.place}`).hidden = !matches;
      shown += matches ? 1 : 0;
    }
    const rest = total > hosts.length ? `, ${total - hosts.length} with lower scores left out` : "";
    byId("matches").textContent = `${shown} of ${counted(hosts.length, "host")}${rest}`;
  };
  filter.addEventListener("input", apply);
  apply();
}
