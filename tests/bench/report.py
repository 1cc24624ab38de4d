"""What rates.py has measured, for people: a Markdown table, bars, and curves of latency."""
import math

TITLES = {"netbypass": "netbypass", "lwip": "lwIP", "linux": "Linux, epoll", "nginx": "Linux, nginx + wrk",
          "frame": "bare memif"}
COLOURS = {"netbypass": "#2a6f97", "lwip": "#8a6bb1", "linux": "#c9683c", "nginx": "#b8a23a", "frame": "#a9b4bd"}
LATENCIES = {"pingpong": "round trips, one request outstanding", "paced": "requests at a pace"}


def shown(value, unit):
    return f"{value:.1f}" if unit == "Gbit/s" else f"{value:,.0f}"


def table(results):
    lines = ["| row | " + " | ".join(TITLES.values()) + " | ours to epoll |", "|---|" + "---|" * (len(TITLES) + 1)]
    for name, row in results["rows"].items():
        unit, stacks = row["unit"], row["stacks"]
        cells = [f"{shown(s['median'], unit)} ± {shown(s['noise'], unit)}" if (s := stacks.get(stack)) else "–"
                 for stack in TITLES]
        ratio = stacks["netbypass"]["median"] / stacks["linux"]["median"] if stacks["linux"]["median"] else 0
        lines.append(f"| {name}, {unit} | " + " | ".join(cells) + f" | {ratio:.2f} |")
    return "\n".join([*lines, "", *remarks(results)]) + "\n"


def remarks(results):
    """The load under which latency was measured, and what went wrong."""
    said = [f"Medians of {results['rounds']} rounds of {results['seconds']} s, ± half the distance of the quartiles, on "
            f"{results['machine']}."]
    if "paced" in results["modes"]:
        loads = results["modes"]["paced"]
        offered = max(load["offered_per_s"] for load in loads.values())
        made = ", ".join(f"{TITLES[stack]} {load['count_per_s']:,.0f}" for stack, load in loads.items())
        said.append(f"Requests at a pace: {offered:,}/s offered, latency from when a request was due; made: {made}.")
    errors = [f"{TITLES[stack]}, {mode}: {load['errors']}"
              for mode, loads in results["modes"].items() for stack, load in loads.items() if load["errors"]]
    return said + ([f"Errors: {'; '.join(errors)}."] if errors else [])


def document(width, height, lines):
    body = "\n".join(lines)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height:.0f}" font-family="sans-serif" '
            f'font-size="13">\n{body}\n</svg>\n')


def bars(results):
    """A bar per stack and row, scaled to the row's largest."""
    width, bar, gap, left = 640, 18, 14, 170
    lines, y = [], gap
    for name, row in results["rows"].items():
        unit, most = row["unit"], max(s["median"] for s in row["stacks"].values()) or 1
        lines.append(f'<text x="4" y="{y + 12}" font-weight="bold">{name}, {unit}</text>')
        y += bar
        for stack, s in row["stacks"].items():
            length = (width - left - 90) * s["median"] / most
            lines.append(f'<text x="16" y="{y + 13}">{TITLES[stack]}</text>'
                         f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar - 3}" fill="{COLOURS[stack]}"/>'
                         f'<text x="{left + length + 5:.1f}" y="{y + 13}">{shown(s["median"], unit)}</text>')
            y += bar
        y += gap
    return document(width, y, lines)


# --- latency by percentile --------------------------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, TOP = 640, 260, 60, 34
NINES = 5  # the axis ends at 99.999 %
FIRST, LAST = 2, 9  # powers of ten of nanoseconds


def place(share, ns):
    """Where a share of all requests (by its nines) and a latency (logarithmic) lie in the plot."""
    nines = min(-math.log10(1 - share), NINES) if share < 1 else NINES
    height = (math.log10(max(ns, 1)) - FIRST) / (LAST - FIRST)
    return LEFT + (WIDTH - LEFT - 10) * nines / NINES, TOP + HEIGHT * (1 - min(max(height, 0), 1))


def curve(histogram):
    """Points of latency over percentile, from bins and how many lie in each."""
    total, seen, points = sum(count for _, count in histogram), 0, []
    for ns, count in histogram:
        points.append(place(seen / total, ns))
        seen += count
        points.append(place(seen / total, ns))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def axes(title):
    lines = [f'<text x="4" y="16" font-weight="bold">{title}</text>']
    for power in range(FIRST, LAST + 1):
        text = f"{10 ** (power % 3)} {('ns', 'us', 'ms', 's')[power // 3]}"
        y = place(0, 10 ** power)[1]
        lines.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - 10}" stroke="#ddd"/><text x="4" y="{y + 4:.1f}">{text}</text>')
    for nines in range(1, NINES + 1):
        x = place(1 - 10 ** -nines, 1)[0]
        text = f"{100 - 10 ** (2 - nines):.{max(nines - 2, 0)}f} %"
        lines.append(f'<path d="M{x:.1f} {TOP}V{TOP + HEIGHT}" stroke="#ddd"/>'
                     f'<text x="{x:.1f}" y="{TOP + HEIGHT + 16}" text-anchor="end">{text}</text>')
    return lines


def latency(results):
    """A plot for each mode whose latency was counted."""
    lines, y = [], 0
    for mode, title in LATENCIES.items():
        histograms = {stack: load["histogram"] for stack, load in results["modes"].get(mode, {}).items()
                      if load["histogram"]}
        if not histograms:
            continue
        lines += [f'<g transform="translate(0 {y})">', *axes(title)]
        for i, (stack, histogram) in enumerate(histograms.items()):
            lines.append(f'<polyline points="{curve(histogram)}" fill="none" stroke="{COLOURS[stack]}" stroke-width="2"/>'
                         f'<text x="{LEFT + 8}" y="{TOP + 16 * (i + 1)}" fill="{COLOURS[stack]}">{TITLES[stack]}</text>')
        lines.append("</g>")
        y += TOP + HEIGHT + 30
    return document(WIDTH, y, lines)
