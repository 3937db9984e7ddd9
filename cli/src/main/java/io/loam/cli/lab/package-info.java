/// How the command talks to a lab: start at [RunningLab]. The lab is another program; the two meet in files and HTTP
/// only.
///
/// **Starting and stopping.** The command runs `io.loam.lab.Main up NAME FILE..` as a detached process whose output
/// goes to `/run/loam/NAME/daemon.log`, and `io.loam.lab.Main down NAME` in the foreground; the latter also clears away
/// what a killed lab left behind.
///
/// **Finding it.** `/run/loam/NAME/api.json` (mode 0600, written atomically as soon as the API answers):
/// `{"lab": NAME, "pid": 4711, "port": 40123, "token": "…"}`. The API listens on 127.0.0.1 and wants
/// `Authorization: Bearer TOKEN`. An answer other than 200 is `{"error": "one sentence"}`.
///
/// The answers are JSON:
/// - `GET /status`: `{"state": "starting"|"ready"|"failed", "pending": ["pod shop/web-1: not ready"], "reason": "…"}`
/// - `GET /problems`: `[{"severity": "error"|"warning", "text": "file:line: Kind ns/name: field: value (…)"}]`
/// - `GET /pods`: objects of `namespace`, `name`, `node`, `phase`, `ready` (boolean), `ips` (array),
///   `mesh` (`captured` or `-`), `serviceAccount`, `owner`, `labels` (object)
/// - `GET /services`: objects of `namespace`, `name`, `type`, `addresses` (array), `ports` (array of `http 80->8080`),
///   `endpoints` (how many are ready), `selector` (object)
/// - `GET /workloads`: objects of `namespace`, `name`, `node`, `ips` (array), `identity`, `protocol` (`HBONE` or
///   `TCP`), `status`, `services` (array), `uid`
/// - `GET /exec?pod=NS/NAME&container=C`: `{"argv": ["nsenter", …]}`, what to put before a command so that it runs
///   inside the pod
/// - `GET /why?from=POD&to=B:PORT&probe=true`: `verdict` (`allowed`, `refused`, or `depends` on the endpoint),
///   `from`, `to` (`asked`, `how`, `address`, `service`), `candidates` (`pod`, `node`, `share` 0 to 1, `reason`
///   why it gets none), `branches`, one for each way that the connection can take: `share`, `verdict`,
///   `outbound` (`kind` is `tunnel`, `plaintext`, `refused` or `not captured`; `peer`, `via`, `authority`,
///   `expectedIdentities`; `lookup` is the host name that the agent resolves first, or ""), `inbound` (`pod`,
///   `peer`, `port`, `policies` with `matchingRules` and whether it `decided`), `code`, `refusedBy`, `reason`;
///   `changes`, each of `steps` that turn the verdict; `probe` if it was asked for (`outcome`, `detail`, `code`,
///   `agrees`)
/// - `POST /prove?from=POD&to=B:PORT`: sends a marked request from the pod, and looks at the wire meanwhile:
///   `proved` (boolean), `failures` (sentences), `from`, `to`, `request` (`marker`, `source`, `bytes`, `outcome`,
///   `bytesRead`, `detail`, `code`); `wire`, what anybody on the wire can see: `where`, `betweenNodes`, `packets`,
///   `lost`, `packetsWithMarker`, `flowsWithMarker`, `flow` (`client`, `server`, `bytesToServer`, `bytesToClient`,
///   `onlyTlsRecords`, `version`, `cipherSuite`, `keyExchange`); `agents`, what the two ends of the same flow were
///   shown in its handshake and verified: `client` and `server`, each of `agent`, `pod`, `sawPeer`, `certificates`
///   (the peer's, leaf first) and `roots`
/// - `GET /logs?pod=NS/NAME&container=C`: objects of `container` and `path`: files to read and follow
/// - `GET /agents/config_dump`, `GET /agents/connections`: `{"NODE": what its agent answers, or {"error": "…"}, …}`
/// - `POST /agents/logging?node=NODE&…`, `POST /agents/access_log?node=NODE&…`: `{"answer": "…"}`; the rest of
///   the query is the agent's
/// - `POST /agents/renew_certificates?node=NODE`: `{"answer": "renewing 7 certificates"}`
/// - `POST /agents/upgrade?node=NODE`: `agent` (process id of the new one, which serves), `former` (of the one that
///   drains; missing if none was running), `millis` it took
///
/// `pod` may leave out the namespace where the name is unique, and may name a Deployment (its first ready pod).
@NullMarked
package io.loam.cli.lab;

import org.jspecify.annotations.NullMarked;
