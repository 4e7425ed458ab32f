"""Uploaded tables of every format as one canonical Parquet file: float64 numbers and UTF-8 text, in file order.

What reads a file knows no HTTP: it runs in a process of its own (`reading_process`), which should start fast.
"""
