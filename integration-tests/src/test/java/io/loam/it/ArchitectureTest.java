package io.loam.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.properties.HasName;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.syntax.ArchRuleDefinition;
import com.tngtech.archunit.library.dependencies.SlicesRuleDefinition;
import io.loam.it.architecture.Violations;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// The arrows between folders point down, no program depends on another, packages form no cycles. The Maven
/// modules say the first two already; this holds also for what reaches a class path by way of another module.
final class ArchitectureTest {
    /// Package under `io.loam` → the packages it may use. What is not named here is not allowed.
    private static final Map<String, Set<String>> ARROWS = arrows();

    /// Generated from the .proto files; `io.loam.proto` belongs to ztunnel-protocol.
    private static final String GENERATED = "proto";

    private static JavaClasses product;

    private static Map<String, Set<String>> arrows() {
        var arrows = new LinkedHashMap<String, Set<String>>();
        var runtime = Set.of("runtime", "protocol", "proto", "model");
        arrows.put("model", Set.of());
        arrows.put("config", Set.of("model"));
        arrows.put("protocol", Set.of("proto", "model"));
        arrows.put("runtime", Set.of("protocol", "proto", "model"));
        arrows.put("agent", runtime);
        arrows.put("ca", Set.of("protocol", "proto", "model"));
        arrows.put("controlplane", Set.of("config", "protocol", "proto", "model"));
        arrows.put("cni", Set.of("protocol", "proto", "model"));
        arrows.put("cli", Set.of("config", "model"));
        return arrows;
    }

    @BeforeAll
    static void readClasses() {
        product = new ClassFileImporter()
                .withImportOption(new ImportOption.DoNotIncludeTests())
                .importPackages("io.loam");
        assertThat(product.stream().map(JavaClass::getPackageName).filter(name -> name.startsWith("io.loam.model.")))
                .as("classes found on the class path")
                .isNotEmpty();
    }

    @TestFactory
    List<DynamicTest> arrowsPointDown() {
        return ARROWS.keySet().stream()
                .map(module -> DynamicTest.dynamicTest(
                        module + " uses only " + ARROWS.get(module),
                        () -> arrowsOf(module, "io.loam.").check(product)))
                .toList();
    }

    @Test
    void packagesFormNoCycles() {
        withoutCycles("io.loam.").check(product);
    }

    /// The privileged calls stay in one place that can be read in one sitting.
    @Test
    void onlyOnePackageCallsTheKernelDirectly() {
        foreignFunctionsOnlyIn("io.loam.protocol.linux..").check(product);
    }

    @Test
    void modelUsesTheJdkOnly() {
        ArchRuleDefinition.classes()
                .that()
                .resideInAPackage("io.loam.model..")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage("java..", "io.loam.model..", "org.jspecify..")
                .check(product);
    }

    @Test
    void everyModuleOfTheProductIsCovered() {
        var modules = product.stream()
                .map(type -> type.getPackageName().split("\\.", 4))
                .filter(parts -> parts.length > 2)
                .map(parts -> parts[2])
                .filter(module -> !module.equals("lab") && !module.equals("it") && !module.equals(GENERATED))
                .collect(Collectors.toSet());
        assertThat(ARROWS.keySet()).containsAll(modules);
    }

    /// The rules above are worth something only if they refuse what they are there to refuse.
    @Test
    void rulesRefuseViolations() {
        var bad = new ClassFileImporter().importPackagesOf(Violations.class);

        assertThatThrownBy(() -> arrowsOf("model", Violations.ROOT).check(bad))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("Upward");
        assertThatThrownBy(() -> withoutCycles(Violations.ROOT).check(bad))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("Cycle detected");
        assertThatThrownBy(
                        () -> foreignFunctionsOnlyIn("io.loam.protocol.linux..").check(bad))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("Kernel");
    }

    private static ArchRule arrowsOf(String module, String root) {
        var allowed = ARROWS.getOrDefault(module, Set.of()).stream()
                .map(name -> root + name)
                .collect(Collectors.toSet());
        allowed.add(root + module);
        var otherModules = new DescribedPredicate<JavaClass>("belong to a module other than " + allowed) {
            @Override
            public boolean test(JavaClass type) {
                var name = type.getPackageName();
                return name.startsWith(root)
                        && allowed.stream().noneMatch(prefix -> name.equals(prefix) || name.startsWith(prefix + "."));
            }
        };
        return ArchRuleDefinition.noClasses()
                .that()
                .resideInAPackage(root + module + "..")
                .should()
                .dependOnClassesThat(otherModules)
                .allowEmptyShould(true);
    }

    private static ArchRule withoutCycles(String root) {
        return SlicesRuleDefinition.slices()
                .matching(root + "(**)")
                .should()
                .beFreeOfCycles()
                .allowEmptyShould(true);
    }

    private static ArchRule foreignFunctionsOnlyIn(String packages) {
        return ArchRuleDefinition.noClasses()
                .that()
                .resideOutsideOfPackage(packages)
                .should()
                .dependOnClassesThat(HasName.Predicates.nameStartingWith("java.lang.foreign.")
                        .forSubtype());
    }
}
