package io.loam.it.life;

import io.loam.lab.command.Command;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;

/// The files of a CA as an operator keeps them: roots and intermediates that OpenSSL made, each pair in a directory of
/// its own, and in `in-force` what the CA is given of them.
record PluggedInAuthority(Path directory) {
    private static final String MAKE = """
            mkdir -p "$1" in-force
            cd "$1"
            key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
            openssl req -x509 $key -days 30 -subj "/CN=$1 root" -keyout root-key.pem -out root-cert.pem
            openssl req $key -subj "/CN=$1 intermediate" -keyout ca-key.pem -out ca.csr
            printf 'basicConstraints=critical,CA:TRUE\\nkeyUsage=critical,keyCertSign,cRLSign\\n' >ca.ext
            openssl x509 -req -in ca.csr -CA root-cert.pem -CAkey root-key.pem -CAcreateserial -days 30 \\
                -extfile ca.ext -out ca-cert.pem
            """;

    /// A root of this name, and an intermediate under it.
    void make(String name) throws IOException {
        Command.script("cd '" + directory + "'; set -- " + name + "\n" + MAKE);
    }

    Path inForce() {
        return directory.resolve("in-force");
    }

    /// Has the CA sign with the intermediate of this name.
    void signWith(String name) throws IOException {
        for (var file : List.of("ca-key.pem", "ca-cert.pem")) {
            put(file, Files.readString(directory.resolve(name).resolve(file)));
        }
    }

    /// Has the CA trust these roots and no others.
    void trust(String... names) throws IOException {
        var bundle = new StringBuilder();
        for (var name : names) {
            bundle.append(Files.readString(directory.resolve(name).resolve("root-cert.pem")));
        }
        put("root-cert.pem", bundle.toString());
    }

    private void put(String file, String text) throws IOException {
        var fresh = Files.writeString(inForce().resolve(file + ".new"), text);
        Files.move(fresh, inForce().resolve(file), StandardCopyOption.ATOMIC_MOVE);
    }
}
