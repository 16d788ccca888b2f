"""The Slicer side of CaLIDSlicer: MRML nodes in, a worker process beside, MRML nodes out.

Rules of this package:

- It imports the standard library, numpy, vtk and slicer, and of ``calid`` only what needs no more than numpy
  (``protocol``, ``errors``, ``manifest``, ``stack``, ``plan``). torch and SimpleITK stay on the worker's side of the
  wall.
- It shows no window and asks no question; what goes wrong is raised as a :class:`calid.errors.CalidError`.
- It works in 3D Slicer and, without an application or Qt, on the MRML library alone.
"""
