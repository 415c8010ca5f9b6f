"""The table of a whole scan, and the lines below it."""

from collections.abc import Iterable, Sequence

from policy.scan.exceptions import Exemption, JudgedScan

_HEAD = ("SCANNER", "SUBJECT", "OBJECTS", "FAILED", "WARNINGS", "SKIPPED", "EXEMPT")
_TEXT_COLUMNS = 2


def as_text(judged: Sequence[JudgedScan], unused: Iterable[Exemption]) -> str:
    """The table, every finding, every exemption with its reason, and what is not proven."""
    lines = [_line(_HEAD, judged), *(_line(_cells(each), judged) for each in judged)]
    lines += [line for each in judged for line in _findings(each)]
    lines += _exemptions(judged)
    lines += [f"unused exemption: {each.scanner} {each.check} covers nothing; remove it" for each in unused]
    lines += [
        f"NOT PROVEN here: {each.scan.scanner} {each.scan.subject}: {each.scan.unproven}"
        for each in judged
        if each.scan.unproven
    ]
    return "\n".join(lines)


def _cells(judged: JudgedScan) -> tuple[str, ...]:
    scan = judged.scan
    if scan.unproven:
        return (scan.scanner, scan.subject, "NOT PROVEN here", "", "", "", "")
    counts = (scan.objects, scan.count("error"), scan.count("warning"), scan.skipped, len(judged.exempt))
    return (scan.scanner, scan.subject, *map(str, counts))


def _line(cells: Sequence[str], judged: Sequence[JudgedScan]) -> str:
    names = (
        max(len(_HEAD[0]), *(len(each.scan.scanner) for each in judged)),
        max(len(_HEAD[1]), *(len(each.scan.subject) for each in judged)),
    )
    texts = [cell.ljust(width) for cell, width in zip(cells, names, strict=False)]
    numbers = [cell.rjust(len(head)) for cell, head in list(zip(cells, _HEAD, strict=True))[_TEXT_COLUMNS:]]
    return "  ".join([*texts, *numbers]).rstrip()


def _findings(judged: JudgedScan) -> list[str]:
    scan = judged.scan
    return [
        f"{scan.scanner} {scan.subject}: {finding.level}: {finding.where}"
        + (f":{finding.line}" if finding.line > 1 else "")
        + f": {finding.check}: {finding.message}"
        for finding in scan.findings
    ]


def _exemptions(judged: Sequence[JudgedScan]) -> list[str]:
    """One line for each exemption that covers something, with the objects that it covers in each subject."""
    covered: dict[Exemption, dict[str, set[str]]] = {}
    for each in judged:
        for finding, exemption in each.exempt:
            covered.setdefault(exemption, {}).setdefault(each.scan.subject, set()).add(finding.where)
    lines = []
    for exemption, subjects in covered.items():
        places = "; ".join(f"{subject}: {', '.join(sorted(names))}" for subject, names in subjects.items())
        lines.append(f"exempt: {exemption.scanner} {exemption.check}: {exemption.reason} ({places})")
    return lines
