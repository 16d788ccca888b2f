"""Anatomy of the beating-heart phantom: implicit shapes in millimetres, painted tissue over tissue.

Coordinates are those of a short-axis view as it is read: x grows to the image's right (the patient's left), y grows
downwards (inferior), z runs from the mitral valve at end-diastole (0) to the apex (75 mm). The right ventricle
lies on the image's left, anterior chest wall top left, liver bottom left, spine and descending aorta bottom right.

Intensities are those of a bSSFP cine: bright blood and fat, dark muscle and lung. Volumes and the ejection fraction
are those of a healthy adult.
"""

from __future__ import annotations

from functools import cached_property
from math import sqrt

import numpy as np

from calid.phantom.shapes import Field, FloatArray, Grid, cover, paint, smooth_max

AIR, LUNG, MUSCLE, FAT = 4.0, 46.0, 125.0, 760.0
MYOCARDIUM, LEFT_BLOOD, RIGHT_BLOOD = 160.0, 680.0, 550.0
LIVER, SPLEEN, STOMACH, MARROW, CORTEX, CANAL = 170.0, 225.0, 150.0, 190.0, 70.0, 480.0

RIGHT_VENTRICLE_LABEL, MYOCARDIUM_LABEL, LEFT_CAVITY_LABEL = 1, 2, 3

HEART_MIDDLE = 33.0
"""z in mm where the stack's middle belongs."""

HEART_EXTENT = (-86.0, 76.0), (-88.0, 74.0)
"""(x, y) ranges in mm that the heart and its fat can reach."""

_HEART_CENTRE = (16.0, -4.0)
_END_DIASTOLIC_RADIUS = 27.4
_WALL_VOLUME = 106_000.0
_APEX = 75.0


class Heart:
    """Both ventricles, the great vessels at their base and the fat around them, at one moment of the beat.

    :param field: the pixels to evaluate and their textures; best the part of the image the heart can reach.
    :param squeeze: 0 at end-diastole, 1 at end-systole.
    """

    def __init__(self, field: Field, squeeze: float) -> None:
        self.field, self.grid, self.squeeze = field, field.grid, squeeze
        self.valve, self.widest, self.inner_apex = 12.0 * squeeze, 18.0 + 8.0 * squeeze, 68.0 - 3.0 * squeeze
        self.inner_radius = _END_DIASTOLIC_RADIUS * (1.0 - 0.285 * squeeze)
        off_middle = self.grid.z - HEART_MIDDLE
        self.u = self.grid.x - (_HEART_CENTRE[0] - 0.17 * off_middle - 0.0016 * off_middle**2)
        self.v = self.grid.y - (_HEART_CENTRE[1] + 0.17 * off_middle + 0.0008 * off_middle**2)
        self.radius = np.hypot(self.u, self.v)
        self.angle = np.arctan2(self.v, self.u)

    @cached_property
    def above_valve(self) -> FloatArray:
        """mm above the tilted valve plane, towards the atria: positive outside the left ventricle."""
        return self.valve - self.grid.z - 0.10 * self.u + 0.16 * self.v

    @cached_property
    def left_endocardium(self) -> FloatArray:
        """Distance to the left ventricle's cavity; near the base it opens towards the aortic root."""
        radius = self.inner_radius * _profile(self.grid.z, self.widest, self.inner_apex)
        outflow = np.exp(-(((self.grid.z - self.valve) / 7.0) ** 2)) * np.exp(-2.5 * (1.0 + np.cos(self.angle - 0.75)))
        return self.radius - radius * self._roundness - 5.0 * outflow

    @cached_property
    def left_outer_radius(self) -> FloatArray:
        """Mean radius of the left ventricle's outer surface in each slice; muscle is incompressible, which gives it."""
        inside = _truncated_ellipsoid(self.inner_radius, self.valve, self.widest, self.inner_apex)
        radius = sqrt((inside + _WALL_VOLUME) / _truncated_ellipsoid(1.0, self.valve, self.widest, _APEX))
        return radius * _profile(self.grid.z, self.widest, _APEX)

    @cached_property
    def left_epicardium(self) -> FloatArray:
        """Distance to the left ventricle's outer surface."""
        return self.radius - self.left_outer_radius * (0.5 + 0.5 * self._roundness)

    @cached_property
    def _roundness(self) -> FloatArray:
        return 1.0 + 0.025 * np.cos(2.0 * self.angle - 0.9) + 0.012 * np.cos(3.0 * self.angle + 0.02 * self.grid.z)

    @cached_property
    def _right_axes(self) -> tuple[FloatArray, FloatArray]:
        """mm from the right ventricle's middle, towards the septum and across that; the ventricle wraps around."""
        towards = 0.16 - 0.006 * self.grid.z
        shift = 0.80 * np.maximum(self.left_outer_radius, 8.0)
        cosine, sine = np.cos(towards), np.sin(towards)
        return self.u * cosine + self.v * sine + shift, self.v * cosine - self.u * sine

    @cached_property
    def right_outline(self) -> FloatArray:
        """Distance to the rounded triangle that holds the right ventricle and part of the left."""
        along, across = self._right_axes
        profile = _profile(self.grid.z, 2.0 + 12.0 * self.squeeze, 69.0)
        length = np.hypot(along / (1.0 - 0.30 * self.squeeze), across / (1.22 - 0.16 * self.squeeze)) + 1e-3
        corner = 1.0 + 0.07 * np.cos(3.0 * np.arctan2(across, along) + 0.5)
        return np.hypot(along, across) * (1.0 - 40.0 * profile * corner / length) - 0.7 * self.field.lobes

    @cached_property
    def right_cavity(self) -> FloatArray:
        """Distance to the crescent of the right ventricle's cavity."""
        return smooth_max(self.right_outline, -self.left_epicardium, 5.0)

    @cached_property
    def outside(self) -> FloatArray:
        """Distance to the surface of both ventricles together."""
        return -smooth_max(-self.left_epicardium, 2.4 - self.right_outline, 12.0)

    def labels(self) -> np.ndarray:
        """(slices, rows, columns) uint8: 0 background, 1 right ventricle, 2 myocardium, 3 left cavity.

        Papillary muscles and trabeculae belong to the cavity, as in clinical contours.
        """
        left = self.above_valve < 0.0
        above_tricuspid = 14.0 * self.squeeze - 4.0 - self.grid.z + 0.25 * self._right_axes[1]
        labels = np.zeros(self.radius.shape, np.uint8)
        labels[(self.right_cavity < 0.0) & (above_tricuspid < 0.0)] = RIGHT_VENTRICLE_LABEL
        labels[left & (self.left_epicardium < 0.0)] = MYOCARDIUM_LABEL
        labels[left & (self.left_endocardium < 0.0)] = LEFT_CAVITY_LABEL
        return labels

    def paint(self, image: FloatArray) -> None:
        """Paint the heart over its surroundings, in place."""
        self._paint_sac(image)
        self._paint_right(image)
        self._paint_left(image)
        self._paint_base(image)

    def _paint_sac(self, image: FloatArray) -> None:
        """Epicardial fat, the pericardium as a fine dark line, and the fat outside it, which fills what systole frees.

        Fat lies in front of the right ventricle, below the heart and around the apex; lung touches the lateral wall.
        """
        pixel, field = self.grid.pixel, self.field
        front = np.clip(-(self.u + 0.6 * self.v) / 60.0, 0.0, 1.0) + np.clip((self.v - 8.0) / 40.0, 0.0, 1.0)
        apical = np.clip((self.grid.z - 48.0) / 20.0, 0.0, 1.0)
        pericardium = 0.8 + 1.5 * field.shape + 3.0 * front + 3.0 * apical
        freed = 7.0 * self.squeeze * np.clip(1.0 - self.grid.z / _APEX, 0.0, 1.0)
        outer = pericardium + 1.0 + (7.0 + freed) * front * np.clip(0.7 + 0.6 * field.shape, 0.0, 1.5)
        vessels = np.clip(field.vessels - 1.5, 0.0, 1.0)
        fat = FAT * (0.78 - 0.45 * vessels) * np.exp(0.08 * field.grain + 0.09 * field.lobes)
        paint(image, fat, cover(self.outside - outer, pixel) * _inside_ribs(field, _body(field)[0]))
        seen = np.clip(0.5 + 0.5 * field.shape, 0.0, 0.9)
        paint(image, 0.8 * MYOCARDIUM, seen * cover(np.abs(self.outside - pericardium - 0.5) - 0.5, pixel))

    def _paint_right(self, image: FloatArray) -> None:
        """Thin free wall, blood, coarse trabeculae and the moderator band."""
        pixel, depth = self.grid.pixel, -self.right_outline
        paint(image, MYOCARDIUM, cover(self.right_outline - 2.4, pixel))
        cavity = cover(self.right_cavity, pixel)
        paint(image, RIGHT_BLOOD * (1.0 + 0.08 * self.field.lobes), cavity)
        apical = np.clip((self.grid.z - 5.0) / 50.0, 0.0, 1.0)
        strands = self._strands(1.0 - 0.15 * self.squeeze, depth / (8.0 + 16.0 * apical), 0.75 + 0.2 * apical)
        band = np.abs(self._right_axes[1] - 8.0 + 0.25 * self.u) - 3.2 + 0.35 * np.abs(self.grid.z - 44.0)
        paint(image, MYOCARDIUM, np.maximum(strands, 0.8 * cover(band, pixel)) * cavity)

    def _paint_left(self, image: FloatArray) -> None:
        """Compact wall, blood, fine trabeculae and two papillary muscles."""
        pixel = self.grid.pixel
        muscle = MYOCARDIUM * (1.0 + 0.07 * self.field.lobes + 0.08 * self.field.grain)
        paint(image, muscle, cover(self.left_epicardium, pixel))
        cavity = cover(self.left_endocardium, pixel)
        paint(image, LEFT_BLOOD * (1.0 + 0.04 * self.field.lobes + 0.04 * self.field.grain), cavity)
        apical = np.clip((self.grid.z - 5.0) / 60.0, 0.0, 1.0)
        depth = -self.left_endocardium
        strands = self._strands(1.0 - 0.285 * self.squeeze, depth / (3.5 + 7.5 * apical), 0.6 + 0.4 * apical)
        papillary = np.maximum(self._papillary(-0.95, 0.62, 6.4), self._papillary(1.85, 0.64, 6.0))
        paint(image, muscle, np.maximum(strands, papillary) * cavity)

    def _papillary(self, angle: float, reach: float, thickness: float) -> FloatArray:
        """Coverage of one lobulated papillary muscle: free at its tip, merging with the wall towards the apex."""
        twist = angle + 0.006 * (self.grid.z - 40.0) + self._torsion
        along = np.clip((self.grid.z - 18.0 - self.valve) / 44.0, 0.0, 1.0)
        distance = (reach + 0.22 * along) * (self.radius - self.left_endocardium)
        size = thickness * (1.0 + 0.12 * self.squeeze) * np.sqrt(np.clip(along * (1.35 - along) * 2.2, 0.0, 1.0))
        lobes = [
            np.hypot(self.u - distance * np.cos(twist + turn), self.v - distance * np.sin(twist + turn)) - part * size
            for turn, part in ((0.0, 1.0), (0.24, 0.72))
        ]
        return cover(np.minimum(*lobes) + 0.6 * self.field.grain, self.grid.pixel) * (size > 0.5)

    @property
    def _torsion(self) -> FloatArray:
        """Rotation in radians: the base turns clockwise, the apex counter-clockwise, seen from the apex."""
        return self.squeeze * (0.05 - 0.22 * np.clip(self.grid.z / 75.0, 0.0, 1.2))

    def _strands(self, stretch: float, depth: FloatArray, density: FloatArray) -> FloatArray:
        """Coverage of trabeculae in the layer where ``depth`` goes from 0 to 1; they move with the muscle."""
        x = (self.u * np.cos(self._torsion) + self.v * np.sin(self._torsion)) / stretch
        y = (self.v * np.cos(self._torsion) - self.u * np.sin(self._torsion)) / stretch
        field = self.field.textures.trabeculae.at(x, y, self.grid.z - self.valve)
        layer = np.clip(1.2 - np.maximum(depth, 0.0), 0.0, 1.0)
        return np.clip(0.55 * (field - 1.9 + 2.3 * density * layer), 0.0, 0.8) * np.minimum(4.0 * layer, 1.0)

    def _paint_base(self, image: FloatArray) -> None:
        """Left atrium and aortic root, above the valve plane."""
        pixel = self.grid.pixel
        above = cover(-self.above_valve, 2.0)
        paint(image, 0.7 * FAT, 0.7 * cover(self.left_epicardium, pixel) * above)
        atrium = np.hypot((self.u - 5.0) / 1.2, self.v - 8.0) - 21.0 + 1.5 * self.field.shape
        x, y = self.u + 12.0, self.v + 13.0
        root = np.hypot(x, y) - 13.0 + 0.6 * np.cos(3.0 * np.arctan2(y, x))
        for vessel, blood in ((atrium, 0.93 * LEFT_BLOOD), (root, LEFT_BLOOD)):
            paint(image, 1.2 * MYOCARDIUM, cover(vessel - 1.4, pixel) * above)
            paint(image, blood, cover(vessel, pixel) * above)


def paint_torso(field: Field) -> FloatArray:
    """Everything around the heart, (slices, rows, columns) float32; it does not move with the beat."""
    grid = field.grid
    depth, arc = _body(field)
    image = np.full(depth.shape, AIR, np.float32)
    _paint_chest_wall(image, field, depth, arc)
    inside = _inside_ribs(field, depth)
    paint(image, LUNG * np.exp(0.12 * field.grain + 0.25 * field.shape), inside)
    hilum = np.exp(-((grid.x - 75.0) ** 2 + (grid.y - 20.0) ** 2) / 70.0**2)
    vessels = np.clip(1.6 * (field.vessels - 2.3 + 0.7 * hilum), 0.0, 1.0)
    paint(image, 420.0, vessels * _inside_ribs(field, depth - 4.0))
    _paint_abdomen(image, field, inside)
    _paint_spine(image, grid)
    return image


def _body(field: Field) -> tuple[FloatArray, FloatArray]:
    """mm below the skin, and mm along it."""
    x, y = field.grid.x - 20.0 - 0.55 * field.grid.z, field.grid.y - 32.0 - 0.10 * field.grid.z
    along, across = 0.82 * x + 0.57 * y, 0.82 * y - 0.57 * x
    distance = np.hypot(along, across)
    depth = 138.0 * distance / np.hypot(along, across * 1.12) - distance + 3.0 * field.shape
    return depth, 130.0 * np.arctan2(across, along)


def _inside_ribs(field: Field, depth: FloatArray) -> FloatArray:
    return cover(30.0 + 3.0 * field.shape - depth, field.grid.pixel)


def _paint_chest_wall(image: FloatArray, field: Field, depth: FloatArray, arc: FloatArray) -> None:
    """Subcutaneous fat, muscle with a fascia, and ribs cut obliquely."""
    pixel, shape, fat = field.grid.pixel, field.shape, FAT * (1.0 + 0.06 * field.grain)
    paint(image, 0.45 * FAT, cover(-depth, pixel))
    paint(image, fat, cover(1.5 - depth, pixel))
    muscle = 10.0 + 3.5 * shape
    paint(image, MUSCLE * (1.0 + 0.1 * field.grain), cover(muscle - depth, pixel))
    paint(image, 0.7 * fat, np.clip(0.6 + 0.3 * shape, 0.0, 1.0) * cover(np.abs(depth - muscle - 6.0) - 0.7, pixel))
    rib = np.hypot((depth - 22.5 - 2.5 * shape) / 0.55, (arc + 0.6 * field.grid.z + 5.0 * shape) % 38.0 - 19.0) - 9.0
    paint(image, 0.55 * fat, 0.7 * cover(rib - 2.0, pixel))
    paint(image, CORTEX, 0.7 * cover(rib, pixel))
    paint(image, MARROW, cover(rib + 2.8, pixel))


def _paint_abdomen(image: FloatArray, field: Field, inside: FloatArray) -> None:
    """Liver, stomach and spleen below the diaphragm, which rises towards the apex."""
    grid, pixel, lobes, fat = field.grid, field.grid.pixel, field.lobes, FAT * (1.0 + 0.06 * field.grain)
    dome = 48.0 - 0.25 * (grid.z - HEART_MIDDLE) + 0.005 * (grid.x + 22.0) ** 2 + 3.0 * field.shape - grid.y
    paint(image, 0.85 * fat, inside * cover(dome - 3.5, pixel))
    paint(image, MUSCLE, inside * cover(dome - 1.0, pixel))
    paint(image, 0.55 * fat * np.exp(0.4 * lobes), inside * cover(dome + 2.0, pixel))
    liver = smooth_max(dome, grid.x - 26.0 + 0.6 * (grid.y - 70.0) + 6.0 * field.shape + 3.0 * lobes, 16.0)
    vessels = np.clip(1.5 * (np.abs(field.vessels) - 1.8), 0.0, 1.0)
    paint(image, LIVER * (1.0 + 0.06 * lobes) + 200.0 * vessels, inside * cover(liver + 1.5, pixel))
    stomach = smooth_max(np.hypot((grid.x - 52.0) / 1.35, grid.y - 96.0 + 0.25 * grid.z) - 28.0, dome + 4.0, 10.0)
    paint(image, SPLEEN, inside * cover(stomach, pixel))
    paint(image, STOMACH * np.exp(0.4 * lobes), inside * cover(stomach + 4.0, pixel))


def _paint_spine(image: FloatArray, grid: Grid) -> None:
    """Vertebral body with its canal, and the descending aorta in front of it."""
    pixel = grid.pixel
    x, y = grid.x - 98.0 + 0.10 * grid.z, grid.y - 78.0 - 0.10 * grid.z
    body = np.hypot(x, y / 0.9) - 19.0
    paint(image, 0.5 * FAT, 0.8 * cover(body - 3.5, pixel))
    paint(image, CORTEX, cover(body, pixel))
    paint(image, MARROW, cover(body + 1.8, pixel))
    paint(image, CANAL, cover(np.hypot(x - 25.0, y - 14.0) - 8.0, pixel))
    aorta = np.hypot((x + 30.0) / 1.1, y + 8.0) - 10.5
    paint(image, MYOCARDIUM, cover(aorta - 1.6, pixel))
    paint(image, 0.95 * LEFT_BLOOD, cover(aorta, pixel))


def _profile(z: FloatArray, widest: float, apex: float) -> FloatArray:
    """Relative radius along the axis of an ellipsoid; negative beyond the apex, so that distances keep growing."""
    along = (z - widest) / (apex - widest)
    return np.sqrt(np.clip(1.0 - along**2, 0.0, 1.0)) - np.clip(along - 1.0, 0.0, None)


def _truncated_ellipsoid(radius: float, base: float, widest: float, apex: float) -> float:
    """Volume in mm^3 between the base plane and the apex."""
    half = apex - widest
    start = (base - widest) / half
    return float(np.pi * radius**2 * half * (2.0 / 3.0 - start + start**3 / 3.0))
