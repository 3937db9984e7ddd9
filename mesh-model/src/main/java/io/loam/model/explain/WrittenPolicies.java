package io.loam.model.explain;

/// How the author of a policy wrote its rules: the model joins `from`, `to` and `when`, and a proposal has to name the
/// place where the author would change something.
public interface WrittenPolicies {
    /// For policies of which nothing is known but what they come to.
    WrittenPolicies UNKNOWN = new WrittenPolicies() {
        @Override
        public int sources(String policy, int rule) {
            return 0;
        }

        @Override
        public int operations(String policy, int rule) {
            return 0;
        }

        @Override
        public String strictMode(String namespace, String workload) {
            return "the PeerAuthentication that holds for " + namespace + "/" + workload;
        }
    };

    /// @param policy `namespace/name`
    /// @return how many entries `from` has; 0 also where that is not known
    int sources(String policy, int rule);

    /// @return how many entries `to` has; 0 also where that is not known
    int operations(String policy, int rule);

    /// Which PeerAuthentication makes a workload strict, in words.
    String strictMode(String namespace, String workload);
}
