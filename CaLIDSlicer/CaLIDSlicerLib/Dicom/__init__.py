"""Studies as scanners and archives export them, to cines in the scene: from a folder, or Slicer's DICOM database."""
