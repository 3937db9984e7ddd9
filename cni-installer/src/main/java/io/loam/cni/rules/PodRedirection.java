package io.loam.cni.rules;

import io.loam.cni.command.CommandException;
import io.loam.cni.command.Commands;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/// Applies {@link PodRules} in one pod's namespace together with the return path of wire reference 1.2: a policy rule
/// that sends packets with the return mark to table 100, where every address is local.
///
/// Each step can be repeated; a step that fails takes back what the steps before it added, so that a pod is redirected
/// completely, or as it was before. Blocking; one thread at a time per pod.
public final class PodRedirection {
    private static final String PRIORITY = "32764";
    private static final String TABLE = "100";
    private static final String FWMARK = PodRules.RETURN_MARK + "/" + PodRules.MARK_MASK;

    private final Commands commands;

    /// @param insidePod commands that run in the pod's namespace
    public PodRedirection(Commands insidePod) {
        this.commands = insidePod;
    }

    /// Starts redirection, or brings it up to date. Return path first: without it, proxied connections would hang.
    ///
    /// @throws CommandException after everything this call added is gone again
    public void apply(PodRules rules) throws CommandException {
        var undo = new ArrayDeque<List<String>>();
        try {
            addReturnPath("-4", "0.0.0.0/0", undo);
            if (rules.ipv6()) {
                addReturnPath("-6", "::/0", undo);
            }
            commands.run(List.of("nft", "-f", "-"), rules.enrolled());
        } catch (CommandException e) {
            while (!undo.isEmpty()) {
                runUndo(undo.pop(), e);
            }
            throw e;
        }
    }

    /// First phase of leaving: new connections are no longer redirected, those in flight live on.
    public void leave(PodRules rules) throws CommandException {
        commands.run(List.of("nft", "-f", "-"), rules.leaving());
    }

    /// Second phase: nothing of ours remains. To be called when no redirected connection is left, or when nobody cares.
    public void remove(boolean ipv6) throws CommandException {
        commands.run(List.of("nft", "-f", "-"), PodRules.REMOVAL);
        removeReturnPath("-4", "0.0.0.0/0");
        if (ipv6) {
            removeReturnPath("-6", "::/0");
        }
    }

    private void addReturnPath(String family, String everything, ArrayDeque<List<String>> undo)
            throws CommandException {
        if (addUnlessThere(ip(family, "route", "add", "local", everything, "dev", "lo", "table", TABLE))) {
            undo.push(ip(family, "route", "del", "local", everything, "dev", "lo", "table", TABLE));
        }
        if (addUnlessThere(ip(family, "rule", "add", "fwmark", FWMARK, "pref", PRIORITY, "lookup", TABLE))) {
            undo.push(ip(family, "rule", "del", "fwmark", FWMARK, "pref", PRIORITY, "lookup", TABLE));
        }
    }

    private void removeReturnPath(String family, String everything) throws CommandException {
        deleteIfThere(ip(family, "rule", "del", "fwmark", FWMARK, "pref", PRIORITY, "lookup", TABLE));
        deleteIfThere(ip(family, "route", "del", "local", everything, "dev", "lo", "table", TABLE));
    }

    /// @return whether it was added now
    private boolean addUnlessThere(List<String> command) throws CommandException {
        try {
            commands.run(command);
            return true;
        } catch (CommandException e) {
            if (e.stderr().contains("File exists")) { // EEXIST: ours, from before
                return false;
            }
            throw e;
        }
    }

    private void deleteIfThere(List<String> command) throws CommandException {
        try {
            commands.run(command);
        } catch (CommandException e) {
            // ENOENT for rules, ESRCH for routes, and a table without any route has no name yet
            if (!e.stderr().contains("No such file or directory")
                    && !e.stderr().contains("No such process")
                    && !e.stderr().contains("does not exist")) {
                throw e;
            }
        }
    }

    private void runUndo(List<String> command, CommandException failure) {
        try {
            commands.run(command);
        } catch (CommandException e) {
            failure.addSuppressed(e); // what remains is harmless without the nft rules: nothing sets the mark
        }
    }

    private static List<String> ip(String family, String... arguments) {
        var command = new ArrayList<String>(List.of("ip", family));
        command.addAll(List.of(arguments));
        return List.copyOf(command);
    }
}
