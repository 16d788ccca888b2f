"""The Slicer side of CaLIDSlicer: MRML nodes in, a worker process beside, MRML nodes out.

Rules of this package:

- It imports the standard library, numpy, vtk and slicer, and of ``calid`` only what needs no more than numpy, and in
  ``Dicom`` pydicom. torch and SimpleITK stay on the worker's side of the wall; a contract in ``pyproject.toml`` checks
  it.
- A folder imports from those that ``pyproject.toml`` lists below it: ``Panel``, then ``Setup``, ``SelfCheck`` and
  ``Dicom``, then ``Display`` and ``Jobs``, then ``Scene``.
- It shows no window and asks no question; what goes wrong is raised as a :class:`calid.errors.CalidError`.
- It works in 3D Slicer and, without an application or Qt, on the MRML library alone.
"""
