"""`hemobench data …`: check a folder of images, draw stand-in cells, download."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hemobench.commands.console import Json, console, print_json, try_output
from hemobench.commands.progress import interruptible, progress

if TYPE_CHECKING:
    from hemobench.datasets.verify import Report

app = typer.Typer(name="data", help="Check, draw or download folders of cell images.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="TASK", help="c-nmc, bone-marrow or cells.")]
SHOWN = 40


@app.command()
def verify(
    name: Name,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of images.")],
    manifest: Annotated[Path | None, typer.Option(help="Checksums to hold it against; C-NMC's come along.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="Decode only so many images, drawn at random.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Also draw a contact sheet, a PNG.")] = None,
    mapping: Annotated[str | None, typer.Option(help="bone-marrow: folders, mll or barcelona.")] = None,
    table: Annotated[Path | None, typer.Option(help="Subject table; subjects.csv in DIR by default.")] = None,
    as_json: Json = False,
) -> None:
    """Hold a folder against what is known of the public data set; exit code 1 if a reader would refuse it."""
    from hemobench.datasets import open_images
    from hemobench.datasets.contact_sheet import contact_sheet
    from hemobench.datasets.verify import verify as check

    given = {"mapping": mapping, "table": table}
    options: dict[str, Any] = {option: value for option, value in given.items() if value is not None}
    if sheet is not None:
        try_output(sheet)
    with interruptible("nothing", resumes=False), progress("images") as bar:
        report = check(name, folder, manifest, sample=sample, progress=bar.update, **options)
    if as_json:
        print_json(report_as_json(report))
    else:
        render_report(report)
    if not report.ok:
        raise typer.Exit(1)
    if sheet is not None:
        contact_sheet(open_images(name, folder, **options), sheet)
        sys.stderr.write(f"contact sheet: {sheet}\n")


@app.command()
def synthesize(
    name: Name,
    out: Annotated[Path, typer.Option(help="A new folder.")],
    images: Annotated[int, typer.Option(min=20, help="How many.")] = 1000,
    size: Annotated[int, typer.Option(min=16, max=1024, help="Pixels a side.")] = 144,
    seed: Annotated[int, typer.Option(help="The same seed draws the same bytes.")] = 0,
) -> None:
    """Draw procedural stand-in cells in a task's layout, clearly marked: for demos without any download."""
    from hemobench.datasets.synthetic import synthesize as draw

    draw(name, out, images=images, seed=seed, size=size)
    sys.stdout.write(f"{images} synthetic images of {name} in {out}\n")


@app.command()
def fetch(
    name: Name,
    out: Annotated[Path, typer.Option(help="A new folder.")],
) -> None:
    """Download a data set with your own credentials (extra `fetch`)."""
    from hemobench.datasets.fetch import fetch as download

    sys.stdout.write(f"{download(name, out)}\n")


def report_as_json(report: Report) -> dict[str, Any]:
    """A report as plain data."""
    return {
        "ok": report.ok,
        "layout": report.layout,
        "images": report.images,
        "counts": report.counts,
        "sizes": {f"{width}x{height}": count for (width, height), count in report.sizes.items()},
        "checked": report.checked,
        "findings": [
            {"severity": f.severity, "kind": f.kind, "path": f.path.as_posix(), "detail": f.detail, "hint": f.hint}
            for f in report.findings
        ],
    }


def render_report(report: Report) -> None:
    """Print what a folder holds, and what is wrong with it."""
    from rich.text import Text

    from hemobench.reports.text_tables import Table, terminal_table

    classes = sorted({name for part in report.counts.values() for name in part})
    rows = [(name, *(str(counts.get(name, 0)) for counts in report.counts.values())) for name in classes]
    header = ("class", *(part or "images" for part in report.counts))
    caption = f"{report.images} images, layout {report.layout}"
    screen = console()
    screen.print(terminal_table(Table(caption, header, tuple(rows))))
    sizes = ", ".join(f"{w} x {h}: {count}" for (w, h), count in sorted(report.sizes.items()))
    screen.print(Text(f"sizes: {sizes}; checksums compared: {report.checked}"))
    for finding in report.findings[:SHOWN]:
        where = f" {finding.path.as_posix()}:" if finding.path.as_posix() != "." else ""
        hint = f" -> {finding.hint}" if finding.hint else ""
        screen.print(Text(f"{finding.severity}: {finding.kind}:{where} {finding.detail}{hint}"), soft_wrap=True)
    if len(report.findings) > SHOWN:
        screen.print(Text(f"… and {len(report.findings) - SHOWN} more findings; --json has all"))
    screen.print(Text(verdict(report)))


def verdict(report: Report) -> str:
    """What a reader will do with the folder, which is all that is promised; only the images seen can be known."""
    seen = sum(report.sizes.values())
    if not report.ok:
        return f"{report.name} refuses this folder, for the errors above"
    unseen = "" if seen == report.images else f", as far as the {seen} images that were decoded tell"
    return f"{report.name} reads this folder{unseen}"
