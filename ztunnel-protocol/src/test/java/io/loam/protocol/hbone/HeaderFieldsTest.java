package io.loam.protocol.hbone;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Headers;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/// Wire reference, 2.2 and 2.3: what stands in the header fields, both ways.
class HeaderFieldsTest {
    private static final ConnectRequest FULL = new ConnectRequest(
            "10.0.0.7:8080", "k8s.pod.name=cart", "for=\"10.0.0.8:40000\"", "00-1-2-01", "network-2", "waypoint");

    @Test
    void aRequestIsItsFieldsAndNothingElse() {
        var fields = HeaderFields.request(FULL);

        assertThat(text(fields))
                .containsExactlyInAnyOrder(
                        ":method=CONNECT", // RFC 9113, 8.5: neither scheme nor path
                        ":authority=10.0.0.7:8080",
                        "baggage=k8s.pod.name=cart",
                        "forwarded=for=\"10.0.0.8:40000\"",
                        "traceparent=00-1-2-01",
                        "x-forwarded-network=network-2",
                        "x-istio-source=waypoint");
        assertThat(HeaderFields.readRequest(fields)).isEqualTo(FULL);
    }

    @Test
    void whatIsNotKnownIsNotSaid() {
        var fields = HeaderFields.request(ConnectRequest.to("a:1"));

        assertThat(text(fields)).containsExactlyInAnyOrder(":method=CONNECT", ":authority=a:1");
        assertThat(HeaderFields.readRequest(fields)).isEqualTo(ConnectRequest.to("a:1"));
    }

    @Test
    void withoutAuthorityThereIsNoRequest() {
        assertThat(HeaderFields.readRequest(new DefaultHttp2Headers().method("CONNECT")))
                .isNull();
        assertThat(HeaderFields.readRequest(
                        new DefaultHttp2Headers(false).method("CONNECT").authority("")))
                .isNull();
    }

    @Test
    void severalBaggageFieldsAreOneListAndOfTheOthersTheFirstCounts() {
        var fields = new DefaultHttp2Headers(false).authority("a:1");
        fields.add("baggage", "x=1")
                .add("baggage", "y=2")
                .add("forwarded", "for=a")
                .add("forwarded", "for=b");

        var read = Objects.requireNonNull(HeaderFields.readRequest(fields));

        assertThat(read.baggage()).isEqualTo("x=1,y=2");
        assertThat(read.forwarded()).isEqualTo("for=a");
    }

    @Test
    void anAnswerMayDescribeTheDestination() {
        var described = HeaderFields.ok(new ConnectResponse("k8s.pod.name=cart"));

        assertThat(text(described)).containsExactlyInAnyOrder(":status=200", "baggage=k8s.pod.name=cart");
        assertThat(HeaderFields.readResponse(described)).isEqualTo(new ConnectResponse("k8s.pod.name=cart"));
        assertThat(text(HeaderFields.ok(ConnectResponse.PLAIN))).containsExactly(":status=200");
        assertThat(HeaderFields.readResponse(HeaderFields.ok(ConnectResponse.PLAIN)))
                .isEqualTo(ConnectResponse.PLAIN);
    }

    private static List<String> text(Http2Headers fields) {
        return fields.names().stream()
                .flatMap(name -> fields.getAll(name).stream().map(value -> name + "=" + value))
                .toList();
    }
}
