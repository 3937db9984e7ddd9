package io.loam.config;

import io.loam.config.yaml.YamlScalar;
import java.util.regex.Pattern;

/// The grammars of names. They matter beyond good form: names become paths, interface names and parts of identities.
final class Names {
    static final String LABEL = "a name of at most 63 of a-z 0-9 -, with a letter or digit at both ends";
    static final String SUBDOMAIN = "a name of at most 253 of a-z 0-9 - and ., with a letter or digit at both ends";
    static final String PORT_NAME = "a name of at most 15 of a-z 0-9 -, with at least one letter";
    static final String ENV_NAME = "a name of printable characters other than =";
    private static final String LABEL_VALUE = "at most 63 of A-Z a-z 0-9 - _ ., with a letter or digit at both ends";
    private static final String LABEL_KEY = "[prefix/]name, the name being " + LABEL_VALUE;

    private static final Pattern DNS_LABEL = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");
    private static final Pattern QUALIFIED = Pattern.compile("[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?");
    private static final Pattern HOSTNAME =
            Pattern.compile("(?=.*[A-Za-z])(?:[A-Za-z0-9_](?:[-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?)"
                    + "(?:\\.[A-Za-z0-9_](?:[-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?)*");
    private static final Pattern PORT = Pattern.compile("(?=.*[a-z])[a-z0-9](-?[a-z0-9])*");
    private static final Pattern ENV = Pattern.compile("[\\x20-\\x7e&&[^=]]+");

    private Names() {}

    /// RFC 1123, 2.1, as Kubernetes uses it.
    static boolean isLabel(String name) {
        return DNS_LABEL.matcher(name).matches();
    }

    static boolean isSubdomain(String name) {
        if (name.length() > 253) {
            return false;
        }
        for (var part : name.split("\\.", -1)) {
            if (!isLabel(part)) {
                return false;
            }
        }
        return true;
    }

    /// A host name of any case; underscores are no part of one, but of names that people resolve all the same.
    static boolean isHostname(String name) {
        return name.length() <= 253 && !name.isEmpty() && HOSTNAME.matcher(name).matches();
    }

    /// RFC 6335, 5.1.
    static boolean isPortName(String name) {
        return name.length() <= 15 && PORT.matcher(name).matches();
    }

    static boolean isEnvName(String name) {
        return ENV.matcher(name).matches();
    }

    /// Rejects what is no label key or no label value. Annotations have the same keys and any value.
    static void checkLabel(String key, YamlScalar value) {
        checkKey(key, value);
        if (!value.text().isEmpty() && !QUALIFIED.matcher(value.text()).matches()) {
            value.reject(LABEL_VALUE);
        }
    }

    static void checkKey(String key, YamlScalar value) {
        int slash = key.indexOf('/');
        boolean prefixFits = slash < 0 || isSubdomain(key.substring(0, slash));
        if (!prefixFits || !QUALIFIED.matcher(key.substring(slash + 1)).matches()) {
            value.reject("a key of the form " + LABEL_KEY);
        }
    }
}
