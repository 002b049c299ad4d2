"""Download a data set that may be had by a program, with the user's own credentials."""

from __future__ import annotations

import os
import shutil
from importlib import import_module
from pathlib import Path
from types import ModuleType

from hemobench.datasets import reader
from hemobench.errors import BenchmarkError

HANDLE = "andrewmvd/leukemia-classification"
"""C-NMC on Kaggle, about 10.4 GB unpacked: the layout of `C-NMC_Leukemia`."""
BY_HAND = {
    "c-nmc": "download C-NMC 2019 in a browser (TCIA, doi 10.7937/tcia.2019.dc64i46r, or Kaggle "
    f"'{HANDLE}'), unpack it, and run `hemobench data verify c-nmc DIR`",
    "bone-marrow": "download the MLL set (TCIA, doi 10.7937/TCIA.AXH3-T579) or the Barcelona set (Mendeley, doi "
    "10.17632/snkd93bnjr.1) in a browser, unpack it, and run `hemobench data verify bone-marrow DIR`",
    "cells": "lay out your own images as <class>/<file>, and run `hemobench data verify cells DIR`",
}


def fetch(name: str, out: Path) -> Path:
    """Download a data set into a folder.

    Args:
        name: `c-nmc`; the others can only be had by hand.
        out: A folder that is empty or not there yet.

    Returns:
        The folder, to be given to `open_images`.

    Raises:
        BenchmarkError: If it cannot be had: kagglehub is not installed, not authorised or offline, the set has no
            download, or the folder is in use. The hint says how to do it by hand.
    """
    reader(name)  # refuses an unknown name
    if name != "c-nmc":
        raise BenchmarkError(f"'{name}' has no download for programs", BY_HAND.get(name, "get it by hand"))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BenchmarkError(f"{out} is not an empty folder", "name a new one; nothing is overwritten")
    kagglehub = _kagglehub()
    try:
        found = Path(kagglehub.dataset_download(HANDLE))
    except Exception as error:  # its errors, requests' and the operating system's share no base but this
        raise BenchmarkError(f"kagglehub cannot download '{HANDLE}': {_reason(error)}", BY_HAND[name]) from error
    return _placed(found, out)


def _kagglehub() -> ModuleType:
    try:
        return import_module("kagglehub")
    except ImportError as error:
        hint = f"`pip install 'hemobench[fetch]'` and set up a Kaggle API token, or {BY_HAND['c-nmc']}"
        raise BenchmarkError("downloading needs the package kagglehub, which is not installed", hint) from error


def _reason(error: Exception) -> str:
    """What went wrong, told from the HTTP status where there is one; else the error's kind and first line."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return f"Kaggle refuses the credentials (HTTP {status}); it wants an API token and the set's terms accepted"
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & {"ConnectionError", "Timeout", "ConnectTimeout"}:
        return "the network cannot be reached"
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first[:200]}" if first else type(error).__name__


def _placed(found: Path, out: Path) -> Path:
    """Hard-link (or copy, across file systems) what lies in kagglehub's cache into the folder asked for."""

    def link(source: str, target: str) -> str:
        try:
            os.link(source, target)
            return target
        except OSError:
            return shutil.copy2(source, target)

    try:
        shutil.copytree(found, out, copy_function=link, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        raise BenchmarkError(
            f"the download in {found} cannot be placed in {out}: {error}", "free some space"
        ) from error
    return out
