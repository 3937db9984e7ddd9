package io.loam.lab.bench.profile;

import java.util.Locale;

/// A page that needs nothing else: each call a bar as wide as its share of the samples, on top of its caller. A click
/// on
/// a bar widens it to the whole page, a click on the lowest one goes back; the text over a bar tells its share.
public final class FlameGraph {
    private static final int ROW = 18;

    /// Share of all samples below which a bar could not be seen or hit.
    private static final double LEAST_SHARE = 0.0005;

    private static final String TAIL = """
            </div>
            <script>
            const bars = [...document.querySelectorAll("#graph div")];
            bars.forEach(b => { b.x = parseFloat(b.style.left); b.w = parseFloat(b.style.width) });
            bars.forEach(b => b.onclick = () => bars.forEach(o => {
              const around = o.x <= b.x + 1e-6 && o.x + o.w >= b.x + b.w - 1e-6 && o.offsetTop >= b.offsetTop;
              const inside = o.x >= b.x - 1e-6 && o.x + o.w <= b.x + b.w + 1e-6;
              o.style.visibility = around || inside ? "visible" : "hidden";
              o.style.left = (around ? 0 : (o.x - b.x) / b.w * 100) + "%";
              o.style.width = (around ? 100 : o.w / b.w * 100) + "%";
            }));
            </script>
            </html>
            """;

    private FlameGraph() {}

    /// @param title what was sampled under which load
    public static String render(String title, StackTree stacks) {
        int height = stacks.root().depth() * ROW;
        var page = new StringBuilder(String.format(Locale.ROOT, """
                <!doctype html>
                <html lang="en">
                <meta charset="utf-8">
                <title>%1$s</title>
                <style>
                body { font: 13px system-ui, sans-serif; margin: 1.5em; color: #222; background: #fff }
                #graph { position: relative; height: %2$dpx }
                #graph div { position: absolute; height: %3$dpx; box-sizing: border-box; overflow: hidden; cursor: pointer;
                  white-space: nowrap; font: 11px/%3$dpx monospace; padding-left: 2px; border: 0 solid #fff;
                  border-width: 0 1px 1px 0; background: #e8a55b }
                #graph div:hover { background: #f4d19b }
                #graph div.k { background: #9bb7d4 }
                </style>
                <h1>%1$s</h1>
                <p>%4$,d samples. Click on a call to look at it alone, on the lowest bar for all.</p>
                <div id="graph">
                """, escaped(title), height, ROW, stacks.samples()));
        if (stacks.samples() > 0) {
            bar(page, "all", stacks.root(), stacks.samples(), 0, height - ROW);
        }
        return page.append(TAIL).toString();
    }

    private static void bar(StringBuilder page, String name, StackTree.Node node, long all, long before, int top) {
        double share = (double) node.samples() / all;
        if (share < LEAST_SHARE) {
            return;
        }
        var text = escaped(name);
        page.append(String.format(
                Locale.ROOT,
                "<div%s style=\"left:%.4f%%;width:%.4f%%;top:%dpx\" title=\"%s: %.2f %%\">%s</div>%n",
                name.endsWith(KERNEL) ? " class=\"k\"" : "",
                100.0 * before / all,
                100 * share,
                top,
                text,
                100 * share,
                text));
        long left = before;
        for (var callee : node.callees().entrySet()) {
            bar(page, callee.getKey(), callee.getValue(), all, left, top - ROW);
            left += callee.getValue().samples();
        }
    }

    /// How frames of the kernel end.
    static final String KERNEL = " [kernel]";

    private static String escaped(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
