"""Two real studies of a GE scanner, anonymised and public (Sunnybrook Cardiac Data)."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

from calid.dicom.study import read_study


@pytest.mark.parametrize(
    ("patient", "slices", "cycles", "rubbish"), [("SCD0000101", 12, (731, 800), 0), ("SCD0000201", 13, (689, 705), 260)]
)
def test_a_ge_study(patient, slices, cycles, rubbish, sunnybrook):
    study = read_study(sunnybrook / patient)
    (view,) = study.stacks
    assert view.is_short_axis_cine
    assert len(study.left_out) == rubbish
    made = study.assemble()
    stack = made.stack
    assert stack.voxels.shape == (20, slices, 256, 256)
    assert stack.voxels.dtype == np.int16
    np.testing.assert_allclose(stack.gaps, 10, atol=0.002)
    assert np.ptp(stack.gaps) < 1e-9
    assert stack.thickness == 10
    found = [cine.timing.cycle for cine in made.view.slices]
    assert (round(min(found)), round(max(found))) == cycles
    assert not made.told
    # Slice by slice and phase by phase what the files hold, where they say it is.
    for k in (0, slices // 2, slices - 1):
        for t in (0, 7, 19):
            picture = made.view.slices[k].pictures[t]
            file = pydicom.dcmread(picture.source.path)
            np.testing.assert_array_equal(stack.voxels[t, k], file.pixel_array)
            at = stack.frame[:3, 3] + stack.positions[k] * stack.frame[:3, 2]
            np.testing.assert_allclose(at, [float(x) for x in file.ImagePositionPatient], atol=0.01)
    steps = [
        [float(pydicom.dcmread(p.source.path).TriggerTime) for p in cine.pictures] for cine in made.view.slices[:1]
    ]
    assert steps[0] == sorted(steps[0])
