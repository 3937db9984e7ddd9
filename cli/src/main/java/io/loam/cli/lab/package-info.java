/// How the command talks to a lab: start at [RunningLab]. The lab is another program; the two meet in files and HTTP
/// only.
///
/// **Starting and stopping.** The command runs `io.loam.lab.Main up NAME FILE..` as a detached process whose output
/// goes to
/// `/run/loam/NAME/daemon.log`, and `io.loam.lab.Main down NAME` in the foreground; the latter also clears away what a
/// killed
/// lab left behind.
///
/// **Finding it.** `/run/loam/NAME/api.json` (mode 0600, written atomically as soon as the API answers):
/// `{"lab": NAME, "pid": 4711, "port": 40123, "token": "…"}`. The API listens on 127.0.0.1 and wants
/// `Authorization: Bearer TOKEN`. An answer other than 200 is `{"error": "one sentence"}`.
///
/// | Request | Answer |
/// | --- | --- |
/// | `GET /status` | `{"state": "starting"\|"ready"\|"failed", "pending": ["pod shop/web-1: not ready", …], "reason":
/// "…" if failed}` |
/// | `GET /problems` | `[{"severity": "error"\|"warning", "text": "file:line: Kind ns/name: field: value (expected:
/// …)", …}]` |
/// | `GET /pods` | `[{"namespace", "name", "node", "phase", "ready": true, "ips": […], "mesh": "captured"\|"-",
/// "serviceAccount", "owner", "labels": {}}]` |
/// | `GET /services` | `[{"namespace", "name", "type", "addresses": […], "ports": ["http 80->8080"], "endpoints": 2,
/// "selector": {}}]` |
/// | `GET /workloads` | `[{"namespace", "name", "node", "ips": […], "identity": "spiffe://…", "protocol":
/// "HBONE"\|"TCP", "status", "services": […], "uid"}]` |
/// | `GET /exec?pod=NS/NAME&container=C` | `{"argv": ["nsenter", …]}`: what to put before a command so that it runs
/// inside the pod |
/// | `GET /logs?pod=NS/NAME&container=C` | `[{"container", "path"}]`: files to read and follow |
///
/// `pod` may leave out the namespace where the name is unique, and may name a Deployment (its first ready pod is
/// meant).
@NullMarked
package io.loam.cli.lab;

import org.jspecify.annotations.NullMarked;
