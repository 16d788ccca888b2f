"""Pixels of pictures: decoded by pydicom, else by SimpleITK.

JPEG lossless, the commonest compression in archives, needs a plugin that pydicom seldom has; SimpleITK reads it by
GDCM. What neither of them decodes is named.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array
from pydicom.uid import UID

from calid.dicom import converted
from calid.dicom.pictures import Picture
from calid.dicom.sources import Opener, Source


class Undecodable(ValueError):
    """A picture whose pixels cannot be had, and why."""


@dataclass(frozen=True)
class Decoded:
    """Pixels (rows, columns), and whether the slope and intercept of the file are already in them."""

    pixels: np.ndarray
    is_rescaled: bool = False


class Pixels:
    """Reads pictures; of the file that was read last the other frames are at hand.

    :param opener: of the sources of the pictures.
    """

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._source: Source | None = None
        self._dataset = Dataset()
        self._by_itk: tuple[Source, np.ndarray] | None = None
        self._image: tuple[Source, np.ndarray] | None = None

    def of(self, picture: Picture) -> Decoded:
        """The pixels of a picture.

        :raises Undecodable: with the reason.
        """
        if picture.syntax == converted.NIFTI:
            return self._of_nifti(picture)
        try:
            pixels = self._by_pydicom(picture)
            is_rescaled = False
        except (OSError, EOFError) as error:
            raise Undecodable(f"it cannot be read ({error})") from error
        except Exception as error:  # each decoder has errors of its own, for a missing plugin as for damaged bytes
            pixels, is_rescaled = self._by_simpleitk(picture, error), True
        if pixels.shape != picture.plane.shape:
            raise Undecodable(f"its picture has {pixels.shape}, not {picture.plane.shape} pixels")
        return Decoded(pixels, is_rescaled)

    def _by_pydicom(self, picture: Picture) -> np.ndarray:
        if self._source != picture.source:
            with self._opener.open(picture.source) as file:
                self._dataset = pydicom.dcmread(file)
            self._source = picture.source
        frames = int(self._dataset.get("NumberOfFrames", 1) or 1)
        return pixel_array(self._dataset, index=picture.frame if frames > 1 else None)

    def _by_simpleitk(self, picture: Picture, first: Exception) -> np.ndarray:
        if self._by_itk is None or self._by_itk[0] != picture.source:
            self._by_itk = picture.source, self._frames_by_simpleitk(picture, first)
        return self._by_itk[1][picture.frame]

    def _frames_by_simpleitk(self, picture: Picture, first: Exception) -> np.ndarray:
        import SimpleITK as sitk

        level = sitk.ProcessObject.GetGlobalWarningDisplay()
        sitk.ProcessObject.SetGlobalWarningDisplay(False)
        try:
            if not picture.source.member:
                frames = sitk.GetArrayFromImage(sitk.ReadImage(str(picture.source.path), imageIO="GDCMImageIO"))
            else:
                with tempfile.TemporaryDirectory() as folder:
                    copy = Path(folder) / "image.dcm"
                    with self._opener.open(picture.source) as file:
                        copy.write_bytes(file.read())
                    frames = sitk.GetArrayFromImage(sitk.ReadImage(str(copy), imageIO="GDCMImageIO"))
        except (RuntimeError, OSError, ValueError) as error:
            raise Undecodable(_reason(picture.syntax, first)) from error
        finally:
            sitk.ProcessObject.SetGlobalWarningDisplay(level)
        return frames if frames.ndim == 3 else frames[np.newaxis]

    def _of_nifti(self, picture: Picture) -> Decoded:
        if self._image is None or self._image[0] != picture.source:
            self._image = picture.source, converted.voxels_of(picture.source)
        return Decoded(converted.picture_in(self._image[1], picture.frame), True)


def syntax_name(syntax: str) -> str:
    """What a transfer syntax is called, with its UID."""
    name = UID(syntax).name
    return f"{name} ({syntax})" if name != syntax else syntax


def _reason(syntax: str, error: Exception) -> str:
    if not UID(syntax).is_transfer_syntax or UID(syntax).is_compressed:
        return f"neither pydicom nor SimpleITK decodes {syntax_name(syntax)} here"
    return f"its pixels are damaged ({type(error).__name__})"
