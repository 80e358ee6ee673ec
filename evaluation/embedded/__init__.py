"""The embedded evaluator: a small network, trained on the data at hand, for machines without published weights.

It knows one data set and nothing else. What is measured with it orders systems trained on that data set and compares
with no published figure.
"""
