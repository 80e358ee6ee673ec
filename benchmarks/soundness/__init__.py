"""Is the embedded evaluator a sound judge? What makes sound worse must make its figures worse, step by step.

The true sounds of a split are spoiled, a little and a lot, and compared with themselves as they were. How often the
evaluator is right about the true sounds is the most that a system can reach. Nothing here compares with published
figures.
"""
