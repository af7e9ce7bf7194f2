"""Counting of what a served model is asked and answers: int64 counts a window, and no input, output or identifier.

Standard library and numpy. The bins that are counted in come with the signed bundle (`monitor.json`).
"""
