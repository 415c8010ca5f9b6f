// Stand-in for api-gateway: health and metrics, requests passed on to the services, JSON logs, clean exit on SIGTERM.
// Not a product.
"use strict";

const http = require("node:http");
const net = require("node:net");

const host = process.env.HOST || "0.0.0.0";
const port = Number(process.env.PORT || 3000);
const store = process.env.CHECK_STORES === "true" ? process.env.REDIS_URL : undefined;
const STORE_TIMEOUT_MS = 2000;
const CALL_TIMEOUT_MS = 5000;
const agent = new http.Agent({ keepAlive: true });
const CALLED = [
  ["segmentation-service", "/health"],
  ["runner-service", "/api/v1/health"],
  ["archive-service", "/health"],
  ["ai-orchestrator", "/health"],
];
const SERVICE_PATH = /^\/api\/(segmentation-service|runner-service|archive-service|ai-orchestrator)(\/.*)$/;
// Share of answers that fail, in percent: a release that is to be noticed.
const failing = Number(process.env.FAILING_PERCENT || 0);
const BOUNDS = [5, 10, 25, 50, 100, 250, 500, 1000, 2500];
const durations = new Map();
let requests = 0;

function log(level, message) {
  console.log(JSON.stringify({ level, message, service: "api-gateway", time: new Date().toISOString() }));
}

function isReachable(url) {
  const { hostname, port: storePort } = new URL(url);
  return new Promise((resolve) => {
    const socket = net.connect({ host: hostname, port: Number(storePort || 6379), timeout: STORE_TIMEOUT_MS });
    const end = (result) => {
      socket.destroy();
      resolve(result);
    };
    socket.once("connect", () => end(true));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
  });
}

function addressVariable(service) {
  return `${service.replaceAll("-", "_").toUpperCase()}_URL`;
}

function isHealthy(address, path) {
  return new Promise((resolve) => {
    const call = http.get(new URL(path, address), { agent, timeout: CALL_TIMEOUT_MS }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    call.once("timeout", () => call.destroy());
    call.once("error", () => resolve(false));
  });
}

async function status() {
  const calls = CALLED.filter(([service]) => process.env[addressVariable(service)]);
  const healthy = await Promise.all(
    calls.map(([service, path]) => isHealthy(process.env[addressVariable(service)], path)),
  );
  const services = Object.fromEntries(calls.map(([service], index) => [service, healthy[index] ? "UP" : "DOWN"]));
  return { status: healthy.every(Boolean) ? "UP" : "DOWN", services: { "api-gateway": "UP", ...services } };
}

function passOn(service, path, response) {
  const base = process.env[addressVariable(service)];
  const fail = () => response.headersSent ? response.destroy() : response.writeHead(502).end();
  const passed = http.get(new URL(path, base), { agent, timeout: CALL_TIMEOUT_MS }, (answered) => {
    response.writeHead(answered.statusCode);
    answered.pipe(response);
    answered.once("error", fail);
  });
  passed.once("timeout", () => passed.destroy(new Error("timeout")));
  passed.once("error", fail);
}

function observe(code, milliseconds) {
  const found = durations.get(code) || { counts: BOUNDS.map(() => 0), count: 0, sum: 0 };
  BOUNDS.forEach((bound, index) => { found.counts[index] += milliseconds <= bound; });
  found.count += 1;
  found.sum += milliseconds;
  durations.set(code, found);
}

function metrics() {
  const lines = ["# HELP http_requests_total Requests.", "# TYPE http_requests_total counter", `http_requests_total ${requests}`];
  const name = "http_request_duration_ms";
  lines.push(`# HELP ${name} Time of an answer.`, `# TYPE ${name} histogram`);
  for (const [code, { counts, count, sum }] of durations) {
    BOUNDS.forEach((bound, index) => lines.push(`${name}_bucket{code="${code}",le="${bound}"} ${counts[index]}`));
    lines.push(`${name}_bucket{code="${code}",le="+Inf"} ${count}`, `${name}_sum{code="${code}"} ${sum}`);
    lines.push(`${name}_count{code="${code}"} ${count}`);
  }
  return `${lines.join("\n")}\n`;
}

async function answer(request, response) {
  requests += 1;
  if (request.url.startsWith("/api/")) {
    const start = performance.now();
    response.once("finish", () => observe(response.statusCode, performance.now() - start));
  }
  const [, service, path] = SERVICE_PATH.exec(request.url) || [];
  if (request.url.startsWith("/api/") && Math.random() * 100 < failing) {
    response.writeHead(500).end();
  } else if (service) {
    passOn(service, path, response);
  } else if (request.url === "/health" || request.url === "/api/health") {
    const healthy = store === undefined || (await isReachable(store));
    response.writeHead(healthy ? 200 : 503, { "content-type": "application/json" });
    response.end(JSON.stringify({ status: healthy ? "UP" : "DOWN" }));
  } else if (request.url === "/api/v1/status") {
    const found = await status();
    response.writeHead(found.status === "UP" ? 200 : 502, { "content-type": "application/json" });
    response.end(`${JSON.stringify(found)}\n`);
  } else if (request.url === "/metrics") {
    response.writeHead(200, { "content-type": "text/plain; version=0.0.4" });
    response.end(metrics());
  } else {
    response.writeHead(404);
    response.end();
  }
}

const server = http.createServer(answer);
server.listen(port, host, () => log("info", `listening on ${port}`));
process.on("SIGTERM", () => {
  log("info", "SIGTERM: no new connections");
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
