"""Measuring speed and memory, part by part; :mod:`calid.benchmarking.benchmark` puts it together.

settings   what is measured, in full and quickly      machine    the hardware and the versions
volume     a volume as a user gets it                 parts      where the time of a slice goes
studies    a study of many DICOM files
reference  the methods to be faster than              tables     the report as Markdown
"""
