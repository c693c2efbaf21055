"""Text cut into columns: from the bytes of a file, packed or not and in any encoding, to rows that are counted.

Read in this order: packing, encoding, opening, dialect, head, then rows with its two readers, fast and careful.
"""
