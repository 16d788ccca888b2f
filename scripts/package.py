"""An archive that Slicer's Extensions Manager installs ("Install from file"), made without building Slicer.

``make package SLICER_VERSION=5.12`` writes ``dist/CaLIDSlicer-<version>-Slicer-5.12.tar.gz``. What is in it comes from
the lists in the CMake files, and lies where a build of the extension would put it. Standard library only.

What the Extensions Manager expects, read in Slicer's ``Base/QTCore/qSlicerExtensionsManagerModel.cxx``:

- ``installExtension(archiveFile)`` takes the first entry that ends in ``.s4ext``; its base name is the extension's
  name. It then reads ``<extension>/share/Slicer-X.Y/<name>.s4ext``, with X.Y of the running Slicer
  (``parseExtensionDescriptionFile``: ``key value`` lines, ``#`` starts a comment), for category, contributors,
  description, homepage, iconurl, screenshots, status, scm, scmurl and scmrevision. It does not read ``depends``: an
  extension from a file brings no others along, so PyTorch has to be installed before it.
- ``extractArchive`` takes the top folder from the path of the first entry, and takes for granted that there is only
  one. The archive lists files only: a folder listed first could be taken for a file beside it.
- ``extractExtensionArchive`` renames the top folder, of whatever name, to that of the extension. On macOS it looks one
  level deeper, in ``Slicer.app/Contents/Extensions-<revision>/<name>``, which changes with every build of Slicer: this
  archive is for Linux and Windows.
- ``extensionModulePaths`` adds ``lib/Slicer-X.Y/qt-scripted-modules`` to the folders with modules.
"""

from __future__ import annotations

import argparse
import gzip
import io
import re
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAME = "CaLIDSlicer"
MODULE = ROOT / NAME
# The same for every file, so that the same files give the same archive. 1980 began: no file system knows an older time.
MODIFIED = 315_532_800


def cmake_list(name: str, path: Path = MODULE / "CMakeLists.txt") -> list[str]:
    """The words of ``set(NAME word word ...)`` in a CMake file, a quoted text being one word.

    :raises ValueError: if the file does not set the name.
    """
    values = re.search(rf'^set\({name}\s+(?:"([^"]*)"|([^")]*))\)', path.read_text(encoding="utf-8"), re.MULTILINE)
    if values is None:
        raise ValueError(f"{path} does not set {name}")
    words = values[2].split() if values[1] is None else [values[1]]
    return [word.replace("${MODULE_NAME}", NAME) for word in words]


def installed_files(slicer: str) -> dict[str, Path]:
    """Every path below the folder of the installed extension, sorted, with the source file that goes there."""
    modules, share = f"lib/Slicer-{slicer}/qt-scripted-modules", f"share/Slicer-{slicer}"
    listed = [(MODULE, "MODULE_PYTHON_SCRIPTS"), (MODULE, "MODULE_PYTHON_RESOURCES"), (ROOT, "MODULE_WEIGHTS")]
    files = {f"{modules}/{file}": folder / file for folder, variable in listed for file in cmake_list(variable)}
    documents = cmake_list("EXTENSION_DOCUMENTS", ROOT / "CMakeLists.txt")
    files |= {f"{share}/{NAME}/{file}": ROOT / file for file in documents}
    files[f"{share}/{NAME}.s4ext"] = ROOT / f"{NAME}.s4ext"
    return dict(sorted(files.items()))


def write_archive(folder: Path, slicer: str) -> Path:
    """Write the archive for a Slicer ``"major.minor"`` into a folder, which is made if need be; returns its path."""
    top = f"{NAME}-{_version()}-Slicer-{slicer}"
    content = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=content, mtime=MODIFIED) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, source in installed_files(slicer).items():
            _add(archive, f"{top}/{name}", source.read_bytes())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{top}.tar.gz"
    path.write_bytes(content.getvalue())
    return path


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file with nothing of this machine in its entry: a ``TarInfo`` belongs to user 0, without a name."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(content), MODIFIED, 0o644
    archive.addfile(entry, io.BytesIO(content))


def _version() -> str:
    source = (MODULE / "calid" / "version.py").read_text(encoding="utf-8")
    return re.findall(r'^__version__ = "(.+)"$', source, re.MULTILINE)[0]


def _slicer_version(text: str) -> str:
    if not re.fullmatch(r"\d+\.\d+", text):
        raise argparse.ArgumentTypeError(f"{text!r} names no folder of Slicer: give major.minor, as in 5.12")
    return text


def main() -> None:
    """Write the archive into ``dist/``."""
    parser = argparse.ArgumentParser(description="Package CaLIDSlicer for the Extensions Manager of 3D Slicer.")
    parser.add_argument("--slicer", type=_slicer_version, default="5.12", help="major.minor (default %(default)s)")
    path = write_archive(ROOT / "dist", parser.parse_args().slicer)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
