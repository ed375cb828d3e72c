
// The incidents: their figures, trees, and why each host is thought to be infected by that other.

function showIncidents(incidents, hosts) {
  const place = byId("trees");
  if (incidents.length === 0) {
    place.append(make("p", {}, "No host was seen to infect another."));
    return;
  }
  const trees = incidents.map((incident) => showIncident(incident, hosts, place));
  const moments = incidents.flatMap((incident) => incident.members.map((member) => ms(member.at)));
  followSlider([...new Set(moments)].sort((a, b) => a - b), moments, trees);
}

/** A step of the slider is the next infection, so that nothing is too quick for an arrow key. */
function followSlider(steps, moments, trees) {
  const slider = byId("slider");
  const move = () => {
    const moment = steps[Number(slider.value)];
    for (const tree of trees) tree.showUpTo(moment);
    const infected = moments.filter((other) => other <= moment).length;
    const told = `${second(moment)} UTC, ${infected} of ${counted(moments.length, "host")}`;
    byId("moment").textContent = told;
    slider.setAttribute("aria-valuetext", told);
  };
  slider.max = String(steps.length - 1);
  slider.value = slider.max;
  slider.addEventListener("input", move);
  byId("time").hidden = false;
  move();
}

function showIncident(incident, hosts, place) {
  const pane = make("div", { class: "pane screen", "aria-live": "polite" },
    "Choose a host in the tree to see how it was infected.");
  const tree = drawTree(incident, (member) => pane.replaceChildren(...explain(member, incident, hosts)));
  const left = incident.left_out > 0
    ? make("p", { class: "note" }, `${counted(incident.left_out, "more host")} infected later, not drawn.`)
    : null;
  place.append(make("article", { class: "incident" },
    make("h3", {}, said(incident.id)), facts(incident),
    make("div", { class: "scroll" }, tree), left, pane, ...exposed(incident), infections(incident)));
  return tree;
}

function facts(incident) {
  const [low, high] = incident.reproduction_interval;
  const zeros = incident.members.filter((member) => member.from === null).map((member) => member.host);
  const fact = ([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value));
  return make("dl", { class: "facts" }, ...[
    ["patient zero", [zeros.join(", "), ...(incident.origin ? [incident.origin] : [])].join(", ")],
    ["hosts infected", String(incident.hosts)],
    ["generations", String(incident.generations)],
    ["others that each infects (95 %)", `${incident.reproduction_number.toFixed(1)} (${low.toFixed(1)} to ${high.toFixed(1)})`],
    ["doubling time", incident.doubling ?? "unknown"],
    ["since (UTC)", second(ms(incident.since))],
    ["last infection (UTC)", second(ms(incident.updated))],
  ].map(fact));
}

/** Everything about one host of a tree. */
function explain(member, incident, hosts) {
  const host = hosts.find((host) => host.host === member.host);
  const onward = incident.members.filter((other) => other.from === member.host).map((other) => other.host);
  const reasons = member.reasons.map((reason) => make("li", {}, said(reason)));
  const place = host ? hosts.indexOf(host) : null;
  return [
    make("h4", {}, inWords(member)),
    reasons.length > 0 ? make("ul", {}, ...reasons) : null,
    member.runner_up ? make("p", {}, `It could also have been ${otherwise(member)}.`) : null,
    make("p", {}, onward.length > 0 ? `It infected ${onward.join(", ")}.` : "It was not seen to infect another."),
    host ? make("p", {}, make("a", { href: `#host-${place}` }, `Its score, ${host.peak.toFixed(1)}, explained`)) : null,
  ].filter((node) => node !== null);
}

const otherwise = ({ runner_up: [host, sure] }) => `${host} (${percent(sure)})`;

function exposed(incident) {
  if (incident.exposed.length === 0) return [];
  const rest = incident.exposed_total - incident.exposed.length;
  const rows = incident.exposed.map((next) =>
    [next.host, next.from, next.service, next.contacted ? "contacted" : "offers it"]);
  return [
    make("h4", {}, "May be next"),
    make("div", { class: "scroll" }, table(["host", "by", "over", "why"], rows)),
    rest > 0 ? make("p", { class: "note" }, `and ${counted(rest, "more host")}`) : null,
  ];
}

/** The tree in words, for readers who cannot see it, and for paper. */
function infections(incident) {
  const infected = incident.members.filter((member) => member.from !== null);
  infected.sort((a, b) => ms(a.at) - ms(b.at));
  const rows = infected.map((member) => [
    second(ms(member.at)), member.from, member.host, member.service ?? "", percent(member.confidence),
    said(member.reasons.join("; ")), member.runner_up ? otherwise(member) : "",
  ]);
  const titles = ["when (UTC)", "who", "whom", "over", "sure", "why", "or else"];
  return make("details", { class: "words", open: infected.length <= 20 ? "" : null },
    make("summary", {}, counted(infected.length, "infection"), " in words"),
    make("div", { class: "scroll" }, table(titles, rows)));
}
