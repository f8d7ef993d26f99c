"""Rotation: a new value of a secret, live, with nothing lost.

versions    the three staging labels of Secrets Manager, and the moves between them
verifiers   asks what a key opens whether it opens it
"""
