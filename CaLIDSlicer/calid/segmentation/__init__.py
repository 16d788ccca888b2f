"""Ventricles and myocardium, labelled."""
