package io.loam.it.documents;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// What the documents name exists: whoever renames a class finds the sentences about it here.
final class DocumentsTest {
    private static final Path TOP = Path.of("..");

    /// Between single backquotes on one line; fenced blocks are left out before.
    private static final Pattern CODE = Pattern.compile("`([^`\n]+)`");

    private static final Pattern FENCED = Pattern.compile("(?ms)^```.*?^```");
    private static final Pattern LINK = Pattern.compile("\\]\\(([^)#:]+)(?:#[^)]*)?\\)");
    private static final Pattern TYPE_OR_MEMBER =
            Pattern.compile("([A-Z][a-z][A-Za-z0-9]*)(?:\\.[a-z][A-Za-z0-9]*(?:\\(.*\\))?)?");
    private static final Pattern PACKAGE_OR_TYPE = Pattern.compile("io\\.loam(?:\\.[A-Za-z0-9]+)*");

    /// Stands for any name: `FooTest`.
    private static final String PLACEHOLDER = "Foo";

    /// Classes of libraries.
    private static final Set<String> NOT_OURS = Set.of("EmbeddedChannel");

    /// Made by the build.
    private static final String BUILT = "target/";

    private static Set<String> types;
    private static Set<String> packages;

    @BeforeAll
    static void readTree() throws IOException {
        types = new HashSet<>();
        packages = new HashSet<>();
        try (var tree = Files.walk(TOP)) {
            for (var file :
                    tree.filter(path -> path.toString().endsWith(".java")).toList()) {
                var path = TOP.relativize(file).toString();
                var source = path.indexOf("/java/");
                if (!path.contains("/src/") || source < 0) {
                    continue;
                }
                var name = file.getFileName().toString().replace(".java", "");
                var inPackage = path.substring(source + "/java/".length(), path.lastIndexOf('/'))
                        .replace('/', '.');
                types.add(name);
                types.add(inPackage + "." + name);
                for (var above = inPackage; above.contains("."); above = above.substring(0, above.lastIndexOf('.'))) {
                    packages.add(above);
                }
            }
        }
        assertThat(types).as("classes below " + TOP.toAbsolutePath()).contains("MeshSnapshot", "DocumentsTest");
    }

    @ParameterizedTest
    @MethodSource("documents")
    void namesOnlyWhatIsThere(Path document) throws IOException {
        assertThat(missing(Files.readString(document), document.getParent()))
                .as(document.toString())
                .isEmpty();
    }

    private static List<Path> documents() throws IOException {
        var documents = new ArrayList<Path>();
        for (var directory : List.of(TOP, TOP.resolve("docs"))) {
            try (var files = Files.newDirectoryStream(directory, "*.md")) {
                files.forEach(documents::add);
            }
        }
        assertThat(documents).as("documents").hasSizeGreaterThan(3);
        return documents;
    }

    /// The test above would be worth nothing if it did not see names.
    @Test
    void findsWhatIsNotThere() {
        assertThat(missing("""
                `MeshSnapshot` and `Agent.drain`, but `MeshSnapshott` and `Nowhere.drain`; `mesh-model/` and `mesh-modell/`
                `io.loam.agent`, `io.loam.agent.Main`, `io.loam.nowhere`; [a](README.md) [b](MISSING.md) `./loam up`
                """, TOP))
                .containsExactly("MeshSnapshott", "Nowhere.drain", "mesh-modell/", "io.loam.nowhere", "MISSING.md");
    }

    /// @param from where links begin
    private static List<String> missing(String markdown, Path from) {
        var text = FENCED.matcher(markdown).replaceAll("");
        var missing = new ArrayList<String>();
        for (var code : matches(CODE, text)) {
            var named = TYPE_OR_MEMBER.matcher(code);
            if (PACKAGE_OR_TYPE.matcher(code).matches()) {
                if (!packages.contains(code) && !types.contains(code)) {
                    missing.add(code);
                }
            } else if (named.matches()) {
                if (!types.contains(named.group(1)) && !code.startsWith(PLACEHOLDER) && !NOT_OURS.contains(code)) {
                    missing.add(code);
                }
            } else if (isPath(code) && !code.startsWith(BUILT) && !Files.exists(TOP.resolve(code))) {
                missing.add(code);
            }
        }
        for (var target : matches(LINK, text)) {
            if (!Files.exists(from.resolve(target))) {
                missing.add(target);
            }
        }
        return missing;
    }

    /// `module/..`, or a file with a known ending below one of our folders; no commands, globs or absolute paths.
    private static boolean isPath(String code) {
        if (!code.matches("[a-z][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)*/?")) {
            return false;
        }
        return code.endsWith("/") || (code.contains("/") && folders().contains(code.substring(0, code.indexOf('/'))));
    }

    private static Set<String> folders() {
        try (var top = Files.list(TOP)) {
            return top.filter(Files::isDirectory)
                    .map(path -> path.getFileName().toString())
                    .collect(Collectors.toSet());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<String> matches(Pattern pattern, String text) {
        return Stream.of(pattern)
                .flatMap(one -> one.matcher(text).results())
                .map(result -> result.group(1))
                .toList();
    }
}
