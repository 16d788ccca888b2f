"""Cohorts: many cases, each on its own, on the workers of a machine or a cluster, into one table and one report.

finding     cases in a tree          roster      under which ids
case        what is asked for        fingerprint whether a result is the one that is asked for
work        one case, end to end     folder      where it is published, complete or not at all
child slot  a process that works     local cluster    who hands out cases: this process, or Dask
cohort      the run as a whole       table report provenance    what comes of it
"""
