"""The models, one a file: the file's name is the model's name everywhere (`--set`, CLI, artifacts).

A file here is found by `recollect.registry` and held to the laws by `tests/conformance/`; nothing else is edited.
"""
