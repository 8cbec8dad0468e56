// Makes reports to test loadgen's page. The same seed makes the same report. The figures are plausible and not measured.
// The format is that of `web/report/src/model.ts`.

const WAN_LIMITS = ["Connections between regions pass proxies of loadgen, so the first packet of a connection travels without the emulated delay.", "Lost packets appear as pauses. TCP does not resend them, because they never leave this machine."];
const RTTS = [["lon", "ams", 10], ["lon", "dal", 104], ["ams", "dal", 112]];
/** Seconds after a heal within which a nats-geo client returns. */
const FAIL_BACK_S = [6, 14];

/** Three regions, 24 nats-geo clients and 12 async-nats clients; lon is silent for 20 s. */
export function realistic(seed = 42) {
  return report(seed, {
    title: "Silent region: nats-geo beside async-nats",
    description: "All servers of lon stop answering for 20 s. Their connections stay open.",
    regions: ["lon", "ams", "dal"],
    populations: [{ name: "nats-geo", clients: 8, moves: true }, { name: "async-nats", clients: 4, moves: false }],
    durationS: 90,
    faults: [{ text: "silence lon", region: "lon", from: 30, to: 50 }],
    strategies: ["interactive"],
    repetitions: 1,
  });
}

/** Two strategies, each twice, with two faults of two kinds. */
export function twoStrategies(seed = 7) {
  return report(seed, {
    title: "Strategies: interactive and frugal",
    description: null,
    regions: ["lon", "ams", "dal"],
    populations: [{ name: "nats-geo", clients: 8, moves: true }],
    durationS: 120,
    faults: [{ text: "silence lon", region: "lon", from: 20, to: 40 }, { text: "kill ams", region: "ams", from: 70, to: 90 }],
    strategies: ["interactive", "frugal"],
    repetitions: 2,
    verdict: "FAIL",
  });
}

/** 10 000 clients for 600 s, with six faults. */
export function large(seed = 1) {
  const regions = ["lon", "ams", "dal", "sin", "syd"];
  return report(seed, {
    title: "Large run",
    description: "10 000 clients for ten minutes.",
    regions,
    populations: [{ name: "nats-geo", clients: 1600, moves: true }, { name: "async-nats", clients: 400, moves: false }],
    durationS: 600,
    faults: [0, 1, 2, 3, 4, 5].map((nth) => ({ text: `silence ${regions[nth % 5]}`, region: regions[nth % 5], from: 60 + nth * 85, to: 80 + nth * 85 })),
    strategies: ["interactive"],
    repetitions: 1,
  });
}

/** More regions than there are colours. */
export function manyRegions(seed = 9) {
  const regions = ["lon", "ams", "dal", "sin", "syd", "fra", "nyc", "gru", "jnb"];
  return report(seed, {
    title: "Nine regions",
    description: null,
    regions,
    populations: [{ name: "nats-geo", clients: 12, moves: true }],
    durationS: 60,
    faults: [{ text: "silence nyc", region: "nyc", from: 20, to: 40 }],
    strategies: ["interactive"],
    repetitions: 1,
  });
}

/** A run without a fault. */
export function withoutFault(seed = 3) {
  const made = report(seed, { title: "Baseline", description: null, regions: ["lon", "ams"], populations: [{ name: "nats-geo", clients: 3, moves: true }], durationS: 30, faults: [], strategies: ["interactive"], repetitions: 1 });
  return { ...made, thresholds: [], notes: [] };
}

/** A report whose run recorded nothing, or a report without a run. */
export function empty(hasRun) {
  const made = withoutFault();
  const [run] = made.runs;
  const nothing = { ...run, duration_s: 0, phases: [], series: [], clients: [], failovers: [], deliveries: [], stores: [], collected: [], matrix: [], ledger: [], schedule_lag_p99_ms: null };
  return { ...made, verdict: "INCONCLUSIVE", reasons: ["No request was sent."], rtt_ms: [], servers: [], runs: hasRun ? [nothing] : [] };
}

/** A report whose names try to inject markup or are very long: names come from users' files. */
export function hostile(seed = 5) {
  const region = "<img src=x onerror=\"document.title='owned'\">";
  const made = report(seed, {
    title: "</script><script>document.title='owned'</script>",
    description: "<b>bold</b> & </title>",
    regions: [region, "__proto__", "long-".repeat(40)],
    populations: [{ name: "<svg onload=document.title='owned'>", clients: 2, moves: true }, { name: "constructor", clients: 2, moves: false }],
    durationS: 60,
    faults: [{ text: `silence ${region} ]]> <!-- `, region, from: 20, to: null }],
    strategies: ["<i>one</i>", "toString"],
    repetitions: 1,
    verdict: "FAIL",
  });
  return { ...made, notes: [`note of ${region}`], sentences: [`In ${region} all clients failed over.`, "x".repeat(500)] };
}

function report(seed, plan) {
  const random = mulberry32(seed);
  const runs = plan.strategies.flatMap((strategy, index) => Array.from({ length: plan.repetitions }, (_, nth) => run(random, plan, strategy, index, nth + 1)));
  const verdict = plan.verdict ?? "PASS";
  return {
    version: 3,
    scenario: "silent-region",
    title: plan.title,
    description: plan.description,
    verdict,
    reasons: verdict === "FAIL" ? ["Failover p90 is above its threshold."] : [],
    seed,
    started_at: "2026-11-29T12:00:00Z",
    wall_s: plan.durationS * runs.length + 4.2,
    environment: { loadgen: "0.1.0", nats_servers: [{ version: "2.15.1", servers: plan.regions.length * 3 }], os: "Linux 6.18", cores: 2, wan: "TCP proxies between regions", wan_limits: WAN_LIMITS },
    regions: plan.regions,
    servers: plan.regions.flatMap((region) => [1, 2, 3].map((nth) => ({ name: `${region}-${nth}`, region }))),
    rtt_ms: plan.regions.flatMap((a, index) => plan.regions.slice(index + 1).map((b) => ({ a, b, ms: rtt(plan.regions, a, b) }))),
    sentences: plan.faults.flatMap((fault) => plan.populations.map((population) => sentence(runs[0], plan, fault, population))),
    thresholds: [
      { text: "failover p90 of nats-geo < 2 s", measured: "0.71 s", holds: verdict === "PASS" },
      { text: "lost messages of nats-geo, JetStream = 0", measured: "0", holds: true },
      { text: "failover p90 of async-nats < 200 s", measured: null, holds: null },
    ],
    notes: ["The fault lasts 20 s. Clients that did not fail over within it are counted by themselves, and are in no quantile."],
    runs,
  };
}

function run(random, plan, strategy, strategyIndex, repetition) {
  const clients = plan.populations.flatMap((population) => plan.regions.flatMap((region) => Array.from({ length: population.clients }, (_, index) => ({ population, region, number: index + 1, states: [[round(random() * 1.5, 3), region]], outages: [] }))));
  const failovers = plan.faults.flatMap((fault, index) => clients.filter(({ states }) => states.at(-1)[1] === fault.region).map((client) => failover(random, plan, client, { ...fault, id: index + 1, to: fault.to ?? plan.durationS }, strategyIndex)));
  return {
    strategy,
    repetition,
    duration_s: plan.durationS,
    phases: phases(plan),
    faults: plan.faults.map(({ text, from, to }, index) => ({ id: index + 1, text, from_s: from, to_s: to })),
    step_s: 1,
    series: plan.populations.flatMap((population) => plan.regions.map((region) => series(random, plan, population.name, region, clients.filter((client) => client.population === population && client.region === region)))),
    clients: clients.map(({ population, region, number, states }) => ({ population: population.name, region, number, states })),
    failovers,
    matrix: phases(plan).flatMap(({ name }) => plan.regions.flatMap((from) => plan.regions.map((to) => cell(random, plan, name, from, to)))),
    collected: [
      { source: "fly", figure: "machines_started", values: [[1, 3], [5, 2], [9, 3]] },
      { source: "resolver", figure: "lookup_ms", values: [[2, 0.8]] },
      { source: "silent", figure: "nothing", values: [] },
    ],
    deliveries: plan.populations.flatMap(({ name }) => plan.regions.map((region) => ({ workload: "publish", population: name, region, n: 8962, p50_ms: 4.75, p99_ms: 12, max_ms: 340 }))),
    stores: plan.populations.flatMap(({ name, moves }) => plan.regions.map((region) => (
      { workload: "kv", population: name, region, puts: 400, gets: 1600, failed: moves ? 0 : 31, stale: 2, corrupt: 0, put_p50_ms: 113.5, put_p99_ms: 240, get_p50_ms: null, get_p99_ms: null }
    ))),
    ledger: plan.populations.flatMap(({ name, moves }) => [
      { workload: "JetStream publish", population: name, stream: "LOADGEN_1", attempted: 4300, acknowledged: 4300, delivered: 4300, lost_prefix: 0, lost_middle: 0, lost_suffix: 0, duplicated: 0, reordered: 0, unexpected: 0, unverified: 0 },
      { workload: "plain subscription", population: name, stream: "subscriber lon", attempted: 9000, acknowledged: null, delivered: moves ? 8962 : 7010, lost_prefix: 0, lost_middle: moves ? 38 : 1990, lost_suffix: 0, duplicated: moves ? 12 : 0, reordered: 0, unexpected: 0, unverified: 0 },
    ]),
    schedule_lag_p99_ms: round(0.4 + random(), 2),
  };
}

/** Moves one client through one fault, and returns its failover. */
function failover(random, plan, client, fault, strategyIndex) {
  const { population, region, number } = client;
  const nearest = plan.regions.filter((name) => name !== fault.region).sort((a, b) => rtt(plan.regions, region, a) - rtt(plan.regions, region, b))[0];
  const way = rtt(plan.regions, region, nearest);
  const base = { fault: fault.id, population: population.name, region, client: number, from: fault.region };
  const limit = round(4 * way + 2, 1);
  if (!population.moves) {
    client.outages.push([fault.from, fault.to]);
    if (number === 1) client.states.push([fault.to - 2, null], [fault.to + 0.4, region]);
    return { ...base, to: null, total_ms: null, detection_ms: null, selection_ms: null, reconnect_ms: null, resume_ms: null, limit_ms: limit };
  }
  const parts = { detection_ms: round((280 + 420 * random()) * (1 + 1.6 * strategyIndex), 1), selection_ms: round(0.2 + random(), 1), reconnect_ms: round(2 * way + 6 * random(), 1), resume_ms: round(way + 4 * random(), 1) };
  const total = round(Object.values(parts).reduce((sum, part) => sum + part, 0), 1);
  client.outages.push([fault.from, fault.from + total / 1000]);
  client.states.push([round(fault.from + total / 1000, 3), nearest]);
  const back = fault.to + FAIL_BACK_S[0] + random() * (FAIL_BACK_S[1] - FAIL_BACK_S[0]);
  if (back < plan.durationS) client.states.push([round(back, 3), region]);
  return { ...base, to: nearest, total_ms: total, ...parts, limit_ms: limit };
}

/** Returns the requests of a region in each second. Each client sends 50 requests per second. */
function series(random, plan, population, region, clients) {
  const made = { population, region, ok: [], failed: [], p50_ms: [], p99_ms: [], max_ms: [] };
  for (let slot = 0; slot < plan.durationS; slot += 1) {
    const lostShares = clients.map(({ outages }) => outages.reduce((share, [from, to]) => share + Math.max(0, Math.min(to, slot + 1) - Math.max(from, slot)), 0));
    const lost = lostShares.reduce((sum, share) => sum + share, 0) * 50;
    const ok = Math.max(0, clients.length * 50 - lost);
    const late = lost > 0 ? lost / clients.length / 50 : 0;
    const place = clients[0]?.states.filter(([since]) => since <= slot).at(-1)?.[1] ?? region;
    const base = rtt(plan.regions, region, place) + 0.6 + 0.3 * random();
    made.ok.push(Math.round(ok));
    made.failed.push(Math.round(lost));
    made.p50_ms.push(ok < 1 ? null : round(base, 2));
    made.p99_ms.push(ok < 1 ? null : round(base + 2 + 3 * random() + 700 * late, 2));
    made.max_ms.push(ok < 1 ? null : round(base + 6 + 20 * random() + 1000 * late, 2));
  }
  return made;
}

function phases(plan) {
  const [first] = plan.faults;
  if (!first) return [{ name: "warm-up", from_s: 0, to_s: 5 }, { name: "baseline", from_s: 5, to_s: plan.durationS }];
  const last = plan.faults.at(-1).to ?? plan.durationS;
  const recovery = last < plan.durationS ? [{ name: "recovery", from_s: last, to_s: plan.durationS }] : [];
  return [{ name: "warm-up", from_s: 0, to_s: 10 }, { name: "baseline", from_s: 10, to_s: first.from }, { name: "faults", from_s: first.from, to_s: last }, ...recovery];
}

function cell(random, plan, phase, from, to) {
  const base = rtt(plan.regions, from, to) + 0.5 + random();
  return { phase, from, to, n: 400 + Math.floor(random() * 200), p50_ms: round(base, 1), p99_ms: round(base * 1.4 + 3, 1) };
}

function sentence(run, plan, fault, population) {
  const hit = run.failovers.filter((one) => one.population === population.name && one.from === fault.region);
  const done = hit.map(({ total_ms }) => total_ms).filter((total) => total !== null).sort((a, b) => a - b);
  if (done.length === 0) return `${fault.text}: none of the ${hit.length} ${population.name} clients that were hit failed over before the fault ended.`;
  return `${fault.text}: ${done.length} of the ${hit.length} ${population.name} clients that were hit failed over. The median took ${Math.round(done[Math.ceil(done.length / 2) - 1])} ms.`;
}

function rtt(regions, a, b) {
  if (a === b) return 0.5;
  const known = RTTS.find(([first, second]) => (first === a && second === b) || (first === b && second === a));
  return known?.[2] ?? 30 + 40 * Math.abs(regions.indexOf(a) - regions.indexOf(b));
}

function round(value, digits) {
  return Number(value.toFixed(digits));
}

/** A small seeded generator of numbers from 0 to below 1 (Tommy Ettinger, public domain). */
function mulberry32(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
