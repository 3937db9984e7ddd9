package io.loam.agent.dump;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.loam.protocol.linux.OriginalAddress;
import io.netty.channel.Channel;
import io.netty.handler.ssl.SslHandler;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLPeerUnverifiedException;

/// What a tunnel is on the wire, and what its handshake came to. Any thread: the ends of a connected socket do not
/// change, and the session of a handshake that has succeeded guards itself.
final class TunnelView {
    private TunnelView() {}

    static void describe(Channel tunnel, ObjectNode node) {
        end(node, "local", tunnel.localAddress());
        end(node, "remote", tunnel.remoteAddress());
        var tls = tunnel.pipeline().get(SslHandler.class);
        if (tls == null) {
            return; // closed meanwhile
        }
        var session = tls.engine().getSession();
        node.put("version", session.getProtocol());
        node.put("cipherSuite", session.getCipherSuite());
        var chain = node.putArray("peerCertificates");
        try {
            for (var certificate : session.getPeerCertificates()) {
                if (certificate instanceof X509Certificate x509) {
                    describe(x509, chain.addObject());
                }
            }
        } catch (SSLPeerUnverifiedException _) {
            chain.removeAll(); // closed meanwhile: nothing is claimed then
        }
    }

    private static void describe(X509Certificate certificate, ObjectNode node) {
        node.put("serial", certificate.getSerialNumber().toString());
        node.put("subject", certificate.getSubjectX500Principal().getName());
        node.put("issuer", certificate.getIssuerX500Principal().getName());
        node.put("validFrom", certificate.getNotBefore().toInstant().toString());
        node.put("expires", certificate.getNotAfter().toInstant().toString());
    }

    private static void end(ObjectNode node, String key, SocketAddress address) {
        if (address instanceof InetSocketAddress inet) {
            node.put(key, ConfigDump.text(OriginalAddress.folded(inet)));
        }
    }
}
