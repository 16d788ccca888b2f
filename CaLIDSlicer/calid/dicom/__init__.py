"""Studies as scanners and archives export them, to short-axis stacks, and results back.

sources   files of a folder, a list or a zip          headers    what one file says, in raw bytes
elements  the bytes of a header                       values     numbers, texts and times in them
multiframe  frames of Enhanced MR                     converted  what dcm2niix makes of a study
pictures  one image and where and when it was         kinds      what a picture shows, by its header
slices    pictures of one place, in phase order       timing     trigger times as fractions of the R-R interval
views     slices that make a stack or a long axis     repeats    slices and stacks that were acquired again
pixels    decoding                                    grid       one pixel grid for all slices
cycle     one cycle for all slices                    brightness one intensity scale for all slices
assemble  a stack from a view                         study      all of it: what is there, and which stack is meant
long_axis cines across a stack, in step with it
witnesses long axes held against a result             witness_sheet the same in a picture
report    in words and as JSON                        sheet      in a picture
derived   a dense result as an MR series
"""
