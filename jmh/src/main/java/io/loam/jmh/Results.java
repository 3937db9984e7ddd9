package io.loam.jmh;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/// The file that results are appended to, one JSON object a line, so that runs of different days and commits stand
/// in one plot.
final class Results {
    private static final JsonMapper JSON = new JsonMapper();

    private final Path file;

    Results(Path file) {
        this.file = file;
    }

    void append(List<Measurement> measurements) throws IOException {
        var lines = new ArrayList<String>();
        for (var measurement : measurements) {
            lines.add(JSON.writeValueAsString(json(measurement)));
        }
        var folder = file.toAbsolutePath().getParent();
        if (folder != null) {
            Files.createDirectories(folder);
        }
        Files.write(file, lines, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    /// In the order in which they were measured.
    ///
    /// @throws IOException if the file cannot be read, or a line is no result; its message names the line
    List<Measurement> all() throws IOException {
        var measurements = new ArrayList<Measurement>();
        var lines = Files.readAllLines(file);
        for (int i = 0; i < lines.size(); i++) {
            try {
                measurements.add(measurement((ObjectNode) JSON.readTree(lines.get(i))));
            } catch (JsonProcessingException | RuntimeException e) {
                throw new IOException(
                        file + ":" + (i + 1) + ": not a line that this program wrote; move the file away", e);
            }
        }
        return measurements;
    }

    private static ObjectNode json(Measurement measurement) {
        var json = JSON.createObjectNode();
        json.put("benchmark", measurement.benchmark());
        var parameters = json.putObject("parameters");
        measurement.parameters().forEach(parameters::put);
        json.put("date", measurement.date().toString());
        json.put("commit", measurement.commit());
        json.put("quick", measurement.quick());
        json.put("score", measurement.score());
        json.put("error", measurement.error());
        json.put("unit", measurement.unit());
        json.put("bytesPerOperation", measurement.bytesPerOperation());
        var host = measurement.host();
        json.putObject("host")
                .put("processor", host.processor())
                .put("processors", host.processors())
                .put("kernel", host.kernel())
                .put("java", host.java());
        return json;
    }

    private static Measurement measurement(ObjectNode json) {
        var parameters = new TreeMap<String, String>();
        for (var parameter : json.required("parameters").properties()) {
            parameters.put(parameter.getKey(), parameter.getValue().asText());
        }
        var host = json.required("host");
        return new Measurement(
                json.required("benchmark").asText(),
                parameters,
                Instant.parse(json.required("date").asText()),
                json.required("commit").asText(),
                new HostFacts(
                        host.required("processor").asText(),
                        host.required("processors").asInt(),
                        host.required("kernel").asText(),
                        host.required("java").asText()),
                json.required("quick").asBoolean(),
                json.required("score").asDouble(),
                json.required("error").asDouble(),
                json.required("unit").asText(),
                json.required("bytesPerOperation").asDouble());
    }
}
