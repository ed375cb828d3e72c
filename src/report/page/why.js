
// Each host's score taken apart, so that the sum can be redone on paper.

const nats = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;

/** Hosts whose explanation is open from the start. */
const OPEN = 3;

function showWhy(hosts) {
  const place = byId("hosts-explained");
  for (const host of hosts) {
    const details = make("details", { class: "host", id: `host-${host.place}`, open: host.place < OPEN ? "" : null },
      make("summary", {}, make("strong", {}, host.host), make("span", { class: `verdict ${host.verdict}` }, host.verdict), scored(host), said(host.infected)));
    // What is closed is written when it is opened: there may be hundreds.
    const write = () => {
      if (details.open && details.childElementCount === 1) details.append(explanation(host));
    };
    details.addEventListener("toggle", write);
    write();
    details.write = write;
    place.append(details);
  }
  if (hosts.length === 0) place.append(make("p", {}, "There is nothing to explain."));
  const reveal = () => {
    const target = byId(location.hash.slice(1));
    if (target?.matches("details.host")) target.open = true;
  };
  addEventListener("hashchange", reveal);
  reveal();
  openForPaper();
}

/** On paper nothing can be opened. */
function openForPaper() {
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const details of closed) {
      details.open = true;
      details.write?.();
    }
  });
  addEventListener("afterprint", () => {
    for (const details of closed) details.open = false;
  });
}

function explanation(host) {
  const seen = `Seen ${second(ms(host.first_seen))} to ${second(ms(host.last_seen))} UTC, ${counted(host.connections, "connection")} opened, ${host.kind}.`;
  const evidence = [...host.evidence].sort((a, b) => b.nats - a.nats);
  return make("div", {},
    make("p", { class: "note" }, seen),
    make("div", { class: "scroll" }, sum(host)),
    make("ol", {}, ...evidence.map(piece)),
    ...host.hidden.map((hidden) => make("p", { class: "note" }, "not counted: ", said(hidden))));
}

/** The sum, a line for each family, as numbers and as bars from even odds. */
function sum(host) {
  const most = Math.max(-host.prior, ...host.families.map((family) => family.sum), Math.abs(host.log_odds));
  const scale = 130 / Math.max(most, 1);
  const bar = (value, kept, kind) => draw("svg", { width: 270, height: 14, "aria-hidden": "true" },
    draw("rect", { class: `sum kept ${kind}`, x: 135, y: 2, width: Math.max(0, kept * scale), height: 10 }),
    draw("rect", { class: `sum counted ${kind}`, x: 135 + Math.min(0, value * scale), y: 2, width: Math.abs(value * scale), height: 10 }),
    draw("line", { class: "sum-zero", x1: 135, x2: 135, y1: 0, y2: 14 }));
  const line = (value, what, kept, kind) => [nats(value), bar(value, kept, kind), what];
  const families = host.families.map(({ family, sum, cap, counted }) => {
    const why = counted >= cap ? "its cap" : "no more than the rest";
    const cut = Math.abs(sum - counted) >= 0.005 ? `: ${why}, of ${sum.toFixed(2)}` : "";
    return line(counted, make("span", {}, sign(family), family, cut), sum, family);
  });
  const result = make("strong", {}, `log-odds, which are ${host.score.toFixed(1)} of 100 at ${second(ms(host.at))} UTC (highest ever ${host.peak.toFixed(1)})`);
  const rows = [line(host.prior, "prior: before anything is known of a host", 0, "prior"), ...families, line(host.log_odds, result, 0, "result")];
  return table(["nats", "", "what"], rows);
}

function piece(evidence) {
  const peers = evidence.peers.slice(0, 5).join(", ");
  const rest = evidence.peers_total - Math.min(5, evidence.peers.length);
  const about = [
    peers && `other ends: ${peers}${rest > 0 ? ` and ${rest} more` : ""}`,
    evidence.service,
    evidence.techniques.join(", "),
    evidence.forgeable ? "a source address can be forged" : "",
  ];
  return make("li", {},
    sign(evidence.family), make("strong", {}, `${nats(evidence.nats)} ${evidence.detector}`), " ",
    said(`(${evidence.subject})`), ` ${second(ms(evidence.ts))}: `, said(evidence.summary),
    make("div", { class: "note" }, about.filter(Boolean).join(" · ")));
}
