
// Starts the page: reads what it was told, and has each part drawn.

/** The sentence that somebody reads first. */
function headline(report) {
  const verdicts = ["malicious", "suspicious"].map((verdict) => [verdict, report.hosts.filter((host) => host.verdict === verdict).length]);
  const found = verdicts.filter(([, count]) => count > 0).map(([verdict, count]) => `${counted(count, "host")} ${verdict}`);
  const judged = found.length > 0 ? `${found.join(", ")}.` : "No host is suspicious.";
  if (report.incidents.length === 0) return judged;
  const infected = report.incidents.reduce((sum, incident) => sum + incident.hosts, 0);
  const exposed = report.incidents.reduce((sum, incident) => sum + incident.exposed_total, 0);
  const next = exposed > 0 ? `, ${exposed} more may be next` : "";
  return `${counted(report.incidents.length, "incident")}, ${counted(infected, "host")} infected${next}. ${judged}`;
}

function showInput(report) {
  const names = report.inputs.map((input) => input.name).join(", ");
  const rest = report.inputs_total - report.inputs.length;
  const when = report.first_ts ? `, ${second(ms(report.first_ts))} to ${second(ms(report.last_ts))} UTC` : "";
  byId("input").append(said(names), rest > 0 ? ` and ${counted(rest, "more input")}` : "", when,
    names || when ? ": " : "",
    [counted(report.packets, "packet"), counted(report.connections, "connection"), counted(report.hosts_seen, "host")].join(", "), ".");
  const damaged = report.inputs.filter((input) => input.damage).map((input) => `${input.name}: read up to the damage, ${counted(input.packets, "packet")}: ${input.damage}`);
  byId("notices").append(...[...damaged, ...report.notices].map((notice) => make("li", {}, said(notice))));
  byId("made").textContent = `Made by wormwatch ${report.version}. Times are UTC. This file loads nothing.`;
}

function start() {
  const report = JSON.parse(byId("data").textContent);
  const infected = new Map();
  for (const incident of report.incidents) {
    for (const member of incident.members) infected.set(member.host, { incident, member });
  }
  const hosts = completed(report.hosts, infected);
  byId("headline").textContent = headline(report);
  showInput(report);
  showIncidents(report.incidents, hosts);
  showTimeline(hosts, infected);
  showWhy(hosts);
  showHosts(hosts, report.hosts_total);
  showServices(report.services, report.services_total);
}

start();
