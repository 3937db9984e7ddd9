package io.loam.lab;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.loam.lab.capture.ByteStream;
import io.loam.lab.capture.Capture;
import io.loam.lab.capture.TcpFlow;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// A proof is worth something only if it fails: each test takes one thing from a case that holds.
final class ProofTest {
    private static final String MARKER = "loam-proof-1";
    private static final String REQUEST = "GET /" + MARKER;
    private static final String CLIENT = "10.244.2.2:40000";
    private static final String SERVER = "10.244.1.3:15008";
    private static final ProbeResult ANSWERED = new ProbeResult(true, "10.244.2.2:50000", 10, "ended in order");

    private static final String SERVER_HELLO = serverHello("0304");
    private static final String RECORDS = "1703030004cafecafe1703030010" + "ab".repeat(16);

    private final TcpFlow tls = flow("1603010001aa" + RECORDS, SERVER_HELLO + RECORDS);

    @Test
    void aTlsFlowThatBothAgentsKnowHolds() throws Exception {
        assertThat(proof(ANSWERED, capture(0, tls), client(), server()).failures())
                .isEmpty();
        assertThat(proof(ANSWERED, capture(0, tls), client(), server()).json()).containsEntry("proved", true);
    }

    @Test
    void aMarkerThatCanBeReadAnywhereOnTheWireFails() throws Exception {
        var other = new TcpFlow(
                Proof.address("10.244.2.2:1"),
                Proof.address("10.244.1.3:80"),
                new ByteStream(List.of(("x" + REQUEST).getBytes(StandardCharsets.UTF_8))),
                new ByteStream(List.of()));

        assertThat(proof(ANSWERED, capture(0, tls, other), client(), server()).failures())
                .singleElement()
                .asString()
                .contains("PLAINTEXT", "10.244.1.3:80");
    }

    @Test
    void withoutAFlowOfTheTunnelNothingIsProved() throws Exception {
        assertThat(proof(ANSWERED, capture(0), client(), server()).failures())
                .singleElement()
                .asString()
                .contains("no TLS flow: nothing from " + CLIENT);
        assertThat(proof(ANSWERED, capture(0, tls), null, null).failures())
                .containsExactly("no TLS flow: no agent carried the request");
    }

    @Test
    void lostPacketsMayHaveHadTheMarker() throws Exception {
        assertThat(proof(ANSWERED, capture(3, tls), client(), server()).failures())
                .singleElement()
                .asString()
                .contains("lost 3 packets");
    }

    @Test
    void bytesBetweenTheRecordsFail() throws Exception {
        var mixed = flow("1603010001aa" + RECORDS + "474554202f474554202f474554", SERVER_HELLO + RECORDS);

        assertThat(proof(ANSWERED, capture(0, mixed), client(), server()).failures())
                .singleElement()
                .asString()
                .contains("not records of TLS alone");
    }

    @Test
    void anOlderTlsFailsAndTheAgentsAreCaughtWhenTheySayOtherwise() throws Exception {
        var old = flow("1603010001aa" + RECORDS, serverHello("0303") + RECORDS);

        assertThat(proof(ANSWERED, capture(0, old), client(), server()).failures())
                .containsExactly(
                        "the flow is TLSv1.2 (expected: TLSv1.3)",
                        "agent birch says version TLSv1.3, the wire says TLSv1.2",
                        "agent alder says version TLSv1.3, the wire says TLSv1.2");
    }

    @Test
    void aFlowWhoseHandshakeWasBeforeTheRecordingIsTriedAgain() throws Exception {
        var older = proof(ANSWERED, capture(0, flow(RECORDS, RECORDS)), client(), server());

        assertThat(older.lacksHandshake()).isTrue();
        assertThat(older.failures()).singleElement().asString().contains("does not begin with a handshake");
        assertThat(proof(ANSWERED, capture(0, tls), client(), server()).lacksHandshake())
                .isFalse();
    }

    @Test
    void anEndThatNoAgentKnowsFails() throws Exception {
        assertThat(proof(ANSWERED, capture(0, tls), client(), null).failures())
                .containsExactly("no agent knows the other end of " + CLIENT + " -> " + SERVER);
    }

    @Test
    void aRefusedRequestProvesNothing() throws Exception {
        var refused = new ProbeResult(false, "10.244.2.2:50000", 0, "Connection reset");

        assertThat(proof(refused, capture(0), null, null).failures())
                .contains("the request was not taken: Connection reset (the agent's log says PEER_DENIED)");
    }

    private static Proof proof(
            ProbeResult outcome, Capture seen, Proof.@Nullable End client, Proof.@Nullable End server) {
        return new Proof(
                REQUEST, MARKER, outcome, outcome.open() ? "" : "PEER_DENIED", "eth0", true, seen, client, server);
    }

    private static Capture capture(long dropped, TcpFlow... flows) {
        return new Capture(List.of(), List.of(flows), dropped);
    }

    private static TcpFlow flow(String toServer, String toClient) {
        return new TcpFlow(
                Proof.address(CLIENT),
                Proof.address(SERVER),
                new ByteStream(List.of(HexFormat.of().parseHex(toServer))),
                new ByteStream(List.of(HexFormat.of().parseHex(toClient))));
    }

    private static String serverHello(String version) {
        var extensions = "002b0002" + version;
        var body = "0303" + "aa".repeat(32) + "00" + "1301" + "00" + "%04x".formatted(extensions.length() / 2)
                + extensions;
        var message = "02" + "%06x".formatted(body.length() / 2) + body;
        return "160303" + "%04x".formatted(message.length() / 2) + message;
    }

    private static Proof.End client() throws Exception {
        return end("birch", CLIENT, SERVER, "\"destinationIdentity\": \"spiffe://cluster.local/ns/shop/sa/web\"");
    }

    private static Proof.End server() throws Exception {
        return end("alder", SERVER, CLIENT, "\"sourceIdentity\": \"spiffe://cluster.local/ns/shop/sa/customer\"");
    }

    private static Proof.End end(String node, String local, String remote, String identity) throws Exception {
        var json = new ObjectMapper();
        return new Proof.End(node, json.readTree("""
                {"tunnel": {"local": "%s", "remote": "%s", "version": "TLSv1.3",
                            "cipherSuite": "TLS_AES_128_GCM_SHA256", "peerCertificates": []}, %s}
                """.formatted(local, remote, identity)), json.createArrayNode());
    }
}
