"""The values of a label map, those of ACDC. Needs nothing."""

RIGHT_VENTRICLE, MYOCARDIUM, LEFT_VENTRICLE = 1, 2, 3
