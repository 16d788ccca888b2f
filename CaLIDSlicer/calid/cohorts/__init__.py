"""The data sets that are trained and judged on."""
