package io.loam.it.life;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_void;

import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeElement;
import java.lang.classfile.CodeTransform;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.security.ProtectionDomain;
import org.jspecify.annotations.Nullable;

/// A bug in native code that one pod's input triggers, put into an agent from outside (`-javaagent`): a CONNECT for the
/// port of poison writes to address 0, and the JVM dies of it on the event loop that read the request.
public final class PoisonedTunnel implements ClassFileTransformer, CodeTransform {
    static final int PORT = 6666;

    private static final String TARGET = "io/loam/agent/inbound/InboundTunnel";

    private PoisonedTunnel() {}

    /// Called by the JVM of the agent.
    public static void premain(@Nullable String arguments, Instrumentation instrumentation) {
        instrumentation.addTransformer(new PoisonedTunnel());
    }

    @Override
    public byte @Nullable [] transform(
            @Nullable ClassLoader loader,
            @Nullable String name,
            @Nullable Class<?> redefined,
            @Nullable ProtectionDomain domain,
            byte[] bytes) {
        if (!TARGET.equals(name)) {
            return null;
        }
        var file = ClassFile.of();
        return file.transformClass(
                file.parse(bytes),
                ClassTransform.transformingMethodBodies(
                        method -> method.methodName().equalsString("onConnect"), this));
    }

    @Override
    public void atStart(CodeBuilder code) {
        code.aload(1)
                .invokestatic(
                        ClassDesc.of(PoisonedTunnel.class.getName()), "taste", MethodTypeDesc.of(CD_void, CD_Object));
    }

    @Override
    public void accept(CodeBuilder code, CodeElement element) {
        code.with(element);
    }

    /// Called by the changed method.
    public static void taste(Object request) {
        if (request.toString().contains(":" + PORT)) {
            MemorySegment.ofAddress(0).reinterpret(8).set(ValueLayout.JAVA_LONG, 0, 1);
        }
    }
}
