"""How good are the synthesised slices? The same questions to any method, on a labelled cohort.

``cases`` are the stacks, ``heldout`` takes slices away, ``scoring`` lets a method put them back, ``metrics`` judge
the image, ``anatomy`` and ``overlap`` the heart in it, ``statistics`` say how sure that is, ``report`` and ``figures``
show.
"""

from calid.errors import CalidError

try:
    import skimage  # noqa: F401
except ImportError as error:
    raise CalidError("evaluation needs scikit-image", 'run: pip install "calid[evaluate]"') from error
