package io.loam.config.yaml;

import java.util.Collection;
import java.util.List;
import java.util.Locale;

/// Lists of words in messages, and the word that was probably meant.
public final class Words {
    private static final int MOST_NAMES = 12;

    private Words() {}

    /// `a, b or c`.
    public static String or(List<String> words) {
        int last = words.size() - 1;
        return last <= 0
                ? String.join("", words)
                : String.join(", ", words.subList(0, last)) + " or " + words.get(last);
    }

    /// The known word that is close to `word`, or all of them when none is.
    static String nearestOrAll(String word, Collection<String> known) {
        var best = "";
        int bestDistance = Math.max(2, word.length() / 3) + 1;
        for (var candidate : known) {
            int distance = distance(word.toLowerCase(Locale.ROOT), candidate.toLowerCase(Locale.ROOT));
            if (distance < bestDistance && distance < candidate.length()) {
                best = candidate;
                bestDistance = distance;
            }
        }
        if (!best.isEmpty()) {
            return best;
        }
        var names = known.stream().sorted().toList();
        return names.size() <= MOST_NAMES
                ? or(names)
                : String.join(", ", names.subList(0, MOST_NAMES)) + " and " + (names.size() - MOST_NAMES) + " more";
    }

    /// Edits (insert, delete, replace, swap neighbours) that make one word the other: optimal string alignment.
    static int distance(String a, String b) {
        var rows = new int[a.length() + 1][b.length() + 1];
        for (int i = 0; i <= a.length(); i++) {
            for (int j = 0; j <= b.length(); j++) {
                if (i == 0 || j == 0) {
                    rows[i][j] = i + j;
                    continue;
                }
                int same = a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1;
                int edits = Math.min(rows[i - 1][j - 1] + same, Math.min(rows[i - 1][j], rows[i][j - 1]) + 1);
                boolean swapped =
                        i > 1 && j > 1 && a.charAt(i - 1) == b.charAt(j - 2) && a.charAt(i - 2) == b.charAt(j - 1);
                rows[i][j] = swapped ? Math.min(edits, rows[i - 2][j - 2] + 1) : edits;
            }
        }
        return rows[a.length()][b.length()];
    }
}
