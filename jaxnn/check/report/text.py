"""The report as text: at most 40 lines, the most useful first."""

from jaxnn.check.report.record import Finding, Leaf, Record

MOST_LEAVES, MOST_FINDINGS, WIDTH = 12, 8, 100


def render(report: Record) -> str:
    """What went wrong, where, why and how to repeat it; or what a pass was able to see."""
    head = f"{report.title}: {report.verdict}   ({_run(report)})"
    body = _failure(report) if report.verdict == "wrong" else _findings(report)
    return "\n".join([head, *body, *_power(report)])


def _run(report: Record) -> str:
    seeds = ", ".join(map(str, report.seeds[:5])) + (" ..." if len(report.seeds) > 5 else "")
    plural = "s" if len(report.seeds) > 1 else ""
    return f"{', '.join(report.dtypes)}; seed{plural} {seeds}; reference: {report.oracle}"


def _failure(report: Record) -> list[str]:
    lines = []
    bad = [leaf for leaf in report.worst if not leaf.ok]
    if bad:
        lines.append(f"  wrong    {len(bad)} of {len(report.worst)} leaves; ours = under test")
    if report.place:
        lines.append(f"  place    {report.place}")
    if report.cause:
        lines.append(f"  cause    {report.cause.text}")
        lines.append(f"           {report.cause.advice}")
    lines += _findings(report)
    if bad:
        lines += _table(bad)
        right = ", ".join(dict.fromkeys(leaf.path for leaf in report.worst if leaf.ok))
        lines += [f"  right    {_cut(right)}"] if right else []
    if report.repeat:
        lines.append(f"  repeat   {report.repeat}")
    return lines


def _findings(report: Record) -> list[str]:
    order = {"wrong": 0, "inconclusive": 1, "note": 2}
    first: dict[tuple[str, str, str], Finding] = {}
    for f in report.findings:
        first.setdefault((f.verdict, f.check, f.text if f.verdict == "note" else f.dtype), f)
    found = list(first.values())
    found = sorted(found, key=lambda f: order[f.verdict])
    lines = [f"  {f.verdict:<12} {_cut(f'[{f.check}] {f.text}', 300)}" for f in found]
    more = len(lines) - MOST_FINDINGS
    return lines[:MOST_FINDINGS] + ([f"  ... and {more} more"] if more > 0 else [])


def _table(bad: list[Leaf]) -> list[str]:
    paths = [f"{leaf.path} {leaf.dtype}" for leaf in bad[:MOST_LEAVES]]
    width = max(map(len, [*paths, "leaf"]))
    lines = [
        f"  {'leaf':<{width}}  {'worst entry':<12} {'ours':>13} {'reference':>13} "
        f"{'rel. error':>10} {'allowed':>8} {'times over':>10}"
    ]
    for path, leaf in zip(paths, bad, strict=False):
        size = leaf.size or 1.0
        lines.append(
            f"  {path:<{width}}  {list(leaf.worst)!s:<12} {leaf.ours:>+13.6e} "
            f"{leaf.reference:>+13.6e} {leaf.error / size:>10.1e} {leaf.allowed / size:>8.1e} "
            f"{leaf.over:>10.1e}"
        )
    more = len(bad) - MOST_LEAVES
    return lines + ([f"  ... and {more} more"] if more > 0 else [])


def _power(report: Record) -> list[str]:
    """The smallest relative error that would have been caught, in each precision."""
    lines = []
    for dtype in report.dtypes:
        leaves = [leaf for leaf in report.worst if leaf.dtype == dtype]
        live = [leaf for leaf in leaves if not leaf.vanishes]
        if live:
            worst = max(live, key=lambda leaf: leaf.resolution)
            lines.append(
                f"  would have caught in {dtype}: relative errors from {worst.resolution:.1e} on "
                f"(least sure: {worst.path})"
            )
        zero = [leaf.path for leaf in leaves if leaf.vanishes]
        if zero:
            lines.append(
                f"  truly zero in {dtype}, ours within noise or not: {_cut(', '.join(zero))}"
            )
    return lines


def _cut(text: str, width: int = WIDTH) -> str:
    return text if len(text) <= width else text[: width - 4] + " ..."
