"""Measurements, as ratios: ``python -m tests.benchmarks`` prints one table of them.

Machines are shared and noisy, so nothing here asserts a time; what is compared is alternated in one
run, and the medians' ratio is what repeats.
"""
