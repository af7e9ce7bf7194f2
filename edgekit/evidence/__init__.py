"""Paper trail of a bundle: model card, bill of materials, provenance, and tables for three frameworks of governance."""
