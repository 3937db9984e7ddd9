package io.loam.cni;

/// Hears how pods come and go. Called on the pod's own thread, in order; may block, which delays that pod only.
public interface EnrolmentListener {
    /// Captured, and the node proxy has it: peers may speak HBONE to it (annotation `redirection: enabled`).
    void enrolled(String uid);

    /// Not yet, or no longer, completely; retried by itself.
    ///
    /// @param reason for people
    void pending(String uid, String reason);

    /// Its new connections are no longer captured and the proxies have been told.
    void left(String uid);
}
