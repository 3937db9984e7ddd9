package io.loam.config.object;

import io.loam.model.policy.Match.ServiceAccountMatch;
import io.loam.model.policy.StringMatch;

/// The small grammars inside policies' values.
public final class StringPatterns {
    private StringPatterns() {}

    /// `*` = anything that is there, `x*` and `*x` = by prefix and suffix, everything else exactly (wire reference,
    /// 7.3).
    public static StringMatch parse(String text) {
        if (text.equals("*")) {
            return new StringMatch.Presence();
        }
        if (text.endsWith("*")) {
            return new StringMatch.Prefix(text.substring(0, text.length() - 1));
        }
        return text.startsWith("*") ? new StringMatch.Suffix(text.substring(1)) : new StringMatch.Exact(text);
    }

    /// `namespace/account`, or `account` in the namespace of the policy.
    public static ServiceAccountMatch serviceAccount(String text, String policyNamespace) {
        int slash = text.indexOf('/');
        return slash < 0
                ? new ServiceAccountMatch(policyNamespace, text)
                : new ServiceAccountMatch(text.substring(0, slash), text.substring(slash + 1));
    }
}
