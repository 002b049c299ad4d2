"""`hemobench pretrain`: first weights from one's own images, where ImageNet's cannot be had."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hemobench.commands.console import Json, print_json
from hemobench.commands.train import Data, epoch_bar


def pretrain(
    architecture: Annotated[str, typer.Argument(help="torchvision's name, as in efficientnet_b2.")],
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="The state dict, for --weights or weights=FILE.")],
    dataset: Annotated[str, typer.Option(help="How the folder is laid out: bone-marrow or c-nmc.")] = "bone-marrow",
    epochs: Annotated[int, typer.Option(min=1, help="At most.")] = 15,
    image_size: Annotated[int, typer.Option(min=32, help="Side in pixels.")] = 96,
    images: Annotated[int | None, typer.Option(min=20, help="Train on a stratified part of so many.")] = None,
    seed: Annotated[int, typer.Option(help="Decides all that is random.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    as_json: Json = False,
) -> None:
    """Train a network from random weights to tell the classes of a folder of images, and save its weights."""
    from dataclasses import asdict

    from hemobench.datasets import open_images
    from hemobench.datasets.images import subset
    from hemobench.errors import BenchmarkError

    try:
        from hemobench.benchmarks.training.pretrain import pretrain as trained
    except ImportError as problem:
        raise BenchmarkError(
            f"training needs torch and torchvision: {problem}", "pip install 'hemobench[train]'"
        ) from None
    found = open_images(dataset, data)
    chosen = subset(found, images, seed) if images else found
    with epoch_bar(1, epochs) as told:
        result = trained(
            chosen,
            architecture,
            out,
            epochs=epochs,
            image_size=image_size,
            seed=seed,
            device=device,
            threads=threads,
            on_epoch=told,
        )
    if as_json:
        print_json({"weights": str(out), **asdict(result)})
    else:
        sys.stdout.write(
            f"{out}: {result.epochs} epochs on {result.images} images; accuracy on those held out "
            f"{100 * result.accuracy:.1f} %\n"
        )
